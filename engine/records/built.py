"""What was built from a snapshot: the manifests of a panel, a universe, a feature set and graphs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from engine.files import MANIFEST
from engine.records import record
from engine.records.snapshot import FileEntry

Get = Callable[[Path, type[Any]], Any]
"""How a record is read from a file: `record.read`, or a cache around it."""


class Built(Struct, frozen=True, kw_only=True):
    """From which raw sessions, and by which settings, a result was made; see `engine.data.lineage`."""

    fingerprint: str = ""
    settings: str = ""
    """Digest of everything but the data that decides the values."""
    raw_sessions: int = 0
    chain_end: str = ""
    """Hash of all that was known at the last raw session."""


class PanelManifest(Built, frozen=True, kw_only=True):
    """Clean bars on disk."""

    days: tuple[str, ...]
    """Sessions with a bar, ISO dates."""
    symbols: tuple[str, ...]
    """Stocks with a bar, sorted."""
    bars: tuple[int, ...]
    """Bars of each of ``symbols``."""
    files: dict[str, FileEntry]


class UniverseManifest(Built, frozen=True, kw_only=True):
    """The universe without its arrays: its size on each session, and who is in it at the last one."""

    symbols: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    members: tuple[int, ...] = ()
    """Stocks in the universe on each of ``days``."""
    last_members: tuple[str, ...] | None = None


class FeatureSetManifest(Built, frozen=True, kw_only=True):
    """A feature set without its arrays."""

    features: tuple[str, ...] = ()
    sessions: int = 0
    cells: int = 0
    """Stock-days of the universe."""
    known: tuple[int, ...] | None = None
    """Stock-days with a value, a feature; None where an older version did not count them."""


class GraphManifest(Built, frozen=True, kw_only=True):
    """A series of graphs without its edges."""

    graph: dict[str, str | int | float | bool | None] = {}
    """Rules that the graphs were made by."""
    statistics: dict[str, tuple[str | float | None, ...]] = {}
    """``date`` (ISO) and one figure a rebuild date of each statistic; None where it is undefined."""


B = TypeVar("B", bound=Built)


def newest(
    root: Path, kind: type[B], chain: Sequence[str] | None, get: Get = record.read
) -> tuple[Path, B, bool] | None:
    """Directory and manifest of the newest result under ``root`` that was made from the snapshot with
    ``chain``, else of the newest of all; True where it was made from it. None without any result.
    """
    paths = sorted(root.glob(f"*/{MANIFEST}"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    if chain is not None:
        end = (len(chain), chain[-1] if chain else "")
        for path in paths:
            built: B = get(path, kind)
            if (built.raw_sessions, built.chain_end) == end:
                return path.parent, built, True
    return (paths[0].parent, get(paths[0], kind), False) if paths else None
