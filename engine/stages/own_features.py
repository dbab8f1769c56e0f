"""`features add` and `features check`: a feature of one's own is accepted where the audit finds it blind."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from engine.audit.audit import audit_features
from engine.config import Config
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.errors import EngineError, GateError, UsageError
from engine.features.catalog import catalog_of
from engine.features.feature import Feature
from engine.features.own import of_file
from engine.features.own_code import place_code
from engine.features.sets import SETS
from engine.files import read_toml_text, write_text
from engine.hashes import sha256
from engine.records import record
from engine.records.features import (
    ACCEPTED,
    FOLDER,
    Acceptance,
    AcceptedFeatures,
    accepted_texts,
    own_files,
    own_text,
)
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_FILES = (".toml", ".py")
_LEVELS = ("price", "currency", "shares")


def add(context: StageContext, name: str | None, text: str | None) -> Outcome:
    """Write ``features/NAME`` and check it; a file that the audit refuses is not kept.

    ``text``: an expression, or a file to take; without it a set of that name, or a file that lies there.
    """
    if name is None or not name.isidentifier():
        raise UsageError(
            f"features add needs a name of letters, digits and _ (given: {name})",
            hint=f'`features add NAME "close / Mean(close, 20)"`, or one of {", ".join(SETS)}',
        )
    if text is None and name not in SETS:
        return check(context, name)
    content, suffix = _content(name, text)
    path = context.workspace / FOLDER / f"{name}{suffix}"
    there = own_files(context.workspace).get(name)
    if there is not None and (there != path or path.read_text(encoding="utf-8") != content):
        raise UsageError(
            f"{there} is there already", hint=f"edit it and `features check {name}`, or delete it"
        )
    if suffix == ".toml":
        of_file(name, content)  # a misspelt expression leaves no file behind
    write_text(path, content, listed=False)
    try:
        return check(context, name)
    except EngineError:
        if there is None:
            path.unlink()
        raise


def _content(name: str, text: str | None) -> tuple[str, str]:
    """What the file will hold, and how its name ends."""
    if text is None:
        return SETS[name], ".toml"
    source = Path(text)
    if source.suffix in _FILES and len(text) < 1000:
        return read_toml_text(source), source.suffix
    return f"expression = {json.dumps(text, ensure_ascii=False)}\n", ".toml"


def check(context: StageContext, name: str | None) -> Outcome:
    """Audit one own file, or all of them; GateError, naming the feature and the first session, for a leak."""
    files = own_files(context.workspace)
    if name is not None and name not in files:
        known = ", ".join(files) or "none"
        raise UsageError(
            f"no file of {context.workspace / FOLDER} is named {name}", hint=f"there: {known}"
        )

    @cache
    def stored() -> tuple[str, RawTables]:
        """Id and tables of the current snapshot, read once for all files."""
        snapshot = PanelStore(context.workspace / "data").snapshot()
        return snapshot.id, snapshot.raw()

    checked = [_accepted(context, one, files[one], stored) for one in ([name] if name else files)]
    now = _with_own(context, accepted_texts(context.workspace))
    catalog_of(now.features)  # no two of one name
    rows = [[f.name, f.unit, f"{f.lookback}", f.scope, f.source] for one in checked for f in one]
    levels = [f.name for one in checked for f in one if f.scope == "stock" and f.unit in _LEVELS]
    lines = [
        table(rows, header=["accepted", "unit", "look-back", "scope", "table"]),
        f"the audit altered the future: {len(rows)} columns of {len(checked)} files did not change",
    ]
    if levels:
        lines.append(
            f"note: {', '.join(levels[:5])}: levels say little between stocks; divide by a like one"
        )
    answer = {
        "accepted": [row[0] for row in rows],
        "files": list(files if name is None else [name]),
    }
    return Outcome(json=answer, text="\n".join(lines))


def _with_own(context: StageContext, texts: dict[str, str]) -> Config:
    features = context.config.features.model_copy(update={"own": texts})
    return context.config.model_copy(update={"features": features})


def _accepted(
    context: StageContext, name: str, path: Path, stored: Callable[[], tuple[str, RawTables]]
) -> tuple[Feature, ...]:
    """The features of a file, after the audit of them alone; its hash is kept."""
    text, hashed = own_text(path), sha256(path)
    place_code(context.workspace, {name: text})
    found = of_file(name, text)
    catalog_of(_with_own(context, {name: text}).features)
    snapshot, raw = stored()
    context.sink.emit(StageStarted(stage="audit"))
    leaks = audit_features(raw, _alone(context.config, name, text, found), context.sink)
    ours = [leak for leak in leaks if leak.name in {feature.name for feature in found}]
    if leaks and not ours:
        raise GateError(
            f"{leaks[0].check}: {leaks[0].name} leaks, so {name} cannot be judged",
            hint="`atft-tui audit` tells more",
        )
    if ours:
        first, more = (
            ours[0],
            f" ({len({leak.name for leak in ours})} columns)" if len(ours) > 1 else "",
        )
        where = f"{first.day} {first.symbol}".strip()
        raise GateError(
            f"{first.name} is refused: {first.detail}; first on {where}{more}",
            hint="a feature may use what is known at the close of its session, and nothing later",
            details={"leaks": [record.as_json(leak) for leak in ours]},
        )
    kept = (
        record.read_if_there(context.workspace / ACCEPTED, AcceptedFeatures) or AcceptedFeatures()
    )
    acceptance = Acceptance(
        sha256=hashed,
        columns=tuple(feature.name for feature in found),
        snapshot=snapshot,
        when=context.now().isoformat(timespec="seconds"),
    )
    record.write(
        context.workspace / ACCEPTED, AcceptedFeatures(files={**kept.files, name: acceptance})
    )
    return found


def _alone(config: Config, name: str, text: str, found: tuple[Feature, ...]) -> Config:
    """The configuration with these columns and no others, and without a graph that nothing here reads."""
    features = config.features.model_copy(
        update={
            "families": ("all",),
            "breadth": "named",
            "columns": tuple(feature.name for feature in found),
            "own": {name: text},
        }
    )
    graph = config.graph.model_copy(update={"kind": "none"})
    return config.model_copy(update={"features": features, "graph": graph})
