"""The result of a backtest: daily returns and the figures that follow from them."""

# Shape suffixes: D sessions with a return.
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import polars as pl
from msgspec.structs import asdict

from engine.backtest import inference, performance
from engine.backtest.frictions import Ledger
from engine.backtest.performance import Series
from engine.config import BacktestConfig, CostConfig
from engine.errors import DataError
from engine.portfolio.prediction import read_table, write_table
from engine.records.backtest import (
    DeepFall,
    GrossToNet,
    JudgedFigures,
    ReturnFigures,
    YearReturns,
)

_COLUMNS = (
    "gross_return",
    "cost",
    "net_return",
    "commission",
    "slippage",
    "borrow",
    "dividend",
    "delisting",
    "turnover",
    "long_exposure",
    "short_exposure",
)
_EXACT = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """Daily returns of one strategy after costs.

    ``daily``: date, then fractions of the equity of the session before: ``gross_return, cost,
    net_return`` (net = gross - cost); ``commission, slippage, borrow`` (they sum to cost); ``dividend``
    (received by longs less paid by shorts, so negative where more was paid; part of gross); ``delisting``
    (profit of forced exits, proceeds included; part of gross); ``turnover`` (bought + sold). ``long_exposure,
    short_exposure`` are fractions of the equity at the close, ``n_names`` the stocks then held.
    """

    daily: pl.DataFrame
    sessions_per_year: int
    entry: Literal["close", "open"]
    costs: CostConfig
    strategy: str
    run_id: str

    def __post_init__(self) -> None:
        daily = self.daily
        if daily.is_empty():
            raise DataError(
                "the backtest has no session: scores need at least one session after them"
            )
        if not daily["date"].is_sorted() or daily["date"].n_unique() != len(daily):
            raise DataError("the backtest's dates do not increase")
        if not daily.select(pl.all_horizontal(pl.col(_COLUMNS).is_finite().all())).item():
            raise DataError("a daily figure of the backtest is not finite")
        gap = daily["gross_return"] - daily["cost"] - daily["net_return"]
        parts = daily["commission"] + daily["slippage"] + daily["borrow"] - daily["cost"]
        if max(_largest(gap), _largest(parts)) > _EXACT:
            raise DataError(
                "the backtest does not add up: net = gross - commission - slippage - borrow"
            )

    @classmethod
    def from_ledger(
        cls,
        ledger: Ledger,
        *,
        costs: CostConfig,
        sessions_per_year: int,
        entry: Literal["close", "open"],
        strategy: str,
        run_id: str,
    ) -> Self:
        """Returns from the first fill on, borrow fees taken off."""
        before_D = ledger.equity_D[:-1]
        commission_D = ledger.commission_D[1:] / before_D
        slippage_D = ledger.slippage_D[1:] / before_D
        borrow_D = ledger.borrow_D[1:] / before_D
        cost_D = commission_D + slippage_D + borrow_D
        gross_D = ledger.equity_D[1:] / before_D - 1.0 + commission_D + slippage_D
        daily = pl.DataFrame(
            {
                "date": pl.Series(ledger.dates_D[1:]).cast(pl.Date),
                "gross_return": gross_D,
                "cost": cost_D,
                "net_return": gross_D - cost_D,
                "commission": commission_D,
                "slippage": slippage_D,
                "borrow": borrow_D,
                "dividend": ledger.dividend_D[1:] / before_D,
                "delisting": ledger.delisting_D[1:] / before_D,
                "turnover": ledger.traded_D[1:] / before_D,
                "long_exposure": ledger.long_D[1:] / ledger.equity_D[1:],
                "short_exposure": ledger.short_D[1:] / ledger.equity_D[1:],
                "n_names": ledger.names_D[1:],
            }
        )
        return cls(
            daily=daily,
            sessions_per_year=sessions_per_year,
            entry=entry,
            costs=costs,
            strategy=strategy,
            run_id=run_id,
        )

    def net_returns(self) -> Series:
        """``[D]`` net returns, fractions of the equity of the session before."""
        return self.daily["net_return"].to_numpy()

    def curve(self) -> pl.DataFrame:
        """``daily`` with ``equity`` (growth of 1 after costs) and ``drawdown`` (0 or below, a fraction)."""
        net_D = self.net_returns()
        return self.daily.with_columns(
            pl.Series("equity", performance.equity(net_D)[-net_D.size :]),
            pl.Series("drawdown", performance.drawdowns(net_D)[-net_D.size :]),
        )

    def figures(self) -> ReturnFigures:
        """Point estimates of the whole span."""
        spy, daily, net_D = self.sessions_per_year, self.daily, self.net_returns()
        fall, dates = performance.max_drawdown(net_D), self._curve_dates()
        return ReturnFigures(
            sharpe=performance.sharpe(net_D, spy),
            sharpe_gross=performance.sharpe(daily["gross_return"].to_numpy(), spy),
            sortino=performance.sortino(net_D, spy),
            calmar=performance.calmar(net_D, spy),
            annual_return=performance.annual_return(net_D, spy),
            annual_volatility=performance.annual_volatility(net_D, spy),
            max_drawdown=fall.depth,
            max_drawdown_peak=dates[fall.peak],
            max_drawdown_trough=dates[fall.trough],
            max_drawdown_recovery=None if fall.recovery is None else dates[fall.recovery],
            turnover=_mean(daily["turnover"]),
            cost_drag=_mean(daily["cost"]) * spy,
            hit_rate=performance.hit_rate(net_D),
            **performance.tails(net_D),
            sessions=len(daily),
            first_session=dates[1],
            last_session=dates[-1],
            mean_names=_mean(daily["n_names"]),
            mean_long_exposure=_mean(daily["long_exposure"]),
            mean_short_exposure=_mean(daily["short_exposure"]),
        )

    def judged(self, config: BacktestConfig, *, horizon: int, trials: int) -> JudgedFigures:
        """The same, what is known about the Sharpe ratio beside its value, and the verdict."""
        spy, net_D = self.sessions_per_year, self.net_returns()
        low, high = inference.sharpe_interval(
            net_D,
            spy,
            horizon=horizon,
            draws=config.bootstrap_draws,
            confidence=config.confidence,
            seed=0,
        )
        return JudgedFigures(
            **asdict(self.figures()),
            sharpe_low=low,
            sharpe_high=high,
            confidence=config.confidence,
            sharpe_se=inference.sharpe_standard_error(net_D, spy),
            sharpe_probabilistic=inference.probabilistic_sharpe(net_D, spy, threshold=0.0),
            sharpe_deflated=inference.deflated_sharpe(net_D, spy, trials=trials),
            sharpe_expected_best=inference.expected_best_of(trials, net_D.size, spy),
            trials=trials,
            target=config.sharpe_target,
            verdict=inference.verdict(low, high, config.sharpe_target),
        )

    def deepest_falls(self, count: int = 5) -> tuple[DeepFall, ...]:
        """Deepest first, with dates and sessions from peak to trough to recovery."""
        dates = self._curve_dates()
        return tuple(
            DeepFall(
                depth=fall.depth,
                peak=dates[fall.peak],
                trough=dates[fall.trough],
                recovery=None if fall.recovery is None else dates[fall.recovery],
                sessions_down=fall.trough - fall.peak,
                sessions_up=None if fall.recovery is None else fall.recovery - fall.trough,
            )
            for fall in performance.worst_drawdowns(self.net_returns(), count)
        )

    def years(self) -> tuple[YearReturns, ...]:
        """Figures of each calendar year, in order."""
        spy, out = self.sessions_per_year, []
        for _, rows in self.daily.group_by(pl.col("date").dt.year(), maintain_order=True):
            net_D = rows["net_return"].to_numpy()
            out.append(
                YearReturns(
                    year=rows["date"][0].year,
                    sessions=len(rows),
                    net_return=float(np.prod(1.0 + net_D)) - 1.0,
                    sharpe=performance.sharpe(net_D, spy),
                    max_drawdown=performance.max_drawdown(net_D).depth,
                    turnover=_mean(rows["turnover"]),
                    cost=float(rows["cost"].sum()),
                )
            )
        return tuple(out)

    def waterfall(self) -> GrossToNet:
        """From gross to net, without the parts of slippage and dividends."""
        names = ("gross_return", "dividend", "delisting", "commission", "slippage", "borrow",
                 "net_return")  # fmt: skip
        spy = self.sessions_per_year
        return GrossToNet(**{name: _mean(self.daily[name]) * spy for name in names})

    def _curve_dates(self) -> list[str]:
        """ISO dates of the points of the equity curve; the start shares the first session's."""
        dates = self.daily["date"].cast(pl.String).to_list()
        return [dates[0], *dates]

    def write(self, path: Path) -> None:
        """The daily table as Parquet, everything else in its metadata."""
        metadata = {
            "run_id": self.run_id,
            "strategy": self.strategy,
            "entry": self.entry,
            "sessions_per_year": str(self.sessions_per_year),
            "costs": self.costs.model_dump_json(),
        }
        write_table(path, self.daily, metadata)

    @classmethod
    def read(cls, path: Path) -> Self:
        """A file from before dividends were money has none."""
        names = ("sessions_per_year", "entry", "costs", "strategy", "run_id")
        daily, metadata = read_table(path, names, hint="run `atft-tui backtest` first")
        if "dividend" not in daily.columns:
            daily = daily.with_columns(dividend=pl.lit(0.0))
        return cls(
            daily=daily,
            sessions_per_year=int(metadata["sessions_per_year"]),
            entry=metadata["entry"],  # type: ignore[arg-type]
            costs=CostConfig.model_validate_json(metadata["costs"]),
            strategy=metadata["strategy"],
            run_id=metadata["run_id"],
        )


def _largest(values: pl.Series) -> float:
    return float(np.abs(values.to_numpy()).max())


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean())
