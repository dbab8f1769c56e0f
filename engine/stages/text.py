"""Plain-text tables for people; numbers always with their uncertainty."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.records.judgement import is_noise


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] | None = None) -> str:
    """Columns padded to their widest cell; the first left, numbers right."""
    every = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not every:
        return ""
    widths = [max(len(row[i]) for row in every) for i in range(len(every[0]))]
    lines = []
    for row in every:
        cells = [
            cell.rjust(width) if i and _is_number(cell) else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    if header:
        lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)


def rank_ic(figures: Mapping[str, Any] | None) -> str:
    """``+0.0205 ± 0.0042  null ±0.0098 (n=252)``; ``~`` marks a value inside the null band."""
    if not figures or figures["rank_ic"] is None or math.isnan(figures["rank_ic"]):
        return "—"
    mean, se, band, n = (figures[k] for k in ("rank_ic", "rank_ic_se", "null_band", "n_dates"))
    noise = "~" if is_noise(mean, band) else " "
    return f"{noise}{mean:+.4f} ± {se:.4f}  null ±{band:.4f} (n={n})"


def training_text(summary: Mapping[str, Any]) -> str:
    """What `train` prints at its end."""
    head = f"run {summary['run_id']}: {summary['status']} in {summary['seconds']:.0f} s"
    if summary["status"] != "done":
        return f"{head}\ngo on with `atft-tui train --resume {summary['run_id']}`"
    h = summary["score_horizon"]
    rows = [["network", rank_ic(summary["best"]), rank_ic(summary["test"])]]
    rows += [
        [name, rank_ic(values.get("validation")), rank_ic(values.get("test"))]
        for name, values in summary["baselines"].items()
    ]
    phases = [
        [
            phase["name"],
            str(phase["epochs"]),
            f"{phase['rank_ic']:+.4f} ± {phase['rank_ic_se']:.4f}",
            "kept" if phase["kept"] else "rolled back",
        ]
        for phase in summary["phases"]
    ]
    parts = [
        head,
        table(phases, header=["phase", "epochs", "validation RankIC", ""]),
        table(rows, header=[f"RankIC, h={h}", "validation", "test (never used for choosing)"]),
        "± Newey-West standard error · null = 95 % band of shuffled scores · ~ = inside it",
    ]
    parts.append(_scoreboard_text(summary["scoreboard"]))
    parts += [
        f"doctor: {found['code']} at step {found['step']}, {found['action']}: {found['remedy']}"
        for found in summary["monitors"]["diagnoses"]
    ]
    parts += [f"note: {note}" for note in summary["data"]["notes"]]
    return "\n\n".join(parts)


def _scoreboard_text(criteria: Sequence[Mapping[str, Any]]) -> str:
    """The five criteria with value, verdict and evidence."""
    rows = []
    for criterion in criteria:
        form = ".1e" if criterion["name"] == "gat_gradient" else ".4f"
        value = "—" if math.isnan(criterion["value"]) else format(criterion["value"], form)
        error = "" if math.isnan(criterion["se"]) else f" ± {criterion['se']:{form}}"
        rows.append([criterion["goal"], value + error, criterion["verdict"], criterion["evidence"]])
    return table(rows, header=["criterion", "value", "verdict", "evidence"])


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "+-~ "
