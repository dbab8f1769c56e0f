"""Whatever happens after day t, no feature, edge, label-free input or score up to t changes by a bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from engine.config.file import resolve
from engine.data.tables import RawTables
from engine.model.atft_gat_fan import build_model
from engine.training.device import apply_mode
from engine.training.scoring import score_days
from tests.conftest import SMALL, World, build_world, scramble


def shared_columns(world: World, changed: World, cut: int) -> list[NDArray[np.int64]]:
    """Positions of the symbols that both have. The tensor has a column for each stock that is a member
    on any day, so a column may come or go with the future, but never one that was used before.
    """
    names = [w.features.symbols for w in (world, changed)]
    both = sorted(set(names[0]) & set(names[1]))
    positions = [np.array([n.index(symbol) for symbol in both]) for n in names]
    for w, own, at in zip((world, changed), names, positions, strict=True):
        alone_N = np.setdiff1d(np.arange(len(own)), at)
        assert not w.features.member_SN[: cut + 1, alone_N].any()
    return positions


def edges(world: World, session: int) -> list[tuple[str, str, tuple[float, ...]]]:
    graph, symbols = world.graphs.at(session), world.features.symbols
    return [
        (symbols[source], symbols[target], tuple(values))
        for source, target, values in zip(
            *graph.edge_index_2E.tolist(), graph.edge_attr_EK.tolist(), strict=True
        )
    ]


def assert_same_until(cut: int, world: World, changed: World) -> None:
    a, b = world.features, changed.features
    assert a.features == b.features
    assert np.array_equal(a.dates_S[: cut + 1], b.dates_S[: cut + 1])
    mine_N, theirs_N = shared_columns(world, changed, cut)
    assert mine_N.size > 40
    before = slice(0, cut + 1)
    assert np.array_equal(a.member_SN[before][:, mine_N], b.member_SN[before][:, theirs_N])
    assert np.array_equal(a.x_SNF[before][:, mine_N], b.x_SNF[before][:, theirs_N])
    later = slice(cut + 1, None)
    assert not np.array_equal(a.x_SNF[later][:, mine_N], b.x_SNF[later][:, theirs_N]), "no change"

    first = int(world.split.train[0])
    for session in range(first, cut + 1, 3):
        assert edges(world, session) == edges(changed, session), session
    last = a.dates_S.size - 1
    assert edges(world, last) != edges(changed, last)

    runtime = apply_mode("safe", torch.device("cpu"), 0)
    model = build_model(world.config, len(a.features))
    model.set_blocks(list(world.config.model.blocks))
    days = [*range(first, cut + 1, 25), cut - 1, cut]
    scores = [
        score_days(
            model, w.features, w.graphs, days, window=world.config.split.window, runtime=runtime
        ).score_DNH
        for w in (world, changed)
    ]
    for mine_NH, theirs_NH in zip(*scores, strict=True):
        assert mine_NH.std() > 0
        assert np.array_equal(mine_NH, theirs_NH)


def test_synthetic_market(world: World, scrambled: tuple[World, int]) -> None:
    changed, cut = scrambled
    assert_same_until(cut, world, changed)


def test_real_market_with_all_its_dirt(nasdaq: RawTables, tmp_path: Path) -> None:
    symbols = nasdaq.bars["symbol"].unique().sort()[::12]
    wanted = pl.col("symbol").is_in(symbols.implode()) & (pl.col("date").dt.year() >= 2014)
    part = replace(nasdaq, bars=nasdaq.bars.filter(wanted))
    config = resolve([], preset="cpu-small", overrides=SMALL).config
    world = build_world(part, config, tmp_path / "as it is")
    cut = int(world.split.validation[20])
    day = world.features.dates_S[cut].item()
    changed = build_world(scramble(part, day), config, tmp_path / "scrambled")
    assert_same_until(cut, world, changed)
