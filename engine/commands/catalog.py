"""Every command as data: the command line builds its parser from this, the screen its palette.

The tables are research, then tomorrow's trades, then the run store.
"""

from engine.commands.command import Command, argument, flag, option

_RUN = argument("run", "Run id, its start, or `last`.", required=True)
_SESSION = argument("session", "A session, or 2016-12-30-r1.", required=True)
_WAIT = option("wait", "Seconds to wait for its answer; 0 asks only.", type=int, default=60)
_CONFIRM = flag("confirm", "Judge confirmation days of [protocol]; every look is counted.")
_EXECUTOR = (
    option("jobs", "Tasks beside each other; executor.jobs if left out.", type=int),
    option(
        "executor",
        "Where they are done: this machine or a Ray cluster; executor.kind if left out.",
        choices=("local", "ray"),
    ),
    option(
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
    "valuation": "ratios of price to earnings and book value",
    "disclosures": "documents disclosed a day",
    "holdings": "reports of large holdings",
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
        flag("quick", "A small market and few epochs."),
    )),
    Command("ingest", "Read market data into the workspace.", "engine.stages.ingest:ingest",
            about=_INGEST, parameters=(
        option("source", "Where the data come from; jquants reads its key from JQUANTS_API_KEY.",
               choices=("files", "synthetic", "jquants", "yahoo")),
        option("prices",
               "File or folder of daily bars: text, Parquet, Feather or Excel, also packed."),
        option("actions", "Table of corporate actions: date, symbol, kind, value, other."),
        option("securities", "Table of names and sectors."),
        option("index", "Table of the market index: date, close."),
        *(option(name, f"Table of {what}: CSV or Parquet file, or a folder of them.")
          for name, what in _OPTIONAL_TABLES.items()),
        flag("append", "Add to what is stored: later sessions, and better rows of stored ones."),
        flag("dry_run", "Show how the files would be read; store nothing."),
        flag("undo", "Go back to the snapshot before."),
        option("until", "Source synthetic: reveal the market up to this day only, ISO date."),
        option("columns",
               'Column mapping, e.g. "symbol=code,volume=vol*100,options.strike=Strike".'),
        option("layout", "How the price files are laid out (data.reading.layout).",
               choices=("auto", "long", "file_per_symbol", "file_per_day", "wide")),
        option("encoding", "Encoding of text files, e.g. cp932 (data.reading.encoding)."),
        option("separator", "What stands between columns: one character, or tab (data.reading.separator)."),
        option("decimal", "Decimal mark of numbers (data.reading.decimal).", choices=(".", ",")),
        option("date_format",
               "How dates are written, e.g. MM/DD/YYYY, epoch ms (data.reading.date_format)."),
        option("timezone", "Time zone whose local day is the session (data.reading.timezone)."),
        option("price_scale", "What the prices of a row are (data.reading.price_scale).",
               choices=("auto", "raw", "raw_and_factor", "raw_and_adjusted_close", "adjusted")),
        option("factor", "What an adjustment factor means (data.reading.factor).",
               choices=("auto", "earlier_times", "new_per_old", "cumulative")),
    )),
    Command("check", "Schema and quality verdict of the data.", "engine.stages.check:check"),
    Command("data",
            "Export the adjusted bars: total-return prices, quoted closes, factors, dividends, "
            "flags.", "engine.stages.check:data", parameters=(
        argument("action", "What to do with the data: export.", choices=("export",), required=True),
        option("output", "File to write: .parquet or .csv.", required=True),
    )),
    Command("audit", "Prove on altered futures that nothing sees ahead; name what does.",
            "engine.stages.audit:audit", parameters=(
        flag("deep", "More stocks and days, and how far ahead a leak looks."),
        argument("run", "Also the scores of this run: id, its start, or `last`."),
    )),
    Command("features",
            "The inputs of the network: list them, show one, or add one of your own.",
            "engine.stages.features:features", parameters=(
        argument("action", "list, show, add or check.", choices=("list", "show", "add", "check"),
                  required=True),
        argument("name", "The feature to show or to add; alpha158 and alpha360 are sets."),
        argument("text", "Of a new feature: its expression, or the file that holds it."),
        option("family", "List this family only."),
    )),
    Command("preflight", "Device, memory, disk, threads and data: can a run start?",
            "engine.stages.preflight:preflight"),
    Command("train", "One training run through all phases.", "engine.stages.train:train",
            launchable=True, parameters=(
        _CONFIRM,
        option("resume", "Go on with a stopped or killed run."),
    )),
    Command("walkforward", "Purged, embargoed folds: out-of-sample scores for the whole span.",
            "engine.stages.walkforward:walkforward", launchable=True, parameters=(
        option("first_test", "First test day, ISO date."),
        option("last_test", "Last test day, ISO date."),
        option("step", "Length of a test block: 1y, 6m or sessions.", default="1y"),
        option("seeds", "Networks averaged per fold.", type=int, default=1),
        flag("with_baselines", "Also fit the simple models per fold."),
        option("model", "Whose scores to keep: network, blend, lightgbm ..., or a model of your own.",
               default="network"),
        _CONFIRM,
        *_EXECUTOR,
        option("resume", "Go on with a stopped or killed walk-forward, with its own options."),
    )),
    Command("tune",
            "Search settings on inner validation folds; every trial is a run. The same again "
            "goes on.", "engine.stages.tune:tune", parameters=(
        option("trials", "Until so many have ended, earlier ones included.", type=int, default=20),
        option("study", "Name of the search; it keeps its trials.", default="default"),
        *_EXECUTOR,
        _CONFIRM,
        option("resume", "Go on with the search of this run, with its own settings."),
    )),
    Command("compare",
            "Sizes, ablations, permuted labels, or runs: differences. The same again goes on.",
            "engine.stages.compare:compare", parameters=(
        argument("what", "sizes, ablations, permutations, or two and more runs.", multiple=True),
        option("seeds", "Networks of each variant, or permutations.", type=int, default=3),
        option("sizes", "Widths to compare.", default="64,128,256"),
        option("variants", "Only these ablations, comma-separated."),
        flag("walkforward", "Over walk-forward folds, not one split."),
        option("first_test", "First test day of the walk-forward, ISO date."),
        option("last_test", "Last test day of the walk-forward, ISO date."),
        option("step", "Length of its test blocks: 1y, 6m or sessions.", default="1y"),
        option("model", "Whose scores: network, or with --walkforward blend.", default="network"),
        *_EXECUTOR,
        _CONFIRM,
        option("resume", "Go on with the comparison of this run, with its own options."),
    )),
    Command("work", "Do tasks of a walk-forward, a comparison or a search.", "engine.stages.workers:work",
            hidden=True),
    Command("predict", "Scores of any days from a trained run.", "engine.stages.predict:predict",
            parameters=(
        _RUN,
        option("start", "First day, ISO date."),
        option("stop", "Last day, ISO date."),
        flag("in_sample", "Allow days the run was trained on."),
    )),
    Command("backtest", "Weights, simulation and figures of a run's test scores.",
            "engine.stages.backtest:backtest", parameters=(
        _RUN,
        option("strategy", "A module of strategies/."),
        _CONFIRM,
    )),
    Command("sweep",
            "Strategy and cost settings over one set of scores; every cell is a counted trial.",
            "engine.stages.sweep:run_sweep", parameters=(
        _RUN,
        option("grid", "KEY=VALUE,VALUE,... of portfolio, constraints or costs; may be repeated.",
               multiple=True),
        option("strategy", "A module of strategies/."),
        _CONFIRM,
        *_EXECUTOR,
    )),
    Command("drill",
            "Inject faults into a copy of the workspace and see that nothing is lost or silent.",
            "engine.drill.command:drill", configurable=False, parameters=(
        option("case", "Only this case of the table, or the cases of this kind."),
        option("seed", "Which bits are turned over.", type=int, default=0),
    )),
    Command("strategies", "The strategies that a backtest can use; with NAME, check that one.",
            "engine.stages.strategies:strategies", configurable=False, parameters=(
        argument("name", "Check this one's promises instead of listing."),
    )),
    Command("models", "The models that a walk-forward can fit; with NAME, check that one.",
            "engine.stages.strategies:models", configurable=False, parameters=(
        argument("name", "Check this one's promises instead of listing."),
    )),
    Command("report", "Export the report of a run, of two side by side, or of all.",
            "engine.stages.report:report", parameters=(
        argument("run", "Run id, its start, `last`, or `all`.", required=True),
        option("format", "Comma-separated: html, json, md, csv, parquet, pdf.",
               default="html,json,md"),
        option("compare", "Another run: both side by side, differences with their errors."),
        option("output", "Directory to write into; default the run's own."),
        *_EXECUTOR,
    )),
    Command("export",
            "Hand a run on to MLflow, TensorBoard, alphalens, quantstats, Qlib, Excel or CSV.",
            "engine.stages.export:export", configurable=False, parameters=(
        _RUN,
        option("to", "The program, or the kind of file.", required=True,
               choices=("mlflow", "tensorboard", "alphalens", "quantstats", "qlib", "excel", "csv")),
        option("output",
               "Folder to write into, for excel the workbook; default WORKSPACE/export/TARGET."),
        option("uri", "Tracking address of MLflow; default a SQLite file in the folder."),
        flag("follow", "mlflow, tensorboard: go on until the run ends."),
        _CONFIRM,
    )),
)

