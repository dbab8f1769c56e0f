"""Returns that followed each session, for judging scores: the same fills and marks as the simulation."""

# Shape suffixes: D sessions of the scores, S sessions to the end of the panel, N stocks.
import numpy as np

from engine.backtest.prices import PriceTable
from engine.config import Config
from engine.data.panel import Panel
from engine.evaluation.factor import Forward
from engine.portfolio.market_data import MarketData, Matrix


def forward_returns(panel: Panel, market: MarketData, config: Config) -> Forward:
    """``(horizon, lag)`` -> ``[D, N]`` close ``lag + horizon`` sessions later / fill after ``lag`` - 1.

    Total returns where the data know dividends, like the labels.
    Lag 0 enters at the close of the scored session itself, whatever the configured entry: a diagnostic.
    NaN where no fill was possible or where the panel ends before; a stock that is delisted on the way
    keeps its exit price.
    """
    dates_D = market.dates_D
    table = PriceTable.from_panel(
        panel,
        first=dates_D[0].item(),
        last=panel.as_of,
        symbols=market.symbols,
        entry=config.labels.entry,
        haircut=config.costs.delisting_haircut,
        reinvest=True,
    )
    fill_SN = np.where(table.exit_DN, np.nan, table.fill_DN)
    close_SN = np.where(np.isfinite(fill_SN), table.mark_DN, np.nan)

    def forward(horizon: int, lag: int) -> Matrix:
        out_DN = np.full((dates_D.size, len(table.symbols)), np.nan)
        n = min(dates_D.size, len(fill_SN) - lag - horizon)
        if n > 0:
            entry_SN = close_SN if lag == 0 else fill_SN
            out_DN[:n] = table.mark_DN[lag + horizon : lag + horizon + n] / entry_SN[lag : lag + n]
            out_DN[:n] -= 1.0
        return out_DN

    return forward
