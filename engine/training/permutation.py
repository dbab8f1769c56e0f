"""The label permutation test: what a training finds when there is nothing to find."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.features.feature_set import FeatureSet


def permuted_labels(features: FeatureSet, train: NDArray[np.int64], seed: int) -> FeatureSet:
    """The same with the returns of each training day dealt anew among that day's members.

    A stock gets all horizons of one other stock, so the returns keep their distribution and their
    correlation across horizons; only what ties them to the features is gone. Validation and test days
    keep their own returns: a network trained so must rank them no better than chance.
    """
    rng = np.random.default_rng(seed)
    return_SNH = np.array(features.forward_return_SNH)
    for session in train:
        member_N = np.flatnonzero(features.member_SN[session])
        return_SNH[session, member_N] = return_SNH[session, rng.permutation(member_N)]
    return replace(features, forward_return_SNH=return_SNH)
