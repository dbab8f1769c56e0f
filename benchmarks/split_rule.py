"""Precision and recall of the suspected-split rule on events planted in a real market.

    python -m benchmarks.split_rule PRICES.parquet [EVENTS] [SEED]

Plants exact splits (the stock's own move of the day stays on top) and crashes or spikes on heavy trading with
an intraday range, one event a stock, cleans the whole table, and counts what the rule says about each. Then
it lists what the rule flags in the untouched table.
"""

import datetime as dt
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.options import say
from engine.config import QualityConfig
from engine.data.files_source import read_files
from engine.data.quality import examine
from engine.data.tables import RawTables
from engine.records.quality import BREAK, SPLIT

RATIOS = (2.0, 3.0, 4.0, 5.0, 10.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 10)
HISTORY = 60
"""Bars of the stock before an event."""
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Event:
    symbol: str
    date: str
    ratio: float
    """Old price over new price of a split; 0 for a crash or spike."""


def plant(raw: RawTables, count: int, seed: int = 0) -> tuple[RawTables, list[Event]]:
    """``count`` splits and as many crashes or spikes, each in a stock of its own, 5 bars or more after it."""
    rng = np.random.default_rng(seed)
    bars = raw.bars.sort("symbol", "date")
    close = bars["close"].to_numpy()
    begins = np.flatnonzero(
        (bars["symbol"] != bars["symbol"].shift(1)).fill_null(value=True).to_numpy()
    )
    ends = np.append(begins[1:], len(bars))
    long = np.flatnonzero(ends - begins > HISTORY + 10)
    chosen = rng.permutation(long)[: 2 * count]
    prices = {name: bars[name].to_numpy().copy() for name in PRICES}
    volume, turnover = bars["volume"].to_numpy().copy(), bars["turnover"].to_numpy().copy()
    events = []
    for i, k in enumerate(chosen):
        m = int(rng.integers(begins[k] + HISTORY, ends[k] - 5))
        if not (close[m - 1] > 0 and close[m] > 0):
            continue
        after, ratio = slice(m, int(ends[k])), 0.0
        if i < count:
            ratio = float(rng.choice(RATIOS))
            scale = 1 / ratio
            volume[after] *= ratio
        else:
            move = rng.uniform(-0.6, -0.35) if rng.random() < 0.5 else rng.uniform(0.6, 1.2)
            scale = (1 + move) * close[m - 1] / close[m]
            busy = rng.uniform(3, 10) * np.median(turnover[m - 20 : m]) / max(turnover[m], 1.0)
            turnover[m] *= busy
            volume[m] *= busy / scale
        for values in prices.values():
            values[after] *= scale
        if i >= count:
            begin = close[m - 1] * (1 + move * rng.uniform(0.4, 1.0))
            prices["open"][m] = begin
            last = prices["close"][m]
            prices["high"][m] = max(begin, last) * (1 + rng.uniform(0, 0.08))
            prices["low"][m] = min(begin, last) * (1 - rng.uniform(0, 0.08))
        row = bars.row(m, named=True)
        events.append(Event(row["symbol"], str(row["date"]), ratio))
    columns = [pl.Series(name, values) for name, values in prices.items()]
    changed = bars.with_columns(
        *columns, pl.Series("volume", volume), pl.Series("turnover", turnover)
    )
    return replace(raw, bars=changed.sort("date", "symbol")), events


def flagged(raw: RawTables, flag: int = SPLIT) -> set[tuple[str, str]]:
    """Stock and date of the suspected splits, or of the breaks."""
    clean, _ = examine(raw, QualityConfig(max_bad_share=0.9))
    hit = clean.filter(pl.col("flags") & flag > 0).select("symbol", "date")
    return {(symbol, str(date)) for symbol, date in hit.iter_rows()}


def recall(events: list[Event], found: set[tuple[str, str]], ratio: float) -> tuple[int, int]:
    """Hits and number of the planted events of one ratio (0: crashes and spikes)."""
    of = [event for event in events if abs(event.ratio - ratio) < 1e-9]
    return sum((event.symbol, event.date) in found for event in of), len(of)


def main() -> None:
    path = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    raw = read_files(
        path, securities=None, index=None, columns={}, market="us", now=dt.datetime.now(dt.UTC)
    ).raw
    say(f"untouched: {len(flagged(raw))} splits, {len(flagged(raw, BREAK))} breaks")
    planted, events = plant(raw, count, seed)
    found = flagged(planted)
    hits = total = 0
    for ratio in RATIOS:
        hit, of = recall(events, found, ratio)
        hits, total = hits + hit, total + of
        say(f"recall {ratio:6.2f}: {hit}/{of}")
    say(f"recall all: {hits}/{total} = {hits / total:.3f}")
    say("false alarms among crashes and spikes: {}/{}".format(*recall(events, found, 0.0)))
    say("and taken for a break: {}/{}".format(*recall(events, flagged(planted, BREAK), 0.0)))


if __name__ == "__main__":
    main()
