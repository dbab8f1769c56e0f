"""The report as PDF, printed by a headless Chromium where one is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine.errors import EnvironmentProblem
from engine.files import atomic_path

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_TIMEOUT_S = 60


def find_browser() -> str | None:
    """``ATFT_CHROMIUM`` if set, else the first known browser on the path."""
    given = os.environ.get("ATFT_CHROMIUM")
    if given:
        return given
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    return found or (str(_MAC) if _MAC.is_file() else None)


def write_pdf(page: str, path: Path) -> None:
    """Print an HTML page. An EnvironmentProblem says what is missing or what the browser said."""
    browser = find_browser()
    if browser is None:
        raise EnvironmentProblem(
            "pdf needs Chromium or Chrome, and none is installed",
            hint="install chromium, set ATFT_CHROMIUM, or print the html from any browser",
        )
    with tempfile.TemporaryDirectory() as directory, atomic_path(path) as temporary:
        source = Path(directory) / "report.html"
        source.write_text(page, encoding="utf-8")
        words = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer",
            f"--user-data-dir={directory}/profile", f"--print-to-pdf={temporary.resolve()}",
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            words.append("--no-sandbox")  # Chromium refuses to sandbox root; the page is our own
        try:
            done = subprocess.run(
                [*words, source.as_uri()],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentProblem(f"{browser}: {error}", hint="set ATFT_CHROMIUM") from error
        if done.returncode != 0 or not temporary.is_file():
            words_of_it = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise EnvironmentProblem(f"{browser} printed no pdf: {words_of_it}")