_DAILY: tuple[Command, ...] = (
    Command("signals",
            "The sealed trade list of a session, with the card that says whether to trade it.",
            "engine.stages.signals:signals", parameters=(
        option("date", "Session, ISO date; the newest of the store if left out."),
        flag("revise", "Seal other inputs beside what is sealed already; needs --reason."),
        option("reason", "Why a sealed session is revised."),
        option("positions", "What is held: a broker's export, or code,shares and a row $cash."),
        option("position_columns",
               "Its columns, code=THEIRS,shares=THEIRS,...; also side, account, kind, value, "
               "name, currency (schedule.position_columns)."),
        option("cash", "Cash of the account, if the file does not say it.", type=float),
        option("run", "Use this run's networks instead of the champion's."),
    )),
    Command("replay", "Make a sealed signal again from its own inputs and compare every byte.",
            "engine.stages.sealed:replay", (_SESSION,), configurable=False),
    Command("diff", "What differs between two sealed signals, and which rows moved the ranks.",
            "engine.stages.sealed:diff", configurable=False, parameters=(
        argument("before", "A session, or 2016-12-30-r1.", required=True),
        argument("after", "The other one.", required=True),
    )),
    Command("verify", "Check every stored file against its hash: all, one signal, or one run.",
            "engine.stages.verify:verify", configurable=False, parameters=(
        argument("name", "A session, or 2016-12-30-r1; a run; all (the default)."),
        flag("prune", "Remove pins that no signal rests on, a week after they were written."),
    )),
    Command("promote", "Make a run's networks the champion, if the gate lets them.",
            "engine.stages.promote:promote", parameters=(
        _RUN,
        option("force_reason", "Promote against the gate, and why."),
    )),
    Command("champion",
            "Show the champion, its history, go back to the one before, or train a challenger.",
            "engine.stages.sealed:champion", parameters=(
        argument("action", "show, history, rollback or challenge.", default="show",
                 choices=("show", "history", "rollback", "challenge")),
    )),
    Command("ledger",
            "Sealed signals filled at the next real open and close, against the backtest.",
            "engine.stages.ledger:ledger"),
    Command("orders", "The sealed orders of a session as a file that a broker takes.",
            "engine.stages.orders:orders", configurable=False, parameters=(
        _SESSION,
        option("to", "ibkr, alpaca, sbi, rakuten, or a template brokers/NAME.toml of the workspace.",
               required=True),
        option("output", "The file to write.", required=True),
        flag("force", "Also where the card says STOP."),
    )),
    Command("fills", "Read back what became of sealed orders in the account; `ledger` shows it.",
            "engine.stages.orders:fills", configurable=False, parameters=(
        argument("file", "A broker's report of executions: code, shares, price, buy or sell.",
                 required=True),
        option("session", "The session that was sealed, or 2016-12-30-r1.", required=True),
        option("columns",
               "Its columns, code=THEIRS,shares=THEIRS,price=THEIRS; also side, date, commission."),
    )),
    Command("track",
            "The record of what was sealed as one signed file, or check such a file of anybody.",
            "engine.stages.track:track", configurable=False, parameters=(
        argument("action", "export or verify.", choices=("export", "verify"), required=True),
        argument("file", "The file to verify; no workspace is needed for it."),
        option("output", "export: the file to write."),
        option("earlier", "verify: a file of before, which this one has to continue."),
        option("key", "verify: the public key that has to have signed it, hex."),
    )),
    Command("schedule",
            "Signals by themselves after each session: the process, its book, or one pass of it.",
            "engine.schedule.command:schedule", parameters=(
        argument("action", "run until stopped; status; once: catch the latest session up and end.",
                 choices=("run", "status", "once"), required=True),
    )),
    Command("alerts", "Send a test alert to every configured channel, or list what was told.",
            "engine.stages.alerts:alerts", parameters=(
        argument("action", "test or list.", choices=("test", "list"), required=True),
    )),
)

