"""Two sealed signals side by side: whose rank moved, and which rows of the inputs differ."""

# Shape suffixes: M stocks, F features.
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from engine.data.panel import MONEY
from engine.records.difference import BarChange, InputChange, RankChange, SignalDifference
from engine.records.seal import Seal, SignalInputs
from engine.signals.book import PINNED
from engine.signals.seal import PinStore, text_of
from engine.signals.window import assemble

_MOVED = 20
"""Stocks that are named, those that moved most first."""
_TOP = 5
"""Inputs named of each."""
_ROWS = 200
"""Changed bars that are listed."""


def difference(a: Seal, b: Seal, pins: PinStore, features: Sequence[str]) -> SignalDifference:
    """What of the inputs differs, the bars that changed, and the ranks that moved with their causes.

    ``features``: of the first one's model; inputs are compared only if both have the same model.
    """
    ours, theirs = a.inputs(), b.inputs()
    bars = _changed_bars(ours, theirs, pins)
    moves = _rank_moves(a, b)
    same_model = ours.key.model == theirs.key.model
    touched = Counter(bar.code for bar in bars)
    listeners = _listeners(b)
    inputs = _changed_inputs(ours, theirs, pins, features) if same_model else {}
    ranks = tuple(
        RankChange(
            code=code,
            before=before,
            after=after,
            move=move,
            own_rows=touched[code],
            neighbour_rows=tuple(sorted(touched.keys() & listeners.get(code, set()))),
            inputs=inputs.get(code, ()),
        )
        for code, before, after, move in moves[:_MOVED]
    )
    return SignalDifference(
        before=a.name,
        after=b.name,
        changed=tuple(_changed(ours, theirs)),
        stocks=len(moves),
        moved=sum(move != 0 for *_, move in moves),
        entered=tuple(sorted(_codes(b) - _codes(a))),
        left=tuple(sorted(_codes(a) - _codes(b))),
        ranks=ranks,
        rows=tuple(bars[:_ROWS]),
        n_rows=len(bars),
        verdicts=(a.manifest.key_text, b.manifest.key_text),
    )


def _changed(a: SignalInputs, b: SignalInputs) -> list[str]:
    pairs: Mapping[str, tuple[Any, Any]] = {
        "session": (a.key.session, b.key.session),
        "model": (a.key.model, b.key.model),
        "data": (a.key.data, b.key.data),
        "trading rules": (a.trading, b.trading),
        "positions": (a.positions, b.positions),
        "graph": (a.edges, b.edges),
        "master data": (a.securities, b.securities),
        "evidence": (a.evidence, b.evidence),
    }
    return [name for name, (x, y) in pairs.items() if x != y]


def _changed_bars(a: SignalInputs, b: SignalInputs, pins: PinStore) -> list[BarChange]:
    """Cells of bars of common sessions that differ, in order of time and code."""
    rows: list[BarChange] = []
    theirs = dict(b.bars)
    for date, pin in a.bars:
        if date in theirs and theirs[date] != pin:
            rows += _changed_cells(date, pins.get_arrays(pin), pins.get_arrays(theirs[date]))
    return rows


def _changed_cells(date: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[BarChange]:
    tables = [dict(zip(text_of(x["symbols"]), x["bars"].T, strict=True)) for x in (a, b)]
    rows = []
    for code in sorted(tables[0].keys() | tables[1].keys()):
        ours, theirs = tables[0].get(code), tables[1].get(code)
        for i, column in enumerate(PINNED):
            x, y = _cell(ours, i), _cell(theirs, i)
            if x != y and not (x is not None and y is not None and np.isnan(x) and np.isnan(y)):
                rows.append(BarChange(date=date, code=code, column=column, before=x, after=y))
    return rows


def _cell(bar: Any, row: int) -> float | None:
    """None = no bar; what a shorter pin leaves out is what it is where nothing is known."""
    if bar is None:
        return None
    return float(bar[row] if row < len(bar) else MONEY[PINNED[row]])


def _rank_moves(a: Seal, b: Seal) -> list[tuple[str, int, int, int]]:
    """Code, rank before, rank after and move of the stocks scored in both, those that moved most first."""
    frames = [_scores(sealed).select("symbol", "rank") for sealed in (a, b)]
    both = frames[0].join(frames[1], on="symbol", suffix="_after")
    both = both.with_columns((pl.col("rank") - pl.col("rank_after")).alias("move"))
    both = both.sort(pl.col("move").abs(), "symbol", descending=[True, False])
    return list(both.iter_rows())


def _changed_inputs(
    a: SignalInputs, b: SignalInputs, pins: PinStore, features: Sequence[str]
) -> dict[str, tuple[InputChange, ...]]:
    """The features of each stock that differ most on the last session of the window."""
    windows = [
        assemble(x.key.session, [pins.get_arrays(pin) for _, pin in x.window], None) for x in (a, b)
    ]
    place = {symbol: m for m, symbol in enumerate(windows[1].symbols)}
    found: dict[str, tuple[InputChange, ...]] = {}
    for m, symbol in enumerate(windows[0].symbols):
        if symbol not in place:
            continue
        before_F, after_F = windows[0].x_MTF[m, -1], windows[1].x_MTF[place[symbol], -1]
        change_F = np.abs(after_F - before_F)
        top = [f for f in np.argsort(-change_F, kind="stable")[:_TOP].tolist() if change_F[f] > 0]
        found[symbol] = tuple(
            InputChange(feature=features[f], before=float(before_F[f]), after=float(after_F[f]))
            for f in top
        )
    return found


def _listeners(sealed: Seal) -> dict[str, set[str]]:
    """Stock -> the stocks it listens to."""
    frame = pl.read_parquet(sealed.read("explain.parquet")).filter(kind="neighbour")
    heard: dict[str, set[str]] = {}
    for symbol, name in frame.select("symbol", "name").iter_rows():
        heard.setdefault(symbol, set()).add(name)
    return heard


def _scores(sealed: Seal) -> pl.DataFrame:
    return pl.read_parquet(sealed.read("scores.parquet"))


def _codes(sealed: Seal) -> set[str]:
    return set(_scores(sealed)["symbol"])
