"""A feature as text: parsed into typed operators, never executed as a program.

``Corr(close, Log(volume), 20)``: the operators of `engine.features.operators`, + - * /, comparisons, and, or,
not, numbers, and the stored columns by name (a ``$`` before one, as Qlib writes it, is passed over). Unit,
look-back and table follow from the text.
"""

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

import numpy as np

from engine.errors import ConfigError
from engine.features.columns import COLUMNS, ONE, SESSIONS, Unit
from engine.features.operators import OPERATORS, Operator
from engine.features.rolling import lookback_ewm

_LONGEST_TEXT, _LONGEST_WINDOW, _DEEPEST = 4000, 2520, 40
_SIGNS: Mapping[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<",
    ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=", ast.And: "and", ast.Or: "or", ast.Not: "not",
}  # fmt: skip
_INSTEAD = {
    ast.BitAnd: "write `and`", ast.BitOr: "write `or`", ast.Pow: "write Power(x, y)",
    ast.Invert: "write `not`",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of an expression; parts with the same key are the same values."""

    key: str
    unit: Unit | None
    """None: a number, which has any."""
    operator: Operator | None = None
    arguments: "tuple[Node, ...]" = ()
    number: float = 0.0
    """The window or the sessions of an operator, or the value of a number."""
    share: tuple[float, ...] = ()
    """The q of a quantile."""
    truth: bool = False
    lookback: int = 0
    """Sessions; a window counts whole."""
    depth: int = 0
    """Windows within one another."""
    own: bool = True
    market: bool = False
    """The same for all stocks: ``[1, S]``."""
    sources: frozenset[str] = frozenset()
    """Tables besides the bars."""

    @property
    def group(self) -> str:
        """Key of what this window shares with others over the same series; empty for other parts."""
        if self.operator is None or self.operator.rolled is None:
            return ""
        return f"{self.operator.base}{self.share}({','.join(a.key for a in self.arguments)})"

    def walk(self) -> "Iterator[Node]":
        """The part itself and all in it."""
        yield self
        for argument in self.arguments:
            yield from argument.walk()


def parse(text: str, where: str = "expression", named: Mapping[str, Node] | None = None) -> Node:
    """The typed expression. ConfigError with the column of the text, and the near name of a misspelt one.

    ``named``: expressions that the text may use by name; a stored column of that name goes before.
    """
    return _Parser(text, where, named or {}).parsed()


@dataclass(frozen=True, slots=True)
class _Parser:
    text: str
    where: str
    named: Mapping[str, Node]

    def parsed(self) -> Node:
        if len(self.text) > _LONGEST_TEXT:
            raise ConfigError(f"{self.where}: longer than {_LONGEST_TEXT} characters")
        try:
            # In brackets, so that an expression may begin with a blank and stand in several lines.
            tree = ast.parse(f"({self.text.replace('$', ' ')}\n)", mode="eval").body
        except SyntaxError as error:
            raise self._error(error.lineno or 1, (error.offset or 2) - 1, error.msg) from error
        except (ValueError, MemoryError, RecursionError) as error:
            raise ConfigError(f"{self.where}: not an expression ({error})") from error
        found = self._node(tree, 1)
        if found.unit is None:
            self._refuse(tree, "is a number", "name a column, such as close")
        return found

    def _error(self, line: int, offset: int, message: str, hint: str = "") -> ConfigError:
        offset = max(0, offset - (line == 1))  # the bracket
        place = (
            f"column {offset + 1}" if "\n" not in self.text else f"line {line}, column {offset + 1}"
        )
        return ConfigError(f"{self.where}: {place}: {message}", hint=hint)

    def _refuse(self, tree: ast.expr, message: str, hint: str = "") -> NoReturn:
        words = ast.get_source_segment(f"({self.text}\n)", tree) or ""
        raise self._error(tree.lineno, tree.col_offset, f"{words.strip()} {message}".strip(), hint)

    def _node(self, tree: ast.expr, depth: int) -> Node:
        if depth > _DEEPEST:
            self._refuse(tree, f"is nested more than {_DEEPEST} deep")
        match tree:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as value):
                return _number(float(value))
            case ast.Name(id=name):
                return self._column(tree, name)
            case ast.Attribute(value=ast.Name(id=table), attr=name):
                return self._column(tree, f"{table}.{name}")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._node(operand, depth + 1)
                if inner.unit is None:
                    return _number(-inner.number)
                return self._made(tree, "*", [_number(-1.0), inner])
            case ast.UnaryOp(op=sign, operand=operand):
                return self._made(tree, self._sign(tree, sign), [self._node(operand, depth + 1)])
            case ast.BinOp(left=left, op=sign, right=right):
                return self._joined(tree, sign, [left, right], depth)
            case ast.BoolOp(op=sign, values=sides):
                return self._joined(tree, sign, sides, depth)
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                return self._joined(tree, sign, [left, right], depth)
            case ast.Compare():
                self._refuse(tree, "compares more than two", "join comparisons with `and`")
            case ast.IfExp():
                self._refuse(tree, "is no part of the language", "write If(condition, x, y)")
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(tree, name, arguments, depth)
        self._refuse(tree, "is no part of the language", "docs/features.md lists its operators")

    def _joined(self, tree: ast.expr, sign: ast.AST, sides: list[ast.expr], depth: int) -> Node:
        name, found = self._sign(tree, sign), self._node(sides[0], depth + 1)
        for before, side in itertools.pairwise(sides):
            found = self._made(tree, name, [found, self._node(side, depth + 1)], [before, side])
        return found

    def _sign(self, tree: ast.expr, sign: ast.AST) -> str:
        if type(sign) not in _SIGNS:
            hint = next((way for kind, way in _INSTEAD.items() if isinstance(sign, kind)), "")
            self._refuse(tree, f"uses a sign that is no operator ({type(sign).__name__})", hint)
        return _SIGNS[type(sign)]

    def _column(self, tree: ast.expr, name: str) -> Node:
        column = COLUMNS.get(name)
        if column is None and name in self.named:
            return self.named[name]
        if column is None:
            self._unknown(tree, "no column is named", name, [*COLUMNS, *self.named])
        return Node(
            key=name,
            unit=column.unit,
            own=column.source == "bars",
            market=column.market,
            sources=frozenset({column.source} - {"bars"}),
        )

    def _unknown(self, tree: ast.expr, what: str, name: str, known: Sequence[str]) -> NoReturn:
        lower = {one.lower(): one for one in known}
        near = [lower[one] for one in get_close_matches(name.lower(), lower, n=3)]
        hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known[:8])}, ..."
        raise self._error(tree.lineno, tree.col_offset, f"{what} {name!r}", hint)

    def _call(self, tree: ast.Call, name: str, given: list[ast.expr], depth: int) -> Node:
        named = [one for one in OPERATORS if one[0].isupper()]
        if name not in named:
            self._unknown(tree, "no operator is named", name, named)
        takes = OPERATORS[name].takes
        if len(given) != len(takes):
            self._refuse(tree, f"has {len(given)} arguments, {name} takes {len(takes)}")
        return self._made(tree, name, [self._node(one, depth + 1) for one in given], given)

    def _made(
        self, tree: ast.expr, name: str, given: list[Node], places: Sequence[ast.expr] = ()
    ) -> Node:
        operator = OPERATORS[name]
        places = places or [tree] * len(given)
        series: list[Node] = []
        number, share = 0.0, tuple[float, ...]()
        for letter, node, place in zip(operator.takes, given, places, strict=True):
            if letter in "wnq":
                value = self._parameter(place, name, letter, node)
                number, share = (number, (value,)) if letter == "q" else (value, share)
                continue
            if letter == "c" and not node.truth:
                self._refuse(place, f"is not true or false, as {name} needs it", "compare it")
            series.append(node)
        if all(node.unit is None for node in series):
            if operator.run is None or name not in "+-*/":
                self._refuse(tree, f"has no column: {name} needs one")
            value = float(operator.run(*(np.float64(node.number) for node in series)))
            return _number(value)
        return Node(
            key=f"{name}({','.join(node.key for node in given)})",
            unit=self._unit(tree, operator, series),
            operator=operator,
            arguments=tuple(series),
            number=number,
            share=share,
            truth=operator.unit == "truth",
            lookback=max(node.lookback for node in series) + _reach(name, operator, int(number)),
            depth=max(node.depth for node in series) + (operator.rolled is not None),
            own=not operator.across and all(node.own for node in series),
            market=not operator.across and all(n.market or n.unit is None for n in series),
            sources=frozenset({operator.across} - {"", "bars"}).union(*(n.sources for n in series)),
        )

    def _parameter(self, tree: ast.expr, name: str, letter: str, node: Node) -> float:
        if node.unit is not None:
            self._refuse(tree, f"is no number, as {name} needs it here")
        if letter == "q":
            if not 0.0 <= node.number <= 1.0:
                self._refuse(tree, "is no share between 0 and 1")
            return node.number
        if letter == "n" and node.number < 0:
            ahead = f"looks ahead (by {-node.number:g}): a feature knows the past alone"
            self._refuse(tree, ahead, f"{name}(x, n) looks n >= 0 sessions back")
        fewest = 1 if letter == "w" else 0
        if node.number != int(node.number) or not fewest <= node.number <= _LONGEST_WINDOW:
            self._refuse(tree, f"is no number of sessions from {fewest} to {_LONGEST_WINDOW}")
        return node.number

    def _unit(self, tree: ast.expr, operator: Operator, series: list[Node]) -> Unit:
        units = [node.unit for node in series]
        known = [unit for unit in units if unit is not None]
        one, two = units[0] or ONE, units[-1] or ONE
        if operator.unit in ("=", "truth") and operator.takes != "c":
            compared = [n.unit for n, t in zip(series, operator.takes, strict=False) if t == "x"]
            distinct = dict.fromkeys(unit for unit in compared if unit is not None)
            if len(distinct) > 1:
                names = " and ".join(unit.text() for unit in distinct)
                self._refuse(tree, f"sets {names} against each other", "divide by a like one first")
            known = list(distinct)
        match operator.unit:
            case "truth" | "1":
                return ONE
            case "sessions":
                return SESSIONS
            case "=":
                return known[0] if known else ONE
            case "xx":
                return one.times(one)
            case "xy":
                return one.times(two)
            case "x/y":
                return one.times(two, -1.0)
            case "x/session":
                return one.times(SESSIONS, -1.0)
            case "x^y":
                if units[-1] is None:
                    return ONE.times(one, series[-1].number)
                if one != ONE or two != ONE:
                    self._refuse(tree, "raises a unit to a power that changes", "divide first")
                return ONE
        return one


def _number(value: float) -> Node:
    return Node(key=repr(value), unit=None, number=value)


def _reach(name: str, operator: Operator, number: int) -> int:
    if name == "EMA":
        return lookback_ewm(number)
    # The others of the sector are the members of the session before.
    return number + (operator.across not in ("", "bars"))
