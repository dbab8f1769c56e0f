"""How each light of the card is judged: a figure, its limit, and the reason in words."""

import math
from collections.abc import Iterator, Mapping

from engine.config import SignalConfig
from engine.records.card import (
    AuditEvidence,
    DayEvidence,
    DriftFigures,
    Health,
    Light,
    LiveRankIC,
    SignalEvidence,
    StepEvidence,
    TradeFigures,
    Verdict,
)
from engine.records.orders import Refused
from engine.signals.drift import has_drifted

_SHOWN = 20
"""Held lines without a price that are named."""
_STOP_AT = 2.0
"""A figure beyond so many times its limit is a STOP."""
_DEAD = 1e-6
"""Scores that spread less than this share of the reference's are all the same."""


def _above(name: str, value: float, limit: float, text: str) -> Light:
    """TRADE up to the limit, HOLD up to twice of it, STOP beyond; STOP for what is not a number."""
    verdict: Verdict = "STOP"
    if value <= limit:
        verdict = "TRADE"
    elif value <= _STOP_AT * limit:
        verdict = "HOLD"
    return Light(name=name, verdict=verdict, value=value, limit=limit, reason=text)


def _light(
    name: str, verdict: Verdict, value: float | str | None, limit: float | str | None, reason: str
) -> Light:
    return Light(name=name, verdict=verdict, value=value, limit=limit, reason=reason)


def data_lights(evidence: DayEvidence, signals: SignalConfig) -> list[Light]:
    """Is the session's data there, whole, and next to the sessions before it."""
    data, quality = evidence.data, evidence.quality
    least = data.min_coverage * data.usual
    whole = not data.repeated and data.names > 0 and data.names >= least
    reason = f"{data.names:,} stocks, usually {data.usual:,}"
    if data.repeated:
        reason = "the session's file repeats the one of the session before"
    elif not whole:
        reason = f"data incomplete {data.names:,}/{data.usual:,}"
    missing, most = data.missing_sessions, signals.max_missing_sessions
    gap = "no exchange session is missing before it"
    if missing:
        named = ", ".join(missing[:3])
        gap = f"{len(missing)} exchange sessions before it have no data ({named})"
    refused = quality.verdict == "refused"
    return [
        _light("data", "TRADE" if whole else "HOLD", float(data.names), float(least), reason),
        _light(
            "fresh",
            "TRADE" if len(missing) <= most else "HOLD",
            float(len(missing)),
            float(most),
            gap,
        ),
        _light(
            "quality",
            "STOP" if refused else "TRADE",
            quality.verdict,
            "not refused",
            quality.worst or "no finding of level error",
        ),
    ]


def position_lights(evidence: DayEvidence) -> list[Light]:
    """Is every held line a stock with a price; none where no file of positions was given.

    A line without a price would count as worth nothing, and the orders would buy its worth anew.
    """
    found = evidence.positions
    if found is None:
        return []
    missing = [f"{code}: {why}" for code, why in sorted(found.missing.items())]
    reason = "; ".join(found.notes) or "every line is a stock with a price"
    if missing:
        more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        reason = f"held, but without a price here: {'; '.join(missing[:_SHOWN])}{more}"
    return [
        _light("positions", "STOP" if missing else "TRADE", float(len(missing)), 0.0, reason),
    ]


def evidence_lights(evidence: SignalEvidence, health: Health, signals: SignalConfig) -> list[Light]:
    """Everything that is known before the orders: data, positions, audit, and the model's own lights."""
    age = evidence.model.age
    return [
        *data_lights(evidence, signals),
        *position_lights(evidence),
        _audit(evidence.audit, float(signals.max_audit_age)),
        _step(evidence.audit_session),
        _above("model_age", float(age), float(signals.max_model_age), f"{age} sessions old"),
        _feature_drift(evidence.drift, signals),
        _score_drift(health.score_drift, signals),
        _live(evidence.live, signals),
        *_networks(health, signals),
    ]


def _audit(audit: AuditEvidence | None, limit: float) -> Light:
    """Does the whole pipeline see ahead: the last full audit, and how old it is."""
    if audit is None:
        reason = "never run: `atft-tui audit` proves that nothing sees ahead"
        return _light("audit", "HOLD", None, limit, reason)
    if audit.verdict != "passed":
        reason = f"sees ahead: {', '.join(audit.leaks)}"
        return _light("audit", "STOP", audit.verdict, "passed", reason)
    if audit.age is None:
        reason = "passed, but on other data or other rules: run `atft-tui audit` again"
        return _light("audit", "HOLD", None, limit, reason)
    return _above("audit", float(audit.age), limit, f"passed {audit.age} sessions ago")


