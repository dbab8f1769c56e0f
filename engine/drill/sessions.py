"""The user's newest session as a vendor may send it wrongly; after each of them the right file must go in."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from engine.data.store import PanelStore
from engine.data.tables import BAR_SCHEMA
from engine.drill.bench import Ending, Workbench
from engine.drill.case import Case, NotTriedError, Seen, failed, silent, survived, told
from engine.drill.child import Handicap
from engine.drill.kills import at
from engine.errors import EngineError
from engine.files import write_text

_VALUES = ("open", "high", "low", "close", "volume")
_RATIOS = ((2, 1), (7, 1), (20, 1))
_DAYS = 420
"""Sessions before the newest that are enough to judge it by, where the store has to be made again."""
_SHARE = 0.3


def cases(bench: Workbench) -> Iterator[Case]:
    """Broken files of the newest session, and the right file under a clock that is behind."""
    try:
        snapshot = PanelStore(bench.source / "data").snapshot()
    except EngineError:
        return
    if len(snapshot.days) < 2:
        return
    desk = _Desk(bench)
    last = snapshot.days[-1]
    broken: tuple[tuple[str, str, Callable[[_Desk], bytes]], ...] = (
        ("partial", f"with only {_SHARE:.0%} of its rows", _partial),
        ("repeated", "with the rows of the one before", _repeated),
        ("contradicting", "with each row twice and two closes", _contradicting),
        ("cut", "cut in the middle of a row", _cut),
        ("tomorrow", "with the date of tomorrow", _tomorrow),
    )
    for name, what, make in broken:
        yield Case(f"session-{name}", f"file of {last} {what}", partial(_refused, desk, make))
    for new, old in _RATIOS:
        what = f"with a split {new}:{old} that nobody told"
        yield Case(
            f"session-{new}:{old}", f"file of {last} {what}", partial(_split, desk, new / old)
        )
    yield Case(
        "clock-ingest", f"file of {last} with the clock on the day before",
        partial(_early, desk, last),
    )  # fmt: skip


@dataclass
class _Desk:
    """The evening before the newest session, and the session's right file."""

    bench: Workbench
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _place: Path | NotTriedError | None = None

    @property
    def store(self) -> PanelStore:
        return PanelStore(self.bench.source / "data")

    def bars(self, back: int = 1) -> pl.DataFrame:
        """Rows of the newest session, or of one ``back`` from the end."""
        snapshot = self.store.snapshot()
        day = snapshot.days[-back]
        bars = snapshot.table("bars", after=day, until=day)
        assert bars is not None
        return bars.filter(pl.col("date") == dt.date.fromisoformat(day))

    @property
    def market(self) -> tuple[str, ...]:
        """The market's settings; the synthetic one's bars are read as files of a market of weekdays."""
        manifest = self.store.snapshot().manifest
        if manifest.market == "synthetic":
            return ("--set", "data.market=us", "--set", "data.calendar=WEEKDAYS")
        return ("--set", f"data.market={manifest.market}")

    def append(self, place: Path, content: bytes, handicap: Handicap | None = None) -> Ending:
        """The file appended as the user would do it."""
        path = self.bench.folder("file") / "session.csv"
        path.write_bytes(content)
        words = ("ingest", "--source", "files", "--prices", str(path), "--append", *self.market)
        return self.bench.run(place, *words, handicap=handicap or Handicap())

    @property
    def right(self) -> bytes:
        return _csv(self.bars())

    def eve(self) -> Path:
        """A copy in which the newest session is not there yet."""
        with self._lock:
            if self._place is None:
                try:
                    self._place = self._made()
                except NotTriedError as error:
                    self._place = error
        if isinstance(self._place, NotTriedError):
            raise self._place
        return self.bench.copy("eve", self._place)

    def _made(self) -> Path:
        place, snapshot = self.bench.copy("eve"), self.store.snapshot()
        day = dt.date.fromisoformat(snapshot.days[-2])
        if snapshot.manifest.market != "synthetic":
            store = PanelStore(place / "data")
            write_text(store.root / "CURRENT", store.truncated(day) + "\n")
        else:
            first = snapshot.days[-min(_DAYS, len(snapshot.days))]
            bars = snapshot.table("bars", after=first, until=str(day))
            assert bars is not None
            path = self.bench.folder("file") / "bars.csv"
            path.write_bytes(_csv(bars.filter(pl.col("date") <= day)))
            words = ("ingest", "--source", "files", "--prices", str(path), *self.market)
            self.bench.undisturbed(place, *words)
        clean = self.append(self.bench.copy("eve", place), self.right)
        if clean.code:
            raise NotTriedError(f"the right file alone: rc {clean.code}, {clean.words}")
        return place


def _csv(bars: pl.DataFrame) -> bytes:
    """As a vendor would send it: columns without a value in them are left out."""
    kept = [c for c in bars.columns if c in BAR_SCHEMA and _says_something(bars[c])]
    return bars.select(kept).write_csv().encode()


