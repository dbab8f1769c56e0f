"""Every command as data: the command line builds its parser from this, the screen its palette."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["argument", "option", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    """As the handler's keyword; ``first_test`` is ``--first-test`` on the command line."""
    help: str
    kind: Kind = "option"
    type: type = str
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    multiple: bool = False
    """May be given several times; the handler gets a tuple."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    help: str
    handler: str
    """``module:function``, imported when the command runs."""
    parameters: tuple[Parameter, ...] = ()
    configurable: bool = True
    """Takes --preset, --set, --mode and --device."""
    preset: str | None = None
    """Used where --preset is not given."""
    launchable: bool = False
    """The screen can start it as a detached child."""
    hidden: bool = False
    """Started by the program itself; help and palette leave it out."""


def _option(name: str, text: str, **more: object) -> Parameter:
    return Parameter(name=name, help=text, **more)  # type: ignore[arg-type]


RUN = Parameter(name="run", kind="argument", help="Run id, its start, or `last`.", required=True)

SESSION = Parameter(
    name="session", kind="argument", help="A session, or 2016-12-30-r1.", required=True
)

OPTIONAL_TABLES = {
    "options": "index options",
    "flow": "turnover by investor type",
    "margin": "margin positions",
    "short": "short selling by sector",
    "statements": "financial statements",
    "earnings": "scheduled dates of results",
}

COMMANDS: tuple[Command, ...] = (
    Command(
        name="demo",
        help="The whole way on a synthetic market, in a fresh workspace.",
        handler="engine.stages.demo:demo",
        parameters=(
            _option("quick", "A small market and few epochs.", kind="flag", default=False),
        ),
        preset="demo",
        launchable=True,
    ),
    Command(
        name="ingest",
        help="Read market data into the workspace.",
        handler="engine.stages.ingest:ingest",
        parameters=(
            _option(
                "source",
                "Where the data come from; jquants reads its key from JQUANTS_API_KEY.",
                choices=("files", "synthetic", "jquants", "yahoo"),
                required=True,
            ),
            _option("prices", "CSV or Parquet file, or a folder of them."),
            _option("securities", "Table of names and sectors."),
            _option("index", "Table of the market index: date, close."),
            *(
                _option(name, f"Table of {what}: CSV or Parquet file, or a folder of them.")
                for name, what in OPTIONAL_TABLES.items()
            ),
            _option(
                "append",
                "The files hold sessions after the stored ones: add them.",
                kind="flag",
                default=False,
            ),
            _option("until", "Source synthetic: reveal the market up to this day only, ISO date."),
            _option(
                "columns",
                'Column mapping, e.g. "symbol=code,close=adj,options.strike=Strike".',
            ),
        ),
    ),
    Command(
        name="check",
        help="Schema and quality verdict of the data.",
        handler="engine.stages.check:check",
    ),
    Command(
        name="audit",
        help="Prove on altered futures that nothing sees ahead; name what does.",
        handler="engine.stages.audit:audit",
        parameters=(
            _option(
                "deep",
                "More stocks and days, and how far ahead a leak looks.",
                kind="flag",
                default=False,
            ),
            Parameter(
                name="run",
                kind="argument",
                help="Also the scores of this run: id, its start, or `last`.",
            ),
        ),
    ),
    Command(
        name="features",
        help="The inputs of the network: list them, or show one with formula, unit and look-back.",
        handler="engine.stages.features:features",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="list or show.",
                choices=("list", "show"),
                required=True,
            ),
            Parameter(name="name", kind="argument", help="Of the feature to show."),
            _option("family", "List this family only."),
        ),
    ),
    Command(
        name="preflight",
        help="Device, memory, disk, threads and data: can a run start?",
        handler="engine.stages.preflight:preflight",
    ),
    Command(
        name="train",
        help="One training run through all phases.",
        handler="engine.stages.train:train",
        parameters=(_option("resume", "Go on with a stopped or killed run."),),
        launchable=True,
    ),
    Command(
        name="walkforward",
        help="Purged, embargoed folds: out-of-sample scores for the whole span.",
        handler="engine.stages.walkforward:walkforward",
        parameters=(
            _option("first_test", "First test day, ISO date."),
            _option("last_test", "Last test day, ISO date."),
            _option("step", "Length of a test block: 1y, 6m or sessions.", default="1y"),
            _option("seeds", "Networks averaged per fold.", type=int, default=1),
            _option(
                "with_baselines", "Also fit the simple models per fold.", kind="flag", default=False
            ),
            _option(
                "model",
                "Whose scores to keep: network, or a baseline such as lightgbm.",
                default="network",
            ),
            _option("resume", "Go on with a stopped or killed walk-forward, with its own options."),
        ),
        launchable=True,
    ),
    Command(
        name="tune",
        help="Search settings on inner validation folds; every trial is a run. The same again goes on.",
        handler="engine.stages.tune:tune",
        parameters=(
            _option(
                "trials", "Until so many have ended, earlier ones included.", type=int, default=20
            ),
            _option("study", "Name of the search; it keeps its trials.", default="default"),
            _option("jobs", "Trials beside each other, each a process.", type=int, default=1),
            _option("resume", "Go on with the search of this run, with its own settings."),
        ),
    ),
    Command(
        name="compare",
        help="Sizes, ablations, or runs: differences on the same days. The same again goes on.",
        handler="engine.stages.compare:compare",
        parameters=(
            Parameter(
                name="what",
                kind="argument",
                help="sizes, ablations, or two and more runs.",
                multiple=True,
            ),
            _option("seeds", "Networks of each variant.", type=int, default=3),
            _option("sizes", "Widths to compare.", default="64,128,256"),
            _option("variants", "Only these ablations, comma-separated."),
            _option(
                "walkforward", "Over walk-forward folds, not one split.", kind="flag", default=False
            ),
            _option("first_test", "First test day of the walk-forward, ISO date."),
            _option("last_test", "Last test day of the walk-forward, ISO date."),
            _option("step", "Length of its test blocks: 1y, 6m or sessions.", default="1y"),
            _option("jobs", "Runs beside each other, each a process.", type=int, default=1),
            _option("resume", "Go on with the comparison of this run, with its own options."),
        ),
    ),
    Command(
        name="work",
        help="Do the work of one trial or variant.",
        handler="engine.stages.workers:work",
        hidden=True,
    ),
    Command(
        name="predict",
        help="Scores of any days from a trained run.",
        handler="engine.stages.predict:predict",
        parameters=(
            RUN,
            _option("start", "First day, ISO date."),
            _option("stop", "Last day, ISO date."),
            _option("in_sample", "Allow days the run was trained on.", kind="flag", default=False),
        ),
    ),
    Command(
        name="backtest",
        help="Weights, simulation and figures of a run's test scores.",
        handler="engine.stages.backtest:backtest",
        parameters=(RUN, _option("strategy", "A module of strategies/.")),
    ),
    Command(
        name="sweep",
        help="Strategy and cost settings over one set of scores; every cell is a counted trial.",
        handler="engine.stages.sweep:run_sweep",
        parameters=(
            RUN,
            _option(
                "grid",
                "KEY=VALUE,VALUE,... of portfolio, constraints or costs; may be repeated.",
                multiple=True,
            ),
            _option("strategy", "A module of strategies/."),
        ),
    ),
    Command(
        name="strategies",
        help="The strategies that a backtest can use; with NAME, check that one.",
        handler="engine.stages.strategies:strategies",
        parameters=(
            Parameter(
                name="name", kind="argument", help="Check this one's promises instead of listing."
            ),
        ),
        configurable=False,
    ),
    Command(
        name="report",
        help="Export the report of a run, of two side by side, or of all.",
        handler="engine.stages.report:report",
        parameters=(
            Parameter(
                name="run",
                kind="argument",
                help="Run id, its start, `last`, or `all`.",
                required=True,
            ),
            _option(
                "format",
                "Comma-separated: html, json, md, csv, parquet, pdf.",
                default="html,json,md",
            ),
            _option("compare", "Another run: both side by side, differences with their errors."),
            _option("output", "Directory to write into; default the run's own."),
        ),
    ),
    Command(
        name="schedule",
        help="Signals by themselves after each session: the process, its book, or one pass of it.",
        handler="engine.schedule.command:schedule",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="run until stopped; status; once: catch the latest session up and end.",
                choices=("run", "status", "once"),
                required=True,
            ),
        ),
    ),
    Command(
        name="alerts",
        help="Send a test alert to every configured channel, or list what was told.",
        handler="engine.stages.alerts:alerts",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="test or list.",
                choices=("test", "list"),
                required=True,
            ),
        ),
    ),
    Command(
        name="runs", help="List the runs.", handler="engine.stages.runs:runs", configurable=False
    ),
    Command(
        name="show",
        help="One run: status, figures, versions.",
        handler="engine.stages.runs:show",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="signals",
        help="The sealed trade list of a session, with the card that says whether to trade it.",
        handler="engine.stages.signals:signals",
        parameters=(
            _option("date", "Session, ISO date; the newest of the store if left out."),
            _option(
                "revise",
                "Seal other inputs beside what is sealed already; needs --reason.",
                kind="flag",
                default=False,
            ),
            _option("reason", "Why a sealed session is revised."),
            _option("positions", "CSV of what is held: code,shares and a row $cash."),
            _option("run", "Use this run's networks instead of the champion's."),
        ),
    ),
    Command(
        name="replay",
        help="Make a sealed signal again from its own inputs and compare every byte.",
        handler="engine.stages.sealed:replay",
        parameters=(SESSION,),
        configurable=False,
    ),
    Command(
        name="diff",
        help="What differs between two sealed signals, and which rows moved the ranks.",
        handler="engine.stages.sealed:diff",
        parameters=(
            Parameter(
                name="before", kind="argument", help="A session, or 2016-12-30-r1.", required=True
            ),
            Parameter(name="after", kind="argument", help="The other one.", required=True),
        ),
        configurable=False,
    ),
    Command(
        name="verify",
        help="Check seal, files, inputs and model of sealed signals: all, or one session.",
        handler="engine.stages.sealed:verify",
        parameters=(
            Parameter(name="session", kind="argument", help="A session, or 2016-12-30-r1."),
        ),
        configurable=False,
    ),
    Command(
        name="promote",
        help="Make a run's networks the champion, if the gate lets them.",
        handler="engine.stages.champion:promote",
        parameters=(RUN, _option("force_reason", "Promote against the gate, and why.")),
    ),
    Command(
        name="champion",
        help="Show the champion, its history, go back to the one before, or train a challenger.",
        handler="engine.stages.champion:champion",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="show, history, rollback or challenge.",
                choices=("show", "history", "rollback", "challenge"),
                default="show",
            ),
        ),
    ),
    Command(
        name="ledger",
        help="Sealed signals filled at the next real open and close, against the backtest.",
        handler="engine.stages.ledger:ledger",
    ),
    Command(
        name="watch",
        help="Follow a run's events until it ends.",
        handler="engine.stages.runs:watch",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="stop",
        help="Ask a run to save a checkpoint and end.",
        handler="engine.stages.runs:stop",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="config",
        help="Show the resolved configuration, write a commented one, or check it.",
        handler="engine.stages.config:config",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="show, init or check.",
                choices=("show", "init", "check"),
                required=True,
            ),
        ),
    ),
)
BY_NAME = {command.name: command for command in COMMANDS}
