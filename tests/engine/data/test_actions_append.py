"""Random actions, dirt and holes: cleaned at once, in pieces and up to a day, the bars are the same."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from engine.config import QualityConfig
from engine.data.memory import Memory
from engine.data.quality import examine, examine_more
from engine.data.tables import ACTION_SCHEMA, BAR_SCHEMA, SECURITY_SCHEMA, RawTables

CONFIG = QualityConfig(max_bad_share=0.99)
KINDS = ("split", "dividend", "spinoff", "merger", "delisting")
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(60)]


def market(rng: np.random.Generator) -> RawTables:
    """Eight stocks: splits with and without a factor, dividends, prints in other units, two renames."""
    rows: list[tuple[object, ...]] = []
    actions: dict[tuple[object, ...], tuple[float | None, str | None]] = {}
    for symbol in "ABCDEFGH":
        price = rng.uniform(5, 500)
        for day in DAYS:
            price *= np.exp(rng.normal(0, 0.02))
            factor, dividend = 1.0, 0.0
            if rng.random() < 0.02:
                ratio = rng.choice([2, 3, 7, 0.1, 1.5])
                price /= ratio
                factor = 1 / ratio if rng.random() < 0.5 else 1.0
            if rng.random() < 0.03:
                dividend = price * rng.uniform(0.005, 0.1)
            if rng.random() < 0.02:
                actions[day, symbol, str(rng.choice(KINDS))] = (float(rng.uniform(0.5, 3)), None)
            quoted = price * (rng.choice([1, 100, 0.01, 3, 0]) if rng.random() < 0.03 else 1.0)
            if rng.random() < 0.95:
                prices = (quoted, quoted * 1.01, quoted * 0.99, quoted)
                rows.append((day, symbol, *prices, 100.0 * rng.integers(5), None, factor, dividend))
    actions[DAYS[30], "A", "rename"] = (None, "H2")
    actions[DAYS[45], "B", "rename"] = (None, "C")
    told = [(*key, *value) for key, value in actions.items()]
    return RawTables(
        bars=pl.DataFrame(rows, schema=dict(BAR_SCHEMA), orient="row").sort("date", "symbol"),
        securities=pl.DataFrame(schema=SECURITY_SCHEMA),
        index=None,
        market="us",
        source="test",
        actions=pl.DataFrame(told, schema=dict(ACTION_SCHEMA), orient="row").sort("date"),
    )


@pytest.mark.parametrize("seed", range(15))
def test_cleaning_in_pieces_or_up_to_a_day_gives_the_same_bars(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = market(rng)
    actions = raw.actions
    assert actions is not None
    whole, report = examine(raw, CONFIG)
    cuts = [0, *sorted({int(cut) for cut in rng.integers(1, 60, 15)}), 60]
    memory, before, parts = Memory.empty(), None, []
    for low, high in pairwise(cuts):
        last = DAYS[high - 1]
        piece = raw.bars.filter(pl.col("date").is_between(DAYS[low], last))
        known = actions.filter((pl.col("date") <= last) | (pl.col("kind") == "rename"))
        clean, before, memory = examine_more(
            replace(raw, bars=piece, actions=known), CONFIG, memory, before
        )
        parts.append(clean)
        upto = replace(raw, bars=raw.bars.filter(pl.col("date") <= last), actions=known)
        assert examine(upto, CONFIG)[0].equals(pl.concat(parts))
    assert pl.concat(parts).equals(whole)
    assert before is not None
    assert [(f.rule, f.count) for f in before.findings] == [
        (f.rule, f.count) for f in report.findings
    ]
