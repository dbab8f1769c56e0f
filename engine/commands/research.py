"""From data to report: commands that train, judge and trade on paper."""

from engine.commands.command import RUN, Command, argument, flag, option

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
RESEARCH: tuple[Command, ...] = (
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
            "flags.", "engine.stages.data_export:data", parameters=(
        argument("action", "What to do with the data: export.", choices=("export",), required=True),
        option("output", "File to write: .parquet or .csv.", required=True),
    )),
    Command("audit", "Prove on altered futures that nothing sees ahead; name what does.",
            "engine.stages.audit:audit", parameters=(
        flag("deep", "More stocks and days, and how far ahead a leak looks."),
        argument("run", "Also the scores of this run: id, its start, or `last`."),
    )),
    Command("features",
            "The inputs of the network: list them, or show one with formula, unit and look-back.",
            "engine.stages.features:features", parameters=(
        argument("action", "list or show.", choices=("list", "show"), required=True),
        argument("name", "The feature to show."),
        option("family", "List this family only."),
    )),
    Command("preflight", "Device, memory, disk, threads and data: can a run start?",
            "engine.stages.preflight:preflight"),
    Command("train", "One training run through all phases.", "engine.stages.train:train",
            launchable=True, parameters=(
        option("resume", "Go on with a stopped or killed run."),
    )),
    Command("walkforward", "Purged, embargoed folds: out-of-sample scores for the whole span.",
            "engine.stages.walkforward:walkforward", launchable=True, parameters=(
        option("first_test", "First test day, ISO date."),
        option("last_test", "Last test day, ISO date."),
        option("step", "Length of a test block: 1y, 6m or sessions.", default="1y"),
        option("seeds", "Networks averaged per fold.", type=int, default=1),
        flag("with_baselines", "Also fit the simple models per fold."),
        option("model", "Whose scores to keep: network, or a baseline such as lightgbm.",
               default="network"),
        option("resume", "Go on with a stopped or killed walk-forward, with its own options."),
    )),
    Command("tune",
            "Search settings on inner validation folds; every trial is a run. The same again "
            "goes on.", "engine.stages.tune:tune", parameters=(
        option("trials", "Until so many have ended, earlier ones included.", type=int, default=20),
        option("study", "Name of the search; it keeps its trials.", default="default"),
        option("jobs", "Trials beside each other, each a process.", type=int, default=1),
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
        option("jobs", "Runs beside each other, each a process.", type=int, default=1),
        option("resume", "Go on with the comparison of this run, with its own options."),
    )),
    Command("work", "Do the work of one trial or variant.", "engine.stages.workers:work",
            hidden=True),
    Command("predict", "Scores of any days from a trained run.", "engine.stages.predict:predict",
            parameters=(
        RUN,
        option("start", "First day, ISO date."),
        option("stop", "Last day, ISO date."),
        flag("in_sample", "Allow days the run was trained on."),
    )),
    Command("backtest", "Weights, simulation and figures of a run's test scores.",
            "engine.stages.backtest:backtest", parameters=(
        RUN,
        option("strategy", "A module of strategies/."),
    )),
    Command("sweep",
            "Strategy and cost settings over one set of scores; every cell is a counted trial.",
            "engine.stages.sweep:run_sweep", parameters=(
        RUN,
        option("grid", "KEY=VALUE,VALUE,... of portfolio, constraints or costs; may be repeated.",
               multiple=True),
        option("strategy", "A module of strategies/."),
    )),
    Command("strategies", "The strategies that a backtest can use; with NAME, check that one.",
            "engine.stages.strategies:strategies", configurable=False, parameters=(
        argument("name", "Check this one's promises instead of listing."),
    )),
    Command("report", "Export the report of a run, of two side by side, or of all.",
            "engine.stages.report:report", parameters=(
        argument("run", "Run id, its start, `last`, or `all`.", required=True),
        option("format", "Comma-separated: html, json, md, csv, parquet, pdf.",
               default="html,json,md"),
        option("compare", "Another run: both side by side, differences with their errors."),
        option("output", "Directory to write into; default the run's own."),
    )),
)
