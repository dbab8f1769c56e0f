"""The `files` source: CSV or Parquet tables on disk, with a column mapping."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from engine.config import Market
from engine.data.store import read_parquet
from engine.data.tables import BAR_SCHEMA, INDEX_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.errors import DataError, EnvironmentProblem

GUESSES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "code", "ticker", "instrument", "Code", "Symbol", "Ticker"),
    "date": ("date", "Date", "datetime", "day", "timestamp"),
    "open": ("open", "Open", "AdjO"),
    "high": ("high", "High", "AdjH"),
    "low": ("low", "Low", "AdjL"),
    "close": ("adj_close", "Adj Close", "AdjC", "close", "Close"),
    "volume": ("volume", "Volume", "AdjVo", "vol"),
    "turnover": ("turnover", "turnover_value", "Va", "amount", "dollar_volume"),
    "adjustment_factor": ("adjustment_factor", "AdjFactor"),
    "name": ("name", "Name", "CoName", "company"),
    "sector": ("sector", "Sector", "S33"),
    "industry": ("industry", "Industry", "S17"),
    "shortable": ("shortable", "Shortable", "borrowable"),
    "borrow_class": ("borrow_class",),
}
"""Our column -> names it is known under elsewhere, most specific first."""
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
SUFFIXES = (".parquet", ".csv")


def read_files(
    prices: Path,
    *,
    securities: Path | None,
    index: Path | None,
    columns: Mapping[str, str],
    market: Market,
) -> RawTables:
    """Read and type the tables; nothing is cleaned here. Errors name file, column and row."""
    bars = _table(prices, BAR_SCHEMA, columns, optional={"turnover", "adjustment_factor"})
    if "turnover" not in bars.columns:
        bars = bars.with_columns((pl.col("close") * pl.col("volume")).alias("turnover"))
    optional = set(SECURITY_SCHEMA) - {"symbol"}
    stocks = pl.DataFrame(schema=SECURITY_SCHEMA)
    if securities is not None:
        stocks = complete(
            _table(securities, SECURITY_SCHEMA, columns, optional=optional), SECURITY_SCHEMA
        )
    market_index = None
    if index is not None:
        market_index = _table(index, INDEX_SCHEMA, columns, optional=set()).sort("date")
    return RawTables(
        bars=complete(bars, BAR_SCHEMA).sort("date", "symbol"),
        securities=stocks,
        index=market_index,
        market=market,
        source=f"files({prices.name})",
    )


def _table(
    path: Path,
    schema: Mapping[str, pl.DataType | type],
    columns: Mapping[str, str],
    optional: set[str],
) -> pl.DataFrame:
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        if not files:
            raise DataError(f"{path}: no .csv or .parquet file in this folder")
    parts = [_typed(file, schema, columns, optional) for file in files]
    return pl.concat(parts, how="diagonal")


def _typed(
    file: Path,
    schema: Mapping[str, pl.DataType | type],
    columns: Mapping[str, str],
    optional: set[str],
) -> pl.DataFrame:
    frame = _read(file)
    found: dict[str, str] = {}
    for name in schema:
        candidates = (columns[name],) if name in columns else GUESSES[name]
        hit = next((candidate for candidate in candidates if candidate in frame.columns), None)
        if hit is not None:
            found[name] = hit
        elif name not in optional or name in columns:
            raise DataError(
                f"{file}: no column for `{name}` (looked for {', '.join(candidates)}; "
                f"the file has {', '.join(frame.columns)})",
                hint=f'map it: --columns "{name}=YOUR_COLUMN"',
            )
    out = frame.select(pl.col(theirs).alias(ours) for ours, theirs in found.items())
    for name in out.columns:
        out = out.with_columns(_convert(file, out, name, schema[name]))
    for key in ("symbol", "date"):
        if key in out.columns and out[key].null_count():
            row = int(out[key].is_null().arg_max() or 0)
            raise DataError(f"{file}: `{found[key]}` is empty in row {row + 1}")
    return out


def _convert(file: Path, frame: pl.DataFrame, name: str, dtype: pl.DataType | type) -> pl.Series:
    """One column in our type; a value that does not parse is an error with its row."""
    column = frame[name]
    if dtype == pl.Date and column.dtype == pl.String:
        converted = column.str.slice(0, 10).str.replace_all("/", "-").str.to_date(strict=False)
    elif dtype == pl.Float64 and column.dtype == pl.String:
        blank = column.str.strip_chars().is_in(["", "nan", "NaN", "null", "None"])
        converted = column.str.strip_chars().cast(pl.Float64, strict=False)
        converted = converted.set(blank, float("nan"))
    elif dtype == pl.Boolean and column.dtype == pl.String:
        converted = (
            column.str.strip_chars()
            .str.to_lowercase()
            .replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
        )
    else:
        converted = column.cast(dtype, strict=False)
    lost = converted.is_null() & column.is_not_null()
    if lost.any():
        row = int(lost.arg_max() or 0)
        raise DataError(
            f"{file}: column `{name}`, row {row + 1}: {column[row]!r} is not a {dtype}",
            hint="correct the value or map another column with --columns",
        )
    return converted


def _read(file: Path) -> pl.DataFrame:
    if not file.exists():
        raise EnvironmentProblem(f"{file}: no such file")
    if file.suffix == ".parquet":
        return read_parquet(file)
    try:
        # Every value stays text: "0050", "NA" and "TRUE" are codes, not numbers, nulls or booleans.
        return pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file}: not readable as CSV ({str(error).splitlines()[0]})") from error
