"""An evening at the keyboard: from a file of prices to a sealed signal, by keys that the screen names."""

import os
import re
import select
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.config.edit import set_key
from tests.conftest import SMALL
from tests.tui.test_terminal import spawn

SESSIONS, STOCKS = 420, 40
PATIENCE_S = 600.0
ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")
ENTER, CTRL_S = b"\r", b"\x13"


def write_prices(path: Path) -> None:
    """Stocks that come back on the day after they moved: there is something to learn."""
    rng = np.random.default_rng(0)
    days = pl.date_range(
        pl.date(2018, 1, 1), pl.date(2020, 1, 1), interval="1d", eager=True
    ).filter(pl.int_range(731, eager=True) % 7 < 5)[:SESSIONS]
    moves = rng.normal(0, 0.015, (SESSIONS, STOCKS))
    for day in range(1, SESSIONS):
        moves[day] -= 0.4 * moves[day - 1]
    close = (30 * np.exp(moves.cumsum(axis=0))).ravel()
    pl.DataFrame(
        {
            "date": np.repeat(days.to_numpy(), STOCKS),
            "symbol": [f"S{n:02d}" for n in range(STOCKS)] * SESSIONS,
            "open": close, "high": close * 1.01, "low": close * 0.99, "close": close,
            "volume": np.full(close.size, 1e7),
        }
    ).write_csv(path)  # fmt: skip


@dataclass
class Evening:
    """The program at our end of its terminal, and all that it painted."""

    master: int
    seen: str = ""
    read: int = 0
    """How much of it the person has read."""
    raw: bytearray = field(default_factory=bytearray)

    def wait(self, *words: str) -> str:
        """Read on until one of these stands on the screen; which one."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if select.select([self.master], [], [], 0.2)[0]:
                self.raw += os.read(self.master, 65536)
                self.seen = ESCAPES.sub(b"", bytes(self.raw)).decode("utf-8", "replace")
            new = self.seen[self.read :]
            for word in words:
                if word in new:
                    self.read += new.index(word) + len(word)
                    return word
        raise AssertionError(f"none of {words} in {PATIENCE_S} s: ...{self.seen[-1500:]}")

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def take(self, command: str, *then: str) -> str:
        """The step that the screen names: `>` opens its form, ctrl+s starts it."""
        self.press(b">")
        self.wait(f"$ atft-tui {command}")
        self.wait("a run can start" if command == "train" else "(ctrl+s)")
        self.press(CTRL_S)
        return self.wait(*then)


@pytest.mark.slow
def test_an_evening_by_keys(tmp_path: Path) -> None:
    prices, workspace = tmp_path / "prices.csv", tmp_path / "ws"
    write_prices(prices)
    for setting in (
        *SMALL,
        "training.day_stride=4",
        "training.null_draws=50",
        "universe.min_price=0",
        "universe.min_turnover=0",
    ):
        set_key(workspace, *setting.split("=", 1))
    process, master = spawn(
        workspace, COLUMNS="160", LINES="48", XDG_STATE_HOME=str(tmp_path / "state")
    )
    try:
        evening = Evening(master)
        evening.wait("i  ingest")
        evening.press(b"i")
        evening.wait("enter shows it")
        evening.press(str(prices).encode() + ENTER)
        evening.wait("enter stores it")
        evening.press(ENTER)
        evening.wait("next: check")
        evening.take("check", "next: train")
        evening.take("train", "next: backtest")
        evening.take("backtest", "next: audit")
        evening.take("audit", "next: promote")
        told = evening.take("promote", "next: signals", "next: train on")
        if told == "next: signals":
            evening.take("signals", "next: schedule")
        else:
            assert "the gate refused" in evening.seen
        assert '{"' not in evening.seen
        evening.press(b"q")
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        os.close(master)
