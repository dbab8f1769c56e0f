"""The real command line obeys nothing that a file, a key or a name of a directory tells it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.plain_text import clean_lines

ESCAPES = "\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202eevil\u2066\x7f\x08"
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
"""Every control of ASCII but tab and line feed."""
WIDE = re.compile("[\x80-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")


def said(workspace: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """What a process of its own prints, after a look at every byte of it."""
    command = [sys.executable, "-m", "atft_tui", *words]
    environment = {**os.environ, "ATFT_WORKSPACE": str(workspace), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    for stream in (done.stdout, done.stderr):
        assert not FORBIDDEN.search(stream), stream
        assert not WIDE.search(stream.decode()), stream
    return done


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """Two stocks, twenty sessions; the code of one would set the title of the terminal."""
    rows = ["date,symbol,open,high,low,close,volume"]
    for day in range(20):
        rows += [
            f"2020-01-{day + 1:02},{code},10,11,9,{10 + day % 2},100"
            for code in (f"S0{ESCAPES}", "S1")
        ]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("as_json", [False, True])
def test_codes_of_a_price_file(prices: Path, tmp_path: Path, as_json: bool) -> None:
    words = ("ingest", "--source", "files", "--prices", str(prices))
    done = said(tmp_path / "w", *words, *(["--json"] if as_json else []))
    assert done.stdout + done.stderr
    if as_json:
        assert isinstance(json.loads(done.stdout), dict)


def test_headers_that_are_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"date,{ESCAPES}sym,open\n2020-01-01,a,1\n")
    done = said(tmp_path / "w", "ingest", "--source", "files", "--prices", str(path))
    assert done.returncode != 0
    assert b"sym" in done.stderr


def test_keys_of_the_configuration_and_names_of_files(tmp_path: Path) -> None:
    workspace = tmp_path / f"w{ESCAPES}"
    workspace.mkdir()
    (workspace / "config.toml").write_text('[data]\n"a\\u001b[2Jb\\u202e" = 1\n')
    done = said(workspace, "runs")
    assert (done.returncode, b"unknown" in done.stderr.lower()) == (2, True), done.stderr
    (workspace / "config.toml").unlink()
    assert said(workspace, "check").returncode != 0
    assert said(tmp_path, "signals", "--positions", f"none{ESCAPES}.csv").returncode != 0


def test_words_that_the_parser_itself_refuses(tmp_path: Path) -> None:
    for words in (
        (ESCAPES.replace("\x00", ""),),
        ("runs", f"--{ESCAPES}"),
        ("runs", "--set", ESCAPES),
    ):
        assert said(tmp_path, *words).returncode == 2


def test_only_a_line_feed_breaks_a_line() -> None:
    assert clean_lines("one\r\ntwo\n\nfour\n") == "one\ntwo\n\nfour"
    assert clean_lines("") == ""
    for mark in ("\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"):
        assert clean_lines(f"S01{mark}verdict: ok") == "S01 verdict: ok"
