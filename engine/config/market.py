"""From the market to samples: workspace, data, quality, universe, labels, features, graph, split."""

import datetime as dt
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from engine.config.base import Horizon, Market, Table
from engine.workspace import DEFAULT

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _iso_date(value: object) -> object:
    """An ISO date as text; TOML also has dates of its own."""
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError(f"{value!r} is not a date like 2017-01-31") from None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    return value


def _safe_url(text: str) -> str:
    """The key travels in a header: no plain http but to this machine, no credentials in the address."""
    url = urlsplit(text)
    if url.username or url.password or url.query or url.fragment or not url.hostname:
        raise ValueError("must be a bare address, without user, query or fragment")
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
        raise ValueError("must start with https:// (http:// only to this machine)")
    return text.rstrip("/")


IsoDate = Annotated[str, BeforeValidator(_iso_date)]
_ApiUrl = Annotated[str, AfterValidator(_safe_url)]


class WorkspaceConfig(Table):
    path: str = DEFAULT
    """Directory for data, features, runs and signals; relative to the current directory."""


class SyntheticConfig(Table):
    n_symbols: int = Field(240, ge=20, le=5000)
    """Stocks alive at the start."""
    n_sessions: int = Field(1250, ge=400, le=5000)
    """Trading sessions."""
    seed: int = Field(7, ge=0)
    """Of the generated market."""
    signal: float = Field(1.0, ge=0, le=5)
    """Strength of the planted own-history signal. 1 = as documented; 0 = none."""
    network_signal: float = Field(1.0, ge=0, le=5)
    """Strength of the lead-lag network. 1 = as documented; 0 = none."""
    optional_tables: bool = False
    """Also options, flow, margin, short selling, statements and earnings dates; they carry no signal."""


class JQuantsConfig(Table):
    plan: Literal["free", "light", "standard", "premium"] = "free"
    """Your subscription: decides the pace, 5, 60, 120 or 500 requests a minute."""
    base_url: _ApiUrl = "https://api.jquants.com/v2"
    """Where the API is. The key is read from the environment variable JQUANTS_API_KEY alone."""
    first: IsoDate = "2017-01-01"
    """First day to fetch, ISO date; the plan may cover less, which is then noted."""
    timeout_seconds: float = Field(30.0, gt=0, le=600)
    """Without an answer for so long a request is tried again. Seconds."""
    refetch_sessions: int = Field(5, ge=1, le=60)
    """Newest stored days that an update fetches again, to see what the vendor revised. Sessions."""


class YahooConfig(Table):
    codes: tuple[str, ...] = ()
    """Yahoo's codes, e.g. ["7203.T", "AAPL"]."""
    first: IsoDate = "2015-01-01"
    """First day to fetch, ISO date."""


class ReadingConfig(Table):
    layout: Literal["auto", "long", "file_per_symbol", "file_per_day", "wide"] = "auto"
    """How price files are laid out: a row a bar, a file a ticker, a file a session, a column a ticker."""
    encoding: str = ""
    """Of text files, e.g. utf-8, cp932, gbk; "" = told by the bytes."""
    separator: str = ""
    """Between the columns of text files, one character, or tab; "" = told by the lines."""
    decimal: Literal["", ".", ","] = ""
    """Decimal mark of numbers in text files; "" = told by the numbers."""
    date_format: str = ""
    """E.g. YYYY-MM-DD, MM/DD/YYYY, DD.MM.YY, YYYYMMDD, epoch s, epoch ms; "" = told by the whole column."""
    timezone: str = ""
    """Zone whose local day is the session, e.g. Asia/Tokyo; "" = that of the exchange."""
    price_scale: Literal["auto", "raw", "raw_and_factor", "raw_and_adjusted_close", "adjusted"] = (
        "auto"
    )
    """What the prices of a row are: as quoted, beside a factor or an adjusted close, or all adjusted."""
    factor: Literal["auto", "earlier_times", "new_per_old", "cumulative"] = "auto"
    """What a factor means: earlier prices times it, new shares an old one, or a level that changes."""


class DataConfig(Table):
    market: Market = "us"
    """Preset of lots, ticks and costs; also of calendar and currency where those are empty."""
    calendar: str = Field("", pattern=r"^[A-Za-z0-9_/]*$", max_length=30)
    """Exchange calendar by its code (XNYS, XTKS, XLON ...) or 24/7; "" = that of the market."""
    currency: str = Field("", max_length=10)
    """Label of prices and money, e.g. EUR; "" = that of the market."""
    index_symbol: str = ""
    """Code in the price table that serves as market index; "" = the index table, else equal weight."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Our column name -> the file's column name, e.g. {symbol = "code"}. Common names are guessed."""
    reading: ReadingConfig = ReadingConfig()
    synthetic: SyntheticConfig = SyntheticConfig()
    jquants: JQuantsConfig = JQuantsConfig()
    yahoo: YahooConfig = YahooConfig()


