"""Rules about whole sessions: given twice, thin, missing, unknown to the exchange, in other units.

A session is judged by itself and the ones before it, never by what follows.
"""

# Shape suffixes: M rows sorted by (stock, day), T sessions of these rows, N stocks, K unit factors.

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.config import QualityConfig
from engine.data.calendar import calendar_span, sessions_between
from engine.data.memory import Memory
from engine.data.repair import UNITS
from engine.records.quality import LISTED, MARKET, DataFinding, Example, Level, QualityReport

MIN_NAMES = 5
"""A session is compared with the one before it from so many common stocks on."""
SAME = 0.95
"""Share of a session's bars equal to the session before from which it was given twice."""
_MOST = 0.5
"""Share of the stocks whose volume must change by the same unit factor at once."""
_WIDE = 0.7
"""Log distance from a unit factor; the volume of one stock moves that much by itself."""
_BEFORE = 20
"""Sessions that say how many names are usual."""
_ENOUGH = 5
"""Fewer sessions than this tell nothing."""
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """What is known of the sessions of one portion before any bar is cleaned."""

    day_T: NDArray[np.int64]
    """Days since 1970, increasing."""
    t_M: NDArray[np.int64]
    """Session of each row."""
    rows_T: NDArray[np.int64]
    held_T: NDArray[np.bool_]
    """Sessions whose bars are dropped."""
    repeated_T: NDArray[np.bool_]
    scaled_T: NDArray[np.bool_]
    """Sessions whose volumes are in other units than the history before."""
    volume_shift: float
    """The shift of volumes at the end; see `QualityReport`."""

    def dates(self) -> list[str]:
        """ISO dates of the sessions."""
        return [iso(day) for day in self.day_T]


def look(
    stock_M: NDArray[np.int64],
    day_M: NDArray[np.int64],
    prices_M4: NDArray[np.float64],
    volume_M: NDArray[np.float64],
    memory: Memory,
    before: QualityReport | None,
    config: QualityConfig,
) -> Sessions:
    """Compare each session with the one before it; ``memory.bar`` and ``memory.end`` are moved on.

    ``day_M``: days since 1970. ``prices_M4``: open, high, low, close in quote currency, NaN = missing.
    ``volume_M``: shares.
    """
    day_T = np.unique(day_M)
    t_M = np.searchsorted(day_T, day_M)
    last = (dt.date.fromisoformat(before.days[-1]) - _EPOCH).days if before else -2
    earlier_T = np.concatenate([[last], day_T[:-1]])
    rows_T, same_T, live_T, moved_TK, both_T = _compare(
        stock_M, t_M, day_M, earlier_T, prices_M4, volume_M, memory.bar, memory.end
    )
    repeated_T = (live_T >= MIN_NAMES) & (same_T >= SAME * rows_T)
    shift = before.volume_shift if before else 0.0
    scaled_T = np.zeros(day_T.size, dtype=np.bool_)
    for t in range(day_T.size):
        if both_T[t] >= MIN_NAMES and moved_TK[t].max() > _MOST * both_T[t]:
            shift += np.log(UNITS[moved_TK[t].argmax()])
            shift = 0.0 if abs(shift) < _WIDE else shift
        scaled_T[t] = shift != 0.0
    dropped_T = repeated_T if config.repeated_sessions == "drop" else np.zeros_like(repeated_T)
    return Sessions(
        day_T=day_T,
        t_M=t_M,
        rows_T=rows_T,
        held_T=dropped_T | scaled_T,
        repeated_T=repeated_T,
        scaled_T=scaled_T,
        volume_shift=float(shift),
    )


@njit(cache=True)
def _compare(
    stock_M: NDArray[np.int64],
    t_M: NDArray[np.int64],
    day_M: NDArray[np.int64],
    earlier_T: NDArray[np.int64],
    prices_M4: NDArray[np.float64],
    volume_M: NDArray[np.float64],
    bar_N5: NDArray[np.float64],
    end_N: NDArray[np.int64],
) -> tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
]:
    """Per session: rows, rows equal to the session before, those of them with volume, rows whose volume
    changed by about each unit factor, and rows with volume in both sessions.
    """
    T = earlier_T.size
    rows_T = np.zeros(T, dtype=np.int64)
    same_T = np.zeros(T, dtype=np.int64)
    live_T = np.zeros(T, dtype=np.int64)
    both_T = np.zeros(T, dtype=np.int64)
    moved_TK = np.zeros((T, UNITS.size), dtype=np.int64)
    for m in range(stock_M.size):
        n, t = stock_M[m], t_M[m]
        rows_T[t] += 1
        volume = volume_M[m]
        if end_N[n] == earlier_T[t]:
            same = bar_N5[n, 4] == volume
            for i in range(4):
                price = prices_M4[m, i]
                same = same and (bar_N5[n, i] == price or (bar_N5[n, i] == 0 and np.isnan(price)))
            if same:
                same_T[t] += 1
                live_T[t] += volume > 0.0
            if volume > 0.0 and bar_N5[n, 4] > 0.0:
                both_T[t] += 1
                move = np.log(volume / bar_N5[n, 4])
                for k in range(UNITS.size):
                    moved_TK[t, k] += abs(move - np.log(UNITS[k])) <= _WIDE
        for i in range(4):
            price = prices_M4[m, i]
            bar_N5[n, i] = 0.0 if np.isnan(price) else price
        bar_N5[n, 4] = volume
        end_N[n] = day_M[m]
    return rows_T, same_T, live_T, moved_TK, both_T


