"""The panels of the backtest screen: what stands where, their titles, and what an empty one says."""

from collections.abc import Callable
from typing import Any

from rich.text import Text

from atft_tui.styles import DIM, ink_of
from atft_tui.widgets.backtest.book import costs_picture, rules_picture
from atft_tui.widgets.backtest.days import exposures_picture, months_picture
from atft_tui.widgets.backtest.scores import decay_picture, quantiles_picture
from atft_tui.widgets.backtest.words import sharpe_picture, summary_picture
from atft_tui.widgets.panel import PlacePanel

TABS: dict[str, tuple[str, ...]] = {
    "equity": ("equity",),
    "sharpe": ("sharpe", "costs"),
    "months": ("months",),
    "scores": ("quantiles", "decay"),
    "holdings": ("equity", "holdings"),
    "exposures": ("exposures",),
    "rules": ("rules",),
    "years": ("years",),
    "sweep": ("sweep",),
    "all": ("summary",),
}
"""What a small screen shows together."""
SIDE = ("exposures", "rules", "years", "sweep", "summary")
"""Take turns in the same place where everything else has its own."""
ORDER = ("equity", "sharpe", "costs", "months", "quantiles", "decay", "holdings", *SIDE)
NOT_YET = """{run} has no backtest yet.

  b       make one: weights, simulation, costs, interval and verdict
  4       choose another run
"""
EMPTY = """No backtest in this workspace yet.

  b       backtest a run: weights, simulation, costs, interval and verdict
  4       the runs; enter opens one
  ctrl+p  every command

On a fresh workspace start with the demo (ctrl+p demo): it trains, backtests and writes a report.
"""
_PICTURES: dict[str, tuple[str, str, Callable[..., Text]]] = {
    "sharpe": ("net Sharpe ratio", "The interval of the Sharpe ratio", sharpe_picture),
    "costs": ("from gross to net", "What trading costs", costs_picture),
    "months": ("net return by month, %", "Returns by month", months_picture),
    "exposures": ("exposures", "Gross, net, sectors over time", exposures_picture),
    "rules": ("what each constraint left", "What limits take from the book", rules_picture),
    "summary": ("all figures", "Return, risk and tails", summary_picture),
    "quantiles": ("score deciles", "Returns of the best and the worst scores", quantiles_picture),
    "decay": ("RankIC, held and later", "How long the scores stay right", decay_picture),
}
"""Name of a panel -> its title, what will stand there, and how it is drawn."""


class PicturePanel(PlacePanel[Any]):
    """A panel whose whole content is one picture of its value, in the colours of the theme."""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"backtest-{name}")
        self.border_title, self._words, self._draw = _PICTURES[name]

    def depends(self, value: Any) -> tuple[object, ...]:
        """The value and the theme."""
        return (value, self.app.theme)

    def drawing(self, width: int, height: int) -> Text:
        """The picture, or what it will show."""
        if self.value is None:
            return Text(f"{self._words}, after a backtest (b).", style=DIM)
        return self._draw(self.value, width, height, ink=ink_of(self.app.current_theme))
