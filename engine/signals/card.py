"""The go / no-go card: one light a question, each with its figure, its limit and its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.config import SignalConfig
from engine.errors import GateError
from engine.signals.drift import has_drifted
from engine.signals.orders import Plan

Verdict = Literal["TRADE", "HOLD", "STOP"]
_ORDER: Sequence[Verdict] = ("TRADE", "HOLD", "STOP")
_SHOWN = 20
"""Held lines without a price that are named."""
_STOP_AT = 2.0
"""A figure beyond so many times its limit is a STOP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    name: str
    verdict: Verdict
    value: float | str | None
    limit: float | str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    session: str
    exchange: str
    lights: tuple[Light, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst light."""
        return max((light.verdict for light in self.lights), key=_ORDER.index, default="STOP")

    @property
    def exit_code(self) -> int:
        return 0 if self.verdict == "TRADE" else GateError.exit_code

    def to_json(self) -> dict[str, Any]:
        return {
            "session": self.session,
            "exchange": self.exchange,
            "verdict": self.verdict,
            "lights": [asdict(light) for light in self.lights],
        }

    def to_markdown(self, head: Sequence[str]) -> str:
        rows = [
            f"| {light.verdict} | {light.name} | {_shown(light.value)} | {_shown(light.limit)} "
            f"| {light.reason} |"
            for light in self.lights
        ]
        return "\n".join(
            [
                f"# {self.session} {self.exchange}: {self.verdict}",
                "",
                *(f"- {line}" for line in head),
                "",
                "| | light | value | limit | reason |",
                "|---|---|---|---|---|",
                *rows,
                "",
            ]
        )

    def line(self) -> str:
        """One line: the verdict, and why it is not TRADE."""
        bad = [light for light in self.lights if light.verdict != "TRADE"]
        why = "; ".join(f"{light.name}: {light.reason}" for light in bad)
        return f"{self.session} {self.exchange}  {self.verdict}{'  ' + why if why else ''}"


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.6g}"


def above(name: str, value: float, limit: float, text: str) -> Light:
    """TRADE up to the limit, HOLD up to twice of it, STOP beyond; STOP for what is not a number."""
    verdict: Verdict = "STOP"
    if value <= limit:
        verdict = "TRADE"
    elif value <= _STOP_AT * limit:
        verdict = "HOLD"
    return Light(name=name, verdict=verdict, value=value, limit=limit, reason=text)


def data_lights(evidence: Mapping[str, Any], signals: SignalConfig) -> list[Light]:
    """Is the session's data there, whole, and next to the sessions before it."""
    data, quality = evidence["data"], evidence["quality"]
    names, usual, share = data["names"], data["usual"], data["min_coverage"]
    whole = not data["repeated"] and names > 0 and names >= share * usual
    reason = f"{names:,} stocks, usually {usual:,}"
    if data["repeated"]:
        reason = "the session's file repeats the one of the session before"
    elif not whole:
        reason = f"data incomplete {names:,}/{usual:,}"
    missing = data["missing_sessions"]
    gap = f"{len(missing)} exchange sessions before it have no data"
    verdicts: Mapping[str, Verdict] = {"ok": "TRADE", "degraded": "TRADE", "refused": "STOP"}
    return [
        Light(
            name="data",
            verdict="TRADE" if whole else "HOLD",
            value=float(names),
            limit=float(share * usual),
            reason=reason,
        ),
        Light(
            name="fresh",
            verdict="TRADE" if len(missing) <= signals.max_missing_sessions else "HOLD",
            value=float(len(missing)),
            limit=float(signals.max_missing_sessions),
            reason=f"{gap} ({', '.join(missing[:3])})"
            if missing
            else "no exchange session is missing before it",
        ),
        Light(
            name="quality",
            verdict=verdicts[quality["verdict"]],
            value=quality["verdict"],
            limit="not refused",
            reason=quality["worst"] or "no finding of level error",
        ),
    ]


def position_lights(evidence: Mapping[str, Any]) -> list[Light]:
    """Is every held line a stock with a price; none where no file of positions was given.

    A line without a price would count as worth nothing, and the orders would buy its worth anew.
    """
    found = evidence.get("positions")
    if found is None:
        return []
    missing = [f"{code}: {why}" for code, why in sorted(found["missing"].items())]
    reason = "; ".join(found["notes"]) or "every line is a stock with a price"
    if missing:
        more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        reason = f"held, but without a price here: {'; '.join(missing[:_SHOWN])}{more}"
    return [
        Light(
            name="positions",
            verdict="STOP" if missing else "TRADE",
            value=float(len(missing)),
            limit=0.0,
            reason=reason,
        )
    ]


def audit_lights(evidence: Mapping[str, Any], signals: SignalConfig) -> list[Light]:
    """Does the whole pipeline see ahead (the last full audit), and did this session's step."""
    audit, step = evidence["audit"], evidence["audit_session"]
    limit = float(signals.max_audit_age)
    if audit is None:
        full = Light(
            name="audit",
            verdict="HOLD",
            value=None,
            limit=limit,
            reason="never run: `atft-tui audit` proves that nothing sees ahead",
        )
    elif audit["verdict"] != "passed":
        full = Light(
            name="audit",
            verdict="STOP",
            value=audit["verdict"],
            limit="passed",
            reason=f"sees ahead: {', '.join(audit['leaks'])}",
        )
    elif audit["age"] is None:
        full = Light(
            name="audit",
            verdict="HOLD",
            value=None,
            limit=limit,
            reason="passed, but on other data or other rules: run `atft-tui audit` again",
        )
    else:
        full = above("audit", float(audit["age"]), limit, f"passed {audit['age']} sessions ago")
    return [full, _step_light(step)]


def _step_light(step: Mapping[str, Any]) -> Light:
    leaks, columns = step["leaks"], step["columns"]
    verdict: Verdict = "STOP" if leaks else "TRADE" if columns else "HOLD"
    reason = f"noise in the new session moves none of {columns} columns before it"
    if leaks:
        reason = f"the new session changes the past: {', '.join(leaks[:3])}"
    elif not columns:
        reason = "the sample of the market is too small to check it"
    return Light(
        name="audit_session", verdict=verdict, value=float(len(leaks)), limit=0.0, reason=reason
    )


def model_lights(
    evidence: Mapping[str, Any], health: Mapping[str, Any], signals: SignalConfig
) -> list[Light]:
    """Is the champion young enough, fed as it was in training, and still right."""
    age = evidence["model"]["age"]
    lights = [
        above("model_age", float(age), float(signals.max_model_age), f"{age} sessions old"),
        _feature_drift(evidence["drift"], signals),
        _score_drift(health, signals),
        _live(evidence["live"], signals),
    ]
    alphas = [a for a in health["alpha"] if a is not None]
    low = min((min(a, 1.0 - a) for a in alphas), default=None)
    lights.append(
        Light(
            name="gate",
            verdict="TRADE" if low is None or low >= signals.min_alpha else "HOLD",
            value=low,
            limit=signals.min_alpha,
            reason="no residual bypass"
            if low is None
            else f"alpha {', '.join(f'{a:.3f}' for a in alphas)}",
        )
    )
    ratio = health["dispersion"]
    dead = not ratio > 1e-6
    fine = signals.min_dispersion <= ratio <= 1.0 / signals.min_dispersion
    lights.append(
        Light(
            name="dispersion",
            verdict="STOP" if dead else "TRADE" if fine else "HOLD",
            value=ratio,
            limit=signals.min_dispersion,
            reason=f"scores spread {ratio:.2f} times as much as on the reference's days",
        )
    )
    return lights


def _feature_drift(drift: Mapping[str, Sequence[float]], signals: SignalConfig) -> Light:
    limits = {"psi_limit": signals.psi_limit, "ks_limit": signals.ks_limit}
    gone = sorted(
        (name for name, figures in drift.items() if has_drifted(figures, **limits)),
        key=lambda name: -drift[name][0],
    )
    share = len(gone) / len(drift) if drift else 0.0
    told = ", ".join(f"{name} (PSI {drift[name][0]:.2f})" for name in gone[:3])
    text = f"{len(gone)} of {len(drift)} features drifted{': ' + told if told else ''}"
    return above("drift_features", share, signals.max_drifted_share, text)


def _score_drift(health: Mapping[str, Any], signals: SignalConfig) -> Light:
    psi, ks, usual_psi, usual_ks, _ = health["score_drift"]
    gone = has_drifted(
        health["score_drift"], psi_limit=signals.psi_limit, ks_limit=signals.ks_limit
    )
    return Light(
        name="drift_scores",
        verdict="HOLD" if gone else "TRADE",
        value=psi,
        limit=signals.psi_limit,
        reason=f"PSI {psi:.3f}, KS {ks:.3f} (up to {usual_psi:.3f}, {usual_ks:.3f} on the reference)",
    )


def _live(live: Mapping[str, Any], signals: SignalConfig) -> Light:
    """Mean RankIC of sealed signals against what the champion had out of sample."""
    value, low, n = live["rank_ic"], live["low"], live["sessions"]
    if value is None or low is None or n < signals.live_min_sessions:
        return Light(
            name="live_rank_ic",
            verdict="TRADE",
            value=value,
            limit=low,
            reason=f"{n} sealed signals with an outcome, too few to judge",
        )
    return Light(
        name="live_rank_ic",
        verdict="TRADE" if value >= low else "HOLD",
        value=value,
        limit=low,
        reason=f"{value:+.4f} over {n} sealed signals; expected {live['expected']:+.4f}, "
        f"not below {low:+.4f}",
    )


def order_lights(plan: Plan, wanted_net: float, signals: SignalConfig) -> list[Light]:
    """What trading the list would do."""
    rules = sorted({line.rule for line in plan.refused})
    text = f"{len(plan.refused)} lines refused or cut{': ' + ', '.join(rules) if rules else ''}"
    net = abs(plan.net - wanted_net)
    return [
        above(
            "turnover", plan.turnover, signals.max_turnover, f"{plan.turnover:.1%} of the equity"
        ),
        above("cost", plan.cost * 1e4, signals.max_cost_bps, f"{plan.cost * 1e4:.2f} basis points"),
        above("refused", plan.refused_share, signals.max_refused_share, text),
        above(
            "net",
            net,
            signals.max_net,
            f"net {plan.net:+.2%} after the orders, {wanted_net:+.2%} wanted",
        ),
    ]
