"""The fixed part of a backtest: market, prices and frictions, shared by every score table on it."""

# Shape suffixes: D sessions, N stocks, O orders.
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from engine.backtest import performance
from engine.backtest.fast import run_fast
from engine.backtest.frictions import Frictions, Ledger, Orders
from engine.backtest.prices import PriceTable
from engine.backtest.result import BacktestResult
from engine.config import Config
from engine.data.panel import Panel
from engine.portfolio.book import Book, build_book
from engine.portfolio.market_data import MarketData, Matrix
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import Decisions, Strategy, Terms, dense_scores, load_strategy
from engine.records.book import BookExposures, ExtremeDay

_CAPACITY_QUANTILE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """One strategy under one configuration on the days and names of one prediction."""

    panel: Panel
    market: MarketData
    table: PriceTable
    frictions: Frictions
    strategy: Strategy
    config: Config
    score_DN: Matrix
    """The prediction's traded scores; NaN = not scored."""
    workspace: Path | None = None
    """Where other strategies are looked for besides the built-in ones."""

    @classmethod
    def for_prediction(
        cls,
        prediction: Prediction,
        *,
        panel: Panel,
        strategy: Strategy,
        config: Config,
        workspace: Path | None = None,
    ) -> Self:
        """The market, prices and frictions of a prediction's days and names."""
        dates = prediction.frame["date"]
        first, last = dates[0], dates[-1]
        market = MarketData.from_panel(
            panel,
            first=first,
            last=last,
            symbols=prediction.frame["symbol"].unique().to_list(),
            constraints=config.constraints,
        )
        table = _prices(panel, market, config)
        return cls(
            panel=panel,
            market=market,
            table=table,
            frictions=Frictions.of(table, market, panel, config.costs, config.constraints),
            strategy=strategy,
            config=config,
            score_DN=dense_scores(prediction.frame, market, config.traded_horizons),
            workspace=workspace,
        )

    def changed(self, config: Config, prediction: Prediction) -> Self:
        """The same market under other portfolio, constraint and cost settings."""
        now, before = config, self.config
        table, score_DN, market = self.table, self.score_DN, self.market
        if now.costs.delisting_haircut != before.costs.delisting_haircut:
            table = _prices(self.panel, market, now)
        if now.traded_horizons != before.traded_horizons:
            score_DN = dense_scores(prediction.frame, market, now.traded_horizons)
        strategy = self.strategy
        if now.portfolio.strategy != strategy.name:
            strategy = load_strategy(now.portfolio.strategy, self.workspace)
        frictions = self.frictions
        if now.constraints == before.constraints and now.costs != before.costs:
            frictions = frictions.with_costs(now.costs, self.panel, table.symbols)
        elif now.constraints != before.constraints:
            frictions = Frictions.of(table, market, self.panel, now.costs, now.constraints)
        return replace(
            self,
            table=table,
            frictions=frictions,
            strategy=strategy,
            config=now,
            score_DN=score_DN,
        )

    def decide(self, score_DN: Matrix) -> Decisions:
        """The days on which these scores ``[D, N]`` decide a book."""
        terms = Terms(
            costs=self.config.costs,
            limits=self.config.constraints,
            capital=self.config.backtest.initial_cash,
        )
        return Decisions.of(score_DN, self.market, self.config.portfolio, terms)

    def book(self, score_DN: Matrix, *, trace: bool = False) -> Book:
        """The strategy's book on these scores ``[D, N]``, constraints applied."""
        return self.book_on(self.decide(score_DN), trace=trace)

    def book_on(self, decisions: Decisions, *, trace: bool = False) -> Book:
        """The strategy's book on decisions that were made already."""
        config = self.config
        return build_book(
            self.strategy, decisions, config.portfolio, config.constraints, trace=trace
        )

    def quick(self, decided_DN: Matrix) -> BacktestResult:
        """Weights ``[D, N]`` decided at each close through the fast path."""
        return self.fill(self.table.orders(decided_DN))

    def fill(self, target_DN: Matrix) -> BacktestResult:
        """Orders of the price table ``[D, N]`` (fractions of equity, NaN = none) through the fast path."""
        ledger = run_fast(
            self.table,
            target_DN,
            frictions=self.frictions,
            initial_cash=self.config.backtest.initial_cash,
        )
        return self.result(ledger)

    def result(self, ledger: Ledger, *, run_id: str = "") -> BacktestResult:
        """Daily returns of a ledger under this configuration."""
        return BacktestResult.from_ledger(
            ledger,
            costs=self.config.costs,
            sessions_per_year=self.panel.sessions_per_year,
            entry=self.config.labels.entry,
            strategy=self.strategy.name,
            run_id=run_id,
        )

    def exposures(self, book: Book, result: BacktestResult) -> BookExposures:
        """What the book leans on besides its scores."""
        offset = self.market.index_LD.size - self.market.dates_D.size
        index_D = self.market.index_LD[offset:]
        n = min(index_D.size - 1, len(result.daily))
        net_KG = np.stack(
            [
                book.weight_KN[:, self.market.sector_N == sector].sum(axis=1)
                for sector in range(len(self.market.sectors))
            ],
            axis=1,
        )
        leans = book.leans()
        mean, size = (
            dict(leans.group_by("style", maintain_order=True).agg(lean.mean()).iter_rows())
            for lean in (pl.col("lean"), pl.col("lean").abs())
        )
        return BookExposures(
            styles=mean,
            styles_size=size,
            beta=performance.beta(result.net_returns()[:n], index_D[1 : n + 1]),
            sectors=dict(zip(self.market.sectors, net_KG.mean(axis=0).tolist(), strict=True)),
            sector_largest=float(np.abs(net_KG).max(axis=1).mean()),
        )

    def extremes(self, orders: Orders, result: BacktestResult) -> tuple[ExtremeDay, ...]:
        """The worst and the best day: what one stock did to it, and the Sharpe ratio without that day.

        A figure that hangs on one stock of one day is often a price that was not adjusted.
        """
        net_D = result.net_returns()
        growth_D = performance.equity(result.daily["gross_return"].to_numpy())
        out = []
        for place in (int(np.argmin(net_D)), int(np.argmax(net_D))):
            d = place + 1  # the first return belongs to the second session
            held_N = orders.shares_DN[d - 1]
            change_N = self.table.mark_DN[d] - self.table.mark_DN[d - 1]
            if self.table.dividend_DN.size > 1:
                change_N = change_N + self.table.dividend_DN[d]
            share_N = held_N * change_N / (self.config.backtest.initial_cash * growth_D[place])
            n = int(np.argmax(share_N * np.sign(net_D[place])))
            out.append(
                ExtremeDay(
                    date=str(self.table.dates_D[d]),
                    net_return=float(net_D[place]),
                    symbol=self.table.symbols[n],
                    price_ratio=float(self.table.mark_DN[d, n] / self.table.mark_DN[d - 1, n]),
                    contribution=float(share_N[n]),
                    sharpe_without=performance.sharpe(
                        np.delete(net_D, place), result.sessions_per_year
                    ),
                )
            )
        return tuple(out)

    def capacity(self, orders: Orders) -> float:
        """Capital at which 95 % of the orders stay below ``max_adv_share`` of the turnover (5 % if off).

        Orders grow with the capital, turnover does not: initial cash x share / (95 % quantile of order
        value / ADV). Quote currency; NaN without orders.
        """
        row, column = np.nonzero(orders.change_DN)
        adv_O = self.frictions.adv_DN[row, column]
        value_O = np.abs(orders.change_DN[row, column]) * self.table.fill_DN[row, column]
        value_O, adv_O = value_O[adv_O > 0], adv_O[adv_O > 0]
        if value_O.size == 0:
            return float("nan")
        taken = float(np.quantile(value_O / adv_O, _CAPACITY_QUANTILE))
        share = self.config.constraints.max_adv_share or 0.05
        return self.config.backtest.initial_cash * share / taken if taken > 0 else float("nan")


def _prices(panel: Panel, market: MarketData, config: Config) -> PriceTable:
    first, last = market.dates_D[[0, -1]].tolist()
    return PriceTable.from_panel(
        panel,
        first=first,
        last=last,
        symbols=market.symbols,
        entry=config.labels.entry,
        haircut=config.costs.delisting_haircut,
    )
