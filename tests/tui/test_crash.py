"""A bug leaves a report without secrets, a terminal as it was, and exit code 1."""

import datetime as dt
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atft_tui import crash
from atft_tui.app import CockpitApp
from atft_tui.crash import is_lost
from atft_tui.screens.home import HomeScreen
from engine.secrets import _MASK, redact
from tests.tui.test_terminal import CURSOR_ON, ENTERED, LEFT, MOUSE_OFF, PATIENCE_S, read_until

NOW = dt.datetime(2026, 1, 5, 9, 30, tzinfo=dt.UTC)


def failing() -> Exception:
    password = "local-value-of-a-variable"  # noqa: F841 - must not be in the report
    try:
        raise ValueError("api_key=AbC123 at https://me:pw@example.com/x?token=t0k\x1b[31m")
    except ValueError as error:
        return error


def test_a_report_by_hand(tmp_path: Path) -> None:
    path = crash.write_report(tmp_path, failing(), screen="HomeScreen", size=(80, 24), now=NOW)
    assert path == tmp_path / "logs" / "crash-20260105-093000-000000.txt"
    text = path.read_text()
    for wanted in ("HomeScreen", "80x24", "textual", "ValueError", "test_crash.py", "2026-01-05"):
        assert wanted in text
    for secret in ("AbC123", "me:pw", "t0k", "local-value", "\x1b"):
        assert secret not in text
    assert "example.com" in text


@pytest.mark.parametrize(
    ("told", "secret"),
    [
        ("GET https://user:hunter2@host/path", "hunter2"),
        ("POST https://hooks.slack.com/services/T00/B00/xyz", "T00/B00"),
        ("GET https://api.example.com/v2?apikey=abc&x=1", "abc"),
        ("{'x-api-key': 'q1w2'}", "q1w2"),
        ('smtp_password = "open sesame', "open"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("JQUANTS_API_KEY=zzz", "zzz"),
        ("key eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx.sIg", "eyJhbGci"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39"),
        ("d41d8cd98f00b204e9800998ecf8427e", "d41d8"),
    ],
)
def test_what_looks_like_a_secret_is_masked(told: str, secret: str) -> None:
    masked = redact(told, {})
    assert secret not in masked
    assert _MASK in masked


@pytest.mark.parametrize(
    "told",
    [
        'File "/home/me/lib/python3.11/site-packages/textual/worker.py", line 370, in _run',
        "NoMatches: No nodes match '#home-card' on HomeScreen(classes='narrow')",
        "run 20261125-183044-train-777e of 2016-12-30",
        "KeyError: 'test'",
    ],
)
def test_the_rest_stays(told: str) -> None:
    assert redact(told, {}) == told


@given(st.text(st.characters(categories=("L", "N")), min_size=6, max_size=60), st.text(max_size=40))
def test_a_value_of_the_environment_is_masked_wherever_it_stands(value: str, before: str) -> None:
    environment = {"MY_API_TOKEN": value, "ATFT_WEBHOOK_URL": ""}
    assert value not in redact(f"{before} {value} after", environment)


def test_only_the_newest_reports_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "KEPT", 2)
    for number in range(4):
        now = NOW + dt.timedelta(seconds=number)
        crash.write_report(tmp_path, failing(), screen="x", size=(1, 1), now=now)
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert len(names) == crash.KEPT
    assert "093002" in names[0]


async def test_a_screen_that_raises_ends_the_app_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: HomeScreen) -> None:
        raise AttributeError("token=abc123 is no attribute")

    monkeypatch.setattr(HomeScreen, "read", broken)
    app = CockpitApp(tmp_path)
    with pytest.raises(BaseException, match="AttributeError"):
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(1.0)
    assert app.return_code == 1
    reports = list((tmp_path / "logs").glob("crash-*.txt"))
    assert len(reports) == 1
    text = reports[0].read_text()
    assert "AttributeError" in text
    assert "in broken" in text
    assert "HomeScreen" in text
    assert "abc123" not in text
    assert str(reports[0]) in app.crash_told


BROKEN = """
import sys
from pathlib import Path
from atft_tui import app
from atft_tui.screens.home import HomeScreen
from engine.secrets import _MASK, redact
def broken(self):
    password = "a-local-variable"
    raise AttributeError("secret=hunter2 is no attribute")
HomeScreen.read = broken
sys.exit(app.run(Path(sys.argv[1])))
"""


def test_the_terminal_is_sane_after_a_bug_and_stderr_names_the_report(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", BROKEN, str(tmp_path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(slave)
    seen = bytearray()
    try:
        read_until(master, LEFT, seen)
        read_until(master, b"never written, reads to the end", seen)
        assert process.wait(PATIENCE_S) == 1
    finally:
        process.kill()
        os.close(master)
    after = bytes(seen[seen.rindex(ENTERED) :])
    assert MOUSE_OFF in after
    assert after.rindex(CURSOR_ON) > after.rindex(b"\x1b[?25l")
    (report,) = (tmp_path / "logs").glob("crash-*.txt")
    told = after[after.rindex(LEFT) :].decode()
    assert report.name in told.replace("\r\n", "")
    for secret in ("hunter2", "a-local-variable"):
        assert secret not in report.read_text() + seen.decode(errors="replace")


def test_a_terminal_is_lost_when_its_other_end_is_closed() -> None:
    """The app then ends; before, it asked the dead terminal without a pause, at full load."""
    master, terminal = os.openpty()
    assert not is_lost(terminal)
    os.close(master)
    assert is_lost(terminal)
    os.close(terminal)
