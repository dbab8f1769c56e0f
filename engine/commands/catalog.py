"""Every command as data: the command line builds its parser from this, the screen its palette.

`Command` says what a command is; the tables below are research, then tomorrow's trades, then the run store.
"""

from dataclasses import dataclass
from typing import Any, Literal

_Kind = Literal["argument", "option", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One word that a command takes, or one option."""

    name: str
    """The handler's keyword; ``first_test`` is ``--first-test`` on the command line."""
    help: str
    kind: _Kind = "option"
    type: type = str
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    multiple: bool = False
    """May be given several times; the handler gets a tuple."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and what takes it up."""

    name: str
    help: str
    handler: str
    """``module:function``, imported when the command runs."""
    parameters: tuple[Parameter, ...] = ()
    about: str = ""
    """More of it in `--help`: paragraphs with an empty line between them."""
    configurable: bool = True
    """Takes --preset, --set, --mode and --device."""
    preset: str | None = None
    """Used where --preset is not given."""
    launchable: bool = False
    """The screen can start it as a detached child."""
    hidden: bool = False
    """Started by the program itself; help and palette leave it out."""


def _argument(name: str, text: str, **more: Any) -> Parameter:
    """A word without a name before it; optional unless ``required`` is said."""
    return Parameter(name=name, help=text, kind="argument", **more)


def _option(name: str, text: str, **more: Any) -> Parameter:
    """A word after its name: ``--name WORD``."""
    return Parameter(name=name, help=text, **more)


def _flag(name: str, text: str) -> Parameter:
    """A name that is there or not: ``--name``."""
    return Parameter(name=name, help=text, kind="flag", default=False)


_RUN = _argument("run", "Run id, its start, or `last`.", required=True)
_SESSION = _argument("session", "A session, or 2016-12-30-r1.", required=True)
_WAIT = _option("wait", "Seconds to wait for its answer; 0 asks only.", type=int, default=60)
_CONFIRM = _flag("confirm", "Judge confirmation days of [protocol]; every look is counted.")
_EXECUTOR = (
    _option("jobs", "Tasks beside each other; executor.jobs if left out.", type=int),
    _option(
        "executor",
        "Where they are done: this machine or a Ray cluster; executor.kind if left out.",
        choices=("local", "ray"),
    ),
    _option(
        "address", "Of the Ray cluster: auto or ray://HOST:10001; executor.address if left out."
    ),
)
_STATUSES = ("created", "running", "paused", "done", "stopped", "failed", "crashed")
_OPTIONAL_TABLES = {
    "options": "index options",
    "flow": "turnover by investor type",
    "margin": "margin positions",
    "short": "short selling by sector",
    "statements": "financial statements",
    "earnings": "scheduled dates of results",
}
_INGEST = """Required of prices: date, open, high, low, close and volume; the symbol is a column or the
name of the file. Volume is in shares and turnover, the traded value, in currency; without it, it is close x
volume. Lots and thousands have to be said: --columns "volume=vol*100,turnover=amount*1000".

Guessed, shown, and overridden by an option: which columns (--columns; names are known in English, Japanese
and Chinese), layout, encoding, separator, decimal mark, date order (--date-format), time zone, price scale
and the sense of a factor. --dry-run shows the plan and what speaks for it, and stores nothing. What the files
and the exchange calendar cannot decide is refused; the refusal names the option that decides it.

docs/your-data.md has a command for each of many sources, from Yahoo to NSE and qlib."""

# A table, laid out by hand: name, help, handler; then a line a parameter.
# fmt: off
_RESEARCH: tuple[Command, ...] = (
    Command("demo", "The whole way on a synthetic market, in a fresh workspace.",
            "engine.stages.demo:demo", preset="demo", launchable=True, parameters=(
        _flag("quick", "A small market and few epochs."),
    )),
    Command("ingest", "Read market data into the workspace.", "engine.stages.ingest:ingest",
            about=_INGEST, parameters=(
        _option("source", "Where the data come from; jquants reads its key from JQUANTS_API_KEY.",
               choices=("files", "synthetic", "jquants", "yahoo")),
        _option("prices",
               "File or folder of daily bars: text, Parquet, Feather or Excel, also packed."),
        _option("actions", "Table of corporate actions: date, symbol, kind, value, other."),
        _option("securities", "Table of names and sectors."),
        _option("index", "Table of the market index: date, close."),
        *(_option(name, f"Table of {what}: CSV or Parquet file, or a folder of them.")
          for name, what in _OPTIONAL_TABLES.items()),
        _flag("append", "Add to what is stored: later sessions, and better rows of stored ones."),
        _flag("dry_run", "Show how the files would be read; store nothing."),
        _flag("undo", "Go back to the snapshot before."),
        _option("until", "Source synthetic: reveal the market up to this day only, ISO date."),
        _option("columns",
               'Column mapping, e.g. "symbol=code,volume=vol*100,options.strike=Strike".'),
        _option("layout", "How the price files are laid out (data.reading.layout).",
               choices=("auto", "long", "file_per_symbol", "file_per_day", "wide")),
        _option("encoding", "Encoding of text files, e.g. cp932 (data.reading.encoding)."),
        _option("separator", "What stands between columns: one character, or tab (data.reading.separator)."),
        _option("decimal", "Decimal mark of numbers (data.reading.decimal).", choices=(".", ",")),
        _option("date_format",
               "How dates are written, e.g. MM/DD/YYYY, epoch ms (data.reading.date_format)."),
        _option("timezone", "Time zone whose local day is the session (data.reading.timezone)."),
        _option("price_scale", "What the prices of a row are (data.reading.price_scale).",
               choices=("auto", "raw", "raw_and_factor", "raw_and_adjusted_close", "adjusted")),
        _option("factor", "What an adjustment factor means (data.reading.factor).",
               choices=("auto", "earlier_times", "new_per_old", "cumulative")),
    )),
    Command("check", "Schema and quality verdict of the data.", "engine.stages.check:check"),
    Command("data",
            "Export the adjusted bars: total-return prices, quoted closes, factors, dividends, "
            "flags.", "engine.stages.check:data", parameters=(
        _argument("action", "What to do with the data: export.", choices=("export",), required=True),
        _option("output", "File to write: .parquet or .csv.", required=True),
    )),
    Command("audit", "Prove on altered futures that nothing sees ahead; name what does.",
            "engine.stages.audit:audit", parameters=(
        _flag("deep", "More stocks and days, and how far ahead a leak looks."),
        _argument("run", "Also the scores of this run: id, its start, or `last`."),
    )),
    Command("features",
            "The inputs of the network: list them, show one, or add one of your own.",
            "engine.stages.features:features", parameters=(
        _argument("action", "list, show, add or check.", choices=("list", "show", "add", "check"),
                  required=True),
        _argument("name", "The feature to show or to add; alpha158 and alpha360 are sets."),
        _argument("text", "Of a new feature: its expression, or the file that holds it."),
        _option("family", "List this family only."),
    )),
    Command("preflight", "Device, memory, disk, threads and data: can a run start?",
            "engine.stages.preflight:preflight"),
    Command("train", "One training run through all phases.", "engine.stages.train:train",
            launchable=True, parameters=(
        _CONFIRM,
        _option("resume", "Go on with a stopped or killed run."),
    )),
    Command("walkforward", "Purged, embargoed folds: out-of-sample scores for the whole span.",
            "engine.stages.walkforward:walkforward", launchable=True, parameters=(
        _option("first_test", "First test day, ISO date."),
        _option("last_test", "Last test day, ISO date."),
        _option("step", "Length of a test block: 1y, 6m or sessions.", default="1y"),
        _option("seeds", "Networks averaged per fold.", type=int, default=1),
        _flag("with_baselines", "Also fit the simple models per fold."),
        _option("model", "Whose scores to keep: network, blend, lightgbm ..., or a model of your own.",
               default="network"),
        _CONFIRM,
        *_EXECUTOR,
        _option("resume", "Go on with a stopped or killed walk-forward, with its own options."),
    )),
    Command("tune",
            "Search settings on inner validation folds; every trial is a run. The same again "
            "goes on.", "engine.stages.tune:tune", parameters=(
        _option("trials", "Until so many have ended, earlier ones included.", type=int, default=20),
        _option("study", "Name of the search; it keeps its trials.", default="default"),
        *_EXECUTOR,
        _CONFIRM,
        _option("resume", "Go on with the search of this run, with its own settings."),
    )),
    Command("compare",
            "Sizes, ablations, permuted labels, or runs: differences. The same again goes on.",
            "engine.stages.compare:compare", parameters=(
        _argument("what", "sizes, ablations, permutations, or two and more runs.", multiple=True),
        _option("seeds", "Networks of each variant, or permutations.", type=int, default=3),
        _option("sizes", "Widths to compare.", default="64,128,256"),
        _option("variants", "Only these ablations, comma-separated."),
        _flag("walkforward", "Over walk-forward folds, not one split."),
        _option("first_test", "First test day of the walk-forward, ISO date."),
        _option("last_test", "Last test day of the walk-forward, ISO date."),
        _option("step", "Length of its test blocks: 1y, 6m or sessions.", default="1y"),
        _option("model", "Whose scores: network, or with --walkforward blend.", default="network"),
        *_EXECUTOR,
        _CONFIRM,
        _option("resume", "Go on with the comparison of this run, with its own options."),
    )),
    Command("work", "Do tasks of a walk-forward, a comparison or a search.", "engine.stages.workers:work",
            hidden=True),
    Command("predict", "Scores of any days from a trained run.", "engine.stages.predict:predict",
            parameters=(
        _RUN,
        _option("start", "First day, ISO date."),
        _option("stop", "Last day, ISO date."),
        _flag("in_sample", "Allow days the run was trained on."),
    )),
    Command("backtest", "Weights, simulation and figures of a run's test scores.",
            "engine.stages.backtest:backtest", parameters=(
        _RUN,
        _option("strategy", "A module of strategies/."),
        _CONFIRM,
    )),
    Command("sweep",
            "Strategy and cost settings over one set of scores; every cell is a counted trial.",
            "engine.stages.sweep:run_sweep", parameters=(
        _RUN,
        _option("grid", "KEY=VALUE,VALUE,... of portfolio, constraints or costs; may be repeated.",
               multiple=True),
        _option("strategy", "A module of strategies/."),
        _CONFIRM,
    )),
    Command("drill",
            "Inject faults into a copy of the workspace and see that nothing is lost or silent.",
            "engine.drill.command:drill", configurable=False, parameters=(
        _option("case", "Only this case of the table, or the cases of this kind."),
        _option("seed", "Which bits are turned over.", type=int, default=0),
    )),
    Command("strategies", "The strategies that a backtest can use; with NAME, check that one.",
            "engine.stages.strategies:strategies", configurable=False, parameters=(
        _argument("name", "Check this one's promises instead of listing."),
    )),
    Command("models", "The models that a walk-forward can fit; with NAME, check that one.",
            "engine.stages.models:models", configurable=False, parameters=(
        _argument("name", "Check this one's promises instead of listing."),
    )),
    Command("report", "Export the report of a run, of two side by side, or of all.",
            "engine.stages.report:report", parameters=(
        _argument("run", "Run id, its start, `last`, or `all`.", required=True),
        _option("format", "Comma-separated: html, json, md, csv, parquet, pdf.",
               default="html,json,md"),
        _option("compare", "Another run: both side by side, differences with their errors."),
        _option("output", "Directory to write into; default the run's own."),
    )),
    Command("export",
            "Hand a run on to MLflow, TensorBoard, alphalens, quantstats, Qlib, Excel or CSV.",
            "engine.stages.export:export", configurable=False, parameters=(
        _RUN,
        _option("to", "The program, or the kind of file.", required=True,
               choices=("mlflow", "tensorboard", "alphalens", "quantstats", "qlib", "excel", "csv")),
        _option("output",
               "Folder to write into, for excel the workbook; default WORKSPACE/export/TARGET."),
        _option("uri", "Tracking address of MLflow; default a SQLite file in the folder."),
        _flag("follow", "mlflow, tensorboard: go on until the run ends."),
        _CONFIRM,
    )),
)

_DAILY: tuple[Command, ...] = (
    Command("signals",
            "The sealed trade list of a session, with the card that says whether to trade it.",
            "engine.stages.signals:signals", parameters=(
        _option("date", "Session, ISO date; the newest of the store if left out."),
        _flag("revise", "Seal other inputs beside what is sealed already; needs --reason."),
        _option("reason", "Why a sealed session is revised."),
        _option("positions", "What is held: a broker's export, or code,shares and a row $cash."),
        _option("position_columns",
               "Its columns, code=THEIRS,shares=THEIRS,...; also side, account, kind, value, "
               "name, currency (schedule.position_columns)."),
        _option("cash", "Cash of the account, if the file does not say it.", type=float),
        _option("run", "Use this run's networks instead of the champion's."),
    )),
    Command("replay", "Make a sealed signal again from its own inputs and compare every byte.",
            "engine.stages.sealed:replay", (_SESSION,), configurable=False),
    Command("diff", "What differs between two sealed signals, and which rows moved the ranks.",
            "engine.stages.sealed:diff", configurable=False, parameters=(
        _argument("before", "A session, or 2016-12-30-r1.", required=True),
        _argument("after", "The other one.", required=True),
    )),
    Command("verify", "Check every stored file against its hash: all, one signal, or one run.",
            "engine.stages.verify:verify", configurable=False, parameters=(
        _argument("name", "A session, or 2016-12-30-r1; a run; all (the default)."),
        _flag("prune", "Remove pins that no signal rests on, a week after they were written."),
    )),
    Command("promote", "Make a run's networks the champion, if the gate lets them.",
            "engine.stages.promote:promote", parameters=(
        _RUN,
        _option("force_reason", "Promote against the gate, and why."),
    )),
    Command("champion",
            "Show the champion, its history, go back to the one before, or train a challenger.",
            "engine.stages.sealed:champion", parameters=(
        _argument("action", "show, history, rollback or challenge.", default="show",
                 choices=("show", "history", "rollback", "challenge")),
    )),
    Command("ledger",
            "Sealed signals filled at the next real open and close, against the backtest.",
            "engine.stages.ledger:ledger"),
    Command("orders", "The sealed orders of a session as a file that a broker takes.",
            "engine.stages.orders:orders", configurable=False, parameters=(
        _SESSION,
        _option("to", "ibkr, alpaca, sbi, rakuten, or a template brokers/NAME.toml of the workspace.",
               required=True),
        _option("output", "The file to write.", required=True),
        _flag("force", "Also where the card says STOP."),
    )),
    Command("fills", "Read back what became of sealed orders in the account; `ledger` shows it.",
            "engine.stages.fills:fills", configurable=False, parameters=(
        _argument("file", "A broker's report of executions: code, shares, price, buy or sell.",
                 required=True),
        _option("session", "The session that was sealed, or 2016-12-30-r1.", required=True),
        _option("columns",
               "Its columns, code=THEIRS,shares=THEIRS,price=THEIRS; also side, date, commission."),
    )),
    Command("track",
            "The record of what was sealed as one signed file, or check such a file of anybody.",
            "engine.stages.track:track", configurable=False, parameters=(
        _argument("action", "export or verify.", choices=("export", "verify"), required=True),
        _argument("file", "The file to verify; no workspace is needed for it."),
        _option("output", "export: the file to write."),
        _option("earlier", "verify: a file of before, which this one has to continue."),
        _option("key", "verify: the public key that has to have signed it, hex."),
    )),
    Command("schedule",
            "Signals by themselves after each session: the process, its book, or one pass of it.",
            "engine.schedule.command:schedule", parameters=(
        _argument("action", "run until stopped; status; once: catch the latest session up and end.",
                 choices=("run", "status", "once"), required=True),
    )),
    Command("alerts", "Send a test alert to every configured channel, or list what was told.",
            "engine.stages.alerts:alerts", parameters=(
        _argument("action", "test or list.", choices=("test", "list"), required=True),
    )),
)

_STORE: tuple[Command, ...] = (
    Command("runs", "List the runs, newest first.", "engine.stages.runs:runs", configurable=False,
            parameters=(
        _option("tag", "Only runs with this tag; several: with all of them.", multiple=True),
        _option("command", "Only runs of this command."),
        _option("status", "Only runs in this state.",
               choices=_STATUSES),
        _option("limit", "At most so many, the newest.", type=int),
    )),
    Command("tag", "Put tags on a run, or take them away.", "engine.stages.runs:tag",
            configurable=False, parameters=(
        _RUN,
        _argument("tags", "Words without spaces, 32 letters at most.", required=True, multiple=True),
        _flag("remove", "Take these tags away."),
    )),
    Command("note", "Write a note on a run, in place of the one it has; without a text, show it.",
            "engine.stages.runs:note", configurable=False, parameters=(
        _RUN,
        _argument("text", "One line, 1,000 characters at most."),
        _flag("clear", "Take the note away."),
    )),
    Command("delete",
            "Delete runs for good; their trials stay counted in the deflated Sharpe ratio.",
            "engine.stages.runs:delete", configurable=False, parameters=(
        _argument("run", "Run ids, their starts, or `last`.", required=True, multiple=True),
        _flag("yes", "Do not ask."),
    )),
    Command("show", "One run: status, figures, versions.", "engine.stages.runs:show", (_RUN,),
            configurable=False),
    Command("watch", "Follow a run's events until it ends.", "engine.stages.runs:watch", (_RUN,),
            configurable=False),
    Command("stop", "Ask a run to save a checkpoint and end.", "engine.stages.runs:stop", (_RUN,),
            configurable=False),
    Command("checkpoint", "Have a run save a checkpoint at the end of its step.",
            "engine.stages.runs:checkpoint", (_RUN, _WAIT), configurable=False),
    Command("pause", "Have a run save a checkpoint and wait at the end of its step.",
            "engine.stages.runs:pause", (_RUN, _WAIT), configurable=False),
    Command("continue", "Let a paused run go on.", "engine.stages.runs:continue_", (_RUN,),
            configurable=False),
    Command("rollback",
            "Take a run back to its last healthy checkpoint, with a lower learning rate.",
            "engine.stages.runs:rollback", (_RUN, _WAIT), configurable=False),
    Command("config", "Show, change or check the configuration, or write a commented file of it.",
            "engine.stages.config:config", parameters=(
        _argument("action", "show, set, unset, check or init.",
                 choices=("show", "set", "unset", "check", "init"), required=True),
        _argument("key", "Dotted key, e.g. training.seed; of show the start of one."),
        _argument("value", "What to set it to, in TOML; after -- where it begins with a dash."),
    )),
)

COMMANDS = (*_RESEARCH, *_DAILY, *_STORE)
BY_NAME = {command.name: command for command in COMMANDS}
