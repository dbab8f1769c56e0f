"""From scores to target weights: strategy, tranches, constraints; and what each step took away."""

# Shape suffixes: K decisions, D sessions, N stocks, M scored stocks of a day, X styles.
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from engine.config import ConstraintConfig, PortfolioConfig, Style
from engine.errors import GateError
from engine.evaluation.ranks import correlation_rows
from engine.features.normalise import residual
from engine.portfolio.construction import overlap, rules
from engine.portfolio.market_data import Matrix
from engine.portfolio.prediction import Weights
from engine.portfolio.risk import STYLES, style_scores
from engine.portfolio.strategy import Decisions, Strategy, choose
from engine.records.book import BookStep

_NAMES_PER_STYLE = 10
"""Fewer scored names of a day for each coefficient say nothing about it."""
_MIN_NAMES = 3


def _neutralised(decisions: Decisions, styles: Sequence[Style], share: float = 1.0) -> Decisions:
    """The decisions with the residuals of their scores on the styles, or ``share`` of the way to them.

    Day by day: normal scores of the scores, less their least-squares fit on the normal scores of the styles
    (a style that is not known counts as the mean) and, with ``sector``, on a constant for each sector. So the
    chosen book leans on no style by its scores, as far as ranks are linear in it (feature neutralisation;
    residuals on risk factors: Grinold & Kahn, Active Portfolio Management, ch. 3). A day with fewer than ten
    scored names for each coefficient gets equal scores, which decide nothing.
    """
    if not styles or not share:
        return decisions
    known, key = decisions.neutral, (*styles, share)
    if key not in known:
        mixed_KN = _residuals(decisions, styles)
        if share < 1.0:
            mixed_KN = share * mixed_KN + (1.0 - share) * decisions.normal_KN
        known[key] = decisions.with_scores(mixed_KN)
    return known[key]


def _residuals(decisions: Decisions, styles: Sequence[Style]) -> Matrix:
    market, row_K = decisions.market, decisions.row_K
    if "sector" in styles:
        market.require_sectors("portfolio.neutral_to sector")
    scored_KN = np.isfinite(decisions.score_KN)
    measured = [name for name in styles if name != "sector"]
    exposure_XKN = style_scores(market, row_K, scored_KN, measured)
    group_N = market.sector_N if "sector" in styles else np.zeros_like(market.sector_N)
    out_KN = np.full_like(decisions.score_KN, np.nan)
    for k, scored_N in enumerate(scored_KN):
        names_M = np.flatnonzero(scored_N)
        out_KN[k, names_M] = _residual(
            decisions.normal_KN[k, names_M], exposure_XKN[:, k, names_M].T, group_N[names_M]
        )
    return out_KN


