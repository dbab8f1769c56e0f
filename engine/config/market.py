"""From the market to samples: where and by how many, data, universe, labels, features, graph, split."""

import datetime as dt
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.config.base import DERIVED, ConfigTable, Horizon, Market
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
_IsoDateOrNone = Annotated[str, BeforeValidator(lambda value: value and _iso_date(value))]
_ApiUrl = Annotated[str, AfterValidator(_safe_url)]


class WorkspaceConfig(ConfigTable):
    """Where everything is kept."""

    path: str = DEFAULT
    """Directory for data, features, runs and signals; relative to the current directory."""


class ExecutorConfig(ConfigTable):
    """Who does the tasks of a command that has many, and how many at a time."""

    jobs: int = Field(0, ge=0, le=1024)
    """Tasks beside each other, each in a process; they change no bit in safe mode. 0 = as many as cores and
    free memory allow, one in optimized mode and on a GPU; a search takes one, for its trials learn from those
    before, and so do a sweep and reports, which are done before a process has started."""
    kind: Literal["local", "ray"] = "local"
    """local: processes of this machine; ray: of a Ray cluster, one core each (docs/cluster.md)."""
    address: str = "auto"
    """Of the Ray cluster: auto = the one that this machine belongs to, or ray://HOST:10001."""
    shared: bool = False
    """All machines see the workspace under the same path; else data and results are carried."""
    any_processor: bool = False
    """Take machines whose processor is another kind than this one's; the last bits may then differ."""


class SyntheticConfig(ConfigTable):
    """The market that is made up, with a signal that is known."""

    n_symbols: int = Field(240, ge=20, le=5000)
    """Stocks alive at the start."""
    n_sessions: int = Field(1250, ge=400, le=5000)
    """How long the generated market lasts. Trading sessions."""
    seed: int = Field(7, ge=0)
    """Seed of the generated market: the same seed gives the same prices."""
    signal: float = Field(1.0, ge=0, le=5)
    """Strength of the planted own-history signal. 1 = as documented; 0 = none."""
    network_signal: float = Field(1.0, ge=0, le=5)
    """Strength of the lead-lag network. 1 = as documented; 0 = none."""
    optional_tables: bool = False
    """Also options, flow, margin, short selling, statements and earnings dates; they carry no signal."""


class JQuantsConfig(ConfigTable):
    """Japanese data from J-Quants."""

    plan: Literal["free", "light", "standard", "premium"] = "free"
    """Your subscription: decides the pace, 5, 60, 120 or 500 requests a minute."""
    base_url: _ApiUrl = "https://api.jquants.com/v2"
    """Where the API is. Its key is JQUANTS_API_KEY of the environment or of a systemd unit."""
    first: IsoDate = "2017-01-01"
    """First day to fetch, ISO date; the plan may cover less, which is then noted."""
    timeout_seconds: float = Field(30.0, gt=0, le=600)
    """Without an answer for so long a request is tried again. Seconds."""
    refetch_sessions: int = Field(5, ge=1, le=60)
    """Newest stored days that an update fetches again, to see what the vendor revised. Sessions."""


class YahooConfig(ConfigTable):
    """Data from Yahoo."""

    codes: tuple[str, ...] = ()
    """Yahoo's codes, e.g. ["7203.T", "AAPL"]."""
    first: IsoDate = "2015-01-01"
    """First day to fetch, ISO date."""


class ReadingConfig(ConfigTable):
    """How files are read where the program's own guess is not wanted."""

    layout: Literal["auto", "long", "file_per_symbol", "file_per_day", "wide"] = "auto"
    """How price files are laid out: a row a bar, a file a ticker, a file a session, a column a ticker."""
    encoding: str = ""
    """Encoding of text files, e.g. utf-8, cp932, gbk; "" = the bytes themselves tell it."""
    separator: str = ""
    """What stands between the columns of text files, one character, or tab; "" = the lines tell it."""
    decimal: Literal["", ".", ","] = ""
    """Decimal mark of the numbers in text files; "" = the numbers tell it."""
    date_format: str = ""
    """How dates are written, e.g. MM/DD/YYYY, DD.MM.YY, epoch ms; "" = the whole column tells it."""
    timezone: str = ""
    """Time zone whose local day is the session, e.g. Asia/Tokyo; "" = that of the exchange."""
    price_scale: Literal["auto", "raw", "raw_and_factor", "raw_and_adjusted_close", "adjusted"] = (
        "auto"
    )
    """What the prices of a row are: as quoted, beside a factor or an adjusted close, or all adjusted."""
    factor: Literal["auto", "earlier_times", "new_per_old", "cumulative"] = "auto"
    """What a factor means: earlier prices times it, new shares an old one, or a level that changes."""