def findings(
    sessions: Sessions,
    names_T: Sequence[int],
    exchange: str,
    before: QualityReport | None,
    config: QualityConfig,
) -> list[DataFinding]:
    """Findings about new sessions. ``names_T``: stocks with a kept bar. ``exchange``: its calendar's code."""
    dates = sessions.dates()
    past = list(before.names) if before else []
    every = [*past, *names_T]
    thin = []
    for t, date in enumerate(dates):
        usual = usual_names(every[: len(past) + t])
        if names_T[t] < config.min_coverage * usual:
            thin.append((MARKET, date, f"{names_T[t]:,} of {usual:,} names"))
    missing, unknown = _against_calendar(dates, exchange, before)
    repeated = [
        (MARKET, dates[t], f"{sessions.rows_T[t]:,} bars as in the session before")
        for t in np.flatnonzero(sessions.repeated_T)
    ]
    scaled = [
        (MARKET, dates[t], "volumes of most stocks changed by 100 or 1000 at once")
        for t in np.flatnonzero(sessions.scaled_T)
    ]
    dropped = config.repeated_sessions == "drop"
    return [
        _finding("repeated_session", "error", repeated, "session dropped" if dropped else "kept",
                 "session equal to the one before: yesterday's file given twice",
                 int(sessions.rows_T[sessions.repeated_T].sum())),
        _finding("unit_session", "error", scaled, "session held out until the units are back",
                 "volumes of most stocks are off by about 100 or 1000: lots for shares",
                 int(sessions.rows_T[sessions.scaled_T].sum())),
        _finding("thin_session", "warning", thin, "kept; no signal if it is the last",
                 f"fewer than {config.min_coverage:.0%} of the names usual in the {_BEFORE} sessions before"),
        _finding("missing_session", "warning", missing, "-", "session of the exchange without any bar"),
        _finding("unknown_session", "warning", unknown, "kept",
                 "bars on a day that is no session of the exchange"),
    ]  # fmt: skip


def usual_names(names: Sequence[int]) -> int:
    """Median over the last 20 sessions; 0 when there are too few to tell."""
    recent = names[-_BEFORE:]
    return int(np.median(recent)) if len(recent) >= _ENOUGH else 0


def thin_sessions(names: Sequence[int], min_coverage: float) -> list[int]:
    """Positions of the sessions with fewer stocks than ``min_coverage`` of those usual before them."""
    return [
        t
        for t, count in enumerate(names)
        if count < min_coverage * usual_names(names[max(0, t - _BEFORE) : t])
    ]


def iso(day: int) -> str:
    """ISO date of a day since 1970."""
    return str(_EPOCH + dt.timedelta(days=int(day)))


def _finding(
    rule: str, level: Level, examples: list[Example], action: str, description: str, rows: int = 0
) -> DataFinding:
    return DataFinding(
        rule=rule,
        level=level,
        count=len(examples),
        action=action,
        description=description,
        examples=tuple(examples[: LISTED[level]]),
        rows=rows,
    )


def _against_calendar(
    dates: list[str], exchange: str, before: QualityReport | None
) -> tuple[list[Example], list[Example]]:
    """Sessions of the exchange without a bar, and days with bars that are none."""
    known = [before.days[-1], *dates] if before else dates
    expected = sessions_between(
        exchange, dt.date.fromisoformat(known[0]), dt.date.fromisoformat(known[-1])
    )
    sessions = {str(day) for day in expected}
    span = {a: b for b, a in pairwise(known)}
    missing: list[Example] = []
    place = iter(sorted(sessions - set(known)))
    day = next(place, None)
    for date in known[1:]:
        while day is not None and day < date:
            missing.append((MARKET, day, f"no bars between {span[date]} and {date}"))
            day = next(place, None)
    begin, end = map(str, calendar_span(exchange))
    unknown = [
        (MARKET, date, "not a session")
        for date in dates
        if date not in sessions and begin <= date <= end
    ]
    return missing, unknown
