"""Names as people read them: files of vendors hold what a web page made of them."""

import html
import re
from html.entities import html5

import polars as pl

_LABELS = ("name", "sector", "industry")
_REFERENCE = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def readable(text: str) -> str:
    """``Art&#39;s-Way`` -> ``Art's-Way``: character references resolved once, no control characters.

    Only references that are whole: `html.unescape` finds ``&REG`` in ``S&REGAL`` and makes another name.
    Control characters and line breaks become a space, marks that turn the direction of writing go.
    """
    meant = _REFERENCE.sub(_resolved, text)
    return _DIRECTION.sub("", _CONTROL.sub(" ", meant)).strip()


def _resolved(reference: re.Match[str]) -> str:
    name = reference[0][1:]
    return html.unescape(reference[0]) if name[0] == "#" or name in html5 else reference[0]


def with_readable_labels(securities: pl.DataFrame) -> pl.DataFrame:
    """Codes stay as they are; null stays null."""
    there = [name for name in _LABELS if name in securities.columns]
    return securities.with_columns(
        pl.col(there).map_elements(readable, return_dtype=pl.String, skip_nulls=True)
    )
