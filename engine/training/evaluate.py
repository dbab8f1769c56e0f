"""Score tables (the network's and the simple models') against the returns that followed, on the same days."""

# Shape suffixes: D scored or sampled sessions, N stocks of the feature set's axis, M rows of a frame,
# S all sessions, F features.
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import BacktestConfig, Config, TrainingConfig
from engine.dataset.split import Split
from engine.evaluation.factor import by_year
from engine.evaluation.inference import Series, mean_figure, paired_interval
from engine.evaluation.rank_ic import MIN_NAMES, RankedDays, rank_ic_series, summarise
from engine.evaluation.ranks import rank_correlation_columns, rank_correlation_rows
from engine.features.feature_set import FeatureSet
from engine.records.rank_ic import PairedDifference, RankICSummary
from engine.records.train import Anatomy, FeatureIC, FeatureICs, Rival, RivalHorizon

_DEFAULTS = BacktestConfig()
_Days = tuple[list[NDArray[np.float64]], list[NDArray[np.float32]]]
_Daily = dict[int, float]
"""RankIC of each session, NaN = undefined."""
_LAGS = (0, 1, 2, 5, 10, 20)
"""Sessions that a score has aged when its return begins; 0 = what is traded."""

_DAYS = 500
"""Training days looked at, evenly spaced; more of them cost more than they tell."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A score table on the axes of a feature set, rows by day and stock."""

    frame: pl.DataFrame
    features: FeatureSet
    session_M: NDArray[np.int64]
    symbol_M: NDArray[np.int64]
    """Place on the symbol axis."""

    def score_M(self, horizon: int) -> NDArray[np.float64]:
        """Score of each row ``[M]``; NaN = missing."""
        column = self.frame[f"score_{horizon}"].fill_null(float("nan"))
        return column.to_numpy().astype(np.float64)

    def days(self, horizon: int) -> tuple[list[int], _Days]:
        """Sessions in order of time, and for each scores ``[N]`` and forward returns ``[N]`` (fractions)."""
        h = self.features.horizons.index(horizon)
        returns_SNH = self.features.forward_return_SNH
        return_M = np.asarray(returns_SNH[self.session_M, self.symbol_M, h], dtype=np.float32)
        sessions, first = np.unique(self.session_M, return_index=True)
        scores = np.split(self.score_M(horizon), first[1:])
        return sessions.tolist(), (scores, np.split(return_M, first[1:]))


