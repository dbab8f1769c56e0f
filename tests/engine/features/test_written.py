"""The catalogue's expressions: the values of the functions that they replaced, and its order of columns."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.data.panel import DensePanel
from engine.features.catalog import CATALOG, find
from engine.features.families.written import CORE, FAMILIES, PARTS
from engine.features.own import of_file
from tests.engine.features.families import market

BEFORE = Path(__file__).with_name("values_of_before.npz")
"""Name -> float32 values of `with_gaps` at `SESSIONS`, as functions of the catalogue gave them; a name
without values for the features of tables and graph. In order of the columns."""
SESSIONS = (70, 300, 599)


def with_gaps() -> DensePanel:
    """Twenty stocks of the small market: missing bars, opens and volumes, ties, a stock that stood still."""
    bars, _ = market.world()
    rng = np.random.default_rng(7)

    def holes() -> np.ndarray:
        return rng.random(bars.close_NS.shape) < 0.05

    close_NS = np.where(holes(), np.nan, np.round(bars.close_NS, 1))
    close_NS[3, 200:260] = 50.0
    return replace(
        bars,
        close_NS=close_NS,
        open_NS=np.where(holes(), np.nan, bars.open_NS),
        volume_NS=np.where(holes(), 0.0, bars.volume_NS),
    )


def test_the_values_are_those_of_before_and_columns_keep_their_order() -> None:
    """To 1e-6: logarithms of another processor may differ in their last bit."""
    x = market.context(with_gaps(), {})
    written = 0
    with np.load(BEFORE) as before:
        assert list(before) == [feature.name for feature in CATALOG]
        for feature in CATALOG:
            if not before[feature.name].size:
                continue
            with np.errstate(all="ignore"):
                found = feature.compute(x)[..., SESSIONS].astype(np.float32)
            np.testing.assert_allclose(
                found, before[feature.name], rtol=1e-6, atol=1e-12, err_msg=feature.name
            )
            written += 1
    assert written == 190


def test_what_the_texts_tell_of_their_features() -> None:
    assert len(CORE) == 45
    for name, lookback, depth, source, scope in (
        ("return_5", 5, 1, "bars", "stock"),
        ("residual_20", 62 + 20, 2, "bars", "stock"),
        ("adx_14", 29, 2, "bars", "stock"),
        ("market_gap_20", 20 + 252, 1, "bars", "market"),
        ("sector_gap", 1 + 1, 1, "sectors", "stock"),
    ):
        f = find(name)
        assert (f.lookback, f.depth, f.source, f.scope) == (lookback, depth, source, scope), name
    assert (
        find("momentum_12_1").formula
        == "Ref(close, 21) / Ref(close, 252) - 1; Jegadeesh & Titman 1993"
    )
    assert (
        find("overnight_20").formula == "Mean(overnight, 20); overnight = open / Ref(close, 1) - 1"
    )


def test_a_built_in_column_can_be_taken_into_a_file_of_ones_own() -> None:
    """The row of ``residual_5`` and the parts as they stand give its very bits."""
    row = next(r for r in FAMILIES["cross_section"] if r.name == "residual_1")
    parts = "\n".join(
        f'{name} = "{text}"' for name, text in {**PARTS, "residual_1": row.text}.items()
    )
    mine = of_file("mine", f'[parts]\n{parts}\n[features]\nfive = "Mean(residual_1, 5) * 5"')[0]
    x = market.context(with_gaps(), {})
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(mine.compute(x), find("residual_5").compute(x))
