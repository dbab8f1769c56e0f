"""What the card of a signal is judged by: measured once where a signal is gathered, sealed in its inputs."""

import math
from typing import Literal

from msgspec import Struct


class DataEvidence(Struct, frozen=True, kw_only=True):
    """Whether the session's file is there and whole."""

    names: int
    """Stocks with a bar of the session."""
    usual: int
    """Median number of stocks on the sessions before."""
    min_coverage: float
    """Least fraction of ``usual`` that counts as whole."""
    repeated: bool
    """The session repeats the prices of the one before."""
    missing_sessions: tuple[str, ...]
    """ISO dates of recent sessions of the exchange without data."""


class QualityEvidence(Struct, frozen=True, kw_only=True):
    """What the quality gates said of the store."""

    verdict: Literal["ok", "degraded", "refused"]
    worst: str
    """The first finding of level error in words; empty without one."""
    notes: tuple[str, ...] = ()


class PositionEvidence(Struct, frozen=True, kw_only=True):
    """How the file of positions was matched to the store."""

    lines: int
    notes: tuple[str, ...]
    missing: dict[str, str]
    """Held code as the file spells it -> why it has no price here."""


class AuditEvidence(Struct, frozen=True, kw_only=True):
    """What the last full audit said."""

    verdict: str
    age: int | None
    """Sessions since; None = it was of other data or other rules."""
    leaks: tuple[str, ...]
    """Names of the first columns that saw ahead."""


class StepEvidence(Struct, frozen=True, kw_only=True):
    """Whether noise in the newest session moves anything before it."""

    leaks: tuple[str, ...]
    columns: int
    """Columns that were checked; 0 = the sample was too small."""


class ModelAge(Struct, frozen=True, kw_only=True):
    """How long ago the data ended that the champion was trained on."""

    age: int
    """Sessions."""
    last_session: str


class DriftFigures(Struct, frozen=True, array_like=True):
    """How far today's values of one variable lie from those of the reference; unitless."""

    psi: float
    """Population stability index; 0 = the same distribution."""
    ks: float
    """Largest distance of the two distribution functions, 0..1."""
    usual_psi: float
    usual_ks: float
    """The largest of the reference's own sessions."""
    n: float
    """Number of values of today."""


class LiveRankIC(Struct, frozen=True, kw_only=True):
    """RankIC of the sealed scores of one model beside what was to be expected; NaN = not known yet."""

    rank_ic: float = math.nan
    """Mean over the newest sealed signals whose outcome is known."""
    sessions: int = 0
    """Signals that the mean is of."""
    horizon: int = 0
    """Sessions that the scores look ahead."""
    expected: float = math.nan
    """Mean out of sample, before the model was promoted."""
    low: float = math.nan
    """Below it the model counts as broken."""


class DayEvidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known before anything is scored."""

    data: DataEvidence
    quality: QualityEvidence
    positions: PositionEvidence | None = None
    """None where no file of positions was given."""


class SignalEvidence(DayEvidence, frozen=True, kw_only=True, omit_defaults=True):
    """Everything besides the scores and the orders."""

    audit: AuditEvidence | None
    """None = no audit was ever run."""
    audit_session: StepEvidence
    model: ModelAge
    drift: dict[str, DriftFigures]
    """Feature -> its drift."""
    live: LiveRankIC


class Health(Struct, frozen=True, kw_only=True):
    """What the networks themselves say about a session."""

    score_drift: DriftFigures
    dispersion: float
    """Spread of the scores over that of the reference's days; 1 = the same."""
    alpha: tuple[float | None, ...]
    """Share of the projected stream in each network's gate; None without a bypass."""
