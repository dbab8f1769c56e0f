"""Qlib: scores, labels and bars in its shapes.

Qlib's recorder keeps ``pred.pkl``. A pickle runs code when it is read, so none is written: ``pred.parquet``
comes back from pandas as the very frame, index (datetime, instrument), column score, which
``DataFrame.to_pickle`` turns into that file. The bars lie as Qlib's own ``scripts/dump_bin.py`` reads them: a
CSV file an instrument, prices adjusted, ``factor`` = adjusted / quoted price, and volume so that volume x
factor is the number of shares that changed hands.
"""

import re
from pathlib import Path

import polars as pl

from engine.errors import DataError
from engine.export.frames import write_indexed
from engine.files import write_text
from engine.records.exported import Exported

_INDEX = ("datetime", "instrument")
_NAME = re.compile(r"[\w.^=-]+")
"""Codes that are a file's name on every system."""
_DUMP = (
    "python scripts/dump_bin.py dump_all --data_path bars --qlib_dir data --date_field_name date "
    "--symbol_field_name symbol --include_fields open,high,low,close,volume,factor"
)


def write(folder: Path, labelled: pl.DataFrame, bars: pl.DataFrame) -> Exported:
    """``pred.parquet``, ``label.parquet``, both as CSV, and ``bars/CODE.csv``.

    ``labelled``: ``date, symbol, score, forward_return``, a fraction, NaN where it is not known. ``bars``:
    of the panel, ``date, symbol, open, high, low, close, volume, close_raw, reinvested``. DataError for a
    code that is no file name.
    """
    rows = labelled.rename({"date": _INDEX[0], "symbol": _INDEX[1]}).sort(*_INDEX)
    label = pl.col("forward_return").fill_nan(None).alias("label")
    tables = {"pred": rows.select(*_INDEX, "score"), "label": rows.select(*_INDEX, label)}
    files = [
        str(write_indexed(folder / f"{name}.parquet", frame, _INDEX))
        for name, frame in tables.items()
    ]
    for name, frame in tables.items():
        write_text(folder / f"{name}.csv", frame.write_csv())
        files.append(str(folder / f"{name}.csv"))
    wanted = bars.select(
        "symbol",
        "date",
        "open",
        "high",
        "low",
        "close",
        pl.col("volume") / pl.col("reinvested"),  # dividends are in the factor, not in our volume
        (pl.col("close") / pl.col("close_raw")).alias("factor"),
    )
    stocks = 0
    for (symbol,), own in wanted.group_by("symbol", maintain_order=True):
        if not _NAME.fullmatch(str(symbol)):
            raise DataError(f"qlib: the code {symbol!r} is no name of a file")
        write_text(folder / "bars" / f"{symbol}.csv", own.sort("date").write_csv())
        stocks += 1
    return Exported(
        target="qlib",
        place=str(folder),
        files=(*files, str(folder / "bars")),
        counts={"rows": len(rows), "stocks": stocks},
        notes=(f"to Qlib's store, in its checkout: {_DUMP}",),
    )
