"""Features from expressions: what a text tells of its feature, and the catalogue's own ones."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from engine.data.tables import SECTORS
from engine.features.context import Array, Context
from engine.features.expression import Node, parse
from engine.features.families.written import CORE, PARTS, Row
from engine.features.feature import AT_CLOSE, Feature, Together
from engine.features.plan import Plan

_WORD = re.compile(r"[A-Za-z_]\w*")
_SCALE = 252
"""Sessions that scaling a market-scope feature looks back further."""
_PUBLISHED = "what its table had published by the close"


def expressed(
    root: Node,
    plan: Plan,
    *,
    name: str,
    family: str,
    formula: str,
    unit: str = "",
    core: bool = False,
    text: str = "",
    together: Together | None = None,
) -> Feature:
    """The feature of an expression: look-back, table, scope and, unless it is given, unit follow from it."""

    def compute(x: Context) -> Array:
        value_NS = plan.value(root, x)
        if np.isinf(value_NS).any():
            value_NS = np.where(np.isinf(value_NS), np.nan, value_NS)
        return value_NS[0] if root.market else value_NS

    return Feature(
        name=name,
        family=family,
        formula=formula,
        unit=unit or ("0 or 1" if root.truth else root.unit.text() if root.unit else "1"),
        lookback=plan.lookback(root) + (_SCALE if root.market else 0),
        compute=compute,
        scope="market" if root.market else "stock",
        source="+".join(sorted(root.sources)) or "bars",
        published=_PUBLISHED if root.sources - {SECTORS} else AT_CLOSE,
        core=core,
        depth=max(1, root.depth),
        own=root.own and not root.market,
        together=together,
        text=text,
    )


def written(families: Mapping[str, Sequence[Row]]) -> tuple[Feature, ...]:
    """The features of the catalogue's rows, by family, in order."""
    named = named_parts(PARTS)
    features: list[tuple[str, str, str, Row]] = []
    for family, rows in families.items():
        for row in rows:
            for w in row.windows or (0,):
                name, text = (one.replace("{w}", str(w)) for one in (row.name, row.text))
                named[name] = parse(text, name, named)
                features.append((family, name, text, row))
    plan = Plan(tuple(named[name] for _, name, _, _ in features), grouped=False)
    return tuple(
        expressed(
            named[name],
            plan,
            name=name,
            family=family,
            formula="; ".join(filter(None, (with_parts(text, PARTS), row.about))),
            unit=row.unit,
            core=name in CORE,
        )
        for family, name, text, row in features
    )


def named_parts(texts: Mapping[str, str], where: str = "") -> dict[str, Node]:
    """Each part by its name; it may name those before it."""
    named: dict[str, Node] = {}
    for name, text in texts.items():
        named[name] = parse(text, f"{where}{name}", named)
    return named


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """An expression on one line, and what stands for the parts that it names."""
    used: dict[str, str] = {}
    words = _WORD.findall(text)
    while words:
        word = words.pop(0)
        if word in parts and word not in used:
            used[word] = " ".join(parts[word].split())
            words += _WORD.findall(parts[word])
    line = " ".join(text.split())
    told = ", ".join(f"{name} = {part}" for name, part in used.items())
    return f"{line}; {told}" if told else line
