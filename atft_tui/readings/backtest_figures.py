"""``backtest.json`` and ``sweep.json`` as values: what the files say, nothing computed anew.

A figure that is not known (null in the file) is NaN. A file of an older version lacks what it did not
know: `Figures.older` says so, and those parts are empty.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SETTINGS = ("portfolio", "constraints", "costs")
"""Tables of settings that make a backtest another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Other scores, or the market, under the same strategy and costs."""

    name: str
    sharpe: float
    low: float
    high: float
    difference: float
    """Sharpe ratio of the run's scores less this one."""
    difference_se: float
    annual_return: float
    turnover: float
    cost_drag: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The book after one step from the wish to the orders."""

    name: str
    gross: float
    names: float
    transfer: float
    expected_ic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    year: int
    sessions: int
    rank_ic: float
    rank_ic_se: float
    sharpe: float
    net_return: float
    max_drawdown: float
    turnover: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A mean over days at a horizon, a lag or a quantile."""

    at: int
    value: float
    se: float
    band: float = math.nan
    """Half-width of the null band."""
    n_dates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """``backtest.json``. Fractions, not percent."""

    values: Mapping[str, Any]
    """The single figures of the file, by its names."""
    rivals: tuple[Rival, ...]
    """Best Sharpe ratio first; random scores last."""
    waterfall: tuple[tuple[str, float], ...]
    """Gross, what was paid (negative), net; a year."""
    steps: tuple[Step, ...]
    orders: Mapping[str, float]
    """Wanted trading and what kept it from being done, quote currency."""
    years: tuple[Year, ...]
    quantiles: tuple[Point, ...]
    decay: tuple[Point, ...]
    """By holding period."""
    lags: tuple[Point, ...]
    """By session after the entry."""
    settings: Mapping[str, Any]
    """``costs.commission_bps`` -> 5.0, with ``strategy`` and ``initial_cash``."""
    notes: tuple[str, ...]
    older: bool
    """Made by a version that did not write everything."""

    def __getitem__(self, name: str) -> float:
        """A single figure as a number; NaN where it is not known."""
        return known(self.values.get(name))

    def text(self, name: str) -> str:
        return str(self.values.get(name, ""))

    @property
    def trials(self) -> int:
        return int(self.values.get("trials") or 0)

    def rival(self, name: str) -> Rival | None:
        return next((rival for rival in self.rivals if rival.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCell:
    settings: tuple[tuple[str, Any], ...]
    sharpe: float
    annual_return: float
    max_drawdown: float
    turnover: float
    cost_drag: float
    error: str

    @property
    def words(self) -> str:
        """``fraction 0.1, slippage_bps 5``."""
        return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    cells: tuple[SweepCell, ...]
    """Best Sharpe ratio first."""
    trials: int
    deflated: float
    """Probability that the best cell is more than luck after all trials."""
    overfitting: float
    """Probability of backtest overfitting; 0.5 = the choice is worth nothing."""


def known(value: Any) -> float:
    """A number of the file; NaN for null, a missing one and anything that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def figures(found: Mapping[str, Any]) -> Figures:
    """The parsed ``backtest.json``."""
    factor = _table(found, "factor")
    orders = _table(found, "alpha_to_orders")
    return Figures(
        values={k: v for k, v in found.items() if not isinstance(v, dict | list)}
        | {"beta": _table(found, "exposures").get("beta")},
        rivals=_rivals(_table(found, "baselines")),
        waterfall=_waterfall(_table(found, "waterfall")),
        steps=tuple(_step(row) for row in _rows(orders.get("steps"))),
        orders={name: known(value) for name, value in _table(orders, "orders").items()},
        years=_years(found, factor),
        quantiles=_quantiles(factor),
        decay=_points(factor.get("decay"), "horizon"),
        lags=_points(factor.get("lags"), "lag"),
        settings=_settings(found),
        notes=tuple(str(note) for note in found.get("notes") or ()),
        older="lags" not in factor or "spread" not in _table(found, "waterfall"),
    )


def sweep(found: Mapping[str, Any]) -> Sweep:
    """The parsed ``sweep.json``."""
    cells = [
        SweepCell(
            settings=tuple(_table(cell, "settings").items()),
            sharpe=known(cell.get("sharpe")),
            annual_return=known(cell.get("annual_return")),
            max_drawdown=known(cell.get("max_drawdown")),
            turnover=known(cell.get("turnover")),
            cost_drag=known(cell.get("cost_drag")),
            error=str(cell.get("error") or ""),
        )
        for cell in _rows(found.get("cells"))
    ]
    return Sweep(
        cells=tuple(sorted(cells, key=lambda cell: _falling(cell.sharpe))),
        trials=int(found.get("trials") or 0),
        deflated=known(_table(found, "best").get("sharpe_deflated")),
        overfitting=known(found.get("overfitting_probability")),
    )


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing for anything else."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _falling(value: float) -> float:
    """Sorts large first and unknown last."""
    return math.inf if math.isnan(value) else -value


def _rivals(baselines: Mapping[str, Any]) -> tuple[Rival, ...]:
    found = [
        Rival(
            name=name,
            sharpe=known(values.get("sharpe")),
            low=known(values.get("sharpe_low")),
            high=known(values.get("sharpe_high")),
            difference=known(values.get("sharpe_difference")),
            difference_se=known(values.get("sharpe_difference_se")),
            annual_return=known(values.get("annual_return")),
            turnover=known(values.get("turnover")),
            cost_drag=known(values.get("cost_drag")),
        )
        for name, values in baselines.items()
        if isinstance(values, dict)
    ]
    return tuple(sorted(found, key=lambda rival: (rival.name == "random", _falling(rival.sharpe))))


def _waterfall(found: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    if not found:
        return ()
    paid: tuple[str, ...] = ("commission", "spread", "impact", "borrow")
    if "spread" not in found:
        paid = ("commission", "slippage", "borrow")
    gross, dividend = known(found.get("gross_return")), known(found.get("dividend", 0.0))
    inside = (("prices", gross - dividend), ("dividends", dividend)) if dividend else ()
    return (
        *inside,
        ("gross", gross),
        *((name, -known(found.get(name))) for name in paid),
        ("net", known(found.get("net_return"))),
    )


def _step(row: Mapping[str, Any]) -> Step:
    names = ("gross", "names", "transfer", "expected_ic")
    return Step(name=str(row.get("name", "")), **{name: known(row.get(name)) for name in names})


def _years(found: Mapping[str, Any], factor: Mapping[str, Any]) -> tuple[Year, ...]:
    ranked = {row.get("year"): row for row in _rows(factor.get("years"))}
    out = []
    for row in _rows(found.get("years")):
        ic = ranked.get(row.get("year"), {})
        names = ("sharpe", "net_return", "max_drawdown", "turnover", "cost")
        out.append(
            Year(
                year=int(row["year"]),
                sessions=int(row["sessions"]),
                rank_ic=known(ic.get("rank_ic")),
                rank_ic_se=known(ic.get("rank_ic_se")),
                **{name: known(row.get(name)) for name in names},
            )
        )
    return tuple(out)


def _quantiles(factor: Mapping[str, Any]) -> tuple[Point, ...]:
    """Worst first."""
    errors = _table(factor, "quantile_errors")
    rows = _table(factor, "quantile_returns").items()
    points = [Point(at=int(q), value=known(v), se=known(errors.get(q))) for q, v in rows]
    return tuple(sorted(points, key=lambda point: point.at))


def _points(rows: Any, name: str) -> tuple[Point, ...]:
    return tuple(
        Point(
            at=int(row[name]),
            value=known(row.get("rank_ic")),
            se=known(row.get("rank_ic_se")),
            band=known(row.get("null_band")),
            n_dates=int(row.get("n_dates") or 0),
        )
        for row in _rows(rows)
    )


def _settings(found: Mapping[str, Any]) -> dict[str, Any]:
    flat = {
        f"{table}.{key}": _frozen(value)
        for table in SETTINGS
        for key, value in _table(found, table).items()
        if f"{table}.{key}" != "portfolio.strategy"
    }
    return {"strategy": found.get("strategy"), "initial_cash": found.get("initial_cash")} | flat


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