class DataConfig(ConfigTable):
    """Which market the data are of, and where they come from."""

    market: Market = "us"
    """Preset of lots, ticks and costs; also of calendar and currency where those are empty."""
    calendar: str = Field("", pattern=r"^[A-Za-z0-9_/]*$", max_length=30)
    """Exchange calendar by its code (XNYS, XTKS, XLON ...) or 24/7; "" = that of the market."""
    currency: str = Field("", max_length=10)
    """Label of prices and money, e.g. EUR; "" = that of the market."""
    index_symbol: str = ""
    """Code in the price table that serves as market index; "" = the index table, else equal weight."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Our column name and the file's, e.g. {symbol = "code"}; common names are guessed without it."""
    reading: ReadingConfig = ReadingConfig()
    synthetic: SyntheticConfig = SyntheticConfig()
    jquants: JQuantsConfig = JQuantsConfig()
    yahoo: YahooConfig = YahooConfig()


class QualityConfig(ConfigTable):
    """What counts as bad data, and what is done about it."""

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


class UniverseConfig(ConfigTable):
    """Which stocks are scored on a day; decided with what was known on it."""

    min_history: int = Field(252, ge=20)
    """Bars a stock must have up to and including the day. Sessions."""
    min_price: float = Field(5.0, ge=0)
    """A stock whose close is lower is left out of the universe. Quote currency."""
    min_turnover: float = Field(1e6, ge=0)
    """A stock whose median daily turnover is lower is left out. Quote currency a session."""
    turnover_sessions: int = Field(20, ge=1)
    """How many sessions that median looks back over. Sessions."""
    min_names: int = Field(30, ge=2)
    """Days with fewer members get no score. Stocks."""


class LabelConfig(ConfigTable):
    """What is learned: the returns that follow a day."""

    horizons: tuple[Horizon, ...] = (1, 5, 10, 20)
    """Holding periods that returns are predicted for. Sessions."""
    entry: Literal["close", "open"] = "close"
    """A decision of one session is filled at this price of the next session."""
    delisting_haircut: float = Field(0.0, ge=0, le=1)
    """What a holder loses of the last price when a stock stops trading while it is held. Fraction."""


class FeatureConfig(ConfigTable):
    """What the network sees of each stock and day."""

    families: tuple[str, ...] = ("all",)
    """Families of the catalog (`atft-tui features list`); "all" = those whose tables the data have."""
    breadth: Literal["core", "full", "named"] = "full"
    """core: the 45 columns that small models are trained on; full: all of the families; named: none."""
    columns: tuple[str, ...] = ()
    """Names of feature columns that are used besides those."""
    scaling: Literal["rank_gauss", "winsor_z"] = "rank_gauss"
    """Within the day: normal scores of ranks, or z-scores after clipping at the 1% and 99% quantiles."""
    dtype: Literal["float16", "float32"] = "float16"
    """Storage type of the feature tensor on disk."""
    own: dict[str, str] = Field(default={}, json_schema_extra={DERIVED: True})
    """Own features of the workspace when the run began: file -> text, or hash of a Python file."""


class GraphConfig(ConfigTable):
    """Which stocks listen to each other."""

    kind: Literal["correlation", "sector", "random", "none"] = "correlation"
    """What makes two stocks neighbours; random and none are there to compare with."""
    window: int = Field(60, ge=20, le=504)
    """How many past returns each correlation is measured on. Sessions."""
    half_life: float = Field(30.0, gt=0)
    """A return this much older counts half as much in a correlation. Sessions."""
    shrinkage: float = Field(0.05, ge=0, lt=1)
    """Correlations of two stocks are multiplied by 1 - shrinkage, against chance ones."""
    threshold: float = Field(0.2, ge=0, lt=1)
    """Two stocks become neighbours only if their absolute correlation is at least this."""
    k: int = Field(10, ge=1, le=64)
    """Strongest neighbours a stock listens to."""
    rebuild_sessions: int = Field(5, ge=1)
    """A new graph every so many sessions (5 = weekly)."""
    seed: int = Field(0, ge=0)
    """Seed of the random graph that graph.kind = random draws."""


class SplitConfig(ConfigTable):
    """Which days train, which choose and which judge."""

    window: int = Field(20, ge=5, le=252)
    """How many past sessions the network sees of each stock. Sessions."""
    train_sessions: int = Field(0, ge=0)
    """How many of the newest training sessions are used; 0 = all of them."""
    validation_sessions: int = Field(252, ge=20)
    """Days between training and test, which choose epochs and phases. Sessions."""
    test_sessions: int = Field(252, ge=20)
    """The newest labelled days; they decide nothing. Sessions."""
    embargo_sessions: int = Field(21, ge=0)
    """Sessions dropped between two splits; at least the longest horizon + 1 (the entry lag)."""


class ProtocolConfig(ConfigTable):
    """Which days settings are chosen on, which confirm them, and which nobody looks at."""

    development_to: _IsoDateOrNone = ""
    """Last day that settings are chosen on, ISO date; judging later ones takes --confirm. "" = no protocol"""
    confirmation_to: _IsoDateOrNone = ""
    """Last day that --confirm opens, ISO date; later days are sealed. "" = none is"""

    @model_validator(mode="after")
    def _check(self) -> "ProtocolConfig":
        if self.confirmation_to and not self.development_to:
            raise ValueError("protocol.confirmation_to needs protocol.development_to")
        if self.confirmation_to and self.confirmation_to <= self.development_to:
            raise ValueError("protocol.confirmation_to must lie after protocol.development_to")
        return self
