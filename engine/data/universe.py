"""The universe: who is a member when, on one symbol axis that a new session never reorders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numba import njit, prange
from numpy.typing import NDArray

from engine.config import Market, UniverseConfig
from engine.data.months import Lineage
from engine.data.panel import DensePanel
from engine.errors import DataError, IntegrityError
from engine.files import building, digest, read_manifest, verify_files, write_manifest

VERSION = 1
_FILES = ("member.npy", "market.npy")
MARKET_SERIES = ("return", "breadth", "dispersion", "turnover", "above_average")
"""Rows of ``Universe.market_KS``. return: of the index, or the mean over the members of the session
before, as are breadth (share that rose) and dispersion (standard deviation of returns); turnover: sum over
the members, in currency; above_average: share of members above their 60-session mean close."""
_AVERAGE = 60


class PanelSource(Protocol):
    """A clean panel, in memory (`engine.data.panel.Panel`) or on disk (`engine.data.load`)."""

    @property
    def dates_S(self) -> NDArray[np.datetime64]:
        """Sessions ``[S]``, increasing."""
        ...

    @property
    def securities(self) -> pl.DataFrame:
        """One row a stock of the panel; null = unknown."""
        ...

    @property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Optional tables of the source, by name."""
        ...

    @property
    def market(self) -> Market:
        """The market that the source named."""
        ...

    @property
    def source(self) -> str:
        """Label of where the data came from."""
        ...

    @property
    def fingerprint(self) -> str:
        """Key of everything built from the panel."""
        ...

    @property
    def settings(self) -> str:
        """Digest of what the bars were cleaned by."""
        ...

    @property
    def chain(self) -> Any:
        """One hash a raw session; empty in memory."""
        ...

    def dense(self, start: int = 0) -> DensePanel:
        """Arrays ``[N, S - start]`` of the sessions from ``start`` on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """Membership of S sessions and N stocks."""

    dates_S: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    """Stocks that were ever a member, in order of their first day as one, then by name."""
    member_SN: NDArray[np.bool_]
    """Decided with bars up to that session."""
    entry_N: NDArray[np.int64]
    """First session as a member; does not decrease."""
    sector_N: NDArray[np.int16]
    """Position in ``sectors``; -1 = unknown."""
    sectors: tuple[str, ...]
    market_KS: NDArray[np.float64]
    """Series of the market as a whole, see `MARKET_SERIES`; NaN where unknown."""
    settings: str
    """Digest of the rules of membership and of everything before them."""
    fingerprint: str

    def fields(self) -> dict[str, object]:
        """What the manifest of a result on this axis says of it."""
        return {
            "sessions": int(self.dates_S.size),
            "symbols": list(self.symbols),
            "sector": self._sector_names(),
        }

    def continues(self, manifest: Mapping[str, Any]) -> bool:
        """Whether a result with these `fields` is the beginning of one on this axis.

        Sectors are those of today and count for the whole history: a changed one changes all of it.
        """
        n = len(manifest["symbols"])
        past = (manifest["symbols"], manifest["sector"])
        return (list(self.symbols[:n]), self._sector_names()[:n]) == past

    def _sector_names(self) -> list[str]:
        return [self.sectors[code] if code >= 0 else "" for code in self.sector_N]

    def rows_in(self, dense: DensePanel) -> NDArray[np.int64]:
        """Row ``[N]`` of each stock of the axis in a dense panel."""
        position = {symbol: i for i, symbol in enumerate(dense.symbols)}
        return np.array([position[symbol] for symbol in self.symbols], dtype=np.int64)

    def member_NS(self, dense: DensePanel) -> NDArray[np.bool_]:
        """Membership ``[N, S]`` in the rows and columns of a dense panel."""
        stop = dense.first + dense.dates_S.size
        out_NS = np.zeros(dense.close_NS.shape, dtype=np.bool_)
        out_NS[self.rows_in(dense)] = self.member_SN[dense.first : stop].T
        return out_NS


def build_universe(panel: PanelSource, config: UniverseConfig, directory: Path) -> Universe:
    """Read if the same inputs made it before, extended if they made its beginning, else computed.

    ``directory`` is ``WORKSPACE/universe``. No stock that ever qualifies is a DataError.
    """
    settings = digest(
        {
            "version": VERSION,
            "panel": panel.settings,
            "universe": config.model_dump(mode="json"),
        }
    )
    lineage = Lineage(settings=settings, chain=panel.chain, panel=panel.fingerprint)
    target = directory / lineage.fingerprint
    sector = dict(panel.securities.select("symbol", "sector").iter_rows())
    if not (target / "manifest.json").exists():
        base = _base(lineage, directory)
        fresh = _extend(panel, config, base)
        with building(target) as staging:
            np.save(staging / "member.npy", fresh[1])
            np.save(staging / "market.npy", fresh[2])
            write_manifest(staging, lineage.fields() | _summary(panel.dates_S, fresh))
        lineage.prune(directory)
    manifest = read_manifest(target)
    symbols = tuple(manifest["symbols"])
    if not symbols:
        raise DataError(
            f"{panel.source}: no stock is ever in the universe of {panel.dates_S.size:,} sessions",
            hint=f"universe.min_history asks for {config.min_history:,} sessions of a stock; "
            "lower it, universe.min_price or universe.min_turnover with --set",
        )
    member_SN = np.load(target / "member.npy")
    if member_SN.shape != (panel.dates_S.size, len(symbols)):
        raise IntegrityError(f"{target}: does not fit the panel", hint="delete the folder")
    sectors = tuple(sorted({name for name in sector.values() if name}))
    code = {name: i for i, name in enumerate(sectors)}
    return Universe(
        dates_S=panel.dates_S,
        symbols=symbols,
        member_SN=member_SN,
        entry_N=np.asarray(member_SN.argmax(axis=0), dtype=np.int64),
        sector_N=np.array([code.get(sector.get(s) or "", -1) for s in symbols], dtype=np.int16),
        sectors=sectors,
        market_KS=np.load(target / "market.npy"),
        settings=settings,
        fingerprint=lineage.fingerprint,
    )


_Parts = tuple[list[str], NDArray[np.bool_], NDArray[np.float64]]
"""Symbols, membership ``[S, N]`` and market series ``[K, S]``."""


def _summary(dates_S: NDArray[np.datetime64], parts: _Parts) -> dict[str, object]:
    """What a screen shows without the arrays: members per session, and who they are at the last one."""
    symbols, member_SN, _ = parts
    return {
        "symbols": symbols,
        "days": [str(day) for day in dates_S],
        "members": member_SN.sum(axis=1).tolist(),
        "last_members": [symbols[n] for n in np.flatnonzero(member_SN[-1])],
    }


def _base(lineage: Lineage, directory: Path) -> _Parts:
    for path, manifest in lineage.parents(directory):
        verify_files(path, manifest, _FILES)
        return manifest["symbols"], np.load(path / "member.npy"), np.load(path / "market.npy")
    return [], np.zeros((0, 0), dtype=np.bool_), np.empty((len(MARKET_SERIES), 0))


def _extend(panel: PanelSource, config: UniverseConfig, base: _Parts) -> _Parts:
    known, old_SN, market_KS = base
    done = old_SN.shape[0]
    start = max(0, done - max(config.turnover_sessions, _AVERAGE) - 1)
    dense = panel.dense(start)
    member_NS = _membership_NS(dense, config)
    if done:
        rows = {symbol: n for n, symbol in enumerate(dense.symbols)}
        member_NS[:, : done - start] = False
        at_N = np.array([rows[symbol] for symbol in known], dtype=np.int64)
        member_NS[at_N, : done - start] = old_SN[start:].T
    tail_KT = _market_series(dense, member_NS)
    entry_N = np.where(member_NS.any(axis=1), member_NS.argmax(axis=1), dense.dates_S.size)
    taken = set(known)
    order = [
        n
        for n in np.lexsort((np.arange(entry_N.size), entry_N))
        if entry_N[n] < dense.dates_S.size and dense.symbols[n] not in taken
    ]
    symbols = [*known, *(dense.symbols[n] for n in order)]
    rows = {symbol: n for n, symbol in enumerate(dense.symbols)}
    out_SN = np.zeros((start + dense.dates_S.size, len(symbols)), dtype=np.bool_)
    out_SN[:done, : len(known)] = old_SN
    place_N = np.array([rows[symbol] for symbol in symbols], dtype=np.int64)
    out_SN[done:] = member_NS[place_N, done - start :].T
    return symbols, out_SN, np.concatenate([market_KS, tail_KT[:, done - start :]], axis=1)


def _membership_NS(dense: DensePanel, config: UniverseConfig) -> NDArray[np.bool_]:
    """Point-in-time membership ``[N, S]``: column t uses bars of sessions <= t only.

    A member has a bar on t in which it traded (what holders were paid in the end is none), at least
    ``min_history`` bars so far, a quoted close of at least ``min_price`` and a median turnover of at least
    ``min_turnover`` over the last ``turnover_sessions`` sessions (a session without a bar counts as
    turnover 0). Of a panel's tail, the first ``turnover_sessions - 1`` columns are False: their medians
    would need earlier bars.
    """
    has_bar_NS = np.isfinite(dense.close_NS)
    if dense.proceeds_NS is not None:
        has_bar_NS &= ~dense.proceeds_NS
    bars_NS = np.cumsum(has_bar_NS, axis=1)
    if dense.first:
        bars_NS += dense.bars_before_N[:, None]
    seasoned_NS = bars_NS >= config.min_history
    priced_NS = np.nan_to_num(dense.close_raw_NS) >= config.min_price
    turnover_NS = np.nan_to_num(dense.turnover_NS)
    liquid_NS = _median_at_least(turnover_NS, config.turnover_sessions, config.min_turnover)
    return has_bar_NS & seasoned_NS & priced_NS & liquid_NS


@njit(parallel=True, cache=True)
def _median_at_least(
    values_NS: NDArray[np.float64], window: int, floor: float
) -> NDArray[np.bool_]:
    """Whether the median of the last ``window`` values is at least ``floor``; False before a full one.

    A median (mean of the middle two when even) is compared by counting for odd windows; for even ones
    the two middle values are found by selection only when the count cannot decide.
    """
    N, S = values_NS.shape
    out_NS = np.zeros((N, S), dtype=np.bool_)
    for i in prange(N):
        above = 0
        for t in range(S):
            above += values_NS[i, t] >= floor
            if t >= window:
                above -= values_NS[i, t - window] >= floor
            if t < window - 1:
                continue
            below = window - above
            if above > window // 2:
                out_NS[i, t] = True
            elif below <= window // 2 and window % 2 == 0:
                out_NS[i, t] = np.median(values_NS[i, t - window + 1 : t + 1]) >= floor
    return out_NS


def _market_series(dense: DensePanel, member_NS: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``[K, S]``, rows of `MARKET_SERIES`; NaN where there is nothing to average."""
    series_KS = _series(dense.close_NS, dense.turnover_NS, member_NS, _AVERAGE)
    if dense.index_close_S is not None:
        close_S = dense.index_close_S
        series_KS[0] = np.nan
        series_KS[0, 1:] = close_S[1:] / close_S[:-1] - 1.0
    return series_KS


