"""What `compare` found on the same features: what each part of the network, and its size, is worth."""

from collections.abc import Mapping
from typing import Any

from engine.report.facts import Facts
from engine.report.sections.section import Section, shown, with_error


def ablations(facts: Facts) -> Section:
    return _section(
        facts,
        "ablations",
        title="What each part is worth",
        text="Each row is the network without one part, trained anew with the same seeds on the same days. "
        "Negative: the part helps. `earns its place` or `costs` only if the whole interval and every seed "
        "lie on one side of zero.",
    )


def sizes(facts: Facts) -> Section:
    return _section(
        facts,
        "sizes",
        title="Size of the network",
        text="Each width trained with the same seeds on the same days, against the first.",
    )


def _section(facts: Facts, kind: str, *, title: str, text: str) -> Section:
    """The newest comparison of the kind; without one the section is left out."""
    found = next((made for made in facts.comparisons if made["kind"] == kind), None)
    if found is None:
        return Section(title="")
    share = f"{found['confidence']:.0%}"
    rows = tuple(_row(row) for row in found["variants"])
    failed = [f"{row['name']}: {words}" for row in found["variants"] for words in row["errors"]]
    chance = (1.0 - found["confidence"]) * (len(rows) - 1)
    return Section(
        title=title,
        text=(text, *failed),
        header=("", "parameters", "test RankIC", "between seeds", f"less {found['reference']}, {share}",
                "verdict"),
        rows=rows,
        caption=f"Comparison {found['id']}: {found['seeds']} seeds, h={found['score_horizon']} sessions; "
        f"scores averaged over seeds, interval by stationary block bootstrap over days. Of {len(rows) - 1} "
        f"such intervals {chance:.1f} miss zero by chance alone.",
    )  # fmt: skip


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    test = row["test"] or {"rank_ic": None, "rank_ic_se": None, "seed_deviation": None}
    gap = (row["difference"] or {}).get("test")
    interval = "—"
    if gap is not None:
        low, high = shown(gap["low"], "+.4f"), shown(gap["high"], "+.4f")
        interval = f"{shown(gap['difference'], '+.4f')} [{low}, {high}]"
    return (
        row["name"],
        "—" if row["parameters"] is None else f"{row['parameters']:,}",
        with_error(test["rank_ic"], test["rank_ic_se"]),
        shown(test["seed_deviation"], ".4f"),
        interval,
        row.get("verdict", "reference"),
    )
