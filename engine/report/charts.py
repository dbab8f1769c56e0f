"""Charts as inline SVG: no script, no outside file, colours by CSS class so that light and dark both work."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from engine.records.figure import SURE

_WIDTH, _HEIGHT = 760, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 26, 30
_MAX_BAR = 90
_NAME = 16
"""Characters of a name at the left of a row: what a phone has room for."""
_EDGE = 1e12
"""A value beyond this is no figure of a market; it is drawn here, so that a scale has room for it."""
_MAX_POINTS = 800
"""Points of a line; longer series are thinned evenly, the last point stays."""
_SIZE = re.compile(r'<svg [^>]*?viewBox="0 0 (\d+) (\d+)"')
_LETTER, _LEGEND_ROW = 9.6, 22
"""Width of a letter of the legend and height of its rows, pixels: at the size that a phone shows them."""


@dataclass(frozen=True, slots=True)
class _PixelScale:
    """Linear map of values to pixels."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return self.start + (_within(value) - self.low) / span * (self.stop - self.start)


def _svg(body: str, *, title: str, width: int = _WIDTH, height: int = _HEIGHT) -> str:
    """A drawing with its title for readers that do not see it."""
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def alone(drawings: str) -> str:
    """The drawings of a section, one below the other, as one SVG that brings its own colours."""
    styles = files("engine.report").joinpath("templates")
    css = "".join(
        styles.joinpath(f"{name}.css").read_text("utf-8") for name in ("colours", "chart")
    )
    parts, top = [], 0.0
    for width, height in _SIZE.findall(drawings):
        parts.append(f'<svg y="{top:g}" width="{width}" height="{height}" ')
        top += float(height)
    pieces = "".join(
        part + rest for part, rest in zip(parts, drawings.split("<svg ")[1:], strict=True)
    )
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {top:g}" xmlns="http://www.w3.org/2000/svg">'
        f'<style>{css}</style><rect class="paper" width="{_WIDTH}" height="{top:g}"/>{pieces}</svg>'
    )


def lines(
    series: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    *,
    title: str,
    unit: str,
    percent: bool = False,
    height: int = _HEIGHT,
) -> str:
    """Lines over common x labels; the first series is drawn strongest. NaN breaks a line.

    ``unit`` stands above the y axis of every chart here: what is drawn, in which unit.
    """
    keep = _thinned(len(labels))
    labels = [labels[i] for i in keep]
    series = {name: [line[i] for i in keep] for name, line in series.items()}
    values = [v for line in series.values() for v in line if math.isfinite(v)]
    if not values or len(labels) < 2:
        return ""
    y = _PixelScale(*_room(min([*values, 0.0]), max([*values, 0.0])), height - _BOTTOM, _TOP)
    x = _PixelScale(0, len(labels) - 1, _LEFT, _WIDTH - _RIGHT)
    parts = [_grid(y, percent=percent), _dates(x, labels, height), _unit(unit)]
    for i, (_, line) in reversed(list(enumerate(series.items()))):
        parts.append(f'<path class="s{i}" d="{_path(line, x, y)}"/>')
    legend, rows = _legend(list(series), height + 12)
    return _svg("".join([*parts, legend]), title=title, height=height + _LEGEND_ROW * rows + 6)


def area(values: Sequence[float], labels: Sequence[str], *, title: str, unit: str) -> str:
    """A filled curve at or below zero, e.g. drawdown."""
    if len(labels) < 2:
        return ""
    height = 140
    keep = _thinned(len(labels))
    values, labels = [values[i] for i in keep], [labels[i] for i in keep]
    y = _PixelScale(min([*values, -0.01]), 0.0, height - _BOTTOM, _TOP)
    x = _PixelScale(0, len(labels) - 1, _LEFT, _WIDTH - _RIGHT)
    path = _path(values, x, y)
    shape = f"M{_LEFT},{y(0.0):.1f}L{path[1:]}L{_WIDTH - _RIGHT},{y(0.0):.1f}Z"
    body = _unit(unit) + _grid(y, percent=True, count=2) + f'<path class="fill" d="{shape}"/>'
    return _svg(body + _dates(x, labels, height), title=title, height=height)


