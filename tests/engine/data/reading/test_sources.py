"""Every command of docs/your-data.md reads its source: small files in the layout of each, values by eye."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.commands import BY_NAME
from engine.records.reading import PriceScale

DOC = Path(__file__).parents[4] / "docs" / "your-data.md"
FILES = Path(__file__).parent / "sources"
FIRST: dict[str, tuple[str, PriceScale]] = {
    "yahoo": (
        "2024-02-07 AAPL o 190.639999 h 191.050003 l 188.610001 c 189.410004 v 53439000",
        "raw_and_adjusted_close",
    ),
    "yfinance.csv": (
        "2016-01-04 AAPL o 23.135771 h 23.758036 l 22.998219 c 23.753527 v 270597600",
        "adjusted",
    ),
    "individual_stocks_5yr": ("2013-02-08 AAL o 15.07 h 15.12 l 14.63 c 14.75 v 8407500", "raw"),
    "stooq": (
        "2024-01-02 AAPL.US o 186.058 h 187.341 l 182.817 c 184.559 v 82971186",
        "adjusted",
    ),
    "jquants.csv": ("2022-06-27 72030 o 2095 h 2119 l 2090.5 c 2113 v 24812000", "raw_and_factor"),
    "tiingo": (
        "2020-08-27 AAPL o 508.57 h 509.94 l 495.33 c 500.04 v 38888096",
        "raw_and_factor",
    ),
    "alphavantage": (
        "2024-02-09 IBM o 184.44 h 187.18 l 183.85 c 186.34 v 5064995",
        "raw_and_adjusted_close",
    ),
    "tushare.csv": ("2019-01-07 000001.SZ o 9.84 h 9.85 l 9.63 c 9.74 v 86568766", "raw"),
    "akshare.csv": ("2019-01-02 000001 o 9.39 h 9.42 l 9.16 c 9.19 v 53938600", "raw"),
    "bhavcopy": ("2019-01-01 RELIANCE o 1125 h 1133.95 l 1110 c 1120.5 v 3915431", "raw"),
    "nasdaq": ("2024-12-13 GOOGL o 191.01 h 192.73 l 189.64 c 189.82 v 25143540", "raw"),
    "us-shareprices-daily.csv": (
        "2024-01-02 A o 138.75 h 141.02 l 137.71 c 139.65 v 1260600",
        "raw_and_adjusted_close",
    ),
    "eodhd": (
        "2024-01-02 AAPL.US o 187.15 h 188.44 l 183.885 c 185.64 v 82488700",
        "raw_and_adjusted_close",
    ),
    "polygon": ("2024-01-02 AAPL o 187.15 h 188.44 l 183.885 c 185.64 v 82488674", "raw"),
    "broker": ("2024-01-02 SAP o 139.8 h 140.56 l 137.4 c 138.14 v 1541308", "raw"),
    "crsp.csv": ("2014-06-06 AAPL o 649.9 h 651.26 l 644.47 c 645.57 v 12497800", "raw_and_factor"),
    "kabu": ("2024-01-04 7203 o 2551 h 2619 l 2532 c 2609 v 31846900", "raw"),
    "qlib.csv": (
        "2020-01-02 SH600000 o 9.8511 h 9.9291 l 9.804 c 9.8746 v 65429712",
        "adjusted",
    ),
}
"""``--prices`` -> the first row of the first file, by hand, and the scale of its prices."""


def commands() -> list[list[str]]:
    """Words after ``atft-tui``: rows of the table of sources, and whole commands elsewhere on the page."""
    text = DOC.read_text(encoding="utf-8").replace("\\\n", " ")
    table = re.findall(r"\| `(--prices [^`]+)` \|$", text, flags=re.MULTILINE)
    whole = re.findall(r"atft-tui (ingest --source [^`\n]+)", text)
    lines = [f"ingest --source files {row}" for row in table]
    lines += [line for line in whole if line != "ingest --source files"]
    return [shlex.split(line) for line in lines]


OF_FILES = [words for words in commands() if "--prices" in words]


def test_the_page_has_a_command_for_each_source_and_all_are_understood() -> None:
    said = {words[words.index("--prices") + 1] for words in OF_FILES}
    assert said == FIRST.keys()
    known = {f"--{p.name.replace('_', '-')}" for p in BY_NAME["ingest"].parameters} | {"--set"}
    for words in commands():
        assert {word for word in words if word.startswith("--")} <= known, words


@pytest.mark.parametrize("words", OF_FILES, ids=lambda words: " ".join(words[3:6]))
def test_the_command_reads_its_source(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(FILES)
    code = main([*words, "--dry-run", "--json", "--quiet", "--workspace", str(tmp_path)])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 0, answer
    bars = next(plan for plan in answer["plans"] if plan["table"] == "bars")
    assert (bars["first"], bars["price_scale"]) == FIRST[words[words.index("--prices") + 1]]
    assert bars["unread"] == []
    assert not (tmp_path / "data" / "CURRENT").exists()
