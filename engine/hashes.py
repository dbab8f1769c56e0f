"""What each file of a run or a workspace may hold: a list of hashes that writers add to and readers ask.

    WORKSPACE/files.sha256    WORKSPACE/runs/ID/files.sha256      HEX  NAME, as `sha256sum` writes it

A file belongs to the nearest list above it. The list only grows: a line is on the disk before the file takes
its name, so after a crash the old and the new content are both listed, and processes that write into one run
at once need no lock. Content that no line of the name has is refused; a file without a line is not hashed:
one of an earlier version, or one that people edit. Hidden names and what lies in hidden folders are left out:
a folder that is being built gets a manifest of its own.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine import disk
from engine.errors import IntegrityError

LIST, MANIFEST = "files.sha256", "manifest.json"
DATA, RUNS = "data", "runs"
"""Folders of a workspace, by which it is known. Files of runs come one by one: their manifests name none."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)", re.DOTALL)
_DEPTH = 5
"""Folders above a file that are looked through for its list."""
_ARTEFACTS = (".parquet", ".json", ".html", ".md", ".csv", ".pdf", ".toml")
_LIVE = ("heartbeat.json", "config.toml")
"""Not listed: said anew every few seconds, and edited by people. The configuration of a run is listed."""
_REMAKE = {
    "predictions.parquet baselines.parquet feature_ic.json train.json walkforward.json": (
        "delete it and go on with `atft-tui {command} --resume {run}`"
    ),
    "folds checkpoints fits": "delete it and go on with `atft-tui {command} --resume {run}`",
    "backtest.json backtest.parquet backtest_baselines.parquet backtest_sectors.parquet weights.parquet "
    "backtest_styles.parquet holdings.parquet holdings_names.parquet": (
        "make it again with `atft-tui backtest {run}`"
    ),
    "sweep.json sweep_returns.parquet": "make it again with `atft-tui sweep {run}`",
    "audit.json": "make it again with `atft-tui audit`",
    "drill.json": "make it again with `atft-tui drill`",
    "data/quality.json data/stocks.parquet": "make it again with `atft-tui check`",
    "data/CURRENT data/HISTORY": "delete it and read the market data again: `atft-tui ingest`",
    "features/catalog.json": "make it again with `atft-tui features list`",
    "features graphs panels universe": "delete its folder; it is built again when it is needed",
    "data": "delete its folder and read the market data again: `atft-tui ingest`",
    "trials.json": "delete it: what was tried on this run is then counted once",
    "compare": "delete it and compare again: `atft-tui compare`",
    "tune": "delete it and go on with `atft-tui tune --study NAME`",
    "signals/fills": "read the fills back again with `atft-tui fills`",
    "signals": "make it again with `atft-tui ledger`",
    "track": "bring it back from a copy: without it the record begins anew",
    "models": "bring it back from a copy, or `atft-tui promote` a run again",
}
"""Files and folders, seen from the list -> what to do when one is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What one list says of the files that are there."""

    checked: int
    """Files that hold what a line says."""
    unlisted: tuple[str, ...]
    """Files without a line."""
    missing: tuple[str, ...]
    """Files with a line that are gone though their folder is there. Comparisons are deleted on purpose,
    the checkpoints of a trial with their folder."""
    faults: tuple[str, ...]
    """Damaged files and damaged lines."""


