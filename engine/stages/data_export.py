"""`data export`: the adjusted bars as one file, so that anyone can check them."""

from pathlib import Path

import polars as pl

from engine.data.load import StoredPanel, clean_panel
from engine.errors import UsageError
from engine.files import atomic_path
from engine.records.flags import FLAG_NAMES
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext

_PRICES = ("open", "high", "low", "close")
_ENDINGS = (".parquet", ".csv")


def data(context: StageContext, *, action: str, output: str) -> Outcome:
    """Write one row a kept bar, sorted by date and symbol.

    ``open, high, low, close`` on the continuous total-return scale; ``close_raw`` as quoted; ``volume`` in
    shares of the stock's first bar; ``factor`` = close / close_raw; ``dividend`` a share, as quoted;
    ``flags``: names of `engine.records.flags.FLAG_NAMES`, joined by ``|``.
    """
    path = Path(output)
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"--output {output}: the name must end in {' or '.join(_ENDINGS)}")
    context.sink.emit(StageStarted(stage="export"))
    frame = exported(clean_panel(context.workspace, context.config))
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary)
    told = {"file": str(path), "rows": len(frame), "symbols": frame["symbol"].n_unique()}
    return Outcome(json=told, text=f"{path}: {len(frame):,} bars of {told['symbols']:,} symbols")


def exported(panel: StoredPanel) -> pl.DataFrame:
    """The rows that `data` writes."""
    frame = panel.bars()
    bits = frame["flags"].unique().sort()
    words = ["|".join(name for bit, name in FLAG_NAMES.items() if flags & bit) for flags in bits]
    return frame.select(
        "date",
        "symbol",
        *_PRICES,
        "close_raw",
        "volume",
        (pl.col("close") / pl.col("close_raw")).alias("factor"),
        "dividend",
        pl.col("flags").replace_strict(bits, pl.Series(words, dtype=pl.String)),
    )
