"""A report as one self-contained HTML file, as Markdown, and as JSON."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jinja2
import msgspec

from engine.report.answers import Answer, answers
from engine.report.facts import Facts
from engine.report.sections import Section, sections

_FOOTER = (
    "Research output, not advice. Every figure is out of sample and in eval mode unless it says "
    "otherwise."
)


def _title(facts: Facts) -> str:
    return f"{facts.model}, out-of-sample report"


def _subtitle(facts: Facts, created: dt.datetime) -> str:
    return f"run {facts.run_id} · made {created:%Y-%m-%d %H:%M} UTC"


def html(facts: Facts, *, created: dt.datetime) -> str:
    """The report of a run as one HTML file."""
    return page(_title(facts), _subtitle(facts, created), answers(facts), sections(facts))


def markdown(facts: Facts, *, created: dt.datetime) -> str:
    """The report of a run as Markdown, without charts."""
    return text(_title(facts), _subtitle(facts, created), answers(facts), sections(facts))


def page(heading: str, sub: str, answered: Sequence[Answer], body: Sequence[Section]) -> str:
    """One file without scripts or outside references. Text from data is escaped, charts are our own."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("engine.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(
        title=heading, sub=sub, answers=answered, sections=body, footer=_FOOTER
    )


def text(heading: str, sub: str, answered: Sequence[Answer], body: Sequence[Section]) -> str:
    """The same without charts, for a terminal or a pull request."""
    lines = [f"# {heading}", "", sub, ""]
    for item in answered:
        lines += [f"**{item.question}** {_cell(item.answer)}  ", _cell(item.detail), ""]
    for section in body:
        lines += [f"## {_cell(section.title)}", ""]
        lines += [*map(_cell, section.text), ""] if section.text else []
        if section.rows:
            header = section.header or ("",) * len(section.rows[0])
            lines += [_row(header), _row(("---",) * len(header)), *map(_row, section.rows), ""]
        lines += [section.caption, ""] if section.caption else []
    return "\n".join(lines)


def as_json(facts: Facts, *, created: dt.datetime) -> dict[str, Any]:
    """Every figure of the report, for programs."""
    found = {
        name: msgspec.to_builtins(getattr(facts, name))
        for name in ("run_id", "train", "backtest", "quality", "audit", "sweep", "months", "trials",
                     "ablations", "comparisons", "manifest", "config")
    }  # fmt: skip
    found["created"] = created.isoformat()
    found["answers"] = [asdict(item) for item in answers(facts)]
    return found


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(words: str) -> str:
    """Text that cannot break a table or become markup."""
    return words.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
