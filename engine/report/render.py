"""The report as one self-contained HTML file, as Markdown, and as JSON."""

import datetime as dt
from dataclasses import asdict
from typing import Any

import jinja2

from engine.report.answers import answers
from engine.report.facts import Facts
from engine.report.sections import sections

TITLE = "ATFT-GAT-FAN, out-of-sample report"


def html(facts: Facts, *, created: dt.datetime) -> str:
    """One file without scripts or outside references. Text from data is escaped, charts are our own."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("engine.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(
        title=TITLE,
        run_id=facts.run_id,
        created=f"{created:%Y-%m-%d %H:%M} UTC",
        answers=answers(facts),
        sections=sections(facts),
    )


def markdown(facts: Facts, *, created: dt.datetime) -> str:
    """The same without charts, for a terminal or a pull request."""
    lines = [f"# {TITLE}", "", f"run {facts.run_id}, made {created:%Y-%m-%d %H:%M} UTC", ""]
    for item in answers(facts):
        lines += [f"**{item.question}** {_cell(item.answer)}  ", _cell(item.detail), ""]
    for section in sections(facts):
        lines += [f"## {section.title}", ""]
        lines += [*map(_cell, section.text), ""] if section.text else []
        if section.rows:
            header = section.header or ("",) * len(section.rows[0])
            lines += [_row(header), _row(("---",) * len(header)), *map(_row, section.rows), ""]
        lines += [section.caption, ""] if section.caption else []
    return "\n".join(lines)


def as_json(facts: Facts, *, created: dt.datetime) -> dict[str, Any]:
    """Every figure of the report, for programs."""
    return {
        "run_id": facts.run_id,
        "created": created.isoformat(),
        "answers": [asdict(item) for item in answers(facts)],
        "train": facts.train,
        "backtest": facts.backtest,
        "quality": facts.quality,
        "months": facts.months,
        "quantile_returns": facts.quantile_returns,
        "quantile_errors": facts.quantile_errors,
        "manifest": facts.manifest,
        "config": facts.config,
    }


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Text that cannot break a table or become markup."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
