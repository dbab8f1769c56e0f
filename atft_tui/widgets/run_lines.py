"""A run in one line: the headline of Train, and the timeline of its phases."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.feed import RunNews
from atft_tui.styles import BAD, BAR, DIM, GOOD, KEY, REVERSE, STRONG, WARN, WIDE, noted, status
from atft_tui.widgets.lines import line
from atft_tui.widgets.strips import meter, strip
from engine.records.figure import is_noise
from engine.runs.launch import RESUMABLE
from engine.runs.state import PhaseState, RunState
from engine.runs.steps import seconds_between

_PHASE_STYLES = {
    "pending": DIM, "running": STRONG, "kept": GOOD, "rolled back": WARN, "skipped": DIM,
}  # fmt: skip
_SIGNALS = {
    "SIGKILL": "SIGKILL (kill -9 or out of memory)",
    "SIGINT": "ended at once by a second signal",
}
_UNKNOWN = "without an end (killed or crashed)"
"""Where nobody watched the process: only its supervisor knows how it ended."""


def headline(news: RunNews, width: int) -> Text:
    """Run, state, progress and time left; for a dead run how it died and the way on."""
    stands, state = status(news.status), news.state
    text = line(
        (f" {stands.mark} {news.status} ", stands.style + REVERSE), (f" {news.run_id} ", STRONG)
    )
    if news.behind:
        return text.append(f" reading, {fmt.counted(state.n_events, 'event')} so far …", style=DIM)
    if news.damaged:
        return text.append(
            " it had ended, and its events are damaged: the results beside them may be whole", BAD
        )
    if news.status == "crashed":
        words = _SIGNALS.get(news.signal, news.signal) or _UNKNOWN
        return text.append(f" died {'by ' * bool(news.signal)}{words}", style=BAD)
    if state.finished is not None and state.finished.error:
        text.append(f" {fmt.clean(state.finished.error)}", style=BAD)
        return text.append(f"  {fmt.clean(state.finished.hint)}", style=DIM)
    if width >= WIDE:
        text.append(f" {fmt.clean(state.device)} · {fmt.clean(state.mode)} ", style=DIM)
    if news.is_live:
        return text.append_text(_progress(news, width))
    if news.status == "created":
        return text.append(" its process is starting …", style=DIM)
    spent = max(0.0, seconds_between(state.started, state.updated))
    text.append(f" {fmt.duration(spent)}", style=DIM)
    if news.status == "stopped" and news.command in RESUMABLE:
        text.append(f"  {_saved(state)}r resumes it", style=STRONG)
    return text


def live_lines(news: RunNews, width: int) -> list[Text]:
    """A run at work in short: its name, where it is with the time left, and its RankIC by epoch."""
    stands, state = status(news.status), news.state
    first = line((f"{stands.mark} ", stands.style), (news.run_id, STRONG))
    now = next((phase for phase in state.phases if phase.status == "running"), None)
    if now is not None:
        first.append(f"  {fmt.clean(now.name)}{_phase_detail(state, now, width)}", style=DIM)
    lines = [first, line(" ").append_text(_progress(news, width))]
    figures = [event.rank_ic for event in state.epochs if not math.isnan(event.rank_ic)]
    if figures:
        last = state.epochs[-1]
        told = noted(
            fmt.rank_ic(last.rank_ic, last.rank_ic_se), noise=is_noise(last.rank_ic, last.null_band)
        )
        third = line(("  RankIC ", DIM), told, " ")
        room = max(0, width - third.cell_len)
        lines.append(third.append(strip(figures, room, low=min(figures), high=max(figures)), BAR))
    return lines


def possible(news: RunNews) -> dict[str, str]:
    """What can be done about the run as it stands: actions of Train with their words for the key line."""
    new, doctor = {"new_run": "new"}, {"doctor": "doctor"}
    if not news.run_id:
        return new
    if news.is_live:
        pause = "go on" if news.status == "paused" else "pause"
        return new | {"checkpoint": "checkpoint", "pause": pause, "stop": "stop"} | doctor
    if news.status in ("crashed", "stopped") and news.command in RESUMABLE and not news.damaged:
        return {"resume": "resume"} | new | doctor
    return new | doctor


def way_on(news: RunNews) -> Text:
    """Where a run that died can go on from, the key for it, and its last words."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    if news.damaged:
        return text.append(f"ctrl+p verify {news.run_id} says what is damaged", STRONG)
    if news.command in RESUMABLE:
        text.append(f"{_saved(news.state) or 'no checkpoint yet, '}press r to resume", STRONG)
    else:
        text.append("it cannot be resumed: start it again", style=STRONG)
    if news.last_words:
        text.append(f"  last words: {news.last_words}", style=DIM)
    return text


def _saved(state: RunState) -> str:
    if state.checkpoint is None:
        return ""
    return f"last checkpoint step {state.checkpoint.step:,} epoch {state.checkpoint.epoch}, "


def _progress(news: RunNews, width: int) -> Text:
    state, text = news.state, Text(no_wrap=True)
    share = state.done_share
    if state.networks and width >= WIDE:
        last = state.networks[-1]
        text.append(f" fold {last.fold + 1}/{last.folds} seed {last.seed}", style=DIM)
    note = f" {state.advanced.done}/{state.advanced.total}" if state.advanced else ""
    if share:
        text.append(f" {meter(share, max(6, width // 10))} {fmt.percent(share)}")
        if news.status == "running":
            text.append(f"  eta {fmt.duration(state.eta_seconds)}", style=STRONG)
        if state.stage == "refit":
            text.append(f"  refit{note}")
    else:
        text.append(f" {fmt.clean(state.stage)}{note} …")
    if news.status == "paused":
        text.append("  p goes on, s stops", style=KEY)
    elif news.asked:
        words = ", ".join(sorted(news.asked))
        text.append(f"  {words} asked, at the end of the step", style=WARN)
    return text


def timeline(state: RunState, width: int, *, live: bool) -> Text:
    """The phases in order: what is done, what is running or was left off, what was rolled back."""
    marks = {
        "pending": f"{GLYPHS.waiting} ",
        "running": f"{GLYPHS.running if live else GLYPHS.stopped} ",
        "kept": f"{GLYPHS.done} ",
        "skipped": "",
        "rolled back": f"{GLYPHS.failed} ",
    }
    text = line(" ")
    for number, phase in enumerate(state.phases):
        if number:
            text.append(f" {GLYPHS.empty} ", style=DIM)
        style = _PHASE_STYLES[phase.status]
        for words in (marks[phase.status], f"{number} ", fmt.clean(phase.name)):
            text.append(words, style=style)
        text.append(_phase_detail(state, phase, width), style=DIM)
    return text


def _phase_detail(state: RunState, phase: PhaseState, width: int) -> str:
    if phase.status == "running" and phase.first_epoch is not None:
        done = sum(event.epoch >= phase.first_epoch for event in state.epochs)
        return f" epoch {min(done + 1, phase.epochs)}/{phase.epochs}"
    if width < WIDE:
        return ""
    figure = f" {phase.rank_ic:+.4f}"
    told = {"skipped": " skipped", "kept": figure, "rolled back": f"{figure} rolled back"}
    return told.get(phase.status, "")
