"""The first page: four questions, answered in one sentence each with the evidence beside it."""

import math
from dataclasses import dataclass, field

from engine.records.backtest import BacktestSummary
from engine.records.figure import SURE, Figure, counted, is_established
from engine.records.names import model_name
from engine.records.rank_ic import RankICSummary
from engine.records.train import TrainResult
from engine.report.facts import Facts
from engine.report.sections.section import rank_ic


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the four questions of the first page."""

    question: str
    answer: str
    detail: str
    kind: str = field(default="plain")
    """good, bad or plain: colour only, the words say it too."""


def answers(facts: Facts) -> list[Answer]:
    """What it is, whether it is real, what it would have earned, and how sure that is."""
    train, test = facts.train, facts.backtest
    judgement, kind = _judge(facts.test)
    data, span, judged = train.data, train.splits.test, facts.words(train.judged_days)
    first, last = (test.first_session, test.last_session) if test else (span.first, span.last)
    out = [
        Answer(
            question="What is it?",
            answer=f"{data.source}, {first} to {last}",
            detail=f"{facts.model} on {counted(train.n_features, 'feature')}, scored on "
            f"{counted(facts.test.n_dates, 'test day')} that decided nothing{judged and f' ({judged})'}. "
            f"Data quality: {data.quality}. " + " ".join(f"Note: {note}." for note in data.notes),
        ),
        Answer(
            question="Is it real?",
            answer=f"RankIC {rank_ic(facts.test)} over {counted(train.score_horizon, 'session')}",
            detail=f"Null band ±{facts.test.null_band:.4f} (95% of shuffled scores): the value is "
            f"{judgement}. {_rivals(train)}{_microstructure(test)}",
            kind="plain" if kind == "good" and _beaten(train) else kind,
        ),
    ]
    if test is None:
        missing = f"run `atft-tui backtest {facts.run_id}`"
        out.append(
            Answer(question="What would it have earned?", answer="not tested yet", detail=missing)
        )
        return out
    traded = facts.words(test.judged_days)
    trials = counted(test.trials, "trial")
    out += [
        Answer(
            question="What would it have earned?",
            answer=f"net Sharpe {test.sharpe:+.2f} against {test.target}: {test.verdict}",
            detail=f"{test.annual_return:+.1%} a year compounded, after costs of {test.cost_drag:.1%} a "
            f"year; largest drawdown {test.max_drawdown:.1%}. {_against(test)}"
            f"{traded and f' Its days: {traded}.'}",
            kind={"above": "good", "below": "bad"}.get(test.verdict, "plain"),
        ),
        Answer(
            question="How sure are we?",
            answer=f"{test.confidence:.0%} interval [{test.sharpe_low:+.2f}, {test.sharpe_high:+.2f}]",
            detail=f"{counted(test.sessions, 'session')}; standard error of the Sharpe ratio "
            f"{test.sharpe_se:.2f} (Lo 2002). Deflated for {trials}, the probability "
            f"of a positive true Sharpe beyond luck is {test.sharpe_deflated:.0%}."
            + "".join(f" {note}." for note in test.notes if note not in data.notes),
        ),
    ]
    return out


def _against(test: BacktestSummary) -> str:
    """The Sharpe ratio against LightGBM's, or the strongest model's where it is LightGBM itself."""
    rivals = {
        name: rival
        for name, rival in test.baselines.items()
        if name not in ("random", "oracle", "index", "equal_weight")
        and not math.isnan(rival.sharpe_difference)
    }
    if not rivals:
        return "No other scores were traded beside it."
    name = max(rivals, key=lambda key: (key == "lightgbm", rivals[key].sharpe))
    gap = Figure(rivals[name].sharpe_difference, rivals[name].sharpe_difference_se)
    strongest = "" if name == "lightgbm" else ", the strongest simple model,"
    return f"Sharpe less that of {model_name(name)}{strongest} on the same days: {gap.text(2)}."


def _microstructure(test: BacktestSummary | None) -> str:
    """How much of it lives off the first session; said on the first page because it flatters most."""
    if test is None or test.factor is None or math.isnan(test.factor.entry.traded.value):
        return ""
    same, skipped = (
        Figure(mean.value).text()
        for mean in (test.factor.entry.same_close, test.factor.entry.skipped)
    )
    return (
        f" Entered at its own close it would show {same} (nobody can trade that), one session later "
        f"than traded {skipped}."
    )


def _judge(found: RankICSummary) -> tuple[str, str]:
    """Words and kind for a RankIC: real only outside the null band and 1.96 errors away from zero."""
    if found.is_noise:
        return "inside it, so it is noise", "bad"
    if not is_established(found.rank_ic, found.rank_ic_se, found.null_band):
        return "outside it, but within two standard errors of zero: not established", "plain"
    return "outside it", "good" if found.rank_ic > 0 else "bad"


def _beaten(train: TrainResult) -> bool:
    """Whether a simple model is better on the same days beyond its error: then nothing is green."""
    best = train.strongest()
    return best is not None and best.difference < -SURE * best.se


def _rivals(train: TrainResult) -> str:
    best = train.strongest()
    if best is None:
        return "No baseline was computed."
    gap = Figure(best.difference, best.se).text()
    rival = rank_ic(train.baselines[best.name].test)
    return f"Against the best simple model, {model_name(best.name)} ({rival}), same days: {gap}."
