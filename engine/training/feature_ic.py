"""What each input is worth alone: RankIC against the label, on training days only.

Validation and test days are left out on purpose: a feature that is chosen by this list has not seen them.
"""

# Shape suffixes: D sampled days, N stocks, F features.
import numpy as np

from engine.dataset.split import Split
from engine.evaluation.inference import mean_figure
from engine.evaluation.rank_ic import MIN_NAMES
from engine.evaluation.ranks import rank_correlation_columns
from engine.features.feature_set import FeatureSet
from engine.records.train import FeatureIC, FeatureICs

_DAYS = 500
"""Training days looked at, evenly spaced; more of them cost more than they tell."""


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
