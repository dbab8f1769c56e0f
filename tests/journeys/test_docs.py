"""The pages do what they say: every command of every page parses, and what can be run here is run.

A block of commands may have ``<!-- not run: REASON -->`` above it. A block of code after a path in
backticks that begins with ``workspace/`` is written to that file first. The commands of a page are run
in order, in a folder with price files, names and positions, and two runs; at the size of the tests, and
with `RUN`, `FOLDER` and `SESSION` for what is there.
"""

import datetime as dt
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import polars as pl
import pytest

from engine import cli
from engine.commands import BY_NAME
from engine.data.calendar import sessions_between
from engine.runs.store import RunStore
from tests.conftest import TINY
from tests.journeys.command import atft_here

PAGES = ("README.md", "CONTRIBUTING.md", *map(str, sorted(Path("docs").glob("*.md"))))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
MARK = re.compile(r"<!-- not run: (.+?) -->\s*$", re.S)
FILE = re.compile(r"`workspace/([\w./-]+\.(?:py|toml))`")
PROSE = re.compile(r"`(atft-tui [a-z][^`]*)`")
STARTS = (
    "atft-tui",
    ".venv/bin/atft-tui",
    "make",
    "pip",
    "pipx",
    "uv",
    "ray",
    "git",
    "cd",
    "python",
)
REFUSALS = ("promote", "signals")
"""Commands whose answer may be no: exit code 6."""
STOCKS, SESSIONS = 30, (dt.date(2018, 1, 2), dt.date(2020, 1, 3))
LAST = str(SESSIONS[1])
SETTINGS = [word for setting in TINY for word in ("--set", setting)]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str
    before: str
    """The prose since the block before."""

    @property
    def commands(self) -> list[str]:
        """Whole lines, without comments; none of a block that is no list of commands."""
        if self.language not in ("", "sh", "console"):
            return []
        joined = re.sub(r"\\\n\s*", "", self.text)
        lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        plain = self.language == "" and not all(line.split()[0] in STARTS for line in lines)
        return [] if plain else lines

    @property
    def not_run(self) -> str:
        """Why it is not run; empty where it is."""
        found = MARK.search(self.before)
        return " ".join(found[1].split()) if found else ""

    @property
    def file(self) -> str:
        """Where in the workspace the text belongs, as the prose before it says; empty: nowhere."""
        names = FILE.findall(self.before.rstrip().rpartition("\n\n")[2])
        return names[-1] if names and self.language in ("python", "toml") else ""


def blocks(page: str) -> Iterator[Block]:
    text, end = Path(page).read_text(encoding="utf-8"), 0
    for found in BLOCK.finditer(text):
        yield Block(page, found[1], found[2], text[end : found.start()])
        end = found.end()


def words_of(command: str) -> list[str]:
    """The words of an ``atft-tui`` command up to a pipe; none of another program or of a screen."""
    words = shlex.split(command.partition(" | ")[0], comments=True)
    named = words[0].endswith("atft-tui") and len(words) > 1 and not words[1].startswith("-")
    return words[1:] if named and words[1] != "serve" else []


def parse(words: list[str]) -> None:
    """ClickException for a command, option or choice that is not there."""
    assert words[0] in BY_NAME, f"no command {words[0]!r}"
    cli._build(BY_NAME[words[0]]).make_context(words[0], words[1:])


RUN = [
    page for page in PAGES if any(block.commands and not block.not_run for block in blocks(page))
]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_one(page: str) -> None:
    """Also those of blocks that are not run, and those in prose that name an option or an argument."""
    for block in blocks(page):
        for command in block.commands:
            if words := words_of(command):
                parse(words)
    prose = BLOCK.sub("", Path(page).read_text(encoding="utf-8"))
    for found in PROSE.findall(prose):
        command = " ".join(re.sub(r"[][]", " ", found).split())
        try:
            if words := words_of(command):
                parse(words)
        except click.BadParameter:
            continue  # in prose an argument may be missing, or stand for any


