"""The way from an empty workspace to a signal a day: what has been done, and what comes next."""

from dataclasses import dataclass, field

from atft_tui.readings.home import HomeNews


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True)
class _StepGroup:
    """Steps that belong together, in order."""

    title: str
    steps: tuple[FirstStep, ...]


def parts(news: HomeNews) -> tuple[_StepGroup, _StepGroup, _StepGroup]:
    """The demo, one's own data, and every day."""
    run = {"run": news.runs[0].id} if news.runs else {}
    made_up = news.data is not None and news.data.manifest.market == "synthetic"
    own = news.data is not None and not made_up
    # From a command line the demo's run is named for its training.
    trained = any(row.command == "train" and row.status == "done" for row in news.runs)
    demo = any(row.command == "demo" for row in news.runs) or (made_up and trained)
    return (
        _StepGroup(
            "See it work, in minutes: a made-up market with a known answer",
            (
                FirstStep(name="demo", what="make the market, train, backtest, report", key="d",
                     done=demo, command="demo"),
                FirstStep(name="watch", what="see it learn, live", key="3", done=demo, place="train"),
                FirstStep(name="backtest", what="net of costs, with its interval", key="6",
                     done=any(row.sharpe is not None for row in news.runs), place="backtest"),
                FirstStep(name="report", what="one HTML file to keep", key="r",
                     done=news.reports > 0, command="report", given=run),
            ),
        ),
        _StepGroup(
            "Your own data",
            (
                FirstStep(name="ingest", what="CSV, Parquet, J-Quants or Yahoo", key="i", done=own,
                     command="ingest"),
                FirstStep(name="train", what="networks and baselines on it", key="n",
                     done=own and trained, command="train"),
                FirstStep(name="promote", what="the gate decides on a champion", key="4",
                     done=news.champion is not None, place="runs"),
            ),
        ),
        _StepGroup(
            "Every day",
            (
                FirstStep(name="signals", what="a sealed list of what to trade, and whether to", key="s",
                     done=news.card is not None, command="signals"),
                FirstStep(name="schedule", what="after each session, by itself", key="p",
                     done=news.agenda.process == "running", command="schedule", given={"action": "run"}),
            ),
        ),
    )  # fmt: skip


def upcoming(news: HomeNews) -> FirstStep | None:
    """The first step that is not done; None when all are."""
    return next((step for part in parts(news) for step in part.steps if not step.done), None)