_STORE: tuple[Command, ...] = (
    Command("runs", "List the runs, newest first.", "engine.stages.runs:runs", configurable=False,
            parameters=(
        option("tag", "Only runs with this tag; several: with all of them.", multiple=True),
        option("command", "Only runs of this command."),
        option("status", "Only runs in this state.",
               choices=_STATUSES),
        option("limit", "At most so many, the newest.", type=int),
    )),
    Command("tag", "Put tags on a run, or take them away.", "engine.stages.runs:tag",
            configurable=False, parameters=(
        _RUN,
        argument("tags", "Words without spaces, 32 letters at most.", required=True, multiple=True),
        flag("remove", "Take these tags away."),
    )),
    Command("note", "Write a note on a run, in place of the one it has; without a text, show it.",
            "engine.stages.runs:note", configurable=False, parameters=(
        _RUN,
        argument("text", "One line, 1,000 characters at most."),
        flag("clear", "Take the note away."),
    )),
    Command("delete",
            "Delete runs for good; their trials stay counted in the deflated Sharpe ratio.",
            "engine.stages.runs:delete", configurable=False, parameters=(
        argument("run", "Run ids, their starts, or `last`.", required=True, multiple=True),
        flag("yes", "Do not ask."),
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
        argument("action", "show, set, unset, check or init.",
                 choices=("show", "set", "unset", "check", "init"), required=True),
        argument("key", "Dotted key, e.g. training.seed; of show the start of one."),
        argument("value", "What to set it to, in TOML; after -- where it begins with a dash."),
    )),
)

COMMANDS = (*_RESEARCH, *_DAILY, *_STORE)
BY_NAME = {command.name: command for command in COMMANDS}
