"""Line charts of long series with plotext; the only module that imports it.

plotext keeps one global figure, so every call starts with a cleared one. Series are thinned to two
points a column before they are drawn: 240 points take about 10 ms.
"""

from collections.abc import Mapping, Sequence

from rich.text import Text

_TICKS = 4


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, width: int, height: int
) -> Text:
    """Several lines by name over a common x of steps, finite; an empty mapping gives empty text."""
    if not series or width < 12 or height < 4:
        return Text()
    import plotext  # 35 ms, not before there is something to draw

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    plotext.frame(False)
    for name, (x, y) in series.items():
        stride = max(1, len(x) // (2 * width))
        plotext.plot(list(x)[::stride], list(y)[::stride], label=name, marker="braille")
    plotext.yfrequency(4)
    first = min(min(x) for x, _ in series.values())
    last = max(max(x) for x, _ in series.values())
    ticks = sorted({round(first + (last - first) * i / (_TICKS - 1)) for i in range(_TICKS)})
    plotext.xticks(ticks, [f"{tick:,}" for tick in ticks])
    return Text.from_ansi(plotext.build(), no_wrap=True)
