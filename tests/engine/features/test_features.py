import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.config import LabelConfig
from engine.errors import ConfigError, IntegrityError
from engine.features.catalog import CATALOG, select
from engine.features.context import Context
from engine.features.feature_set import build_features, open_features
from engine.features.normalise import gauss_rank
from engine.features.targets import forward_returns
from engine.runs.sink import ListSink
from tests.conftest import World
from tests.engine.data.test_universe import dense


def test_catalog_names_are_unique_and_documented() -> None:
    names = [feature.name for feature in CATALOG]
    assert len(set(names)) == len(names) >= 40
    assert all(f.formula and f.unit and f.lookback > 0 for f in CATALOG)
    with pytest.raises(ConfigError, match="optionz"):
        select(["price", "optionz"])


@settings(max_examples=50)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50))
def test_gauss_rank_equals_scipy(values: list[int]) -> None:
    x = np.array(values, dtype=float)
    expected = stats.norm.ppf((stats.rankdata(x) - 0.5) / x.size)
    np.testing.assert_allclose(gauss_rank(x), expected, atol=1e-8)


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


def test_every_raw_feature_ignores_the_future(world: World) -> None:
    """The catalog itself, before any normalisation: bars after the cut change no value before it."""
    panel, cut = world.panel.dense(), 300
    member = np.isfinite(panel.close_NS)
    arrays = {
        name: np.where(
            np.arange(panel.dates_S.size) > cut,
            getattr(panel, name) * 1.7 + 3,
            getattr(panel, name),
        )
        for name in ("open_NS", "high_NS", "low_NS", "close_NS", "volume_NS", "turnover_NS")
    }
    assert panel.index_close_S is not None
    index = np.where(np.arange(panel.dates_S.size) > cut, 5.0, panel.index_close_S)
    changed = type(panel)(
        dates_S=panel.dates_S,
        symbols=panel.symbols,
        close_raw_NS=panel.close_raw_NS,
        sector_N=panel.sector_N,
        sectors=panel.sectors,
        index_close_S=index,
        **arrays,
    )
    with np.errstate(all="ignore"):
        for feature in CATALOG:
            a = feature.compute(Context(panel, member))
            b = feature.compute(Context(changed, member))
            same = np.array_equal(a[..., : cut + 1], b[..., : cut + 1], equal_nan=True)
            assert same, feature.name
            assert not np.array_equal(a, b, equal_nan=True), f"{feature.name} saw no change at all"


def test_tensor_is_normalised_within_the_day(world: World) -> None:
    features = world.features
    f = features.features.index("return_5")
    for session in world.split.train[::50]:
        member = features.member_SN[session]
        column = features.x_SNF[session, :, f].astype(float)
        assert (column[~member] == 0).all()
        assert abs(column[member].mean()) < 0.01
        assert 0.9 < column[member].std() < 1.05


def test_unchanged_input_is_read_not_computed(world: World) -> None:
    assert world.features.directory is not None
    sink = ListSink()
    again = build_features(world.panel, world.config, world.features.directory.parent, sink)
    assert sink.events == []
    assert np.array_equal(again.x_SNF, world.features.x_SNF)


def test_a_damaged_tensor_is_refused(world: World, tmp_path: pytest.TempPathFactory) -> None:
    import shutil
    from pathlib import Path

    assert world.features.directory is not None
    copy = Path(str(tmp_path)) / "copy"
    shutil.copytree(world.features.directory, copy)
    content = bytearray((copy / "x.npy").read_bytes())
    content[5000] ^= 1
    (copy / "x.npy").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"x\.npy"):
        open_features(copy)
