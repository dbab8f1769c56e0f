"""What every feature of an optional table has to keep to."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from engine.data.tables import OPTIONAL
from engine.features.catalog import CATALOG
from engine.features.compute import _reach
from engine.features.rolling import BLOCK
from tests.engine.features.families.market import (
    FEATURES,
    MODULES,
    SESSIONS,
    changed,
    context,
    day,
    same,
    scramble,
    tail,
    values,
    world,
)

CUTS = (150, 311, 470)


def test_names_are_unique_and_entries_complete() -> None:
    assert set(FEATURES) <= set(CATALOG)
    for module in MODULES:
        family = module.__name__.rsplit(".", 1)[1]
        assert all(f.family == f.source == family for f in module.FEATURES)
    assert all(f.formula and f.unit and f.published for f in FEATURES)


def test_shapes_and_most_values_are_there() -> None:
    dense, tables = world()
    N, S = dense.close_NS.shape
    for name, value in values(context(dense, tables)).items():
        stock = next(f for f in FEATURES if f.name == name).scope == "stock"
        assert value.shape == ((N, S) if stock else (S,)), name
        assert not np.isinf(value).any(), name
        # A date of results is known three weeks ahead: a quarter of the time at least.
        share = 0.25 if name in ("earnings_days_to", "earnings_nearness") else 0.6
        assert np.isfinite(value[..., 400:]).mean() > share, name
        assert np.nanstd(value[..., 400:]) > 0, name


@pytest.mark.parametrize("kind", ["absent", "no rows", "null figures", "unknown keys"])
def test_nothing_known_is_nan_and_no_exception(kind: str) -> None:
    dense, tables = world()
    if kind == "absent":
        tables = {}
    elif kind == "no rows":
        tables = {name: pl.DataFrame(schema=schema) for name, schema in OPTIONAL.items()}
    elif kind == "null figures":
        tables = {
            name: table.with_columns(pl.lit(None, pl.Float64).alias(c)
                                     for c, t in table.schema.items() if t == pl.Float64)
            for name, table in tables.items()
        }  # fmt: skip
    else:
        tables = {
            name: table.with_columns(
                pl.lit("?").alias(c) for c in ("symbol", "sector", "investor") if c in table.columns
            )
            for name, table in tables.items()
        }
    for name, value in values(context(dense, tables)).items():
        if kind == "null figures" and ("earnings" in name or name.endswith("_age")):
            continue  # dates alone
        if kind == "unknown keys" and name.startswith(("option", "flow", "short_market")):
            continue  # for all stocks, or for all sectors and types
        assert np.isnan(value).all(), name


def test_missing_columns_are_nulls() -> None:
    dense, tables = world()
    keys = {
        "date",
        "available",
        "symbol",
        "sector",
        "investor",
        "period_end",
        "period",
        "expiry",
        "kind",
    }
    thin = {
        n: t.select(c for c in t.columns if c in keys or c == "strike") for n, t in tables.items()
    }
    for name, value in values(context(dense, thin)).items():
        if "earnings" not in name and not name.endswith("_age"):
            assert np.isnan(value).all(), name


@pytest.mark.parametrize("cut", CUTS)
def test_rows_not_yet_available_change_nothing(cut: int) -> None:
    dense, tables = world()
    later = pl.col("available") > day(dense, cut)
    honest = values(context(dense, tables))
    for tampered in (
        changed(tables, lambda t: t.filter(~later)),
        changed(tables, lambda t: scramble(t, later)),
        changed(tables, lambda t: pl.concat([t.filter(~later), t.filter(later).reverse()])),
    ):
        for name, value in values(context(dense, tampered)).items():
            assert same(value[..., : cut + 1], honest[name][..., : cut + 1]), name


def test_the_tampering_is_seen_once_the_rows_are_available() -> None:
    dense, tables = world()
    later = pl.col("available") > day(dense, 300)
    honest = values(context(dense, tables))
    for name, value in values(
        context(dense, changed(tables, lambda t: scramble(t, later)))
    ).items():
        if not name.endswith(("_age", "_decay")):
            assert not same(value[..., 301:], honest[name][..., 301:]), name


@pytest.mark.parametrize("delay", [1, 4])
def test_a_delay_of_publication_delays_the_effect(delay: int) -> None:
    """Every row known ``delay`` sessions later: figures of the tables alone move by as many sessions."""
    dense, tables = world()
    slow = changed(
        tables, lambda t: t.with_columns(pl.col("available").dt.add_business_days(delay))
    )
    honest, late = values(context(dense, tables)), values(context(dense, slow))
    for feature in FEATURES:
        if feature.lookback == 0 and feature.family != "earnings":
            a, b = honest[feature.name], late[feature.name]
            # Rows known before the first session are all taken up at once: start after them.
            assert same(a[..., 60:-delay], b[..., 60 + delay :]), feature.name


def test_one_delayed_row_acts_from_its_day_on() -> None:
    dense, tables = world()
    rows = tables["margin"].with_row_index()
    chosen = rows.filter(pl.col("symbol") == "S0003").row(60, named=True)
    slow = rows.with_columns(
        pl.when(pl.col("index") == chosen["index"])
        .then(pl.col("available") + dt.timedelta(days=1))
        .otherwise(pl.col("available"))
        .alias("available")
    ).drop("index")
    i = dense.symbols.index("S0003")
    t = int(np.searchsorted(dense.dates_S, np.datetime64(chosen["available"])))
    honest = values(context(dense, tables))["margin_credit_ratio"][i]
    late = values(context(dense, {**tables, "margin": slow}))["margin_credit_ratio"][i]
    assert np.flatnonzero(honest != late)[-1] == t
    assert late[t] == honest[t - 1]
    assert late[t + 1] == honest[t + 1] == np.log(chosen["long"] / chosen["short"])


@pytest.mark.parametrize("sessions", [320, 216])
def test_a_tail_of_the_sessions_gives_the_same_bits(sessions: int) -> None:
    dense, tables = world()
    sessions = SESSIONS - (SESSIONS - sessions) // BLOCK * BLOCK
    whole = values(context(dense, tables))
    for name, value in values(context(tail(dense, sessions), tables)).items():
        back = next(_reach(f) for f in FEATURES if f.name == name)
        new = sessions - back
        assert same(value[..., -new:], whole[name][..., -new:]), name


@pytest.mark.parametrize("sessions", [1, 7])
def test_figures_of_the_tables_alone_need_no_session_before(sessions: int) -> None:
    dense, tables = world()
    alone = tuple(feature for feature in FEATURES if feature.lookback == 0)
    assert len(alone) > 80
    whole = values(context(dense, tables), alone)
    for name, value in values(context(tail(dense, sessions), tables), alone).items():
        assert same(value, whole[name][..., -sessions:]), name
