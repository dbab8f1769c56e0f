"""Small price files in the many forms that people have, and what reads them."""

import datetime as dt
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from engine.config import Market, ReadingConfig
from engine.data.files_source import FilesRead, read_files
from engine.stages.ingest_sources import parse_columns

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
HEAD = "date,symbol,open,high,low,close,volume"
ROWS = (
    "2024-01-02,AAPL,187.15,188.44,183.89,185.64,82488700",
    "2024-01-03,AAPL,184.22,185.88,183.43,184.25,58414500",
)
BARS = [
    (dt.date(2024, 1, 2), "AAPL", 187.15, 188.44, 183.89, 185.64, 82488700.0),
    (dt.date(2024, 1, 3), "AAPL", 184.22, 185.88, 183.43, 184.25, 58414500.0),
]
"""The rows above as they are meant."""
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def text(*rows: str, head: str = HEAD, end: str = "\n") -> str:
    return end.join((head, *(rows or ROWS))) + end


def reading(
    path: Path,
    columns: str = "",
    market: Market = "us",
    *,
    after: dt.date | None = None,
    **settings: str,
) -> FilesRead:
    return read_files(
        path, securities=None, index=None, columns=parse_columns(columns), market=market, now=NOW,
        settings=ReadingConfig.model_validate(settings), after=after,
    )  # fmt: skip


def bars(
    path: Path, columns: str = "", market: Market = "us", **settings: str
) -> list[tuple[object, ...]]:
    """date, symbol, open, high, low, close, volume of each bar as read."""
    return (
        reading(path, columns, market, after=None, **settings)
        .raw.bars.select(HEAD.split(","))
        .rows()
    )


def frame(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows or BARS), schema=HEAD.split(","), orient="row")


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[str | float | dt.date]]]) -> None:
    """A workbook with what a reader needs of it; dates are numbers with a style, as Excel has them."""
    names = "".join(
        f'<sheet name="{title}" sheetId="{i + 1}" r:id="s{i}"/>' for i, title in enumerate(sheets)
    )
    links = "".join(
        f'<Relationship Id="s{i}" Type="{OFFICE}/worksheet" Target="worksheets/s{i}.xml"/>'
        for i in range(len(sheets))
    )
    styles = f'<Relationship Id="st" Type="{OFFICE}/styles" Target="styles.xml"/>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>{names}</sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
        f"{styles}</Relationships>",
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        "</cellXfs></styleSheet>",
    }
    for i, rows in enumerate(sheets.values()):
        cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/s{i}.xml"] = (
            f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{content}')


def _cell(value: str | float | dt.date) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    if isinstance(value, dt.date):
        return f'<c s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
    return f"<c><v>{value}</v></c>"
