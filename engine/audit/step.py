"""One session's share of the audit, light enough for every day: does the newest session move the past?"""

from dataclasses import dataclass

from engine.audit.compare import WorldPair, build_world
from engine.audit.futures import poisoned, sample
from engine.config import Config
from engine.data.tables import RawTables
from engine.errors import DataError

_STOCKS, _SESSIONS = 48, 160
"""Stocks and sessions of the sample, beside the history that the universe asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _StepAudit:
    """What the newest session changed before it."""

    leaks: tuple[str, ...]
    """``check: name`` of everything before the session that it changed."""
    columns: int
    """Features that were compared; 0 = the sample is too small to say anything."""


def sessions_needed(config: Config) -> int:
    """Sessions of the sample: the history that the universe asks for, and some to compare."""
    return config.universe.min_history + _SESSIONS


def audit_step(raw: RawTables, config: Config) -> _StepAudit:
    """Replace the newest session of ``raw`` by noise and compare all that came before, bit by bit."""
    part = sample(
        raw, stocks=_STOCKS, sessions=sessions_needed(config), keep=config.data.index_symbol
    )
    try:
        ours = build_world(part, config)
        cut = ours.universe.dates_S.size - 2
        day = ours.universe.dates_S[cut].item()
        other = build_world(poisoned(part, day), config)
    except DataError:  # no stock of the sample is ever in the universe
        return _StepAudit(leaks=(), columns=0)
    leaks = WorldPair(ours=ours, other=other, cut=cut).leaks()
    return _StepAudit(
        leaks=tuple(f"{leak.check}: {leak.name}" for leak in leaks), columns=len(ours.chosen)
    )
