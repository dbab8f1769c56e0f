"""Everything about the run under the cursor, in lines."""

import math
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.run_details import RunDetails
from atft_tui.readings.runs import figure_words, sharpe_words
from atft_tui.widgets.lines import Lines, beside, cell, page
from atft_tui.widgets.panel import PlacePanel
from engine.runs.events import Diagnosed

_LABEL = 11
"""Columns of the names on the left."""
_NARROW = 60
"""Beside the list: the whole screen has more room."""
_WHOLE = "`atft-tui show RUN`"
"""Where nothing is cut."""
_WIDE_FROM = 100
"""Columns from which files and versions stand beside the rest."""
_MIB = 2**20
_MAX_FILES = 10


class RunDetailsPanel(PlacePanel[RunDetails]):
    title: ClassVar[str] = "run"
    empty: ClassVar[str] = "The run under the cursor."

    def picture(self, value: RunDetails, width: int, height: int) -> Text:
        if width < _WIDE_FROM:
            out = Lines(width, height, _LABEL)
            _main(out, value)
            _rest(out, value)
            return page(out.lines, width, height, "tab, m" if width < _NARROW else _WHOLE)
        left = width * 3 // 5
        first, second = Lines(left, height, _LABEL), Lines(width - left - 2, height, _LABEL)
        _main(first, value)
        _rest(second, value)
        lines = beside(first.lines[:height], second.lines[:height], left)
        return page(lines, width, height, _WHOLE)


def _main(out: Lines, value: RunDetails) -> None:
    """What the run is, how it did, and what was warned of."""
    about, course = value.about, value.course
    out.say(cell(about.id, min(out.width, cell_len(about.id)), styles.STRONG))
    took = fmt.duration(about.seconds)
    out.fact("status", f"{about.status}, {took}, made {about.created[:16]} UTC")
    if about.progress or about.trouble:
        out.fold("", about.trouble or about.progress)
    if value.last_words and about.status in ("crashed", "failed"):
        out.fold("last words", value.last_words)
    for name, told in (("tags", " ".join(about.labels.tags)), ("note", about.labels.note)):
        if told:
            out.fold(name, told)
    out.fact("validation", figure_words(about.validation))
    out.fact("test", figure_words(about.test))
    if about.days:
        out.fold("protocol", about.days)
    out.fact("net Sharpe", sharpe_words(about.sharpe))
    if about.sharpe is not None and not math.isnan(about.sharpe.deflated):
        trials = fmt.counted(about.sharpe.trials, "trial")
        out.fact("deflated", f"{about.sharpe.deflated:.2f} after {trials}")
    if (begun := course.started) is not None:
        out.fact("seed", f"{begun.seed}, {begun.device}, {begun.mode} mode")
    out.fold("settings", about.settings.preset or "defaults")
    for key, text in about.settings.written:
        out.fact("", f"{key} = {text}")
    for name, text in value.manifest.part_of:
        out.fact(name[: _LABEL - 1], text)
    for phase in course.phases:
        mark, end = (GLYPHS.done, "") if phase.kept else (GLYPHS.failed, ", rolled back")
        figure = fmt.rank_ic(phase.rank_ic, phase.rank_ic_se)
        out.fold(f"phase {phase.phase}", f"{mark} {phase.name} {figure}{end}")
    if course.checkpoint is not None:
        out.fact("checkpoint", f"{course.checkpoint.name}, step {course.checkpoint.step:,}")
    _gate(out, value)
    for found in course.findings[-8:]:
        words, style = f"{found.code}: {found.message}", styles.WARN
        if isinstance(found, Diagnosed):
            words, style = f"{words} ({found.action})", styles.WARN + styles.STRONG
        out.fold("warning", words, style)


def _gate(out: Lines, value: RunDetails) -> None:
    gate, now = value.gate, value.is_champion
    if value.gate_trouble:
        out.fact("gate", (value.gate_trouble, styles.BAD))
    if value.gate_trouble or gate is None:
        return
    words = f"{gate.action} {gate.at[:16]}{', champion now' * now}"
    out.fact("gate", (words, styles.STRONG if now else styles.PLAIN))
    if gate.reason:
        out.fold("", f"forced: {gate.reason}")
    for one in gate.gate:
        mark, style = ("ok", styles.PLAIN) if one.passed else ("NO", styles.BAD)
        out.fact("", (f"{mark} {one.name}: {one.detail}", style))


def _rest(out: Lines, value: RunDetails) -> None:
    """Its files, and what it was made with."""
    files, manifest = value.files, value.manifest
    out.fact("files", f"{_size(sum(file.size for file in files))} in {len(files)}")
    room = max(8, out.width - _LABEL - 13)
    for file in files[:_MAX_FILES]:
        name = set_cell_size(fmt.clean(file.name), room)
        out.fact("", f"{name} {_size(file.size):>10}")
    if rest := files[_MAX_FILES:]:
        size = _size(sum(file.size for file in rest))
        out.fact("", (f"and {len(rest)} smaller, {size}", styles.DIM))
    out.fact("commit", (manifest.git_commit or "")[:12] or "none: an installed package")
    out.fact("python", f"{manifest.python}, {manifest.platform}")
    versions = (f"{name} {version}" for name, version in manifest.packages.items())
    out.fold("versions", ", ".join(versions))


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    return f"{size / 1024:.1f} KiB" if size < _MIB else f"{size / _MIB:.1f} MiB"
