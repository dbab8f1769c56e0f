"""Files that are either complete or absent: temp file + fsync + rename, and a manifest of hashes."""

import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engine import disk, hashes
from engine.errors import ConfigError, EnvironmentProblem, IntegrityError
from engine.hashes import sha256

if TYPE_CHECKING:
    import polars

Json = Mapping[str, Any]
"""A JSON object that is only read or printed: the answer of a command, on either side of the process."""
MANIFEST = hashes.MANIFEST
_Entry = TypeVar("_Entry")
"""What a manifest says of one file: its hash and its size."""
_MAX_TOML_BYTES = 1_000_000


@contextmanager
def atomic_path(path: Path, *, listed: bool = True, size: int | None = None) -> Iterator[Path]:
    """A temporary path beside ``path``; renamed over it when the block ends without an exception.

    The data are synced before the rename and the directory after it, so that after a crash the old
    file or the new one is there, never a mixture. Its hash is listed (`engine.hashes`) unless people
    edit the file or it is said anew all the time. ``size``: how many bytes are to come, if that is known.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk.named(path, needs=size):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            if listed:
                hashes.note(path, temporary)
            temporary.replace(path)
            sync_directory(path.parent)
        except OSError as error:
            if disk.problem(error):
                raise
            told = f"{path}: cannot write ({error.strerror or error})"
            raise EnvironmentProblem(told, hint="the old file is untouched") from error
        finally:
            with suppress(OSError):
                temporary.unlink()


def write_bytes(path: Path, content: bytes, *, listed: bool = True) -> None:
    """Write the file at once, see `atomic_path`."""

    def write() -> None:
        with atomic_path(path, listed=listed, size=len(content)) as temporary:
            temporary.write_bytes(content)

    disk.again(write)


def write_text(path: Path, text: str, *, listed: bool = True) -> None:
    """Write the file at once, as UTF-8."""
    write_bytes(path, text.encode("utf-8"), listed=listed)


def read_text(path: Path) -> str:
    """The text of a file that `write_text` wrote; IntegrityError where it is not that any more."""
    try:
        return hashes.read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: not UTF-8 text") from error


def strict(value: Any) -> Any:
    """The value with NaN and infinity as None, in every mapping and list: strict JSON has neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return value


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that starts so is run as a formula by spreadsheets (CWE-1236)."""


def inert(cell: str) -> str:
    """The text with a leading apostrophe where a spreadsheet would run it; written numbers stay."""
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def strict_text(value: object, *, indent: int = 2, sort_keys: bool = True) -> str:
    """The value as strict JSON: NaN and infinity are null, and what JSON does not know is its ``str``."""
    return json.dumps(
        strict(value), indent=indent, sort_keys=sort_keys, allow_nan=False, default=str
    )


def write_json(path: Path, value: Mapping[str, Any], *, listed: bool = True) -> None:
    """Strict JSON with sorted keys; NaN and infinity become null."""
    write_text(path, strict_text(value) + "\n", listed=listed)


def write_parquet(
    path: Path, frame: "polars.DataFrame", *, row_group_size: int | None = None
) -> None:
    """Write the frame at once."""

    def write() -> None:
        with atomic_path(path) as temporary:
            frame.write_parquet(temporary, row_group_size=row_group_size)

    disk.again(write)


def read_parquet(path: Path) -> "polars.DataFrame":
    """The frame that `write_parquet` wrote; IntegrityError for a damaged file."""
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(hashes.read(path)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        first = str(error).splitlines()[0]
        raise IntegrityError(f"{path}: not readable as Parquet ({first})") from error


def from_json(text: str | bytes) -> Any:
    """What the JSON says; ValueError also for one that is nested too deeply to be read."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; IntegrityError for one that holds none."""
    try:
        value = from_json(hashes.read(path))
    except FileNotFoundError as error:
        raise EnvironmentProblem(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise IntegrityError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{path}: expected a JSON object")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a configuration file; ConfigError with the line of a mistake."""
    return parse_toml(read_toml_text(path), path)


def read_toml_text(path: Path) -> str:
    """The text of a configuration file; ConfigError for one that is none."""
    try:
        size = path.stat().st_size
        if size > _MAX_TOML_BYTES:
            raise ConfigError(f"{path}: {size} bytes is no configuration file")
        return path.read_text(encoding="utf-8-sig")  # some editors put a mark before it
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text", hint="save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Tables of a text that stands, or will stand, in the file."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        line = place[1] if place else "end"
        raise ConfigError(f"{path}:{line}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: tables are nested too deeply") from error


def digest(value: object) -> str:
    """First 16 hex digits of the SHA-256 of a JSON-able value: the key of a cache entry."""
    return text_digest(json_text(value))


def json_text(value: object) -> str:
    """The text of a value that its digest is of."""
    return json.dumps(value, sort_keys=True, default=str)


def text_digest(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def write_manifest(
    directory: Path,
    fields: Mapping[str, Any],
    known: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write ``manifest.json`` last: hash and size of every other file of the directory, plus fields.

    ``known``: entries of files that were adopted from another directory and are not hashed again.
    A directory without a manifest is unfinished and is never read.
    """
    known = known or {}
    files = {
        path.name: known.get(path.name) or {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(directory.iterdir())
        if path.is_file() and path.name != MANIFEST and not path.name.endswith(".tmp")
    }
    write_json(directory / MANIFEST, {**fields, "files": files})


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A staging directory beside ``target`` that takes its place when the block ends well.

    The block writes the manifest. If ``target`` is complete already (made meanwhile), it stays.
    """
    staging = target.with_name(f".staging-{target.name}-{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    with disk.named(target):
        try:
            staging.mkdir(parents=True)
            yield staging
            _sync_built(staging)
            hashes.note(target / MANIFEST, staging / MANIFEST)
            _take_place(staging, target)
            sync_directory(target.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _sync_built(staging: Path) -> None:
    """Polars and numpy do not sync what they write. What has two names was synced under its first."""
    for path in staging.iterdir():
        if path.is_file() and path.stat().st_nlink == 1:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_directory(staging)


def _take_place(staging: Path, target: Path) -> None:
    """One rename: of two who build the same at once the first one's stays, and nobody deletes it."""
    while not (target / MANIFEST).exists():
        try:
            staging.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
        if not (target / MANIFEST).exists():  # no folder of ours is without one
            aside = staging.with_name(f"{staging.name}-aside")
            with suppress(FileNotFoundError):
                target.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)


def adopt(
    source: Path, target: Path, names: Iterable[str], files: Mapping[str, _Entry]
) -> dict[str, _Entry]:
    """Take over finished files of another directory without copying them: they are never changed.

    ``files`` are the entries of the source's manifest; those of the adopted files are returned.
    """
    taken = {}
    for name in names:
        try:
            os.link(inside(source, name), target / name)
        except OSError:  # a file system without hard links
            shutil.copy2(source / name, target / name)
        taken[name] = files[name]
    return taken


def read_manifest(directory: Path, *, verify: bool = True) -> dict[str, Any]:
    """The manifest's fields, after every listed file was found to have its recorded hash."""
    manifest = read_json(directory / MANIFEST)
    if verify:
        verify_files(directory, manifest, manifest["files"])
    return manifest


def inside(directory: Path, name: str) -> Path:
    """The path of what a manifest or a pointer names in its folder; IntegrityError for any other place."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise IntegrityError(f"{directory}: {name!r:.80} is no name of anything in this folder")
    return directory / name


def verify_files(directory: Path, manifest: Mapping[str, Any], names: Iterable[str]) -> None:
    """IntegrityError unless each named file has the hash that the manifest recorded."""
    for name in names:
        path, entry = inside(directory, name), manifest["files"][name]
        if not path.is_file():
            raise IntegrityError(f"{path}: listed in {MANIFEST} but missing")
        if path.stat().st_size != entry["bytes"] or sha256(path) != entry["sha256"]:
            raise IntegrityError(
                f"{path}: contents differ from the hash in {MANIFEST}",
                hint="the file is damaged; delete its folder and build it again",
            )


def own_folder() -> Path:
    """A folder of this user alone on this machine's own disk. In a folder where everybody may write its name
    can be taken by somebody else, or lead elsewhere: EnvironmentProblem.
    """
    place = Path(tempfile.gettempdir()) / f"atft-tui-{os.getuid()}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise EnvironmentProblem(
            f"{place}: not a folder that only this user may write into",
            hint="remove it, or set TMPDIR to a folder of your own",
        )
    return place


def sync_directory(directory: Path) -> None:
    """Names that were made or moved in a directory are on the disk when this returns."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
