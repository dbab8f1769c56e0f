"""The way from prices to a list of trades, and the step that comes next in a workspace."""

from dataclasses import dataclass, field

from atft_tui.readings.home import HomeNews


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step on the way, and the key or place that takes it."""

    name: str
    what: str
    key: str
    """That does it from Home."""
    done: bool
    place: str = ""
    """Where to go; empty for a step that is a command."""
    command: str = ""
    given: dict[str, str] = field(default_factory=dict)
    """Parameters of the command that are filled in."""
    seen: bool = False
    """Only to be looked at: nothing that comes after it needs it."""


@dataclass(frozen=True, slots=True)
class _StepGroup:
    """Steps that belong together, in order."""

    title: str
    steps: tuple[FirstStep, ...]


def parts(news: HomeNews) -> tuple[_StepGroup, ...]:
    """The demo, one's own data, the champion, and every day; all about the run that matters."""
    main = news.main
    run = {"run": main.id} if main else {}
    scored = main is not None
    tested = main is not None and main.sharpe is not None
    demo = news.is_made_up and scored
    reported = news.reports > 0
    return (
        _StepGroup("See it work, in minutes: a made-up market with a known answer", (
            FirstStep("demo", "make the market, train, backtest, report", "d", demo, command="demo"),
            FirstStep("watch", "see it learn, live", "3", demo, place="train", seen=True),
            FirstStep("report", "one HTML file to keep", "r", reported, command="report", given=run,
                      seen=True),
        )),
        _StepGroup("Your own data", (
            FirstStep("ingest", "CSV, Parquet, J-Quants or Yahoo", "i", news.has_own_data,
                      command="ingest"),
            _check(news),
            FirstStep("train", "a network and its rivals on it", "n", scored and not news.is_made_up,
                      command="train"),
            FirstStep("backtest", "net of costs, with its interval", ">", tested, command="backtest",
                      given=run),
        )),
        _StepGroup("A champion", _to_champion(news, run)),
        _StepGroup("Every day", (
            FirstStep("signals", "a sealed list of what to trade, and whether to", "s",
                      news.card is not None, command="signals"),
            FirstStep("schedule", "after each session, by itself", "p",
                      news.agenda.process == "running", command="schedule", given={"action": "run"}),
        )),
    )  # fmt: skip


def _check(news: HomeNews) -> FirstStep:
    """The judgement of the data; where they are refused, the place that says why."""
    quality = news.data.quality if news.data else None
    if quality is not None and quality.verdict == "refused":
        what = "the data are refused: see why, mend them, ingest again"
        return FirstStep("check", what, ">", False, place="data")
    what = "what is missing, doubled or out of range"
    return FirstStep("check", what, ">", quality is not None, command="check")


def _to_champion(news: HomeNews, run: dict[str, str]) -> tuple[FirstStep, ...]:
    """The audit with the run's own rules, and the gate; after a refusal what the gate asked for."""
    found, chosen = news.audit, news.champion is not None
    ours = found is not None and found.passed and found.run == run.get("run")
    what = "no score of this run sees ahead, by its own rules"
    if found is not None and found.leaks:
        what = f"{found.leaks[0].name} saw ahead: mend it, then audit again"
    audit = FirstStep("audit", what, ">", chosen or ours, command="audit", given=run)
    refused = news.refusal
    against = "; ".join(c.detail for c in refused.gate if not c.passed) if refused else ""
    if ours and against and refused is not None and refused.run == run.get("run"):
        what = f"the gate refused: {against}; another run may pass"
        return audit, FirstStep("train on", what, "n", chosen, command="train")
    return audit, FirstStep(
        "promote", "the gate decides on a champion", ">", chosen, command="promote", given=run
    )


def upcoming(news: HomeNews) -> FirstStep | None:
    """The first step that is not done; None when all are. A made-up market needs no own data, and the
    other way round.
    """
    demo, own, *rest = parts(news)
    way = own if news.has_own_data else demo
    if news.champion is not None:  # whoever promoted it, its data and its run were good enough
        return next((s for part in rest for s in part.steps if not s.done), None)
    return next((s for part in (way, *rest) for s in part.steps if not (s.done or s.seen)), None)
