"""Which sessions train, validate and test: in the order of time, purged and embargoed.

A score of session t is judged by the return from t+1 to t+1+h, so the label of the last training day
must end before the first validation day's entry. ``embargo_sessions`` >= longest horizon + 1 (checked by
the configuration) sessions are left out between two splits; look-back windows may overlap, labels not.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.config import SplitConfig
from engine.errors import DataError
from engine.features.feature_set import FeatureSet

_MIN_TRAIN_SESSIONS = 60
FEWER_NAMES = "lower universe.min_names or the floors of the universe"
_FEWEST_JUDGED = 20
"""Validation or test sessions that the configuration allows at least."""

_Sessions = NDArray[np.int64]
Part = Literal["validation", "test"]
"""Of a split: days that are scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Session indices of the feature set, increasing; the three parts do not overlap."""

    train: _Sessions
    validation: _Sessions
    test: _Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One step of the walk forward: its number, from 0, and its sessions."""

    index: int
    split: Split


def valid_sessions(features: FeatureSet, config: SplitConfig, min_names: int) -> _Sessions:
    """Sessions with a full look-back window, all with at least ``min_names`` members."""
    enough_S = features.member_SN.sum(axis=1) >= min_names
    usable = np.flatnonzero(enough_S)
    if usable.size == 0:
        raise DataError(
            f"{features.source}: no session has {min_names} stocks in the universe",
            hint=FEWER_NAMES,
        )
    return np.asarray(usable[usable >= usable[0] + config.window - 1])


def single_split(features: FeatureSet, config: SplitConfig, min_names: int) -> Split:
    """Train | embargo | validation | embargo | test, the test days being the newest with a label."""
    sessions = _labelled(features, valid_sessions(features, config, min_names))
    return _split_before(
        sessions,
        sessions[max(0, sessions.size - config.test_sessions)],
        sessions[-1] + 1,
        config,
    )


def walk_forward(
    features: FeatureSet,
    config: SplitConfig,
    min_names: int,
    *,
    first_test: dt.date | None,
    last_test: dt.date | None,
    step_sessions: int,
) -> list[Fold]:
    """Consecutive test blocks of ``step_sessions``, each with its own training before it.

    ``first_test`` defaults to the earliest session that leaves room for training and validation.
    """
    sessions = _labelled(features, valid_sessions(features, config, min_names))
    room = config.validation_sessions + 2 * config.embargo_sessions
    earliest = _MIN_TRAIN_SESSIONS + room
    start = earliest
    if first_test is not None:
        start = int(np.searchsorted(features.dates_S[sessions], np.datetime64(first_test, "D")))
    stop = sessions.size
    if last_test is not None:
        day = np.datetime64(last_test, "D")
        stop = int(np.searchsorted(features.dates_S[sessions], day, side="right"))
    if start < earliest or stop <= start:
        raise DataError(
            f"{features.source}: no walk-forward fold fits ({sessions.size} usable sessions, "
            f"{earliest} are needed before the first test day)",
            hint="choose a later --first-test or shorter split.validation_sessions",
        )
    bounds = list(range(start, stop, step_sessions))
    if len(bounds) > 1 and stop - bounds[-1] < step_sessions // 4:
        bounds.pop()
    folds = []
    for i, first in enumerate(bounds):
        last = bounds[i + 1] if i + 1 < len(bounds) else stop
        split = _split_before(sessions, sessions[first], sessions[last - 1] + 1, config)
        folds.append(Fold(index=i, split=split))
    return folds


def room_for(usable: int, config: SplitConfig) -> str:
    """What to set where so many sessions are too few: days that fit, half of the room being for training."""
    each = (usable - _MIN_TRAIN_SESSIONS - 2 * config.embargo_sessions) // 4
    if each >= _FEWEST_JUDGED:
        return f"`--set split.validation_sessions={each} --set split.test_sessions={each}` fits"
    return "longer prices, or more usable sessions by a lower universe.min_history or universe.min_names"


def test_sessions(folds: Sequence[Fold]) -> _Sessions:
    """The test sessions ``[D]`` of all folds, in order of time."""
    return np.concatenate([fold.split.test for fold in folds])


def inner_folds(
    features: FeatureSet, config: SplitConfig, min_names: int, *, folds: int, fold_sessions: int
) -> list[Fold]:
    """Walk-forward folds inside training and validation, for choosing settings; they have no test part.

    The validation blocks are the newest ``folds`` x ``fold_sessions`` sessions before the embargo that
    precedes the test days of `single_split`, without a gap; each fold trains on what lies an embargo
    before its block. No label of them reaches into the test days.
    """
    outer = single_split(features, config, min_names)
    sessions = _labelled(features, valid_sessions(features, config, min_names))
    known = sessions[sessions <= outer.validation[-1]]
    starts = known.size - fold_sessions * np.arange(folds, 0, -1)
    made = []
    for i, start in enumerate(starts.tolist()):
        validation = known[max(0, start) : start + fold_sessions]
        train = known[known < known[max(0, start)] - config.embargo_sessions]
        if config.train_sessions:
            train = train[-config.train_sessions :]
        if train.size < _MIN_TRAIN_SESSIONS or validation.size < fold_sessions:
            needed = folds * fold_sessions + config.embargo_sessions + _MIN_TRAIN_SESSIONS
            raise DataError(
                f"{features.source}: {known.size} sessions before the test days do not hold {folds} "
                f"inner folds of {fold_sessions}, {needed} are needed",
                hint="lower tune.folds or tune.fold_sessions",
            )
        split = Split(train=train, validation=validation, test=known[:0])
        made.append(Fold(index=i, split=split))
    return made


def refit_split(features: FeatureSet, split: Split, config: SplitConfig, min_names: int) -> Split:
    """The days of a second fit, which chooses nothing: it learns up to the embargo before the test.

    Training days are all labelled ones from the first to the last validation day, those of the embargo
    between them too; with ``config.train_sessions`` so many of the newest. The validation part is empty.
    """
    sessions = _labelled(features, valid_sessions(features, config, min_names))
    train = sessions[(sessions >= split.train[0]) & (sessions <= split.validation[-1])]
    if config.train_sessions:
        train = train[-config.train_sessions :]
    return replace(split, train=train, validation=train[:0])


def _labelled(features: FeatureSet, sessions: _Sessions) -> _Sessions:
    """Sessions whose shortest forward return is known; the newest days can only be predicted."""
    known_S = np.asarray(np.isfinite(features.forward_return_SNH[..., 0]).any(axis=1))
    return sessions[known_S[sessions]]


def _split_before(sessions: _Sessions, first_test: int, end: int, config: SplitConfig) -> Split:
    """The three parts around a test block, with gaps counted in trading sessions."""
    test = sessions[(sessions >= first_test) & (sessions < end)]
    validation_end = first_test - config.embargo_sessions
    before = sessions[sessions < validation_end]
    validation = before[max(0, before.size - config.validation_sessions) :]
    train = sessions[:0]
    if validation.size:
        train = sessions[sessions < validation[0] - config.embargo_sessions]
        if config.train_sessions:
            train = train[-config.train_sessions :]
    if train.size < _MIN_TRAIN_SESSIONS:
        needed = (
            _MIN_TRAIN_SESSIONS
            + config.validation_sessions
            + config.test_sessions
            + 2 * config.embargo_sessions
        )
        raise DataError(
            f"too few sessions: {sessions.size} are usable, {needed} are needed for "
            f"{_MIN_TRAIN_SESSIONS} training days beside validation, test and two embargoes",
            hint=room_for(sessions.size, config),
        )
    return Split(train=train, validation=validation, test=test)