def _step(step: StepEvidence) -> Light:
    """Did this session's step see ahead."""
    leaks = len(step.leaks)
    verdict: Verdict = "STOP" if leaks else "TRADE" if step.columns else "HOLD"
    reason = f"noise in the new session moves none of {step.columns} columns before it"
    if leaks:
        reason = f"the new session changes the past: {', '.join(step.leaks[:3])}"
    elif not step.columns:
        reason = "the sample of the market is too small to check it"
    return _light("audit_session", verdict, float(leaks), 0.0, reason)


def _feature_drift(drift: Mapping[str, DriftFigures], signals: SignalConfig) -> Light:
    gone = sorted(
        (name for name, figures in drift.items() if has_drifted(figures, signals)),
        key=lambda name: -drift[name].psi,
    )
    share = len(gone) / len(drift) if drift else 0.0
    told = ", ".join(f"{name} (PSI {drift[name].psi:.2f})" for name in gone[:3])
    text = f"{len(gone)} of {len(drift)} features drifted{': ' + told if told else ''}"
    return _above("drift_features", share, signals.max_drifted_share, text)


def _score_drift(found: DriftFigures, signals: SignalConfig) -> Light:
    verdict: Verdict = "HOLD" if has_drifted(found, signals) else "TRADE"
    usual = f"up to {found.usual_psi:.3f}, {found.usual_ks:.3f} on the reference"
    reason = f"PSI {found.psi:.3f}, KS {found.ks:.3f} ({usual})"
    return _light("drift_scores", verdict, found.psi, signals.psi_limit, reason)


def _live(live: LiveRankIC, signals: SignalConfig) -> Light:
    """Mean RankIC of sealed signals against what the champion had out of sample."""
    value, low = _known(live.rank_ic), _known(live.low)
    if value is None or low is None or live.sessions < signals.live_min_sessions:
        reason = f"{live.sessions} sealed signals with an outcome, too few to judge"
        return _light("live_rank_ic", "TRADE", value, low, reason)
    reason = (
        f"{value:+.4f} over {live.sessions} sealed signals; expected {live.expected:+.4f}, "
        f"not below {low:+.4f}"
    )
    return _light("live_rank_ic", "TRADE" if value >= low else "HOLD", value, low, reason)


def _networks(health: Health, signals: SignalConfig) -> Iterator[Light]:
    """Do both of a network's ways count, and do its scores tell the stocks apart."""
    alphas = [alpha for alpha in health.alpha if alpha is not None]
    low = min((min(alpha, 1.0 - alpha) for alpha in alphas), default=None)
    yield _light(
        "gate",
        "TRADE" if low is None or low >= signals.min_alpha else "HOLD",
        low,
        signals.min_alpha,
        f"alpha {', '.join(f'{a:.3f}' for a in alphas)}" if alphas else "no residual bypass",
    )
    ratio, least = health.dispersion, signals.min_dispersion
    fine = least <= ratio <= 1.0 / least
    yield _light(
        "dispersion",
        "STOP" if not ratio > _DEAD else "TRADE" if fine else "HOLD",
        ratio,
        least,
        f"scores spread {ratio:.2f} times as much as on the reference's days",
    )


def order_lights(
    figures: TradeFigures, refused: tuple[Refused, ...], wanted_net: float, signals: SignalConfig
) -> list[Light]:
    """What trading the list would do. ``wanted_net``: of the book, fraction of equity."""
    rules = sorted({line.rule for line in refused})
    text = f"{len(refused)} lines refused or cut{': ' + ', '.join(rules) if rules else ''}"
    turnover, bps = figures.turnover, figures.cost * 1e4
    net = f"net {figures.net:+.2%} after the orders, {wanted_net:+.2%} wanted"
    return [
        _above("turnover", turnover, signals.max_turnover, f"{turnover:.1%} of the equity"),
        _above("cost", bps, signals.max_cost_bps, f"{bps:.2f} basis points"),
        _above("refused", figures.refused_share, signals.max_refused_share, text),
        _above("net", abs(figures.net - wanted_net), signals.max_net, net),
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
