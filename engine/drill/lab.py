"""A small market with a champion, made by the product itself: what is killed and starved of room.

Trained on all sessions but the newest. The two runs are created before anything is done, so that they have
the same names, and by that the same bytes, in every copy.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from engine.config.file import resolve
from engine.data.calendar import weekdays
from engine.drill.bench import Workbench
from engine.drill.case import NotTriedError
from engine.drill.child import Handicap
from engine.runs.store import RunStore

_SESSIONS, _FIRST = 420, "2018-01-02"
"""The first session is that of the synthetic market."""
_SETTINGS = (
    "data.synthetic.n_symbols=32",
    f"data.synthetic.n_sessions={_SESSIONS}",
    "universe.min_history=60",
    "universe.min_names=10",
    "graph.window=60",
    "graph.k=4",
    "split.window=8",
    "split.validation_sessions=40",
    "split.test_sessions=40",
    "model.hidden=8",
    "model.attention_heads=2",
    "model.gat_heads=[2,2]",
    "training.day_stride=8",
    "training.epochs=[2,0,0,0]",
    "training.log_every=2",
    "training.checkpoint_steps=3",
    "training.null_draws=20",
    "training.baseline_horizons=[5]",
    "backtest.initial_cash=100000",
    "executor.jobs=1",
    "schedule.report_formats=",
)
SETTINGS = ("--preset", "demo", *(word for one in _SETTINGS for word in ("--set", one)))

INGEST = ("ingest", "--source", "synthetic", *SETTINGS)
SIGNALS = ("signals", *SETTINGS)
WALK = ("--first-test", str(weekdays(_FIRST, _SESSIONS)[-82]), "--step", "40")
"""Two folds."""


@dataclass
class Lab:
    """Its places are made when they are first asked for, once, whoever asks."""

    bench: Workbench
    named: dict[str, list[str]] = field(default_factory=dict)
    """Command -> what `Handicap.named` has of it."""
    _made: dict[str, Path | NotTriedError] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def last(self) -> str:
        """The newest session, ISO date."""
        return str(weekdays(_FIRST, _SESSIONS)[-1])

    @property
    def bare(self) -> Path:
        """Market data up to the session before the newest, and two runs that nobody has begun."""
        return self._place("bare", self._bare)

    @property
    def trained(self) -> Path:
        """With the training done and promoted."""
        run = self.run("train")
        promote = ("promote", run, "--force-reason", "a drill", *SETTINGS)
        return self._place(
            "trained", lambda: self._after(self.bare, ("train", "--run", run), promote)
        )

    @property
    def eve(self) -> Path:
        """The evening of the newest session: its bars are there, its signal is not."""
        return self._place("eve", lambda: self._after(self.trained, INGEST))

    @property
    def signalled(self) -> Path:
        """With the signal of the newest session, whatever its card says."""
        return self._place("signalled", lambda: self._after(self.eve, SIGNALS, codes=(0, 6)))

    @property
    def walked(self) -> Path:
        """With the walk-forward done."""
        words = ("walkforward", "--run", self.run("walkforward"), *WALK)
        return self._place("walked", lambda: self._after(self.bare, words))

    def run(self, command: str) -> str:
        """Id of one of the two runs."""
        return next((self.bare / "runs").glob(f"*-{command}-*")).name

    def _bare(self) -> Path:
        place, eve = self.bench.folder("lab"), str(weekdays(_FIRST, _SESSIONS)[-2])
        words = ("ingest", "--source", "synthetic", "--until", eve, *SETTINGS)
        self.bench.undisturbed(place, *words)
        config = resolve((), preset="demo", overrides=_SETTINGS).config
        for command in ("train", "walkforward"):
            RunStore(place / "runs").create(command, config)
        return place

    def _after(self, before: Path, *commands: tuple[str, ...], codes: Sequence[int] = (0,)) -> Path:
        place = self.bench.copy("lab", before)
        for words in commands:
            listed = self.bench.folder("named") / "names"
            self.bench.undisturbed(place, *words, codes=codes, handicap=Handicap(named=str(listed)))
            lines = listed.read_text(errors="surrogateescape").splitlines()
            self.named[words[0]] = [line.replace(f"{place}/", "") for line in lines]
        return place

    def _place(self, name: str, make: Callable[[], Path]) -> Path:
        with self._lock:
            if name not in self._made:
                try:
                    self._made[name] = make()
                except NotTriedError as error:
                    self._made[name] = error
        found = self._made[name]
        if isinstance(found, NotTriedError):
            raise found
        return found


def contents(workspace: Path, *patterns: str) -> dict[str, str]:
    """Hash of each file of the patterns by its name."""
    return {
        path.relative_to(workspace).as_posix(): sha256(path.read_bytes()).hexdigest()
        for pattern in patterns
        for path in sorted(workspace.glob(pattern))
        if path.is_file()
    }


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names of files that are not the same in both."""
    return sorted({name for name, _ in one.items() ^ other.items()})