def _residual(
    score_M: NDArray[np.float64], exposure_MX: Matrix, group_M: NDArray[np.int64]
) -> NDArray[np.float64]:
    """On a constant for each group and the exposures; 0 with too few names for so many coefficients."""
    constant_MG = group_M[:, None] == np.unique(group_M)
    design_MK = np.column_stack([constant_MG, exposure_MX])
    if score_M.size < _NAMES_PER_STYLE * design_MK.shape[1]:
        return np.zeros_like(score_M)
    return residual(score_M, design_MK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Target weights of every decision."""

    decisions: Decisions
    weight_KN: Matrix
    strategy: str
    steps: tuple[BookStep, ...]
    """From the strategy's wish to the last constraint; empty unless it was asked for."""

    def targets(self) -> Matrix:
        """``[D, N]`` weights decided at the close of each session; NaN = no decision."""
        out_DN = np.full(self.decisions.market.traded_DN.shape, np.nan)
        out_DN[self.decisions.row_K] = self.weight_KN
        return out_DN

    def leans(self) -> pl.DataFrame:
        """``date, style, lean``: weights times normal scores of each style, of the book of every decision.

        With ``index``, the weights times the betas themselves.
        """
        market, row_K = self.decisions.market, self.decisions.row_K
        scored_KN = np.isfinite(self.decisions.score_KN)
        leans = {"index": (self.weight_KN * market.beta_DN[row_K]).sum(axis=1)}
        for name in STYLES:
            style_KN = style_scores(market, row_K, scored_KN, (name,))[0]
            leans[name] = (self.weight_KN * style_KN).sum(axis=1)
        dates = pl.Series("date", market.dates_D[row_K]).cast(pl.Date)
        return pl.DataFrame({"date": dates, **leans}).unpivot(
            index="date", variable_name="style", value_name="lean"
        )

    def weights(self, run_id: str, portfolio: PortfolioConfig) -> Weights:
        """The joint that is written: rows of scored or held names."""
        market = self.decisions.market
        k, n = np.nonzero(np.isfinite(self.decisions.score_KN) | (self.weight_KN != 0))
        dates = pl.Series("date", market.dates_D[self.decisions.row_K]).cast(pl.Date)
        frame = pl.DataFrame(
            {
                "date": dates.gather(k),
                "symbol": pl.Series("symbol", market.symbols).gather(n),
                "weight": self.weight_KN[k, n],
            }
        )
        return Weights(
            frame=frame,
            strategy=self.strategy,
            run_id=run_id,
            max_gross=portfolio.investable,
            max_net=portfolio.max_net,
            max_weight=portfolio.max_weight,
        )


def build_book(
    strategy: Strategy,
    decisions: Decisions,
    portfolio: PortfolioConfig,
    limits: ConstraintConfig,
    *,
    trace: bool = False,
) -> Book:
    """Neutralise the scores, choose, overlap, constrain. ``trace`` also measures each step (slower)."""
    neutral = _neutralised(decisions, portfolio.neutral_to, portfolio.neutral_share)
    tranche_KN = choose(strategy, neutral, portfolio)
    book_KN = overlap(tranche_KN, portfolio.n_tranches)
    steps = []
    if trace:
        name = f"{strategy.name}, tranches: {portfolio.n_tranches}"
        free = portfolio.model_copy(update={"max_weight": 1.0})
        wish_KN = overlap(choose(strategy, decisions, free), portfolio.n_tranches)
        steps.append(measure(name, wish_KN, decisions))
        if portfolio.neutral_to:
            wish_KN = overlap(choose(strategy, neutral, free), portfolio.n_tranches)
            part = "" if portfolio.neutral_share == 1.0 else f"{portfolio.neutral_share:.0%} "
            name = f"{part}neutral to {', '.join(portfolio.neutral_to)}"
            steps.append(measure(name, wish_KN, decisions))
        if portfolio.max_weight < 1.0:
            steps.append(measure(f"name cap {portfolio.max_weight:g}", book_KN, decisions))
    for name, rule in rules(decisions, portfolio, limits):
        book_KN = rule(book_KN)
        if trace:
            steps.append(measure(name, book_KN, decisions))
    _check(strategy.name, book_KN, decisions, portfolio)
    return Book(
        decisions=decisions,
        weight_KN=book_KN,
        strategy=strategy.name,
        steps=tuple(steps) if trace else (),
    )


def measure(name: str, book_KN: Matrix, decisions: Decisions) -> BookStep:
    """Gross, names and transfer coefficient of a book ``[K, N]``."""
    transfer_K = correlation_rows(
        np.where(np.isfinite(decisions.score_KN), book_KN, np.nan),
        decisions.normal_KN,
        _MIN_NAMES,
    )
    known_K = transfer_K[np.isfinite(transfer_K)]
    return BookStep(
        name=name,
        gross=float(np.abs(book_KN).sum(axis=1).mean()),
        names=float((book_KN != 0).sum(axis=1).mean()),
        transfer=float(known_K.mean()) if known_K.size else float("nan"),
    )


def _check(name: str, book_KN: Matrix, decisions: Decisions, portfolio: PortfolioConfig) -> None:
    """The limits of every day, for books that are simulated without being written."""
    gross_K, net_K, largest_K = exposures(book_KN)
    figures = {
        "gross exposure": (gross_K, portfolio.investable),
        "net exposure": (np.abs(net_K), portfolio.max_net),
        "largest single weight": (largest_K, portfolio.max_weight),
    }
    for what, (figure_K, limit) in figures.items():
        over_K = np.flatnonzero(~(figure_K <= limit + 1e-9))
        if over_K.size:
            date = decisions.market.dates_D[decisions.row_K[over_K[0]]]
            raise GateError(
                f"strategy {name}: {what} {figure_K[over_K[0]]:.4g} on {date} is above its "
                f"limit {limit:.4g}",
                hint="correct the strategy, or the limits in [portfolio]",
            )


@njit(cache=True)
def exposures(book_KN: Matrix) -> tuple[NDArray[np.float64], ...]:
    """Sum of absolute weights, sum of weights and largest absolute weight ``[K]`` of each decision."""
    K, N = book_KN.shape
    gross_K, net_K, largest_K = np.zeros(K), np.zeros(K), np.zeros(K)
    for k in range(K):
        for n in range(N):
            size = abs(book_KN[k, n])
            gross_K[k] += size
            net_K[k] += book_KN[k, n]
            largest_K[k] = max(largest_K[k], size)
    return gross_K, net_K, largest_K
