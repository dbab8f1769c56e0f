"""Splits, spin-offs and crashes of a real vendor's year, judged against the vendor's own factors.

    python -m benchmarks.bench_actions DATA_DIR JUDGE.py

DATA_DIR holds `bars.parquet` and `factors.parquet`. Cleans the bars alone and with the factors in a scratch
workspace, exports both (`data export`) and lets the judge, a script of its own, count.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from engine.config import Config, QualityConfig
from engine.data.load import clean_panel
from engine.data.store import PanelStore
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.stages.data_export import exported


def raw_tables(directory: Path, *, factors: bool) -> RawTables:
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


def main() -> None:
    directory, judge = Path(sys.argv[1]), sys.argv[2]
    if not (directory / "factors.parquet").exists():
        sys.exit(f"{directory}: no bars.parquet and factors.parquet; nothing to judge")
    config = Config(quality=QualityConfig(max_bad_share=0.5))
    for factors in (False, True):
        with tempfile.TemporaryDirectory() as scratch:
            workspace = Path(scratch)
            PanelStore(workspace / "data").save(raw_tables(directory, factors=factors))
            output = workspace / "adjusted.parquet"
            exported(clean_panel(workspace, config)).write_parquet(output)
            command = [sys.executable, judge, str(output), str(directory)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        sys.stdout.write(f"{'with the factors' if factors else 'bars alone'}\n{told}\n")


if __name__ == "__main__":
    main()
