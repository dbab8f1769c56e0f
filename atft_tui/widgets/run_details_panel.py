"""Everything about the run under the cursor, in lines."""

import math
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.run_details import RunDetails
from atft_tui.readings.runs import figure_words, sharpe_words
from atft_tui.widgets.lines import beside, broken, page, start
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
_MAX_FOLDS = 4
"""Lines that one entry may take."""


class RunDetailsPanel(PlacePanel[RunDetails]):
    title: ClassVar[str] = "run"
    empty: ClassVar[str] = "The run under the cursor."

    def picture(self, value: RunDetails, width: int, height: int) -> Text:
        if width < _WIDE_FROM:
            lines = [*_main(value, width), *_warnings(value, width), *_files(value, width)]
            lines += _versions(value, width)
            way_out = "tab, m" if width < _NARROW else _WHOLE
            return page(lines, width, height, way_out)
        left = width * 3 // 5
        right = width - left - 2
        first = [*_main(value, left), *_warnings(value, left)][:height]
        second = [*_files(value, right), *_versions(value, right)][:height]
        return page(beside(first, second, left), width, height, _WHOLE)


def _row(name: str, words: str, width: int, style: Style = styles.PLAIN) -> Text:
    text = start(set_cell_size(fmt.clean(name), _LABEL - 1) + " ", styles.DIM)
    text.append(_cut(words, width - _LABEL), style=style)
    return text


def _cut(words: str, width: int) -> str:
    shown = fmt.clean(words)
    return shown if cell_len(shown) <= width else set_cell_size(shown, max(0, width - 1)) + "…"


def _folded(name: str, words: str, width: int, style: Style = styles.PLAIN) -> list[Text]:
    """Over several lines, broken between words."""
    lines = broken(words, max(8, width - _LABEL)) or [""]
    return [
        _row(name if n == 0 else "", part, width, style)
        for n, part in enumerate(lines[:_MAX_FOLDS])
    ]


def _main(value: RunDetails, width: int) -> list[Text]:
    about, course = value.about, value.course
    lines = [Text(_cut(about.id, width), style=styles.STRONG)]
    took = fmt.duration(about.seconds)
    lines.append(_row("status", f"{about.status}, {took}, made {about.created[:16]} UTC", width))
    if about.progress or about.trouble:
        words = about.trouble or about.progress
        lines += _folded("", words, width)
    if value.last_words and about.status in ("crashed", "failed"):
        lines += _folded("last words", value.last_words, width)
    if about.labels.tags:
        lines += _folded("tags", " ".join(about.labels.tags), width)
    if about.labels.note:
        lines += _folded("note", about.labels.note, width)
    lines.append(_row("validation", figure_words(about.validation), width))
    lines.append(_row("test", figure_words(about.test), width))
    lines.append(_row("net Sharpe", sharpe_words(about.sharpe), width))
    if about.sharpe is not None and not math.isnan(about.sharpe.deflated):
        words = f"{about.sharpe.deflated:.2f} after {about.sharpe.trials:,} trials"
        lines.append(_row("deflated", words, width))
    if course.started is not None:
        start = course.started
        lines.append(_row("seed", f"{start.seed}, {start.device}, {start.mode} mode", width))
    settings = about.settings
    lines += _folded("settings", settings.preset or "defaults", width)
    lines += [_row("", f"{key} = {text}", width) for key, text in settings.written]
    lines += [_row(name, text, width) for name, text in value.manifest.part_of]
    for phase in course.phases:
        mark = GLYPHS.done if phase.kept else GLYPHS.failed
        outcome = "" if phase.kept else ", rolled back"
        words = f"{mark} {phase.name} {fmt.rank_ic(phase.rank_ic, phase.rank_ic_se)}{outcome}"
        lines += _folded(f"phase {phase.phase}", words, width)
    if course.checkpoint is not None:
        words = f"{course.checkpoint.name}, step {course.checkpoint.step:,}"
        lines.append(_row("checkpoint", words, width))
    return lines + _gate(value, width)


def _gate(value: RunDetails, width: int) -> list[Text]:
    gate = value.gate
    if value.gate_trouble:
        return [_row("gate", value.gate_trouble, width, styles.BAD)]
    if gate is None:
        return []
    words = f"{gate.action} {gate.at[:16]}{', champion now' if value.is_champion else ''}"
    lines = [_row("gate", words, width, styles.STRONG if value.is_champion else styles.PLAIN)]
    if gate.reason:
        lines += _folded("", f"forced: {gate.reason}", width)
    for one in gate.gate:
        mark, style = ("ok", styles.PLAIN) if one.passed else ("NO", styles.BAD)
        lines.append(_row("", f"{mark} {one.name}: {one.detail}", width, style))
    return lines


def _warnings(value: RunDetails, width: int) -> list[Text]:
    lines = []
    for found in value.course.findings[-8:]:
        words = f"{found.code}: {found.message}"
        style = styles.WARN
        if isinstance(found, Diagnosed):
            words, style = f"{words} ({found.action})", styles.WARN + styles.STRONG
        lines += _folded("warning", words, width, style)
    return lines


def _files(value: RunDetails, width: int) -> list[Text]:
    total = sum(file.size for file in value.files)
    lines = [_row("files", f"{_size(total)} in {len(value.files)}", width)]
    room = max(8, width - _LABEL - 12)
    for file in value.files[:_MAX_FILES]:
        name = set_cell_size(fmt.clean(file.name), room)
        lines.append(_row("", f"{name}{_size(file.size):>10}", width))
    if len(value.files) > _MAX_FILES:
        rest = value.files[_MAX_FILES:]
        size = sum(file.size for file in rest)
        lines.append(_row("", f"and {len(rest)} smaller, {_size(size)}", width, styles.DIM))
    return lines


def _versions(value: RunDetails, width: int) -> list[Text]:
    manifest = value.manifest
    packages = ", ".join(f"{name} {version}" for name, version in manifest.packages.items())
    return [
        _row("commit", (manifest.git_commit or "")[:12] or "none: an installed package", width),
        _row("python", f"{manifest.python}, {manifest.platform}", width),
        *_folded("versions", packages, width),
    ]


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    return f"{size / 1024:.1f} KiB" if size < _MIB else f"{size / _MIB:.1f} MiB"