def bars(
    values: Mapping[str, float],
    *,
    title: str,
    unit: str,
    x_label: str = "",
    errors: Mapping[str, float] | None = None,
    percent: bool = False,
    band: float | None = None,
) -> str:
    """Vertical bars with optional +- error whiskers and a shaded band around zero.

    A bar inside the band, or not told from zero at 95 %, has no colour.
    """
    if not values:
        return ""
    errors = errors or {}
    tops = [v + errors.get(k, 0.0) for k, v in values.items()]
    bottoms = [v - errors.get(k, 0.0) for k, v in values.items()]
    extra = [band or 0.0, -(band or 0.0), 0.0]
    y = _PixelScale(*_room(min([*bottoms, *extra]), max([*tops, *extra])), _HEIGHT - _BOTTOM, _TOP)
    step = (_WIDTH - _LEFT - _RIGHT) / len(values)
    parts = [_grid(y, percent=percent), _unit(unit)]
    if x_label:
        parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT + 8, x_label, "middle"))
    if band:
        parts.append(_rect(_LEFT, y(band), _WIDTH - _LEFT - _RIGHT, y(-band) - y(band), "band"))
    for i, (name, value) in enumerate(values.items()):
        middle, width = _LEFT + (i + 0.5) * step, min(step * 0.6, _MAX_BAR)
        top, base = min(y(value), y(0.0)), max(y(value), y(0.0))
        noise = max(SURE * errors.get(name, 0.0), band or 0.0)
        kind = "noise" if abs(value) <= noise else "good" if value > 0 else "bad"
        parts.append(_rect(middle - width / 2, top, width, max(base - top, 0.5), kind))
        if name in errors:
            low, high = y(value - errors[name]), y(value + errors[name])
            parts.append(f'<path class="whisker" d="M{middle:.1f},{low:.1f}V{high:.1f}"/>')
        parts.append(_text(middle, _HEIGHT - 10, name, "middle"))
    return _svg("".join(parts), title=title, height=_HEIGHT + (14 if x_label else 0))


def waterfall(steps: Mapping[str, float], *, title: str, unit: str) -> str:
    """Running total from the first value through signed steps to the last, which is a total again."""
    names = list(steps)
    totals, running = [], 0.0
    for i, name in enumerate(names):
        start = 0.0 if i in (0, len(names) - 1) else running
        running = steps[name] if i in (0, len(names) - 1) else running + steps[name]
        totals.append((start, running))
    flat = [value for pair in totals for value in pair]
    y = _PixelScale(*_room(min([*flat, 0.0]), max([*flat, 0.0])), _HEIGHT - _BOTTOM, _TOP + 8)
    step = (_WIDTH - _LEFT - _RIGHT) / len(names)
    parts = [_grid(y, percent=True), _unit(unit)]
    for i, (start, stop) in enumerate(totals):
        left = _LEFT + i * step + step * 0.18
        top, bottom = min(y(start), y(stop)), max(y(start), y(stop))
        kind = "total" if i in (0, len(names) - 1) else "good" if stop >= start else "bad"
        parts.append(_rect(left, top, step * 0.64, max(bottom - top, 0.8), kind))
        middle = left + step * 0.32
        parts.append(_text(middle, top - 4, f"{steps[names[i]]:+.1%}", "middle", "value"))
        parts.append(_text(middle, _HEIGHT - 10, names[i], "middle"))
    return _svg("".join(parts), title=title)


def meter(
    points: Mapping[str, tuple[float, float, float]], *, target: float, title: str, unit: str
) -> str:
    """Value with interval per row on a common scale, and the target as a line across."""
    finite = [v for triple in points.values() for v in triple if math.isfinite(v)]
    if not finite:
        return ""
    row, left = 26, 150
    height = _TOP + row * len(points) + _BOTTOM
    x = _PixelScale(*_room(min([*finite, -1.0]), max([*finite, 2.0])), left, _WIDTH - _RIGHT)
    parts = []
    for value in _ticks(x.low, x.high, 6):
        parts.append(f'<path class="grid" d="M{x(value):.1f},{_TOP}V{height - _BOTTOM}"/>')
        parts.append(_text(x(value), height - 10, f"{value:g}", "middle"))
    parts.append(_text(left, 12, unit, "start", "unit"))
    parts.append(f'<path class="target" d="M{x(target):.1f},{_TOP - 6}V{height - _BOTTOM}"/>')
    parts.append(_text(x(target) + 4, _TOP - 2, f"target {target:g}", "start", "value"))
    for i, (name, (low, value, high)) in enumerate(points.items()):
        y = _TOP + row * (i + 0.6)
        kind = "first" if i == 0 else "other"
        parts.append(_text(left - 10, y + 4, _short(name), "end"))
        if math.isfinite(low) and math.isfinite(high):
            parts.append(f'<path class="span {kind}" d="M{x(low):.1f},{y:.1f}H{x(high):.1f}"/>')
        if math.isfinite(value):
            parts.append(f'<circle class="{kind}" cx="{x(value):.1f}" cy="{y:.1f}" r="5"/>')
    return _svg("".join(parts), title=title, height=height)


def timeline(spans: Sequence[tuple[str, str, str, int]], *, gap: int, title: str) -> str:
    """Consecutive parts (name, first, last, sessions) with the embargo between them, to scale."""
    total = sum(n for *_, n in spans) + gap * (len(spans) - 1)
    x, height = _PixelScale(0, total, _LEFT, _WIDTH - _RIGHT), 78
    parts, position = [], 0
    for i, (name, first, last, n) in enumerate(spans):
        left, right = x(position), x(position + n)
        parts.append(_rect(left, 16, right - left, 26, f"part{i}"))
        parts.append(_text((left + right) / 2, 33, f"{name} {n}", "middle", "value"))
        parts.append(_text(left, 58, first, "start", "small"))
        parts.append(_text(right, 72, last, "end", "small"))
        position += n + gap
    return _svg("".join(parts), title=title, height=height)


