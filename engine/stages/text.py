"""Plain-text tables for people; numbers always with their uncertainty."""

import shlex
from collections.abc import Sequence

from engine.records.comparison import RankICGap, RankICLevel
from engine.records.figure import DASH, Figure
from engine.records.names import model_name
from engine.records.rank_ic import RankICSummary
from engine.records.train import TrainResult


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


def line(found: RankICSummary | RankICLevel | RankICGap | None) -> str:
    """``+0.0205 ± 0.0042  null ±0.0098 (n=252)``, or as the figures say it; a dash where there are none."""
    return DASH if found is None else found.line


def next_step(command: str, configured: Sequence[str]) -> str:
    """The line that names the command to come, under the settings of the one that ended."""
    return f"next: `atft-tui {shlex.join((command, *configured))}`"


def of_oracle(found: TrainResult, figures: RankICSummary | None) -> str:
    """What share of the oracle's RankIC on the test days a model has; empty where there is no oracle."""
    oracle = found.baselines.get("oracle")
    if oracle is None or figures is None or not oracle.test.rank_ic > 0:
        return ""
    return f"  {figures.rank_ic / oracle.test.rank_ic:.0%} of the oracle"


def training_text(found: TrainResult) -> str:
    """What `train` prints at its end."""
    head = f"run {found.run_id}: {found.status} in {found.seconds:.0f} s"
    if found.status != "done":
        return f"{head}\ngo on with `atft-tui train --resume {found.run_id}`"
    models = {"network": (found.best, found.test)} | {
        name: (rival.validation, rival.test) for name, rival in found.baselines.items()
    }
    rows = [
        [model_name(name), line(chose), f"{line(test)}{of_oracle(found, test)}"]
        for name, (chose, test) in models.items()
    ]
    phases = [
        [
            phase.name,
            str(phase.epochs),
            Figure(phase.rank_ic, phase.rank_ic_se).text(),
            "kept" if phase.kept else "rolled back",
        ]
        for phase in found.phases
    ]
    h = found.score_horizon
    parts = [
        head,
        table(phases, header=["phase", "epochs", "validation RankIC", ""]),
        table(rows, header=[f"RankIC, h={h}", "validation", "test (never used for choosing)"]),
        "± Newey-West standard error · null = 95% band of shuffled scores · ~ = inside it",
        table(
            [[c.goal, c.value_text, c.verdict, c.evidence] for c in found.scoreboard],
            header=["criterion", "value", "verdict", "evidence"],
        ),
    ]
    if found.splits.refitted:
        parts.append(
            f"trained on data to {found.splits.trained_to}: test scores are those of a refit, "
            "validation scores those of the fit that chose"
        )
    if found.graph_worth or found.blocks_worth:
        parts.append(_worths(found))
    if found.monitors is not None:
        parts += [
            f"doctor: {told.code} at step {told.step}, {told.action}: {told.remedy}"
            for told in found.monitors.diagnoses
        ]
    parts += [f"note: {note}" for note in found.data.notes]
    return "\n\n".join([*parts, f"next: `atft-tui backtest {found.run_id}`"])


def _worths(found: TrainResult) -> str:
    """What goes with the graph's edges and with each block, on validation days."""
    told = {f"block {name}": worth for name, worth in (found.blocks_worth or {}).items()}
    if found.graph_worth is not None:
        graph = found.graph_worth
        told = {"edges": graph.without_edges, "random edges": graph.random_neighbours} | told
    rows = [[name, worth.share_text, worth.figure.text()] for name, worth in told.items()]
    return table(rows, header=["lost without", "score variance", "validation RankIC"])


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "+-~ "