def _placed(frame: pl.DataFrame, features: FeatureSet) -> _Placed:
    frame = frame.sort("date", "symbol")
    place = {symbol: i for i, symbol in enumerate(features.symbols)}
    symbol_M = frame["symbol"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    dates_M = frame["date"].to_numpy().astype("datetime64[D]")
    return _Placed(frame, features, np.searchsorted(features.dates_S, dates_M), symbol_M)


def scored_days(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> tuple[list[int], _Days]:
    """Sessions in order of time, and for each the scores ``[N]`` and forward returns ``[N]`` (fractions).

    ``frame`` has ``date, symbol, score_<horizon>``, rows of one split. A missing score and an unknown
    return are NaN.
    """
    return _placed(frame, features).days(horizon)


def evaluate(
    frame: pl.DataFrame,
    features: FeatureSet,
    training: TrainingConfig,
    horizons: Sequence[int] | None = None,
) -> dict[str, dict[str, RankICSummary]]:
    """Split -> horizon -> figures; all horizons of the feature set unless some are named.

    ``training`` says how often and by which seed scores are shuffled for the null band.
    """
    found, draws, seed = {}, training.null_draws, training.seed
    for (split,), rows in frame.group_by("split", maintain_order=True):
        placed = _placed(rows, features)
        found[str(split)] = {
            str(h): summarise(*placed.days(h)[1], horizon=h, null_draws=draws, seed=seed)
            for h in horizons or features.horizons
        }
    return found


def daily_rank_ics(
    frame: pl.DataFrame, features: FeatureSet, horizon: int
) -> tuple[list[int], Series]:
    """Sessions in order of time, and the RankIC ``[D]`` of the frame's scores on each; NaN = undefined."""
    return _rank_ics(_placed(frame, features), horizon)


def _rank_ics(placed: _Placed, horizon: int) -> tuple[list[int], Series]:
    sessions, days = placed.days(horizon)
    return sessions, rank_ic_series(*days)


def paired_rank_ic(
    ours: pl.DataFrame,
    other: pl.DataFrame,
    features: FeatureSet,
    *,
    horizon: int,
    bootstrap: BacktestConfig = _DEFAULTS,
    seed: int = 0,
) -> PairedDifference:
    """Mean difference of the daily RankIC (ours - other) over their common days, in [-2, 2].

    The mean block of its bootstrap is twice the horizon, at least 5, sessions.
    """
    mine, theirs = (_daily(*daily_rank_ics(frame, features, horizon)) for frame in (ours, other))
    return _paired(mine, theirs, horizon, bootstrap, seed)


def _paired(
    mine: _Daily, theirs: _Daily, horizon: int, bootstrap: BacktestConfig, seed: int
) -> PairedDifference:
    common = sorted(mine.keys() & theirs.keys())
    return paired_interval(
        *(np.array([series[s] for s in common], dtype=np.float64) for series in (mine, theirs)),
        lag=horizon,
        draws=bootstrap.bootstrap_draws,
        confidence=bootstrap.confidence,
        seed=seed,
        mean_block=max(5.0, 2.0 * horizon),
    )


def against_baselines(
    ours: pl.DataFrame, baselines: pl.DataFrame, features: FeatureSet, config: Config
) -> dict[str, Rival]:
    """Each simple model's test figures, and ours less its, at every horizon that both have scores for."""
    if baselines.is_empty():
        return {}
    training = config.training
    known = [h for h in features.horizons if f"score_{h}" in ours.columns]
    mine = _placed(ours.filter(pl.col("split") == "test"), features)
    daily = {h: _daily(*_rank_ics(mine, h)) for h in known}
    table = {}
    test = baselines.filter(pl.col("split") == "test")
    for (name,), rows in test.group_by("name", maintain_order=True):
        theirs = _placed(rows, features)
        found = {
            str(h): _rival(daily[h], theirs, config, h)
            for h in known
            if rows[f"score_{h}"].is_finite().any()
        }
        traded = found[str(training.score_horizon)]
        table[str(name)] = Rival(
            test=traded.test, test_difference=traded.test_difference, horizons=found
        )
    return table


def _rival(mine: _Daily, theirs: _Placed, config: Config, horizon: int) -> RivalHorizon:
    training, (sessions, days) = config.training, theirs.days(horizon)
    ranked = RankedDays.of(*days)
    figures = ranked.summary(horizon=horizon, null_draws=training.null_draws, seed=training.seed)
    daily = _daily(sessions, ranked.daily_D)
    gap = _paired(mine, daily, horizon, config.backtest, training.seed)
    return RivalHorizon(test=figures, test_difference=gap)


def _daily(sessions: Sequence[int], rank_ic_D: Series) -> _Daily:
    return dict(zip(sessions, rank_ic_D.tolist(), strict=True))


def anatomy(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> Anatomy:
    """How long ``score_<horizon>`` lasts, how it ages and when it was right, on the days of one split."""
    placed = _placed(frame, features)
    session_D, day_M = np.unique(placed.session_M, return_inverse=True)
    score_DN = np.full((session_D.size, len(features.symbols)), np.nan)
    score_DN[day_M, placed.symbol_M] = placed.score_M(horizon)

    def daily(horizon: int, lag: int) -> Series:
        """RankIC with the return that begins ``lag`` sessions after the traded one."""
        later_D = session_D + lag
        inside_D = later_D < len(features.dates_S)
        h = features.horizons.index(horizon)
        return_DN = features.forward_return_SNH[later_D[inside_D], :, h].astype(np.float64)
        return rank_correlation_rows(score_DN[inside_D], return_DN, MIN_NAMES)

    lags = {lag: mean_figure(daily(horizon, lag), lag=horizon) for lag in _LAGS}
    return Anatomy(
        horizon=horizon,
        decay={str(h): mean_figure(daily(h, 0), lag=h) for h in features.horizons},
        lags={str(lag): mean for lag, mean in lags.items()},
        skip_ratio=lags[1].ratio_to(lags[0]),
        years=by_year(daily(horizon, 0), features.dates_S[session_D], horizon=horizon),
    )


def feature_rank_ics(features: FeatureSet, split: Split, horizon: int) -> FeatureICs:
    """RankIC of every column with its Newey-West standard error, and the days that it rests on.

    The column is taken as the network gets it, so a missing value counts as the day's middle. A column
    that is the same for all stocks of a day has no RankIC: NaN, with 0 days.
    """
    stride = -(-split.train.size // _DAYS)
    days_D = split.train[::stride]
    h = features.horizons.index(horizon)
    daily_DF = np.full((days_D.size, len(features.features)), np.nan)
    for d, day in enumerate(days_D.tolist()):
        label_N = features.forward_return_SNH[day, :, h].astype(np.float64)
        known_N = features.member_SN[day] & np.isfinite(label_N)
        if known_N.sum() >= MIN_NAMES:
            x_FN = np.ascontiguousarray(features.x_SNF[day][known_N].T, dtype=np.float32)
            daily_DF[d] = rank_correlation_columns(x_FN, label_N[known_N])
    lag = -(-horizon // stride)
    alone = {name: mean_figure(daily_DF[:, f], lag=lag) for f, name in enumerate(features.features)}
    return FeatureICs(
        horizon=horizon,
        first=str(features.dates_S[days_D[0]]),
        last=str(features.dates_S[days_D[-1]]),
        stride=stride,
        fingerprint=features.fingerprint,
        features={
            name: FeatureIC(rank_ic=mean.value, rank_ic_se=mean.se, n_dates=mean.n_dates)
            for name, mean in alone.items()
        },
    )