def test_the_check_sees_an_option_that_is_not_there() -> None:
    parse(words_of("atft-tui train --preset cpu-small  # a comment"))
    with pytest.raises(click.ClickException, match="--pre"):
        parse(words_of("atft-tui train --prest cpu-small"))
    with pytest.raises(AssertionError, match="trian"):
        parse(words_of("atft-tui trian"))


def test_what_is_not_run_says_why_and_nothing_else_needs_more_than_the_program() -> None:
    listed = {
        block.page: block.not_run for page in PAGES for block in blocks(page) if block.not_run
    }
    assert listed
    assert all(len(reason) > 15 for reason in listed.values())
    for page in RUN:
        for block in blocks(page):
            if not block.not_run:
                assert all(words_of(command) for command in block.commands), (page, block.text)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is a workspace too, with prices from 2018 on, names, positions and two runs."""
    folder = tmp_path_factory.mktemp("desk")
    bars = _bars("XNYS", *SESSIONS)
    (folder / "prices").mkdir()
    bars.write_csv(folder / "prices" / "prices.csv")
    bars.write_csv(folder / "prices.csv")
    _bars("XLON", *SESSIONS).write_csv(folder / "london.csv")
    _bars("24/7", *SESSIONS).write_csv(folder / "coins.csv")
    symbols = bars["symbol"].unique().sort()
    names = pl.DataFrame({"symbol": symbols, "name": symbols, "sector": ["A", "B"] * (STOCKS // 2)})
    names.write_parquet(folder / "names.parquet")
    (folder / "positions.csv").write_text("code,shares\n$cash,1000000\n", encoding="utf-8")
    for words in (["ingest", "--source", "files", "--prices", "prices"], ["train"], ["train"]):
        done = atft_here(folder, words[0], *SETTINGS, *words[1:])
        assert done.code == 0, done.err
    return folder


def _bars(calendar: str, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Random walks of stocks whose traded value differs, every session of the calendar."""
    days = [str(day) for day in sessions_between(calendar, first, last)]
    rng = np.random.default_rng(len(days))
    close_DN = 40.0 * np.exp(rng.normal(0.0, 0.015, (len(days), STOCKS)).cumsum(axis=0))
    open_DN = close_DN * np.exp(rng.normal(0.0, 0.004, close_DN.shape))
    flat = {"open": open_DN, "close": close_DN}
    return pl.DataFrame(
        {
            "date": np.repeat(days, STOCKS),
            "symbol": [f"S{n:02d}" for n in range(STOCKS)] * len(days),
            **{name: values.round(2).ravel() for name, values in flat.items()},
            "volume": rng.integers(100_000, 900_000, close_DN.size),
        }
    ).with_columns(
        (pl.max_horizontal("open", "close") * 1.004).round(2).alias("high"),
        (pl.min_horizontal("open", "close") * 0.996).round(2).alias("low"),
    )


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("page", RUN)
def test_a_page_does_what_it_says(page: str, desk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(desk, folder)
    runs = [run.id for run in RunStore(folder / "runs")]
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        for command in [] if block.not_run else block.commands:
            name, *rest = _filled(words_of(command), runs)
            size = SETTINGS if BY_NAME[name].configurable and name != "config" else []
            done = atft_here(folder, name, *size, *rest)
            allowed = (0, 6) if name in REFUSALS else (0,)
            assert done.code in allowed, f"{page}: {command}\n{done.err[-2000:]}"


def _filled(words: list[str], runs: list[str]) -> list[str]:
    """With the runs of the folder for each ``RUN``, and its prices for ``FOLDER``."""
    left, known = iter(runs), {"FOLDER": "prices", "SESSION": LAST}
    words = [word for word in words if word != "..."]
    return [next(left) if word == "RUN" else known.get(word, word) for word in words]