class QualityConfig(Table):
    max_move: float = Field(0.5, gt=0, le=10)
    """One-session |return| beyond this that reverts at once is a bad print, dropped. Fraction."""
    split_policy: Literal["adjust", "exclude", "keep"] = "adjust"
    """Suspected splits and breaks: rescale what comes after, drop the stock from there, or leave it."""
    dividends: Literal["reinvest", "ignore"] = "reinvest"
    """Returns with the dividends that the data know put back in, or those of the price alone."""
    frozen_sessions: int = Field(10, ge=3)
    """Identical closes in a row from which a stock counts as frozen. Sessions."""
    min_coverage: float = Field(0.7, ge=0, le=1)
    """Share of the names usual in the 20 sessions before, below which a session is thin. Fraction."""
    repeated_sessions: Literal["drop", "keep"] = "drop"
    """A session equal to the one before it (yesterday's file given twice): leave it out, or use it."""
    max_bad_share: float = Field(0.05, gt=0, lt=1)
    """Share of rows with an error-level finding above which the verdict is `refused`. Fraction."""


class UniverseConfig(Table):
    min_history: int = Field(252, ge=20)
    """Bars a stock must have up to and including the day. Sessions."""
    min_price: float = Field(5.0, ge=0)
    """Close floor. Quote currency."""
    min_turnover: float = Field(1e6, ge=0)
    """Floor of the median daily turnover. Quote currency a session."""
    turnover_sessions: int = Field(20, ge=1)
    """Length of that median. Sessions."""
    min_names: int = Field(30, ge=2)
    """Days with fewer members get no score. Stocks."""


class LabelConfig(Table):
    horizons: tuple[Horizon, ...] = (1, 5, 10, 20)
    """Holding periods of the forward returns. Sessions."""
    entry: Literal["close", "open"] = "close"
    """Price of session t+1 at which a decision of session t is filled."""
    delisting_haircut: float = Field(0.0, ge=0, le=1)
    """Taken off the last price when a stock stops trading inside the holding period. Fraction."""


class FeatureConfig(Table):
    families: tuple[str, ...] = ("all",)
    """Families of the catalog (`atft-tui features list`); "all" = those whose tables the data have."""
    breadth: Literal["core", "full", "named"] = "full"
    """core: the 45 columns that small models are trained on; full: all of the families; named: none."""
    columns: tuple[str, ...] = ()
    """Columns besides those, by name."""
    scaling: Literal["rank_gauss", "winsor_z"] = "rank_gauss"
    """Within the day: normal scores of ranks, or z-scores after clipping at the 1 % and 99 % quantiles."""
    dtype: Literal["float16", "float32"] = "float16"
    """Storage type of the feature tensor on disk."""


class GraphConfig(Table):
    kind: Literal["correlation", "sector", "random", "none"] = "correlation"
    """Where edges come from; random and none are ablations."""
    window: int = Field(60, ge=20, le=504)
    """Returns per correlation. Sessions."""
    half_life: float = Field(30.0, gt=0)
    """Of the exponential weights. Sessions."""
    shrinkage: float = Field(0.05, ge=0, lt=1)
    """Off-diagonal correlations are multiplied by 1 - shrinkage."""
    threshold: float = Field(0.2, ge=0, lt=1)
    """Edges need |correlation| at least this."""
    k: int = Field(10, ge=1, le=64)
    """Strongest neighbours a stock listens to."""
    rebuild_sessions: int = Field(5, ge=1)
    """A new graph every so many sessions (5 = weekly)."""
    seed: int = Field(0, ge=0)
    """Of the random ablation graph."""


class SplitConfig(Table):
    window: int = Field(20, ge=5, le=252)
    """Look-back of one sample. Sessions."""
    train_sessions: int = Field(0, ge=0)
    """Newest training sessions kept; 0 = all (expanding)."""
    validation_sessions: int = Field(252, ge=20)
    """Between training and test; they choose epochs and phases. Sessions."""
    test_sessions: int = Field(252, ge=20)
    """The newest labelled days; they decide nothing. Sessions."""
    embargo_sessions: int = Field(21, ge=0)
    """Sessions dropped between two splits; at least the longest horizon + 1 (the entry lag)."""