def sha256(path: Path) -> str:
    """Hex digest of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def begin(directory: Path) -> None:
    """From now on the files that are written in this folder and below it are hashed."""
    (directory / LIST).touch()


def note(path: Path, content: Path) -> None:
    """List the hash of ``content``, a file that is about to take the name ``path``."""
    if place := _place(path):
        home, name = place
        append(home / LIST, f"{sha256(content)}  {name}\n")


def read(path: Path) -> bytes:
    """The bytes of a file. IntegrityError, with the way to make it again, where they are not listed ones."""
    content = path.read_bytes()
    if wanted := _wanted(path):
        _require(path, hashlib.sha256(content).hexdigest(), wanted)
    return content


def checked(path: Path) -> Path:
    """The path of a file that is read in parts, after its bytes were found in the list; see `read`."""
    if wanted := _wanted(path):
        _require(path, sha256(path), wanted)
    return path


def inventory(home: Path) -> Inventory | None:
    """Every listed file read and compared; None where there is no list."""
    if not (home / LIST).is_file():
        return None
    known, damaged = _parse(home / LIST)
    right, faults = 0, [f"{home / LIST}: line {n} is damaged" for n in damaged]
    for name, wanted in known.items():
        path = home / name
        if not path.is_file():
            continue
        try:
            _require(path, sha256(path), wanted)
            right += 1
        except IntegrityError as error:
            faults.append(f"{error.message}; {error.hint}")
    found = {path.relative_to(home).as_posix() for path in _artefacts(home)}
    return Inventory(
        checked=right,
        unlisted=tuple(sorted(found - known.keys())),
        missing=tuple(missing(home)),
        faults=tuple(faults),
    )


def faults_of_built(manifest: Path, seen: set[tuple[int, str]]) -> Iterator[str]:
    """What is wrong with the files of a folder that was built at once.

    ``seen``: inode and hash of files that were found right; those of this folder are added.
    """
    try:
        files = _manifest_files(manifest, *_stamp(manifest))
    except IntegrityError as error:
        yield error.message
        return
    for name, wanted in files.items():
        path = manifest.with_name(name)
        if not path.is_file():
            yield f"{path}: listed in {MANIFEST} but missing"
            continue
        key = (path.stat().st_ino, wanted)
        if key in seen:
            continue
        if sha256(path) == wanted:
            seen.add(key)
        else:
            yield f"{path}: contents differ from the hash in {MANIFEST}; {way_back(path)}"


def missing(home: Path) -> list[str]:
    """Listed files that are gone though their folder is there."""
    known = _parse(home / LIST)[0] if (home / LIST).is_file() else {}
    return [name for name in known if not (home / name).exists() and (home / name).parent.is_dir()]


def _artefacts(folder: Path) -> Iterator[Path]:
    """Files that are read again later, without those of folders with a list or a manifest of their own."""
    for path in folder.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            if not any((path / name).is_file() for name in (LIST, MANIFEST)):
                yield from _artefacts(path)
        elif path.suffix in _ARTEFACTS and not path.name.startswith(".") and not _is_edited(path):
            yield path


def _is_edited(path: Path) -> bool:
    """Said anew all the time, or edited by people, as the own features of a workspace are."""
    return path.name in _LIVE or (path.suffix == ".toml" and path.parent.name == "features")


def _place(path: Path) -> tuple[Path, str] | None:
    """Folder of the list that a file belongs to, and the file's name in it."""
    for home in path.parents[:_DEPTH]:
        if (home / LIST).is_file():
            inner = path.relative_to(home)
            hidden = any(part.startswith(".") for part in inner.parts) or inner.name == LIST
            return None if hidden else (home, inner.as_posix())
    return None


def _wanted(path: Path) -> frozenset[str]:
    """Hashes that its list has for a file, else the manifest beside it; none: not hashed."""
    place = _place(path)
    if place and (wanted := _read_list(place[0] / LIST).get(place[1])):
        return wanted
    beside = path.with_name(MANIFEST)
    if path != beside and beside.is_file() and path.parent.parent.name != RUNS:
        entry = _manifest_files(beside, *_stamp(beside)).get(path.name)
        return frozenset((entry,)) if entry else frozenset()
    return frozenset()


def _require(path: Path, found: str, wanted: frozenset[str]) -> None:
    if found not in wanted:
        raise IntegrityError(
            f"{path}: damaged, its contents differ from the hash in {LIST}", hint=way_back(path)
        )


def way_back(path: Path) -> str:
    """What to do when the file is damaged, in words."""
    home, name = _place(path) or (path.parent, path.name)
    top = name.partition("/")[0]
    known = {name, name.rpartition("/")[0], top}
    words = next((words for names, words in _REMAKE.items() if known & {*names.split()}), "")
    if name.startswith("report."):
        words = "make it again with `atft-tui report {run}`"
    command = home.name.split("-")[2] if home.name.count("-") == 3 else ""
    return words.format(run=home.name, command=command) or "bring it back from a copy, or delete it"


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=128)
def _manifest_files(path: Path, *_stamp: int) -> Mapping[str, str]:
    """Name -> hash, of a folder that was built at once."""
    try:
        files = json.loads(read(path)).get("files", {})
        if outside := [name for name in files if "/" in name or name == ".."]:
            raise ValueError(f"names {outside[0]!r:.80}, which is not in its folder")
        return {name: entry["sha256"] for name, entry in files.items()}
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise IntegrityError(f"{path}: no manifest ({error})") from error


def _read_list(path: Path) -> Mapping[str, frozenset[str]]:
    """A list only grows, so its size tells it apart."""
    return _parsed(path, *_stamp(path))


@lru_cache(maxsize=128)
def _parsed(path: Path, *_stamp: int) -> Mapping[str, frozenset[str]]:
    return _parse(path)[0]


def _parse(path: Path) -> tuple[dict[str, frozenset[str]], list[int]]:
    """Name -> all hashes that were listed for it; and the numbers of the damaged lines."""
    found: dict[str, frozenset[str]] = {}
    damaged = []
    lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match and not match[2].startswith("/") and ".." not in match[2].split("/"):
            found[match[2]] = found.get(match[2], frozenset()) | {match[1]}
        elif line:
            damaged.append(number)
    return found, damaged


def append(path: Path, lines: str) -> None:
    """One write of whole lines, synced; a torn last line is ended first, a file that is not there is made."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        disk.append(descriptor, ("\n" * torn + lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
