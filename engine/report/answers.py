"""The first page: four questions, answered in one sentence each with the evidence beside it."""

from dataclasses import dataclass, field
from typing import Any

from engine.records.judgement import is_established, is_noise
from engine.report.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the four questions of the first page."""

    question: str
    answer: str
    detail: str
    kind: str = field(default="plain")
    """good, bad or plain: colour only, the words say it too."""


def signed(value: float | None, digits: int = 4) -> str:
    return "—" if value is None else f"{value:+.{digits}f}"


def rank_ic(figures: dict[str, Any] | None) -> str:
    """``+0.0205 ± 0.0042``, with ``~`` when inside the null band."""
    if not figures or figures["rank_ic"] is None:
        return "—"
    noise = "~" if is_noise(figures["rank_ic"], figures["null_band"]) else ""
    return f"{noise}{figures['rank_ic']:+.4f} ± {figures['rank_ic_se']:.4f}"


def answers(facts: Facts) -> list[Answer]:
    train, test = facts.train, facts.backtest
    figures = train["test"]
    judgement, kind = _judge(figures)
    data = train["data"]
    first, last = train["splits"]["test"]["first"], train["splits"]["test"]["last"]
    if test is not None:
        first, last = test["first_session"], test["last_session"]
    out = [
        Answer(
            question="What is it?",
            answer=f"{data['source']}, {first} to {last}",
            detail=f"{facts.model} on {train['n_features']} features, scored on {figures['n_dates']} test "
            f"days that decided nothing. Data quality: {data['quality']}. "
            + " ".join(f"Note: {note}." for note in data["notes"]),
        ),
        Answer(
            question="Is it real?",
            answer=f"RankIC {rank_ic(figures)} over {train['score_horizon']} sessions",
            detail=f"Null band ±{figures['null_band']:.4f} (95 % of shuffled scores): the value is "
            f"{judgement}. {_rivals(train)}{_microstructure(test)}",
            kind=kind,
        ),
    ]
    if test is None:
        missing = f"run `atft-tui backtest {facts.run_id}`"
        out.append(
            Answer(question="What would it have earned?", answer="not tested yet", detail=missing)
        )
        return out
    interval = f"[{test['sharpe_low']:+.2f}, {test['sharpe_high']:+.2f}]"
    out += [
        Answer(
            question="What would it have earned?",
            answer=f"net Sharpe {test['sharpe']:+.2f} against {test['target']}: {test['verdict']}",
            detail=f"{test['annual_return']:+.1%} a year after costs of {test['cost_drag']:.1%}, largest "
            f"drawdown {test['max_drawdown']:.1%}. {_against(test)}",
            kind={"above": "good", "below": "bad"}.get(test["verdict"], "plain"),
        ),
        Answer(
            question="How sure are we?",
            answer=f"{test['confidence']:.0%} interval {interval}",
            detail=f"{test['sessions']} sessions; standard error of the Sharpe ratio {test['sharpe_se']:.2f} "
            f"(Lo 2002). Deflated for {_trials(test['trials'])}, the probability of "
            f"a positive true Sharpe beyond luck is {test['sharpe_deflated']:.0%}."
            + "".join(f" {note}." for note in test["notes"] if note not in data["notes"]),
        ),
    ]
    return out


def _against(test: dict[str, Any]) -> str:
    """The Sharpe ratio against LightGBM's, or the strongest model's where it is LightGBM itself."""
    rivals = {
        name: values
        for name, values in test["baselines"].items()
        if name not in ("random", "oracle", "index", "equal_weight")
        and values.get("sharpe_difference") is not None
    }
    if not rivals:
        return "No other scores were traded beside it."
    name = max(rivals, key=lambda key: (key == "lightgbm", rivals[key]["sharpe"]))
    values = rivals[name]
    shown = "LightGBM" if name == "lightgbm" else f"{name}, the strongest simple model,"
    return (
        f"Sharpe less that of {shown} on the same days: {values['sharpe_difference']:+.2f} ± "
        f"{values['sharpe_difference_se']:.2f}."
    )


def _microstructure(test: dict[str, Any] | None) -> str:
    """How much of it lives off the first session; said on the first page because it flatters most."""
    entry = (test or {}).get("factor", {}).get("entry")
    if entry is None or entry["traded"]["value"] is None:
        return ""
    same, skipped = (signed(entry[key]["value"]) for key in ("same_close", "skipped"))
    return (
        f" Entered at its own close it would show {same} (nobody can trade that), one session later "
        f"than traded {skipped}."
    )


def _trials(count: int) -> str:
    return "one trial" if count == 1 else f"{count} trials"


def _judge(figures: dict[str, Any]) -> tuple[str, str]:
    """Words and kind for a RankIC: real only outside the null band and 1.96 errors away from zero."""
    value, error, band = (figures[key] for key in ("rank_ic", "rank_ic_se", "null_band"))
    if is_noise(value, band):
        return "inside it, so it is noise", "bad"
    if not is_established(value, error, band):
        return "outside it, but within two standard errors of zero: not established", "plain"
    return "outside it", "good" if value > 0 else "bad"


def _rivals(train: dict[str, Any]) -> str:
    rivals = {
        name: values
        for name, values in train["baselines"].items()
        if name != "oracle" and values.get("test", {}).get("rank_ic") is not None
    }
    if not rivals:
        return "No baseline was computed."
    best = max(rivals, key=lambda name: rivals[name]["test"]["rank_ic"])
    gap = rivals[best]["test_difference"]
    return (
        f"Against the best simple model, {best} ({rank_ic(rivals[best]['test'])}), same days: "
        f"{signed(gap['difference'])} ± {gap['se']:.4f}."
    )
