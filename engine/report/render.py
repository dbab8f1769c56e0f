"""A report as one self-contained HTML file, as Markdown, JSON, tables and PDF."""

import datetime as dt
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
import markupsafe
import msgspec
import polars as pl

from engine.errors import EnvironmentProblem, UsageError
from engine.files import FORMULA, Json, atomic_path, strict, write_parquet, write_text
from engine.records import record
from engine.records.glossary import GLOSSARY, anchor_of, linked, terms_in
from engine.report.answers import Answer, answers
from engine.report.facts import Facts
from engine.report.sections import Section, sections
from engine.report.sections.section import flat

_FOOTER = (
    "Research output, not advice. Every figure is out of sample and in eval mode unless it says "
    "otherwise."
)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report before it has a format."""

    title: str
    subtitle: str
    answers: Sequence[Answer]
    sections: Sequence[Section]

    def html(self) -> str:
        """One file without scripts or outside references. Text from data is escaped, charts are our own."""
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("engine.report"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters["linked"] = _linked
        environment.filters["anchor"] = anchor_of
        return environment.get_template("report.html.j2").render(
            terms=[(name, GLOSSARY[name]) for name in terms_in(self._words())],
            title=self.title,
            sub=self.subtitle,
            answers=self.answers,
            sections=self.sections,
            footer=_FOOTER,
        )

    def _words(self) -> str:
        """Everything that is said, for the definitions that it needs."""
        words = [part for item in self.answers for part in (item.answer, item.detail)]
        for section in self.sections:
            words += [section.title, section.caption, *section.text, *section.header]
            words += [row[0] for row in section.rows]
        return "\n".join(words)

    def markdown(self) -> str:
        """The same without charts, for a terminal or a pull request."""
        lines = [f"# {self.title}", "", self.subtitle, ""]
        for item in self.answers:
            lines += [f"**{item.question}** {_cell(item.answer)}  ", _cell(item.detail), ""]
        for section in self.sections:
            lines += [f"## {_cell(section.title)}", ""]
            lines += [*map(_cell, section.text), ""] if section.text else []
            if section.rows:
                header = section.header or ("",) * len(section.rows[0])
                lines += [_row(header), _row(("---",) * len(header)), *map(_row, section.rows), ""]
            lines += [section.caption, ""] if section.caption else []
        return "\n".join(lines)


def document(facts: Facts, *, created: dt.datetime) -> Document:
    """The report of one run."""
    return Document(
        title=f"{facts.model}, out-of-sample report",
        subtitle=f"run {facts.run_id} · made {created:%Y-%m-%d %H:%M} UTC",
        answers=answers(facts),
        sections=sections(facts),
    )


def as_json(facts: Facts, *, created: dt.datetime) -> Json:
    """Every figure of the report, for programs."""
    found = {
        name: msgspec.to_builtins(getattr(facts, name))
        for name in ("run_id", "train", "backtest", "quality", "audit", "sweep", "months", "trials",
                     "ablations", "comparisons", "manifest", "config")
    }  # fmt: skip
    found["days"] = facts.words(facts.train.judged_days)
    found["created"] = created.isoformat()
    found["answers"] = [asdict(item) for item in answers(facts)]
    return found


def _linked(text: str) -> markupsafe.Markup:
    """A text with links to the definitions of its figures."""
    return markupsafe.Markup(linked(str(markupsafe.escape(text))))  # noqa: S704 - escaped before


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(words: str) -> str:
    """Text that cannot break a table or become markup."""
    return words.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def tables(facts: Facts) -> dict[str, pl.DataFrame]:
    """``""``: one row a session, also of the baselines' net returns; ``-holdings``; ``-figures``."""
    if facts.backtest is None or facts.daily is None:
        raise UsageError(
            f"{facts.run_id}: csv and parquet hold the simulation, and there is none yet",
            hint=f"run `atft-tui backtest {facts.run_id}` first",
        )
    daily = facts.daily
    if facts.baseline_returns is not None:
        wide = facts.baseline_returns.pivot(on="name", index="date", values="net_return")
        names = [name for name in wide.columns if name != "date"]
        wide = wide.rename({name: f"net_return_{name}" for name in names})
        daily = daily.join(wide, on="date", how="left").sort("date")
    told = record.as_json(facts.backtest)
    figures = {key: value for key, value in told.items() if not isinstance(value, list)}
    rows = [(key, None if value is None else str(value)) for key, value in flat(strict(figures))]
    found = {
        "": daily,
        "-figures": pl.DataFrame(
            rows, schema={"figure": pl.String, "value": pl.String}, orient="row"
        ),
    }
    if facts.holdings is not None:
        found["-holdings"] = facts.holdings
    return found


def write_tables(directory: Path, stem: str, facts: Facts, kind: str) -> list[Path]:
    """``<stem><name>.<kind>`` of each table; CSV text cells cannot be formulas, Parquet is untouched."""
    paths = []
    for name, frame in tables(facts).items():
        path = directory / f"{stem}{name}.{kind}"
        if kind == "csv":
            write_text(path, inert_cells(frame).write_csv())
        else:
            write_parquet(path, frame)
        paths.append(path)
    return paths


def inert_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Text cells that a spreadsheet would run get a leading apostrophe; numbers stay numbers.

    A figure written as text (``-0.5``) is no formula and is left alone.
    """
    return frame.with_columns(
        pl.when(_runs(pl.col(name))).then("'" + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, dtype in frame.schema.items()
        if dtype == pl.String
    )


def _runs(cell: pl.Expr) -> pl.Expr:
    risky = pl.any_horizontal(cell.str.starts_with(mark) for mark in FORMULA)
    return risky & cell.cast(pl.Float64, strict=False).is_null()


def _find_browser() -> str | None:
    """``ATFT_CHROMIUM`` if set, else the first known browser on the path."""
    given = os.environ.get("ATFT_CHROMIUM")
    if given:
        return given
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    return found or (str(_MAC) if _MAC.is_file() else None)


def write_pdf(page: str, path: Path) -> None:
    """Print an HTML page. An EnvironmentProblem says what is missing or what the browser said."""
    browser = _find_browser()
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