def _says_something(column: pl.Series) -> bool:
    usual = {"adjustment_factor": 1.0, "dividend": 0.0}
    known = column.drop_nulls()
    return bool(len(known)) and not (column.name in usual and (known == usual[column.name]).all())


def _partial(desk: _Desk) -> bytes:
    bars = desk.bars()
    return _csv(bars.head(max(1, int(_SHARE * len(bars)))))


def _repeated(desk: _Desk) -> bytes:
    return _csv(desk.bars(2).with_columns(date=pl.lit(desk.bars()["date"][0])))


def _contradicting(desk: _Desk) -> bytes:
    bars = desk.bars()
    other = bars.with_columns(
        pl.col("close") * 1.01, high=pl.max_horizontal("high", pl.col("close") * 1.01)
    )
    return _csv(pl.concat([bars, other]))


def _cut(desk: _Desk) -> bytes:
    content = desk.right
    middle = content.index(b"\n", len(content) // 2)
    return content[: middle - 6]


def _tomorrow(desk: _Desk) -> bytes:
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    return _csv(desk.bars().with_columns(date=pl.lit(day)))


def _refused(desk: _Desk, make: Callable[[_Desk], bytes], bench: Workbench) -> Seen:
    place = desk.eve()
    answer = desk.append(place, make(desk))
    if wrong := told(answer):
        return wrong
    words = answer.words
    if not answer.code:
        found = _findings(desk, place) - _findings(desk, desk.eve())
        if not found:
            return silent(f"stored with rc 0, and check finds nothing: {answer.out[-120:]}")
        words = f"stored, and check finds {', '.join(sorted(found))}"
    return _right_goes_in(desk, place, words)


def _findings(desk: _Desk, place: Path) -> set[str]:
    """Rules that the data of a copy break, for which a card holds or stops."""
    answer = desk.bench.run(place, "check")
    return {f["rule"] for f in answer.json.get("findings", ()) if f["level"] != "info"}


def _split(desk: _Desk, ratio: float, bench: Workbench) -> Seen:
    """No return may cross it: it is refused, or the exported bars have a flag or no jump."""
    bars, place = desk.bars(), desk.eve()
    turnover = pl.col("close") * pl.col("volume")
    symbol = bars.filter(turnover == turnover.max())["symbol"][0]
    hit = pl.col("symbol") == symbol
    prices = [
        pl.when(hit).then(pl.col(c) / ratio).otherwise(pl.col(c)).alias(c) for c in _VALUES[:4]
    ]
    volume = pl.when(hit).then(pl.col("volume") * ratio).otherwise(pl.col("volume"))
    answer = desk.append(place, _csv(bars.with_columns(*prices, volume=volume)))
    if wrong := told(answer):
        return wrong
    words = answer.words if answer.code else ""
    if not answer.code:
        seen = _crossed(desk, place, symbol, bars["date"][0])
        if seen.verdict != "survived":
            return seen
        words = seen.text
    return _right_goes_in(desk, place, words)


def _crossed(desk: _Desk, place: Path, symbol: str, day: dt.date) -> Seen:
    """Whether a return goes from the quoted price before to the one after."""
    path = desk.bench.folder("bars") / "bars.parquet"
    answer = desk.bench.run(place, "data", "export", "--output", str(path), *desk.market)
    if answer.code:
        return told(answer) or survived(f"no bars: {answer.words}")
    found = pl.read_parquet(path).filter(pl.col("symbol") == symbol).sort("date").tail(2)
    if len(found) < 2 or found["date"][-1] != day:
        return survived(f"{symbol} is left out of the session")
    flags, change = found["flags"][-1], found["close"][-1] / found["close"][0] - 1
    if flags:
        return survived(f"{symbol} is flagged: {flags}")
    if abs(change) < _SHARE:
        return survived(f"{symbol} was adjusted: {change:+.1%}")
    return silent(f"{symbol} stays as {change:+.0%} without a flag")


def _early(desk: _Desk, last: str, bench: Workbench) -> Seen:
    place = desk.eve()
    day = dt.date.fromisoformat(last) - dt.timedelta(days=1)
    answer = desk.append(place, desk.right, at(str(day), hour=12))
    if not answer.code:
        return silent("bars of tomorrow are stored with rc 0")
    return told(answer) or _right_goes_in(desk, place, answer.words)


def _right_goes_in(desk: _Desk, place: Path, words: str) -> Seen:
    """After whatever was refused or taken, the right file makes the session what it is."""
    answer = desk.append(place, desk.right)
    if answer.code:
        return failed(f"{words}; then the right file is refused: rc {answer.code}, {answer.words}")
    snapshot = PanelStore(place / "data").snapshot()
    day = snapshot.days[-1]
    bars = snapshot.table("bars", after=day, until=day)
    assert bars is not None
    columns = ["symbol", *_VALUES]
    right = desk.bars().select(columns).sort("symbol")
    found = bars.filter(pl.col("date") == dt.date.fromisoformat(day)).select(columns).sort("symbol")
    if day != str(desk.bars()["date"][0]) or not found.equals(right):
        return silent(f"{words}; then the right file is taken, and {day} is not what it says")
    return survived(f"{words}; the right file goes in")
