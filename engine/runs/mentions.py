"""Who else names a run: the champion, sealed signals, comparisons, searches. Asked before one is deleted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import read_json

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Mentions:
    champion: bool = False
    """The networks that trade now were packed from this run."""
    seals: tuple[str, ...] = ()
    """Sealed signals of networks that were packed from this run."""
    others: tuple[str, ...] = ()
    """Comparisons and searches."""

    def sentences(self) -> list[str]:
        """What deleting the run does to each, for the question and the answer."""
        lines = []
        if self.champion:
            lines.append("it is the source of the champion")
        if self.seals:
            lines.append(
                f"sealed signals rest on it: {_few(self.seals)}; they keep a copy of its networks and can "
                "be replayed, but its training can no longer be looked at"
            )
        if self.others:
            lines.append(
                f"part of {_few(self.others)}; the figures stay, to go on with it trains the run again"
            )
        return lines


def mentions(workspace: Path, run_ids: Iterable[str]) -> dict[str, Mentions]:
    """Mentions of each run. A file that cannot be read is an EngineError: nothing is deleted on a guess."""
    models = _models(workspace)
    reign = _reigning(workspace)
    seals = _seals(workspace)
    found = {}
    for run_id in run_ids:
        own = {model for model, run in models if run == run_id}
        named = [name for name, model in seals if model in own]
        others = [name for name, runs in _others(workspace) if run_id in runs]
        found[run_id] = Mentions(reign == run_id, tuple(named), tuple(others))
    return found


def _history(workspace: Path) -> list[Mapping[str, Any]]:
    path = workspace / "models" / "champion.json"
    return list(read_json(path)["history"]) if path.is_file() else []


def _models(workspace: Path) -> list[tuple[str, str]]:
    """Package and run of every entry that names both."""
    history = _history(workspace)
    return [(str(e["model"]), str(e["run"])) for e in history if e.get("run")]


def _reigning(workspace: Path) -> str:
    """The run that the present champion was packed from; empty without a champion."""
    reigns = [e for e in _history(workspace) if e["action"] in ("promoted", "rolled back")]
    if not reigns:
        return ""
    model = reigns[-1]["model"]
    return next((run for known, run in reversed(_models(workspace)) if known == model), "")


def _seals(workspace: Path) -> list[tuple[str, str]]:
    """Name and model of every sealed signal."""
    paths = sorted((workspace / "signals").glob("[0-9]*/manifest.json"))
    return [(path.parent.name, str(read_json(path).get("model", ""))) for path in paths]


def _others(workspace: Path) -> list[tuple[str, set[str]]]:
    """Name of every comparison and search, and the runs it is made of."""
    found = []
    for path in sorted((workspace / "compare").glob("*.json")):
        values = read_json(path)
        runs = {str(run["run_id"]) for run in values.get("runs", ())}
        for variant in values.get("variants", ()):
            runs |= {str(run) for run in variant["runs"].values()}
        found.append((f"comparison {path.stem}", runs | {str(values.get("run_id", ""))}))
    for path in sorted((workspace / "tune").glob("*/study.json")):
        values = read_json(path)
        runs = {str(row["run_id"]) for row in values.get("trials", ())}
        found.append((f"search {path.parent.name}", runs | {str(values.get("run_id", ""))}))
    return found


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
