"""Splits, spin-offs and crashes of a real vendor's year, judged against the vendor's own factors.

DATA_DIR holds `bars.parquet` and `factors.parquet`; JUDGE is a script of its own that is given the adjusted
table and DATA_DIR and counts. The bars are cleaned alone and with the factors, in a scratch workspace, and
exported as `data export` does it. A smoke run has a made-up year with one split and a judge that counts rows.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.large_market import large_market
from benchmarks.options import read_options, say
from engine.config import Config, QualityConfig
from engine.data.load import clean_panel
from engine.data.store import PanelStore
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.stages.check import _exported

COUNTING_JUDGE = """
import sys
import polars as pl
print(len(pl.read_parquet(sys.argv[1])), "of", len(pl.read_parquet(sys.argv[2] + "/bars.parquet")))
"""


def raw_tables(directory: Path, *, factors: bool) -> RawTables:
    """The vendor's bars as raw tables, with its adjustment factors (1 where it has none) or without."""
    bars = pl.read_parquet(directory / "bars.parquet")
    prices = pl.col("open", "high", "low", "close", "volume").cast(pl.Float64)
    bars = bars.with_columns(prices).with_columns(turnover=pl.col("close") * pl.col("volume"))
    if factors:
        known = pl.read_parquet(directory / "factors.parquet")
        known = known.select("date", "symbol", adjustment_factor="factor")
        bars = bars.join(known, on=["date", "symbol"], how="left")
        bars = bars.with_columns(pl.col("adjustment_factor").fill_null(1.0))
    return RawTables(
        bars=complete(bars, BAR_SCHEMA).sort("date", "symbol"),
        securities=pl.DataFrame(schema=SECURITY_SCHEMA),
        index=None,
        market="us",
        source=f"files({directory.name})",
    )


def make_up(directory: Path) -> Path:
    """A small year of bars in which one stock splits 2:1, and the judge of a smoke run."""
    bars = large_market(8, 60).bars
    symbol, day = bars["symbol"][0], bars["date"].unique().sort()[30]
    after = (pl.col("symbol") == symbol) & (pl.col("date") >= day)
    halved = pl.when(after).then(0.5).otherwise(1.0)
    bars = bars.with_columns(pl.col("open", "high", "low", "close") * halved)
    bars.select("date", "symbol", "open", "high", "low", "close", "volume").write_parquet(
        directory / "bars.parquet"
    )
    split = pl.DataFrame({"date": [day], "symbol": [symbol], "factor": [0.5]})
    split.write_parquet(directory / "factors.parquet")
    judge = directory / "judge.py"
    judge.write_text(COUNTING_JUDGE)
    return judge


def judge_both(directory: Path, judge: Path) -> None:
    """What the judge says of the bars alone and of the bars with the factors."""
    config = Config(quality=QualityConfig(max_bad_share=0.5))
    for factors in (False, True):
        with tempfile.TemporaryDirectory() as scratch:
            workspace = Path(scratch)
            PanelStore(workspace / "data").save(raw_tables(directory, factors=factors))
            output = workspace / "adjusted.parquet"
            _exported(clean_panel(workspace, config)).write_parquet(output)
            command = [sys.executable, str(judge), str(output), str(directory)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        say(f"{'with the factors' if factors else 'bars alone'}\n{told}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", metavar="DATA_DIR", type=Path, nargs="?")
    parser.add_argument("judge", metavar="JUDGE", type=Path, nargs="?")
    options = read_options(__doc__, arguments, parser=parser)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            judge_both(Path(folder), make_up(Path(folder)))
    elif options.judge is None or not (options.directory / "factors.parquet").exists():
        say("Skipped: it takes a DATA_DIR with bars.parquet and factors.parquet, and a JUDGE")
    else:
        judge_both(options.directory, options.judge)
    return 0


if __name__ == "__main__":
    sys.exit(main())
