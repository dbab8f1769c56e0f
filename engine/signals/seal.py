"""Writing sealed directories: built aside, renamed into place once, never changed.

A directory is there whole or not at all: what a killed process left is swept at the next start. Arrays are
kept once, by their content, as pins; the trading rules are a part of the inputs.
"""

import datetime as dt
import errno
import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import disk
from engine.config import Config, ConstraintConfig, CostConfig, PortfolioConfig, SignalConfig
from engine.errors import EnvironmentProblem, IntegrityError, UsageError
from engine.files import MANIFEST, digest, inside, sync_directory, write_bytes
from engine.records import record
from engine.records.orders import Positions
from engine.records.seal import (
    SEAL,
    Seal,
    SealedFile,
    SealKey,
    SealManifest,
    SealPlace,
    examine,
    read_seal,
    seal_places,
)
from engine.workspace_code import hashes_of

_DIGITS = 40
_KEPT = 32
"""Pins whose arrays stay in memory: bars of 4,000 stocks take 0.3 MB, so about 10 MB."""
_Arrays = dict[str, NDArray[Any]]
_STAGING = ".staging-"
_TRADING = ("portfolio", "constraints", "costs", "signals")
"""Tables of the configuration that decide a signal besides those packed with the model."""
_CASH = "initial_cash"
OWN_CODE = "code"
"""Among the trading rules: place and hash of a strategy of the workspace; left out for a built-in one."""


@dataclass(frozen=True, slots=True)
class PinStore:
    """Bytes by their hash. One store remembers which pins it has checked and the arrays it has read."""

    root: Path
    """``WORKSPACE/signals/pins``."""
    _checked: set[str] = field(default_factory=set, compare=False)
    _arrays: dict[str, _Arrays] = field(default_factory=dict, compare=False)

    def put(self, content: bytes) -> str:
        """Keep the bytes; returns their name. A damaged file of that name is replaced.

        What is there is compared byte by byte: a flipped bit keeps the size.
        """
        name = _name_of(content)
        path = self._path(name)
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content, listed=False)
        else:
            os.utime(path)  # whoever prunes sees that it is wanted again
        return name

    def get(self, name: str) -> bytes:
        """The bytes of that name; IntegrityError if they are gone or not the same any more."""
        path = self._path(name)
        if not path.is_file():
            raise IntegrityError(f"{path}: an input of a sealed signal is missing")
        content = path.read_bytes()
        if _name_of(content) != name:
            raise IntegrityError(f"{path}: contents differ from the hash in its name")
        return content

    def check(self, name: str) -> None:
        """IntegrityError unless the pin is what its name says; each pin is read once."""
        if name not in self._checked:
            self.get(name)
            self._checked.add(name)

    def prune(self, named: Collection[str], before: dt.datetime) -> int:
        """Remove the pins that are not named and are older; how many. For the holder of the lock."""
        left = [
            path
            for path in self.root.glob("*.bin")
            if path.stem not in named and path.stat().st_mtime < before.timestamp()
        ]
        for path in left:
            path.unlink()
        return len(left)

    def put_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Keep arrays; returns the name of their pin."""
        return self.put(pack(arrays))

    def get_arrays(self, name: str) -> _Arrays:
        """The arrays of a pin, read-only; the newest few are kept, for sessions side by side share most."""
        if name not in self._arrays:
            self._arrays[name] = unpack(self.get(name))
            while len(self._arrays) > _KEPT:
                del self._arrays[next(iter(self._arrays))]
        return self._arrays[name]

    def _path(self, name: str) -> Path:
        return inside(self.root, f"{name}.bin")


def _name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as a compressed ``.npz`` whose bytes depend on nothing but their values and order."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(content: bytes) -> _Arrays:
    """The arrays that `pack` packed. No pickles are read: reading a pin cannot run code."""
    with np.load(io.BytesIO(content), allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def text_array(words: Sequence[str]) -> NDArray[np.uint8]:
    """Text as bytes: numpy's own text arrays would be pickled or padded."""
    return np.frombuffer("\n".join(words).encode("utf-8"), dtype=np.uint8)


def text_of(array: NDArray[Any]) -> tuple[str, ...]:
    """The words that `text_array` packed; none of an empty array."""
    text = array.tobytes().decode("utf-8")
    return tuple(text.split("\n")) if text else ()


def verify_seal(place: SealPlace, pins: PinStore) -> int:
    """Check the seal, every file, that there is no other, and every input; the number checked.

    Everything is read anew. IntegrityError names the first fault. ``pins`` remembers which of its pins it
    has checked: one store for many seals reads each of them once.
    """
    seal = examine(place.directory)
    if seal.standing != "sealed":
        raise IntegrityError(f"{seal.directory}: {seal.trouble}")
    for name in seal.files:
        seal.read(name)
    needed = seal.inputs().pins()
    for pin in needed:
        pins.check(pin)
    return len(seal.files) + len(needed)


