"""A report as one self-contained HTML file, as Markdown, and as JSON."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import jinja2
import msgspec

from engine.files import Json
from engine.report.answers import Answer, answers
from engine.report.facts import Facts
from engine.report.sections import Section, sections

_FOOTER = (
    "Research output, not advice. Every figure is out of sample and in eval mode unless it says "
    "otherwise."
)


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
        return environment.get_template("report.html.j2").render(
            title=self.title,
            sub=self.subtitle,
            answers=self.answers,
            sections=self.sections,
            footer=_FOOTER,
        )

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
    found["created"] = created.isoformat()
    found["answers"] = [asdict(item) for item in answers(facts)]
    return found


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(words: str) -> str:
    """Text that cannot break a table or become markup."""
    return words.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
