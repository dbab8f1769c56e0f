"""Whether the training may be believed: the five criteria, the monitors, the paired differences."""

from collections.abc import Mapping
from typing import Any

from engine.report.answers import signed
from engine.report.facts import Facts
from engine.report.sections.section import Section, number, shown, with_error

_EMPTY = Section(title="")


def scoreboard(facts: Facts) -> Section:
    """The founding document's criteria; runs of older versions and walk-forwards have none."""
    rows = [
        (
            criterion["goal"],
            _value(criterion),
            shown(criterion["null_band"], ".4f"),
            criterion["verdict"],
            criterion["evidence"],
        )
        for criterion in facts.train.get("scoreboard", [])
    ]
    if not rows:
        return _EMPTY
    return Section(
        title="Scoreboard: five criteria",
        header=("criterion", "value", "null band ±", "verdict", "evidence"),
        rows=tuple(rows),
        caption="Judged on validation days, where epochs were chosen: necessary, not sufficient; the test "
        "figures decide. A value inside its null band is not met; what has no evidence is not shown.",
    )


def _value(criterion: Mapping[str, Any]) -> str:
    form = ".1e" if criterion["name"] == "gat_gradient" else ".4f"
    if criterion["se"] is None or number(criterion["se"]) != number(criterion["se"]):
        return shown(criterion["value"], form)
    return with_error(criterion["value"], criterion["se"], form)


def monitors(facts: Facts) -> Section:
    """Gradients and gates through the training, and what the doctor found."""
    told = facts.train.get("monitors")
    if not told:
        return _EMPTY
    rows = [
        (f"gradient, {name}", *_spread(values, ".1e")) for name, values in told["gradient"].items()
    ]
    rows += [(f"gate, {name}", *_spread(values, ".3f")) for name, values in told["alpha"].items()]
    rows.append(("score deviation / label's, eval mode", *_spread(told["score_std_ratio"], ".3f")))
    text = tuple(
        f"{found['code']} at step {found['step']} ({found['action']}): {found['message']}. "
        f"{found['remedy']}."
        for found in told["diagnoses"]
    )
    return Section(
        title="Monitors and doctor",
        text=text or ("The doctor found nothing.",),
        header=("monitor", "first", "smallest", "median", "largest", "last"),
        rows=tuple(rows),
        caption="From the run's events; gradient norms per block before clipping.",
    )


def _spread(values: Mapping[str, Any], form: str) -> tuple[str, ...]:
    return tuple(shown(values.get(key), form) for key in ("first", "min", "median", "max", "last"))


def differences(facts: Facts) -> Section:
    """The run's RankIC minus each simple model's, same days, at every horizon that both have."""
    rows = [
        (name, horizon, signed(gap["difference"]), f"{number(gap['se']):.4f}", _interval(gap),
         str(gap["n_dates"]))
        for name, values in facts.train["baselines"].items()
        for horizon, found in values.get("horizons", {}).items()
        for gap in (found["test_difference"],)
    ]  # fmt: skip
    if not rows:
        return _EMPTY
    confidence = next(
        found["test_difference"]["confidence"]
        for values in facts.train["baselines"].values()
        for found in values.get("horizons", {}).values()
    )
    return Section(
        title=f"{facts.model} minus simple models, test RankIC on the same days",
        header=("simple model", "sessions", "difference", "± se", f"{confidence:.0%}", "days"),
        rows=tuple(rows),
        caption="Standard error: Newey-West. Interval: stationary block bootstrap of the daily "
        "differences. An interval that contains 0 decides nothing.",
    )


def _interval(gap: Mapping[str, Any]) -> str:
    return f"[{signed(gap['low'])}, {signed(gap['high'])}]"
