"""`features`: what the network is fed, by name, and which of it the data of the workspace allow."""

from collections import Counter
from collections.abc import Collection
from difflib import get_close_matches

from engine.data.store import PanelStore
from engine.data.tables import SECTORS, has_sectors
from engine.errors import UsageError
from engine.features.catalog import catalog_of, families_of, find, off, told, write_catalog
from engine.features.own import refused
from engine.records import record
from engine.records.features import FeatureFigures, feature_source
from engine.records.figure import Figure
from engine.stages.context import Outcome, StageContext
from engine.stages.own_features import add, check
from engine.stages.text import table

_HEADER = ["feature", "family", "unit", "look-back", "scope", "table", "", "cover", "RankIC alone"]


def features(
    context: StageContext,
    *,
    action: str,
    name: str | None = None,
    text: str | None = None,
    family: str | None = None,
) -> Outcome:
    """list: every feature, or those of a family; show: one, with what it is made of; add and check: see
    `engine.stages.own_features`.

    list also writes all of them to ``features/catalog.json``, which the screen shows.
    """
    if text is not None and action != "add":
        raise UsageError(f"features {action} takes no {text!r}", hint="`features add NAME TEXT`")
    if action in ("add", "check"):
        return add(context, name, text) if action == "add" else check(context, name)
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
