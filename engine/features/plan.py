"""How expressions are computed: what several need once, and those of a file in one pass over each stock."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.features.columns import COLUMNS
from engine.features.context import Array, Context
from engine.features.expression import Node
from engine.features.kernels import steps
from engine.features.operators import Kernel
from engine.features.rolling import needed


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The parts of several expressions that belong together: what several need is computed once a context,
    and, if ``grouped``, windows over the same series in one pass. Then a value's last bits depend on the
    whole plan; else they are those of the expression alone.

    Plans are equal to themselves alone: a context remembers by plan, and another has other windows.
    """

    roots: tuple[Node, ...]
    grouped: bool = True
    _windows: dict[str, list[int]] = field(default_factory=dict)
    _shared: set[str] = field(default_factory=set)
    _passes: "dict[tuple[str, ...], Pass]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts: dict[str, Node] = {}
        for node in (node for root in self.roots for node in root.walk()):
            parts[self._key(node)] = node
            if node.group:
                windows = self._windows.setdefault(self._key(node), [])
                windows += [int(node.number)] if int(node.number) not in windows else []
        used = [*self.roots, *(one for node in parts.values() for one in node.arguments)]
        count = Counter(self._key(node) for node in used)
        self._shared.update(key for key, times in count.items() if times > 1)

    def _key(self, node: Node) -> str:
        """The part's own key; of a window that of all which are computed with it."""
        if not node.group:
            return node.key
        return node.group if self.grouped and node.own else f"{node.group}{node.number:g}"

    def lookback(self, node: Node) -> int:
        """Sessions before t on which the last bit of a value may depend, with what is computed beside it."""
        before = max((self.lookback(argument) for argument in node.arguments), default=0)
        own = node.lookback - max((argument.lookback for argument in node.arguments), default=0)
        if windows := self._windows.get(self._key(node)):
            own += max(windows) - int(node.number) if "ema" not in node.group else 0
        return before + own

    def windows(self, node: Node) -> list[int]:
        """The windows that are computed with that of the part."""
        return self._windows.get(self._key(node), [int(node.number)])

    def fill(
        self,
        roots: Sequence[Node],
        x: Context,
        out_FNT: NDArray[np.float32],
        feature: int,
        stock: int,
    ) -> None:
        """Write the values of ``roots`` in one pass over the stocks, the bits that `value` gives.

        Into ``out_FNT`` from that feature and stock on, the last T sessions of the context.
        """
        key = (str(feature), *(root.key for root in roots))
        if key not in self._passes:
            self._passes[key] = one_pass(self, roots, feature)
        done = self._passes[key]
        values = [self.value(node, x) for node in done.columns]
        done.run(values, len(x.dense.symbols), out_FNT, stock)

    def value(self, node: Node, x: Context) -> Array:
        """``[N, S]``, ``[1, S]`` where it is the same for all stocks, ``[]`` of a number."""
        if node.operator is None:
            return np.asarray(node.number) if node.unit is None else COLUMNS[node.key].read(x)
        if node.group:
            return self._window(node, x)
        if node.key in self._shared:
            return x.once((self, node.key), lambda: self._computed(node, x))
        return self._computed(node, x)

    def _computed(self, node: Node, x: Context) -> Array:
        operator, values = node.operator, [self.value(one, x) for one in node.arguments]
        assert operator is not None
        assert operator.run is not None
        if operator.across:
            shape = (len(x.dense.symbols), x.dense.dates_S.size)
            return operator.run(x, _whole(values[0], shape))
        return operator.run(*values, *([int(node.number)] if "n" in operator.takes else []))

    def _window(self, node: Node, x: Context) -> Array:
        operator, key = node.operator, self._key(node)
        assert operator is not None
        assert operator.rolled is not None
        rolled = operator.rolled
        windows = self.windows(node)

        def compute() -> Sequence[Sequence[Array]]:
            values = [self.value(one, x) for one in node.arguments]
            first = _whole(values[0], np.broadcast_shapes(*(np.shape(value) for value in values)))
            # A kernel of pairs takes one partner of all rows; a number has none to take.
            others = [value if value.ndim else _whole(value, first.shape) for value in values[1:]]
            return rolled(first, *others, windows, *node.share)

        results = x.once((self, key), compute) if key in self._shared else compute()
        found = results[operator.pick][windows.index(int(node.number))]
        return found if operator.power == 1.0 else found**operator.power


def _whole(value: Array, shape: tuple[int, ...]) -> Array:
    """The value in full: compiled code takes no view that is read-only."""
    return value if np.shape(value) == shape else np.array(np.broadcast_to(value, shape))


