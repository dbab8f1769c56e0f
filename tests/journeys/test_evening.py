"""An evening at the keyboard: from a file of prices to a sealed signal, by keys that the screen names."""

import codecs
import datetime as dt
import os
import re
import select
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.cells import cell_len

from engine.config.edit import set_key
from engine.data.calendar import sessions_between
from tests.conftest import SMALL
from tests.tui.test_terminal import spawn

SESSIONS, STOCKS = 420, 30
WIDTH, HEIGHT = 160, 48
PATIENCE_S = 900.0
TOKEN = re.compile(r"\x1b\[([0-9;?<>=]*)[ -/]*([@-~])|\x1b\][^\x07]*\x07|\x1b[^\[\]]|\n|[^\x1b\n]+")
"""A sequence of a terminal, a line's end, or text."""
BEGUN = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*|\][^\x07]*)?$")
"""A sequence whose end has not come yet."""
CTRL_S = "\x13"
SETTINGS = (
    *SMALL,
    'features.breadth="named"',
    'features.columns=["return_5","return_20","return_40","volatility_20"]',
    "loss.neutral_to=[]",
    "training.day_stride=4",
    "training.null_draws=50",
    "training.learning_rate=0.005",
    "universe.min_price=0",
    "universe.min_turnover=0",
)
"""What such a person has in the workspace's config.toml: a small network on a few columns."""


def write_prices(path: Path) -> None:
    """To the last session that has closed; what drifts goes on drifting, so there is something to learn."""
    rng = np.random.default_rng(0)
    yesterday = dt.date.today() - dt.timedelta(days=1)
    days = sessions_between("XNYS", yesterday - dt.timedelta(days=800), yesterday)[-SESSIONS:]
    drift, moves = np.zeros(STOCKS), rng.normal(0, 0.015, (SESSIONS, STOCKS))
    for day in range(SESSIONS):
        drift = 0.97 * drift + rng.normal(0, 0.0015, STOCKS)
        moves[day] += drift
    close = (30 * np.exp(moves.cumsum(axis=0))).ravel()
    pl.DataFrame(
        {
            "date": np.repeat(days, STOCKS),
            "symbol": [f"S{n:02d}" for n in range(STOCKS)] * SESSIONS,
            "open": close, "high": close * 1.01, "low": close * 0.99, "close": close,
            "volume": np.full(close.size, 1e7),
        }
    ).write_csv(path)  # fmt: skip


class Glass:
    """What stands on a terminal's screen after what was written to it."""

    def __init__(self) -> None:
        self.cells = [[" "] * WIDTH for _ in range(HEIGHT)]
        self.row = self.column = 0
        self.rest = ""
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def feed(self, content: bytes) -> None:
        text = self.rest + self.decode(content)
        begun = BEGUN.search(text)
        self.rest = begun[0] if begun else ""
        for found in TOKEN.finditer(text.removesuffix(self.rest)):
            if found[2] == "H":
                row, _, column = found[1].partition(";")
                self.row, self.column = int(row or 1) - 1, int(column or 1) - 1
            elif found[0] == "\n":
                self.row, self.column = self.row + 1, 0
            elif not found[0].startswith("\x1b"):
                self.write(found[0])

    def write(self, text: str) -> None:
        for char in text:
            wide = cell_len(char)
            if wide and self.row < HEIGHT and self.column + wide <= WIDTH:
                self.cells[self.row][self.column : self.column + wide] = [char, ""][:wide]
                self.column += wide

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.cells)


class Evening:
    """The program at our end of its terminal. A key is pressed only where the screen names it."""

    def __init__(self, master: int) -> None:
        self.master, self.glass = master, Glass()
        self.screens: list[str] = []

    def look(self, seconds: float = 0.2) -> str:
        """The screen after what comes in so long."""
        if select.select([self.master], [], [], seconds)[0]:
            self.glass.feed(os.read(self.master, 65536))
        return self.glass.text

    def wait(self, *words: str) -> str:
        """Until one of these stands on the screen; which one."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            text = self.look()
            for word in words:
                if word in text:
                    self.screens.append(text)
                    assert '{"' not in text, f"raw JSON:\n{text}"
                    return word
        raise AssertionError(f"none of {words} in {PATIENCE_S} s:\n{self.glass.text}")

    def press(self, keys: str, named: str) -> None:
        """Press what the screen names by these words."""
        self.wait(named)
        os.write(self.master, keys.encode())

    def take(self, command: str, named: str = "") -> None:
        """The step that comes next: `>` opens its form, ctrl+s starts it."""
        self.press(">", f"next: {named or command}")
        self.wait(f"$ atft-tui {command}")
        if command == "train":
            self.wait("a run can start")
        self.press(CTRL_S, "(ctrl+s)")


@pytest.mark.slow
@pytest.mark.long
def test_an_evening_by_keys(tmp_path: Path) -> None:
    prices, workspace = tmp_path / "prices.csv", tmp_path / "ws"
    write_prices(prices)
    for setting in SETTINGS:
        set_key(workspace, *setting.split("=", 1))
    process, master = spawn(
        workspace, COLUMNS=str(WIDTH), LINES=str(HEIGHT), XDG_STATE_HOME=str(tmp_path / "state")
    )
    evening = Evening(master)
    try:
        evening.press("i", " i ingest ")
        evening.press(f"{prices}\r", "enter shows it")
        evening.press("\r", "enter stores it")
        evening.take("check")
        evening.take("train")
        evening.wait("running  ")  # the place where it is watched, to its end
        evening.take("backtest")
        evening.take("audit")
        evening.take("promote")
        told = evening.wait("next: signals", "next: train on")
        if told == "next: signals":
            evening.take("signals")
            evening.press("7", "next: schedule")
            evening.press("c", " c schedule once ")
            evening.wait("atft-tui schedule once")
        else:
            evening.wait("the gate refused")
        evening.press("q", " q quit ")
        assert process.wait(PATIENCE_S) == 0
    finally:
        (tmp_path / "screens.txt").write_text("\n\f\n".join(evening.screens))
        process.kill()
        os.close(master)
