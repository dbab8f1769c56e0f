"""What every model must keep: `atft-tui models NAME` and the test suite run these checks.

The market is random and small; what follows a day is known to a part from two of its columns.
"""

# Shape suffixes: D days, N stocks, F columns, H horizons, M rows.
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.rank_ic import rank_ic_series
from engine.model_kit import Day, Days, Model
from engine.workspace_code import BrokenPromiseError, PromiseCheck, tried

_D, _N, _F, _HORIZONS = 40, 50, 6, (1, 5)
_SIGNAL = np.array([0.4, -0.3, 0.0, 0.0, 0.0, 0.0])
"""Of each column in the label; the rest of it is noise of deviation 1."""

_Maker = Callable[[], Model]


def check_model(make: _Maker) -> list[PromiseCheck]:
    """All promises of the models that ``make`` makes; never raises for a broken one."""
    return tried((name, partial(promise, make)) for name, promise in _promises())


def _promises() -> Iterator[tuple[str, Callable[[_Maker], None]]]:
    yield "a finite score for each stock and horizon", _finite
    yield "the same twice for a seed", _deterministic
    yield "its inputs stay as they were", _pure
    yield "no label is read in score", _blind
    yield "a day's score depends on that day alone", _no_memory
    yield "the order of the stocks does not matter", _equivariant
    yield "its state gives it back", _restored
    yield "higher scores earn more", _sign


def _market(seed: int = 0) -> tuple[list[Day], NDArray[np.float32]]:
    """Days, and the labels ``[D, N, H]`` that follow them."""
    rng = np.random.default_rng(seed)
    x_DNF = rng.normal(size=(_D, _N, _F)).astype(np.float32)
    x_DNF[rng.random(x_DNF.shape) < 0.05] = 0.0
    noise_DNH = rng.normal(size=(_D, _N, len(_HORIZONS)))
    target_DNH = ((x_DNF @ _SIGNAL)[:, :, None] + noise_DNH).astype(np.float32)
    names = tuple(f"column_{f}" for f in range(_F))
    dates = np.datetime64("2020-01-01") + np.arange(_D)
    days = [
        Day(date=date, x_NF=x_NF, columns=names, horizons=_HORIZONS)
        for date, x_NF in zip(dates, x_DNF, strict=True)
    ]
    return days, target_DNH


def _lesson(seed: int = 1) -> Days:
    days, target_DNH = _market()
    target_MH = target_DNH.reshape(-1, len(_HORIZONS)).copy()
    target_MH[-_N:, 1] = np.nan  # the last day's longest return is not known yet
    return Days(
        dates_M=np.repeat(np.array([day.date for day in days]), _N),
        x_MF=np.concatenate([day.x_NF for day in days]),
        target_MH=target_MH,
        return_MH=(0.02 * target_MH).astype(np.float32),
        weight_M=None,
        columns=days[0].columns,
        horizons=_HORIZONS,
        seed=seed,
    )


def _fitted(make: _Maker, days: Days | None = None) -> Model:
    model = make()
    model.fit(_lesson() if days is None else days)
    return model


def _scores(model: Model, days: list[Day]) -> list[NDArray[np.float64]]:
    return [np.asarray(model.score(day), dtype=np.float64).copy() for day in days]


def _same(a: list[NDArray[np.float64]], b: list[NDArray[np.float64]], why: str) -> None:
    for n, (one, other) in enumerate(zip(a, b, strict=True)):
        if not np.array_equal(one, other):
            raise BrokenPromiseError(f"{why} (day {n})")


def _finite(make: _Maker) -> None:
    model, (days, _) = _fitted(make), _market(seed=1)
    one_stock = replace(days[0], x_NF=days[0].x_NF[:1])
    empty_columns = replace(days[1], x_NF=np.zeros_like(days[1].x_NF))
    for day in (*days[:3], one_stock, empty_columns):
        score_NH = np.asarray(model.score(day))
        if score_NH.shape != (len(day.x_NF), len(_HORIZONS)):
            raise BrokenPromiseError(f"shape {score_NH.shape} for {len(day.x_NF)} stocks")
        if not np.isfinite(score_NH).all():
            raise BrokenPromiseError("a score is not finite")


def _deterministic(make: _Maker) -> None:
    days, _ = _market(seed=1)
    first, second = (_scores(_fitted(make), days) for _ in range(2))
    _same(first, second, "two fits with one seed score differently")


def _pure(make: _Maker) -> None:
    lesson, (days, _) = _lesson(), _market(seed=1)
    before = [lesson.x_MF.copy(), lesson.target_MH.copy(), days[0].x_NF.copy()]
    _scores(_fitted(make, lesson), days[:1])
    for then, now in zip(before, (lesson.x_MF, lesson.target_MH, days[0].x_NF), strict=True):
        if not np.array_equal(then, now, equal_nan=True):
            raise BrokenPromiseError("an array that it was given was changed in place")


def _blind(make: _Maker) -> None:
    """The labels it was given are wiped after the fit: what looks them up in score shows."""
    lesson, (days, _) = _lesson(), _market()
    model = _fitted(make, lesson)
    before = _scores(model, days)
    lesson.target_MH[:], lesson.return_MH[:] = 0.0, 0.0
    _same(before, _scores(model, days), "scores change with the labels that it was fitted to")


def _no_memory(make: _Maker) -> None:
    days, _ = _market(seed=1)
    model = _fitted(make)
    forward = _scores(model, days)
    backward = _scores(model, days[::-1])[::-1]
    _same(forward, backward, "scores change with the days that were scored before: later ones too")


def _equivariant(make: _Maker) -> None:
    days, _ = _market(seed=1)
    model, order = _fitted(make), np.random.default_rng(2).permutation(_N)
    moved = [replace(day, x_NF=np.ascontiguousarray(day.x_NF[order])) for day in days]
    for ours, theirs in zip(_scores(model, days), _scores(model, moved), strict=True):
        if not np.allclose(ours[order], theirs, rtol=1e-5, atol=1e-7):
            raise BrokenPromiseError("another order of the stocks gives other scores")


def _restored(make: _Maker) -> None:
    days, _ = _market(seed=1)
    model, again = _fitted(make), make()
    again.restore(model.state())
    _same(_scores(model, days), _scores(again, days), "a restored model scores differently")


def _sign(make: _Maker) -> None:
    days, target_DNH = _market(seed=1)
    scores = np.stack(_scores(_fitted(make), days))
    for h, horizon in enumerate(_HORIZONS):
        labels = list(target_DNH[..., h])
        lean = float(np.mean(rank_ic_series(list(scores[..., h].astype(np.float32)), labels)))
        if not lean > 0.05:
            raise BrokenPromiseError(
                f"RankIC {lean:+.3f} at h={horizon} on a market that a line ranks with +0.43"
            )