@dataclass(frozen=True, slots=True)
class SealStore:
    """The sealed signals of a workspace."""

    root: Path
    """``WORKSPACE/signals``."""

    @property
    def workspace(self) -> Path:
        """Where the strategies of one's own are."""
        return self.root.parent

    @property
    def pins(self) -> PinStore:
        """The inputs that the seals rest on."""
        return PinStore(self.root / "pins")

    def __iter__(self) -> Iterator[Seal]:
        """Every sealed directory, by session, then revision."""
        return (read_seal(place.directory) for place in seal_places(self.root))

    def of(self, session: str) -> list[Seal]:
        """Revisions of a session, the first signal first; no other directory is looked into."""
        places = (place for place in seal_places(self.root) if place.session == session)
        return [read_seal(place.directory) for place in places]

    def open(self, name: str) -> Seal:
        """``2016-12-30`` = the newest of that session, ``2016-12-30-r0`` = the first, ``-r1`` ..."""
        session, _, revision = name.partition("-r")
        found = self.of(session)
        if revision:
            found = [one for one in found if str(one.revision) == revision]
        if not found:
            raise UsageError(f"no sealed signal {name!r}", hint="`atft-tui verify` lists them")
        return found[-1]

    def newest(self) -> list[SealPlace]:
        """The newest revision of each session, oldest session first; none is looked into."""
        return list({place.session: place for place in seal_places(self.root)}.values())

    def sweep(self) -> list[str]:
        """Remove what killed writers left. Only for the holder of the lock."""
        left = sorted(self.root.glob(f"{_STAGING}*")) if self.root.is_dir() else []
        for path in left:
            shutil.rmtree(path)
        for path in self.root.glob("pins/.*.tmp"):
            path.unlink(missing_ok=True)
        return [path.name for path in left]

    def publish(
        self, session: str, revision: int, files: Mapping[str, bytes], manifest: SealManifest
    ) -> Seal:
        """Seal the files. If the place is taken meanwhile, the one that is there stays and is returned."""
        name = f"{session}-r{revision}" if revision else session
        target = self.root / name
        staging = self.root / f"{_STAGING}{name}-{secrets.token_hex(4)}"
        try:
            staging.mkdir(parents=True)
            told = manifest_bytes(files, manifest)
            seal = hashlib.sha256(told).hexdigest() + "\n"
            for file, content in {**files, MANIFEST: told, SEAL: seal.encode()}.items():
                _write(staging / file, content)
            sync_directory(staging)
            staging.rename(target)
            sync_directory(self.root)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                found = EnvironmentProblem(f"{target}: cannot be written ({error.strerror})")
                raise disk.problem(error, target) or found from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return read_seal(target)


def manifest_bytes(files: Mapping[str, bytes], manifest: SealManifest) -> bytes:
    """The manifest of these files: the same fields and files give the same bytes."""
    entries = {
        name: SealedFile(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for name, content in files.items()
    }
    return record.to_bytes(msgspec.structs.replace(manifest, files=entries))


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """Everything after the scores: how a book is made, what stands against an order, what it costs."""

    portfolio: PortfolioConfig
    limits: ConstraintConfig
    costs: CostConfig
    signals: SignalConfig
    initial_cash: float
    """Cash that an account without a file of positions starts from, quote currency."""


def trading_tables(config: Config, workspace: Path) -> dict[str, object]:
    """The trading rules of a configuration as they stand in the inputs of a signal, with the hash of a
    strategy of the workspace.
    """
    tables = {name: getattr(config, name).model_dump(mode="json") for name in _TRADING}
    own = hashes_of(workspace, "strategies", [config.portfolio.strategy])
    return {**tables, _CASH: config.backtest.initial_cash, **({OWN_CODE: own} if own else {})}


def trading_config(packed: Config, config: Config) -> Config:
    """Everything up to the scores from the model's package, everything after them from the command."""
    tables = {name: getattr(config, name).model_dump() for name in (*_TRADING, "backtest")}
    return Config.model_validate({**packed.model_dump(), **tables})


def with_trading(config: Config, trading: Mapping[str, Any]) -> Config:
    """The model's configuration with the trading rules of a signal; one of before `portfolio.score` traded
    the score of a horizon.
    """
    tables = {name: trading[name] for name in _TRADING}
    tables["portfolio"] = {"score": "horizon"} | tables["portfolio"]
    backtest = config.backtest.model_dump() | {_CASH: trading[_CASH]}
    return Config.model_validate({**config.model_dump(), **tables, "backtest": backtest})


def rules_of(config: Config) -> TradingRules:
    """The trading rules among all settings."""
    return TradingRules(
        portfolio=config.portfolio,
        limits=config.constraints,
        costs=config.costs,
        signals=config.signals,
        initial_cash=config.backtest.initial_cash,
    )


def same_inputs(key: SealKey, trading: Mapping[str, Any], positions: Positions | None) -> str:
    """Digest of what a caller decides: the key, the trading rules, the positions."""
    held = None if positions is None else record.as_json(positions)
    return digest([str(key), dict(trading), held])
