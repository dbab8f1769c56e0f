"""The catalog as a whole: named, bounded in its look-back, blind to the future, safe with holes."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.config import FeatureConfig, LabelConfig
from engine.data.panel import _COLUMNS, DensePanel
from engine.data.universe import _market_series
from engine.errors import ConfigError, DataError, IntegrityError
from engine.features import catalog
from engine.features.catalog import CATALOG, find, wants_graph
from engine.features.compute import Inputs, compute_sessions, market_columns, raw_values
from engine.features.feature import Feature
from engine.features.feature_set import _open_features, build_features
from engine.features.normalise import _half_bits, gauss_rank, write_scores
from engine.features.rolling import BLOCK
from engine.features.targets import forward_returns
from engine.runs.sink import ListSink
from tests.conftest import World
from tests.engine.data.test_universe import dense

CUT = 6 * BLOCK + 17
STRETCH = {"high": 1.9, "low": 1.5, "open": 1.6}
BARE = tuple(f for f in CATALOG if f.source in ("bars", "sectors", "graph"))
STOCK = tuple(f for f in BARE if f.scope == "stock")


@pytest.fixture(scope="module")
def inputs(world: World) -> Inputs:
    panel = world.panel.dense()
    return Inputs(
        universe=world.universe,
        dense=panel.take(world.universe.rows_in(panel)),
        graphs=world.graphs,
    )


def each(
    inputs: Inputs, features: Sequence[Feature], first: int, stop: int
) -> Iterator[tuple[Feature, np.ndarray]]:
    for batch, values_FNT in raw_values(inputs, features, first, stop):
        yield from zip(batch, values_FNT, strict=True)


def select(
    families: Sequence[str],
    present: Collection[str] = (),
    columns: Sequence[str] = (),
    **asked: Any,
) -> tuple[Feature, ...]:
    config = FeatureConfig(families=tuple(families), columns=tuple(columns), **asked)
    return catalog.select(config, present)


def values(inputs: Inputs, features: tuple[Feature, ...], stop: int) -> dict[str, np.ndarray]:
    return {f.name: v for f, v in each(inputs, features, 0, stop)}


def scores(value_NT: np.ndarray, member_NT: np.ndarray) -> np.ndarray:
    """Normal scores ``[T, N]`` of one feature."""
    out_TN1 = np.empty((*value_NT.T.shape, 1), dtype=np.float32)
    member_TN = np.ascontiguousarray(member_NT.T)
    write_scores(value_NT[None].astype(np.float32), member_TN, np.array([0]), out_TN1)
    return out_TN1[:, :, 0]


def changed(inputs: Inputs, columns: slice) -> Inputs:
    """The same market with other bars in some sessions."""
    arrays = {}
    for name in _COLUMNS:
        x = getattr(inputs.dense, f"{name}_NS").copy()
        x[:, columns] = x[:, columns] * STRETCH.get(name, 1.7) + 3
        arrays[f"{name}_NS"] = x
    noisy = replace(inputs.dense, **arrays)
    member_NS = np.ascontiguousarray(inputs.universe.member_SN.T)
    return replace(
        inputs,
        dense=noisy,
        universe=replace(inputs.universe, market_KS=_market_series(noisy, member_NS)),
    )


def test_names_are_unique_and_documented() -> None:
    names = [feature.name for feature in CATALOG]
    assert len(set(names)) == len(names) >= 280
    for f in CATALOG:
        assert f.formula, f.name
        assert f.unit, f.name
        assert f.published, f.name
        assert f.lookback >= 0, f.name
    assert set(catalog.families_of(CATALOG)) >= {"price", "sector", "graph", "interaction"}
    assert sum(f.core for f in CATALOG) == 45


def test_bare_bars_give_more_than_112_columns() -> None:
    assert len(select(["all"])) >= 112
    assert len(select(["all"], present={"graph", "sectors"})) == len(BARE)
    assert len(select(["all"], breadth="core", present={"sectors"})) == 45


def test_without_sectors_their_columns_are_left_out_and_asking_for_them_is_refused() -> None:
    """16 of the family and one product; 5 of them are core columns."""
    there, without = select(["all"], present={"sectors"}), select(["all"])
    gone = {f.name for f in there} - {f.name for f in without}
    assert gone == {f.name for f in CATALOG if f.source == "sectors"}
    assert {"sector_relative_20", "sector_gap", "relative_sector_20"} <= gone
    assert len(select(["all"], breadth="core")) == 40
    with pytest.raises(DataError, match="sector needs the table `sectors`") as error:
        select(["price", "sector"])
    assert "--securities FILE" in error.value.hint


def test_columns_by_name_alone_or_besides() -> None:
    names = ["volume_level_10_250", "return_1"]
    named = select(["all"], breadth="named", columns=names)
    assert [f.name for f in named] == ["return_1", "volume_level_10_250"]
    besides = {f.name for f in select(["all"], breadth="core", columns=names)}
    assert besides == {f.name for f in select(["all"], breadth="core")} | set(names)
    assert wants_graph(FeatureConfig(breadth="core", columns=("neighbour_return_5",)))
    assert not wants_graph(FeatureConfig(breadth="named", columns=("return_1",)))
    with pytest.raises(ConfigError, match="no column"):
        select(["all"], breadth="named")


def test_asking_for_what_is_not_there_names_it() -> None:
    with pytest.raises(ConfigError, match="optionz"):
        select(["price", "optionz"])
    with pytest.raises(DataError, match="graph"):
        select(["price", "graph"])
    with pytest.raises(ConfigError, match="volume_levle"):
        select(["all"], breadth="core", columns=["volume_levle"])
    with pytest.raises(DataError, match="graph"):
        select(["all"], breadth="core", columns=["neighbour_return_5"])
    with pytest.raises(ConfigError, match="retrun_5") as caught:
        find("retrun_5")
    assert "return_5" in caught.value.hint


def test_no_feature_sees_the_future(inputs: Inputs) -> None:
    """Raw values, before any normalisation: bars after the cut change no value before it, to the bit."""
    stop = CUT + 40
    other = changed(inputs, slice(CUT + 1, None))
    a, b = (values(x, STOCK, stop) for x in (inputs, other))
    unmoved = ("zero_return_share_60", "momentum_12_7")
    for name in a:
        assert np.array_equal(a[name][:, : CUT + 1], b[name][:, : CUT + 1], equal_nan=True), name
        if find(name).family not in ("validity", "graph") and name not in unmoved:
            assert not np.array_equal(a[name], b[name], equal_nan=True), f"{name} saw no change"
    market = tuple(f for f in BARE if f.scope == "market")
    old, new = (market_columns(x, market) for x in (inputs, other))
    for name in old:
        assert np.array_equal(old[name][: CUT + 1], new[name][: CUT + 1]), name


def test_no_feature_looks_further_back_than_it_says(inputs: Inputs) -> None:
    """Up to rounding: a running sum is taken afresh a little earlier than the window."""
    for reach in sorted({f.lookback for f in STOCK}):
        some = tuple(f for f in STOCK if f.lookback == reach and f.name != "age")
        day = inputs.universe.dates_S.size - 1
        if day - reach < 1:
            continue
        other = changed(inputs, slice(0, day - reach))
        other = replace(other, universe=inputs.universe)
        for (f, a), (_, b) in zip(
            each(inputs, some, day, day + 1),
            each(other, some, day, day + 1),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-9, err_msg=f.name)


def test_any_range_of_sessions_gives_the_same_bits(inputs: Inputs) -> None:
    market = market_columns(inputs, BARE)
    stop = inputs.universe.dates_S.size
    config, stocks = FeatureConfig(), len(inputs.universe.symbols)

    def computed(first: int, last: int, *lengths: int) -> np.ndarray:
        """In arrays of these lengths, as a build writes into its files."""
        out = [np.empty((n, stocks, len(BARE)), np.dtype(config.dtype)) for n in lengths]
        compute_sessions(inputs, BARE, first, last, config=config, market=market, out=out)
        return np.concatenate(out)

    whole = computed(0, stop, stop)
    for first, *lengths in ((0, 64), (64, 64, 64, 108), (300, 1), (stop - 1, 1)):
        last = first + sum(lengths)
        same = (computed(first, last, *lengths) == whole[first:last]).all(axis=(0, 1))
        assert same.all(), [f.name for f, ok in zip(BARE, same, strict=True) if not ok]


def hole_ridden(seed: int) -> DensePanel:
    rng = np.random.default_rng(seed)
    n, s = 12, 5 * BLOCK
    close = np.exp(rng.normal(0, 0.02, (n, s)).cumsum(axis=1)) * 20
    close[1] = np.nan  # never trades
    close[2, 40:] = np.nan  # gone early
    close[3, :-3] = np.nan  # new
    close[4] = 20.0  # never moves
    close[5][rng.random(s) < 0.5] = np.nan
    panel = dense(close, close * 1e5)
    volume = panel.volume_NS.copy()
    volume[6] = 0.0
    opening = close.copy()
    opening[7] = np.nan
    return replace(panel, volume_NS=volume, turnover_NS=volume * close, open_NS=opening)


def test_every_feature_survives_holes(world: World) -> None:
    panel = hole_ridden(0)
    n, s = panel.close_NS.shape
    member = np.isfinite(panel.close_NS)
    universe = replace(
        world.universe,
        dates_S=panel.dates_S,
        symbols=panel.symbols,
        member_SN=np.ascontiguousarray(member.T),
        entry_N=np.zeros(n, dtype=np.int64),
        sector_N=panel.sector_N,
        sectors=(),
        market_KS=_market_series(panel, member),
    )
    inputs = Inputs(universe=universe, dense=panel, graphs=None)
    for f, value in each(inputs, tuple(f for f in STOCK if f.source != "graph"), 0, s):
        assert value.shape == (n, s), f.name
        if f.family != "validity":
            assert np.isnan(value[1]).all(), f"{f.name} has a value for a stock without a bar"
        ranked = scores(value, member)
        assert np.isfinite(ranked).all(), f.name
        assert (ranked[:, 1] == 0).all(), f.name


@settings(max_examples=50)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50))
def test_gauss_rank_equals_scipy(numbers: list[int]) -> None:
    x = np.array(numbers, dtype=float)
    expected = stats.norm.ppf((stats.rankdata(x) - 0.5) / x.size)
    np.testing.assert_allclose(gauss_rank(x), expected, atol=1e-8)
    both = scores(x[:, None], np.ones((x.size, 1), dtype=bool))
    np.testing.assert_allclose(both[0], expected, atol=1e-6)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_half_floats_are_numpys(numbers: list[float]) -> None:
    x = np.array(numbers, dtype=np.float32)
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16).view(np.uint16)
    assert [_half_bits(b) for b in x.view(np.uint32)] == expected.tolist()


def test_all_half_floats_and_what_lies_between() -> None:
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middles = (halves[1:] + halves[:-1]) / 2
    for x in (halves, middles, np.nextafter(middles, np.float32(0)), -middles):
        got = np.array([_half_bits(b) for b in x.view(np.uint32)], dtype=np.uint16)
        assert np.array_equal(got, x.astype(np.float16).view(np.uint16))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_scores_in_the_tensor_are_those_of_each_feature(dtype: type) -> None:
    rng = np.random.default_rng(3)
    values_FNT = rng.normal(size=(3, 17, 21)).astype(np.float32)
    values_FNT[rng.random(values_FNT.shape) < 0.2] = np.nan
    values_FNT[1] = np.round(values_FNT[1])
    member_TN = rng.random((21, 17)) < 0.8
    out_TNG: np.ndarray = np.zeros((21, 17, 5), dtype=dtype)
    known_F = write_scores(values_FNT, member_TN, np.array([4, 0, 2]), out_TNG)
    assert known_F.tolist() == (np.isfinite(values_FNT) & member_TN.T).sum(axis=(1, 2)).tolist()
    for f, g in enumerate((4, 0, 2)):
        known_NT = np.where(member_TN.T, values_FNT[f], np.nan).astype(np.float64)
        expected = np.nan_to_num([gauss_rank(known_N) for known_N in known_NT.T])
        assert np.array_equal(out_TNG[:, :, g], expected.astype(np.float32).astype(dtype))
    assert not out_TNG[:, :, [1, 3]].any()
    # Some sessions of the first stocks, where no other is a member.
    member_TN[5:14, 11:] = False
    write_scores(values_FNT, member_TN, np.array([4, 0, 2]), out_TNG)
    few_TNG: np.ndarray = np.zeros((9, 11, 5), dtype=dtype)
    write_scores(values_FNT, member_TN, np.array([4, 0, 2]), few_TNG, first=5)
    assert np.array_equal(few_TNG, out_TNG[5:14, :11])


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 300))
def test_winsorised_z_by_its_definition(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_t(2, n).astype(np.float32)
    x[rng.random(n) < 0.1] = np.nan
    member = rng.random(n) < 0.9
    out = np.full((1, n, 1), 9.0, dtype=np.float32)
    write_scores(x[None, :, None], member[None], np.array([0]), out, winsor=True)
    known = np.isfinite(x) & member
    assert (out[0, ~known, 0] == 0).all()
    ordered = np.sort(x[known]).astype(float)
    if ordered.size > 1 and ordered[0] < ordered[-1]:
        cut = int(0.01 * (ordered.size - 1) + 0.5)
        clipped = np.clip(x[known].astype(float), ordered[cut], ordered[ordered.size - 1 - cut])
        expected = (clipped - clipped.mean()) / clipped.std()
        np.testing.assert_allclose(out[0, known, 0], expected, atol=1e-5)
    else:
        assert (out[0, :, 0] == 0).all()


def test_gauss_rank_leaves_nan_out() -> None:
    out = gauss_rank(np.array([3.0, np.nan, 1.0]))
    assert np.isnan(out[1])
    assert out[0] == -out[2] > 0


def test_forward_return_by_hand() -> None:
    close = np.array([[10.0, 20.0, 30.0, 45.0, 90.0], [10.0, 10.0, 12.0, np.nan, np.nan]])
    panel = dense(close, close)
    out = forward_returns(panel, LabelConfig(horizons=(1, 2), delisting_haircut=0.5))
    assert out[0, 0].tolist() == pytest.approx([0.5, 1.25])
    assert out[2, 0, 0] == pytest.approx(1.0)
    assert np.isnan(out[3]).all()
    assert np.isnan(out[2, 0, 1])
    assert out[0, 1].tolist() == pytest.approx([0.2, 12 * 0.5 / 10 - 1])
    assert np.isnan(out[2, 1]).all()


def test_tensor_is_normalised_within_the_day(world: World) -> None:
    features = world.features
    f = features.features.index("return_5")
    for session in world.split.train[::50]:
        member = features.member_SN[session]
        column = features.x_SNF[session][:, f].astype(float)
        assert (column[~member] == 0).all()
        assert abs(column[member].mean()) < 0.01
        assert 0.9 < column[member].std() < 1.05


def test_unchanged_input_is_read_not_computed(world: World) -> None:
    assert world.features.directory is not None
    sink = ListSink()
    again = build_features(
        world.panel,
        world.universe,
        world.graphs,
        world.config,
        world.features.directory.parent,
        sink,
    )
    assert sink.events == []
    assert np.array_equal(again.x_SNF[:], world.features.x_SNF[:])


def test_a_damaged_tensor_is_refused(world: World, tmp_path: Path) -> None:
    assert world.features.directory is not None
    copy = tmp_path / "copy"
    shutil.copytree(world.features.directory, copy)
    path = copy / "x-0003.npy"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    features = _open_features(copy, world.universe)
    assert features.x_SNF[10].shape == (len(world.universe.symbols), 45)
    with pytest.raises(IntegrityError, match=r"x-0003\.npy"):
        features.x_SNF[3 * BLOCK - 2 : 3 * BLOCK + 1]