@dataclass(frozen=True, slots=True)
class Pass:
    """Expressions as `engine.features.kernels.steps`, and the series that have none, which it reads."""

    columns: tuple[Node, ...]
    steps_PK: NDArray[np.int64]
    numbers_V: Array
    windows_V: NDArray[np.int64]
    need_V: NDArray[np.int64]
    rows: int

    def run(
        self, values: Sequence[Array], stocks: int, out_FNT: NDArray[np.float32], first: int
    ) -> None:
        """Fill ``out_FNT`` from stock ``first`` on; ``values`` are those of the columns."""
        columns_NCS = np.empty((stocks, len(values), values[0].shape[-1]))
        for c, value in enumerate(values):
            columns_NCS[:, c] = value
        steps.step_rows(
            columns_NCS,
            self.steps_PK,
            self.numbers_V,
            self.windows_V,
            self.need_V,
            self.rows,
            first,
            out_FNT,
        )


def one_pass(plan: Plan, roots: Sequence[Node], feature: int) -> Pass:
    """The steps to the values of ``roots``, stored as the features from ``feature`` on."""
    writer = _Writer(plan)
    for f, root in enumerate(roots):
        writer.root(root, feature + f)
    return writer.written()


class _Writer:
    """Writes the steps. Rows have running numbers at first, columns -1, -2 and so on; `written` finds a
    place for each, the same one after another where the first is not read any more.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.columns: list[Node] = []
        self.steps: list[list[int]] = []
        self.numbers: list[float] = []
        self.windows: list[int] = []
        self.need: list[int] = []
        self._place: dict[str, int] = {}
        self._sizes: dict[int, int] = {}
        self._next = 0

    def root(self, node: Node, feature: int) -> None:
        """Compute one and store it."""
        ratio = node.operator is not None and node.operator.step == steps.DIVIDE
        if ratio and not node.market and node.key not in self._place:
            one, two = [self._row(argument) for argument in node.arguments]
            self.steps.append([steps.STORE_RATIO, feature, one, two, 0, 0])
            return
        self.steps.append([steps.STORE, feature, self._row(node), -1, 0, 0])

    def _row(self, node: Node) -> int:
        rolled = node.operator.rolled if node.operator else None
        if isinstance(rolled, Kernel) and rolled.step != steps.NONE and not node.market:
            return self._window(node, rolled)
        if node.key not in self._place:
            self._place[node.key] = self._computed(node)
        return self._place[node.key]

    def _computed(self, node: Node) -> int:
        if node.operator is None and node.unit is None:
            self.numbers.append(node.number)
            return self._step(steps.NUMBER, v=len(self.numbers) - 1)
        if node.operator is None or node.operator.step == steps.NONE or node.market:
            self.columns.append(node)
            return -len(self.columns)
        one, *two = [self._row(argument) for argument in node.arguments]
        return self._step(node.operator.step, one, *two, v=int(node.number))

    def _window(self, node: Node, rolled: Kernel) -> int:
        windows = self.plan.windows(node)
        if node.group not in self._place:
            one, *two = [self._row(argument) for argument in node.arguments]
            v, count = len(self.windows), len(windows)
            self.windows += windows
            self.need += [max(rolled.fewest, needed(w)) for w in windows]
            self._place[node.group] = self._step(
                rolled.step, one, *two, v=v, count=count, size=count * rolled.results
            )
        assert node.operator is not None
        at = node.operator.pick * len(windows) + windows.index(int(node.number))
        row = self._place[node.group] + at
        if node.operator.power == 1.0:
            return row
        assert node.operator.power == 2.0
        if node.key not in self._place:
            self._place[node.key] = self._step(steps.MULTIPLY, row, row)
        return self._place[node.key]

    def _step(
        self, code: int, a: int = -1, b: int = -1, *, v: int = 0, count: int = 0, size: int = 1
    ) -> int:
        to, self._next = self._next, self._next + size
        self.steps.append([code, to, a, b, v, count])
        self._sizes[to] = size
        return to

    def written(self) -> Pass:
        """The steps with a place in the work for every row; the columns have the first ones."""
        starts = sorted(self._sizes)
        block = {row: to for to in starts for row in range(to, to + self._sizes[to])}
        last = {
            block[row]: p
            for p, (_, _, a, b, _, _) in enumerate(self.steps)
            for row in (a, b)
            if row >= 0
        }
        place: dict[int, int] = {}
        free: dict[int, list[int]] = {}
        rows = len(self.columns)
        for p, step in enumerate(self.steps):
            code, to, a, b = step[:4]
            used = {block[row] for row in (a, b) if row >= 0}
            if code not in (steps.STORE, steps.STORE_RATIO):
                size = self._sizes[to]
                spare = free.setdefault(size, [])
                place[to] = spare.pop() if spare else rows
                rows = max(rows, place[to] + size)
                step[1] = place[to]
            for k, row in ((2, a), (3, b)):
                step[k] = -row - 1 if row < 0 else place[block[row]] + row - block[row]
            for one in used:
                if last[one] == p:
                    free[self._sizes[one]].append(place[one])
        return Pass(
            columns=tuple(self.columns),
            steps_PK=np.array(self.steps, dtype=np.int64),
            numbers_V=np.array(self.numbers),
            windows_V=np.array(self.windows, dtype=np.int64),
            need_V=np.array(self.need, dtype=np.int64),
            rows=rows,
        )
