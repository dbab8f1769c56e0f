"""The label permutation test: what a training finds when there is nothing to find."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.features.feature_set import FeatureSet


def permuted_labels(features: FeatureSet, sessions: NDArray[np.int64], seed: int) -> FeatureSet:
    """The same with the returns of ``sessions`` dealt anew among each day's members.

    ``sessions``: every day that decides anything, training and validation; a day that only judges keeps
    its own returns. The unit that is dealt is a stock's whole history, not a day of it: a stock keeps its
    donor from day to day (`_dealt`), as neighbouring days' returns overlap by all but one
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
        donor_N = _dealt(donor_N, features.member_SN[session], rng)
        member_N = np.flatnonzero(features.member_SN[session])
        return_SNH[session, member_N] = features.forward_return_SNH[session, donor_N[member_N]]
    return replace(features, forward_return_SNH=return_SNH)


def _dealt(
    donor_N: NDArray[np.int64], is_member_N: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Donors ``[N]`` of a day, a permutation of its members, from those of the day before; -1 outside.

    Whoever listened to a stock that left gets that one's donor; whoever comes takes the donor of a member
    drawn at random, itself included, and becomes that one's donor. So one stock changes its donor for each
    that comes or goes, and the permutation stays one among all with equal chance (as in the Chinese
    restaurant process; Pitman, Combinatorial Stochastic Processes, 2006, 3.1). Dealing newcomers among
    themselves would give one that comes alone its own returns.
    """
    out_N = donor_N.copy()
    members = np.flatnonzero(out_N >= 0).tolist()
    for gone in [n for n in members if not is_member_N[n]]:
        out_N[out_N == gone] = out_N[gone]
        out_N[gone] = -1
    members = np.flatnonzero(out_N >= 0).tolist()
    for new in np.flatnonzero(is_member_N & (out_N < 0)).tolist():
        members.append(new)
        other = members[int(rng.integers(len(members)))]
        out_N[new], out_N[other] = out_N[other] if other != new else new, new
    return out_N