@njit(parallel=True, cache=True)
def _series(
    close_NS: NDArray[np.float64],
    turnover_NS: NDArray[np.float64],
    member_NS: NDArray[np.bool_],
    window: int,
) -> NDArray[np.float64]:
    N, S = close_NS.shape
    out_KS = np.full((5, S), np.nan)
    for t in prange(S):
        total, square, up, count, traded = 0.0, 0.0, 0, 0, 0.0
        above, known = 0, 0
        for i in range(N):
            if member_NS[i, t]:
                if np.isfinite(turnover_NS[i, t]):
                    traded += turnover_NS[i, t]
                level, bars = 0.0, 0
                for s in range(max(0, t - window + 1), t + 1):
                    if np.isfinite(close_NS[i, s]):
                        level += close_NS[i, s]
                        bars += 1
                if bars > window // 2:
                    known += 1
                    above += close_NS[i, t] > level / bars
            if t > 0 and member_NS[i, t - 1]:
                change = close_NS[i, t] / close_NS[i, t - 1] - 1.0
                if np.isfinite(change):
                    total += change
                    square += change * change
                    up += change > 0.0
                    count += 1
        if count:
            mean = total / count
            out_KS[0, t] = mean
            out_KS[1, t] = up / count
            out_KS[2, t] = np.sqrt(max(square / count - mean * mean, 0.0))
        if traded > 0.0:
            out_KS[3, t] = traded
        if known:
            out_KS[4, t] = above / known
    return out_KS
