"""`features`: what the network is fed, by name, and which of it the data of the workspace allow; and a
feature of one's own, which is accepted where the audit finds it blind.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from engine.audit.audit import audit_features
from engine.config import Config
from engine.data.store import PanelStore
from engine.data.tables import SECTORS, RawTables, has_sectors
from engine.errors import EngineError, GateError, UsageError
from engine.features.catalog import catalog_of, families_of, find, off, told, write_catalog
from engine.features.feature import Feature
from engine.features.own import of_file, refused
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
    FeatureFigures,
    accepted_texts,
    feature_source,
    own_files,
    own_text,
)
from engine.records.figure import Figure
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_HEADER = ["feature", "family", "unit", "look-back", "scope", "table", "", "cover", "RankIC alone"]
_FILES = (".toml", ".py")
_LEVELS = ("price", "currency", "shares")


def features(
    context: StageContext,
    *,
    action: str,
    name: str | None = None,
    text: str | None = None,
    family: str | None = None,
) -> Outcome:
    """list: every feature, or those of a family; show: one, with what it is made of; add and check: one of
    one's own.

    list also writes all of them to ``features/catalog.json``, which the screen shows.
    """
    if text is not None and action != "add":
        raise UsageError(f"features {action} takes no {text!r}", hint="`features add NAME TEXT`")
    if action in ("add", "check"):
        return _add(context, name, text) if action == "add" else _check(context, name)
    if action == "show":
        if name is None:
            raise UsageError("features show needs a name", hint="`atft-tui features list` has them")
        return _show(context, name)
    if name is not None:
        raise UsageError(
            f"features list takes no name, got {name!r}", hint=f"`features show {name}`"
        )
    return _list(context, family)


def _list(context: StageContext, family: str | None) -> Outcome:
    catalog = catalog_of(context.config.features)
    families = families_of(catalog)
    if family is not None and family not in families:
        near = get_close_matches(family, families, n=3)
        raise UsageError(
            f"no family is named {family!r}",
            hint=f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(families)}",
        )
    chosen = [feature for feature in catalog if family in (None, feature.family)]
    present = _present(context)
    count, core = Counter(f.family for f in chosen), Counter(f.family for f in chosen if f.core)
    why = {feature.name: off(feature, context.config, present) for feature in chosen}
    on = {feature.family for feature in chosen if why[feature.name] is None}
    reason = {f.family: why[f.name] for f in reversed(chosen) if f.family not in on}
    write_catalog(context.workspace / "features", context.config, present)
    figures = _figures(context)
    rows = [
        [
            *(f.name, f.family, f.unit, f"{f.lookback}", f.scope, f.source),
            "core" if f.core else "",
            *_written(figures.get(f.name, FeatureFigures())),
        ]
        for f in chosen
    ]
    summary = [
        [name, f"{n}", f"{core[name]}", f"off: {reason[name]}" if name in reason else "on"]
        for name, n in count.items()
    ]
    summary.append(["all", f"{len(chosen)}", f"{sum(core.values())}", ""])
    text = f"{table(rows, header=_HEADER)}\n\n{table(summary, header=['family', 'features', 'core', ''])}"
    if present is None:
        text += "\nno market data in the workspace yet, so no table is known to be missing"
    left_out = refused(context.config.features)
    if left_out:
        text += f"\nnot accepted: {', '.join(left_out)} (`atft-tui features check`)"
    answer = {
        "refused": list(left_out),
        "features": [
            told(f) | record.as_json(figures.get(f.name, FeatureFigures())) for f in chosen
        ],
        "families": {
            name: {"features": n, "core": core[name], "off": reason.get(name)}
            for name, n in count.items()
        },
        "data": present is not None,
    }
    return Outcome(json=answer, text=text)


def _show(context: StageContext, name: str) -> Outcome:
    feature = find(name, context.config.features)
    why = off(feature, context.config, _present(context))
    figures = _figures(context).get(name, FeatureFigures())
    coverage, worth = _written(figures)
    rows = [
        ["family", feature.family],
        ["formula", feature.formula],
        ["unit", feature.unit],
        ["look-back", f"{feature.lookback} sessions"],
        ["scope", "ranked within the day" if feature.scope == "stock" else "one value a day"],
        ["table", feature.source],
        ["from", feature.published],
        ["core", "yes" if feature.core else "no"],
        ["here", f"off: {why}" if why else "on"],
        ["cover", coverage],
        ["RankIC", f"{worth} alone, on training days of the newest run"],
    ]
    return Outcome(
        json=told(feature) | {"off": why} | record.as_json(figures),
        text=f"{name}\n" + "\n".join(f"  {key:<10} {value}" for key, value in rows),
    )


def _figures(context: StageContext) -> dict[str, FeatureFigures]:
    """What files say of each feature; one without any figure is left out."""
    store = PanelStore(context.workspace / "data")
    chain = None if store.is_empty else store.snapshot().chain
    return feature_source(context.workspace, chain).figures()


def _written(figures: FeatureFigures) -> list[str]:
    """Coverage and RankIC with its standard error; a dash for what no file says."""
    known, mean, error = figures.coverage, figures.rank_ic, figures.rank_ic_se
    return [
        "-" if known is None else f"{known:.1%}",
        "-" if mean is None or error is None else Figure(mean, error).text(),
    ]


def _present(context: StageContext) -> Collection[str] | None:
    """Tables with rows in the current snapshot; None before the first ingest."""
    store = PanelStore(context.workspace / "data")
    if store.is_empty:
        return None
    tables = store.snapshot().optional_tables()
    with_rows = {name for name, about in tables.items() if about.rows}
    return with_rows | ({SECTORS} if has_sectors(store.securities()) else set())


def _add(context: StageContext, name: str | None, text: str | None) -> Outcome:
    """Write ``features/NAME`` and check it; a file that the audit refuses is not kept.

    ``text``: an expression, or a file to take; without it a set of that name, or a file that lies there.
    """
    if name is None or not name.isidentifier():
        raise UsageError(
            f"features add needs a name of letters, digits and _ (given: {name})",
            hint=f'`features add NAME "close / Mean(close, 20)"`, or one of {", ".join(SETS)}',
        )
    if text is None and name not in SETS:
        return _check(context, name)
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
        return _check(context, name)
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


def _check(context: StageContext, name: str | None) -> Outcome:
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