def heat_map(
    cells: Mapping[tuple[str, str], float],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    unit: str,
    percent: bool = True,
    left: int = _LEFT,
) -> str:
    """A table (row, column) -> value, coloured by sign and size, the value in each cell."""
    known = [abs(v) for v in cells.values() if math.isfinite(v)]
    size = max(known, default=0.0) or 1.0
    cell, row, top = (_WIDTH - left - _RIGHT) / max(len(columns), 1), 30, 38
    parts = [_text(left, 12, unit, "start", "unit")]
    parts += [
        _text(left + (c + 0.5) * cell, top - 8, name, "middle") for c, name in enumerate(columns)
    ]
    for i, name in enumerate(rows):
        y = top + i * row
        parts.append(_text(left - 8, y + 19, _short(name), "end"))
        for c, column in enumerate(columns):
            value = cells.get((name, column), float("nan"))
            if not math.isfinite(value):
                continue
            kind = "good" if value >= 0 else "bad"
            opacity = 0.12 + 0.6 * abs(value) / size
            x = left + c * cell
            parts.append(
                f'<rect class="{kind}" opacity="{opacity:.2f}" x="{x + 1:.1f}" y="{y + 1}" '
                f'width="{cell - 2:.1f}" height="{row - 2}"/>'
            )
            text = f"{value:+.1%}" if percent else f"{value:+.2f}"
            parts.append(_text(x + cell / 2, y + 19, text, "middle", "value"))
    return _svg("".join(parts), title=title, height=top + 4 + row * len(rows))


def _legend(names: Sequence[str], y: float) -> tuple[str, int]:
    """Names in rows, each after a dash of its line; and how many rows."""
    parts, x, rows = [], float(_LEFT), 1
    for i, name in enumerate(names):
        if x > _LEFT and x + 24 + _LETTER * len(name) > _WIDTH - _RIGHT:
            x, y, rows = float(_LEFT), y + _LEGEND_ROW, rows + 1
        parts.append(f'<path class="s{i}" d="M{x:.1f},{y:.1f}h18"/>')
        parts.append(_text(x + 24, y + 4, name, "start"))
        x += 24 + _LETTER * len(name) + 16
    return "".join(parts), rows


def _thinned(n: int) -> list[int]:
    """At most ``_MAX_POINTS`` places of n, first and last among them."""
    if n <= _MAX_POINTS:
        return list(range(n))
    return sorted({round(i * (n - 1) / (_MAX_POINTS - 1)) for i in range(_MAX_POINTS)})


def _unit(text: str) -> str:
    return _text(_LEFT, 12, text, "start", "unit")


def _path(values: Sequence[float], x: _PixelScale, y: _PixelScale) -> str:
    out, pen = [], "M"
    for i, value in enumerate(values):
        if not math.isfinite(value):
            pen = "M"
            continue
        out.append(f"{pen}{x(i):.1f},{y(value):.1f}")
        pen = "L"
    return "".join(out)


def _grid(y: _PixelScale, *, percent: bool, count: int = 5) -> str:
    parts = []
    ticks = _ticks(y.low, y.high, count)
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    digits = max(0, math.ceil(-math.log10(step * 100) - 1e-9)) if percent else 0
    for value in ticks:
        kind = "axis" if abs(value) < 1e-12 else "grid"
        text = f"{value:.{digits}%}" if percent else f"{value:g}"
        parts.append(f'<path class="{kind}" d="M{_LEFT},{y(value):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y(value) + 4, text, "end"))
    return "".join(parts)


def _dates(x: _PixelScale, labels: Sequence[str], height: int) -> str:
    last = len(labels) - 1
    # Five: a phone has no room for more, whose letters are 18 pixels of ours high.
    places = sorted({round(last * i / 4) for i in range(5)})
    anchors = {0: "start", last: "end"}
    return "".join(_text(x(i), height - 10, labels[i], anchors.get(i, "middle")) for i in places)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round values inside the range."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step)
    return [round(k * step, 10) for k in range(first, math.floor(high / step) + 1)]


def _room(low: float, high: float) -> tuple[float, float]:
    low, high = _within(low), _within(high)
    margin = 0.06 * ((high - low) or 1.0)
    return low - (margin if low < 0 else 0.0), high + margin


def _within(value: float) -> float:
    return math.copysign(_EDGE, value) if abs(value) > _EDGE else value


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _short(name: str) -> str:
    """A name as long as there is room for at the left of a row; the table below has all of it."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
