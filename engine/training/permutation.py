"""The label permutation test: what a training finds when there is nothing to find."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.features.feature_set import FeatureSet


def permuted_labels(features: FeatureSet, sessions: NDArray[np.int64], seed: int) -> FeatureSet:
    """The same with the returns of ``sessions`` dealt anew among each day's members.

    ``sessions``: every day that decides anything, training and validation; a day that only judges keeps
    its own returns. The unit that is dealt is a stock's whole history, not a day of it: a stock keeps its
    donor from day to day while both are members, as neighbouring days' returns overlap by all but one
    session. Dealt day by day, labels would lose that serial correlation, and a training would meet less
    noise than it does. All horizons come from one donor, and a day's set of returns stays as it was; only
    what ties it to the features is gone.

    Ojala & Garriga, JMLR 11, 2010 (labels permuted, everything after trained anew); Winkler et al.,
    NeuroImage 92, 2014 (units that depend within themselves are permuted whole).
    """
    rng = np.random.default_rng(seed)
    return_SNH = np.array(features.forward_return_SNH)
    donor_N = np.full(len(features.symbols), -1, dtype=np.int64)
    for session in np.sort(sessions):
        donor_N = dealt(donor_N, features.member_SN[session], rng)
        member_N = np.flatnonzero(features.member_SN[session])
        return_SNH[session, member_N] = features.forward_return_SNH[session, donor_N[member_N]]
    return replace(features, forward_return_SNH=return_SNH)


def dealt(
    donor_N: NDArray[np.int64], is_member_N: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Donors of a day, a permutation of its members: those of the day before where both are still there.

    The others draw, with equal chance, from the members that are nobody's donor. -1 outside the members.
    """
    out_N = np.where(is_member_N & (donor_N >= 0), donor_N, -1)
    out_N[(out_N >= 0) & ~is_member_N[out_N]] = -1
    is_free_N = is_member_N.copy()
    is_free_N[out_N[out_N >= 0]] = False
    waiting_N = np.flatnonzero(is_member_N & (out_N < 0))
    out_N[waiting_N] = rng.permutation(np.flatnonzero(is_free_N))
    return out_N
