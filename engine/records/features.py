"""What was built from a snapshot: the manifests of a panel, a universe, a feature set and graphs; and what is
said of each feature, how much of it is known, and what it is worth alone in training; and the features of a
workspace's own, WORKSPACE/features/NAME.toml or NAME.py, with ``accepted.json``: which texts the look-ahead
audit has accepted.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, structs

from engine.errors import ConfigError
from engine.files import MANIFEST, read_toml_text
from engine.hashes import sha256
from engine.records import record
from engine.records.snapshot import FileEntry

_Get = Callable[[Path, type[Any]], Any]
"""How a record is read from a file: `record.read`, or a cache around it."""
CATALOG = Path("features") / "catalog.json"
"""Below the workspace: written with every feature set and by `features list`."""
_WORTH = "feature_ic.json"
"""In the directory of a training run."""
_RUNS = 20
"""Newest runs that are asked for the worth of the features."""

FOLDER = Path("features")
ACCEPTED = FOLDER / "accepted.json"
CODE = "sha256:"
"""Begins what stands for the text of a Python file: its hash."""


class Built(Struct, frozen=True, kw_only=True):
    """From which raw sessions, and by which settings, a result was made; see `engine.data.months`."""

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


class _FeatureSetManifest(Built, frozen=True, kw_only=True):
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
    root: Path, kind: type[B], chain: Sequence[str] | None, get: _Get = record.read
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


class FeatureFigures(Struct, frozen=True, kw_only=True):
    """What files say of a feature beside its definition; None where no file says it."""

    coverage: float | None = None
    """Share of the universe's stock-days with a value."""
    rank_ic: float | None = None
    """Mean RankIC alone, on training days."""
    rank_ic_se: float | None = None
    """Its Newey-West standard error."""
    n_dates: int = 0


class FeatureRow(FeatureFigures, frozen=True, kw_only=True):
    """A feature as the catalog defines it, with its figures."""

    name: str
    family: str
    formula: str
    unit: str
    lookback: int
    """Sessions that it looks back."""
    scope: str
    """stock: ranked within the day; else one value a day."""
    source: str
    published: str
    core: bool
    off: str | None = None
    """Why it is not computed; None or empty if it is."""


class FeatureCatalog(Struct, frozen=True, kw_only=True):
    """``features/catalog.json``."""

    features: tuple[FeatureRow, ...]


class _FeatureWorth(Struct, frozen=True, kw_only=True):
    """``feature_ic.json`` of a run: RankIC of each feature alone on its training days."""

    fingerprint: str
    """Fingerprint of the feature set."""
    horizon: int = 0
    """Sessions."""
    first: str = ""
    last: str = ""
    stride: int = 1
    """Every how manieth training day was looked at."""
    features: dict[str, FeatureFigures]


class FeatureSource(Struct, frozen=True, kw_only=True):
    """Where the figures of the features come from."""

    built: _FeatureSetManifest = _FeatureSetManifest()
    fits: bool = False
    """Whether the feature set was built from the current snapshot."""
    run: str = ""
    """The run that measured the RankIC; empty without one."""
    worth: _FeatureWorth | None = None

    def figures(self) -> dict[str, FeatureFigures]:
        """Figures by feature; one without any is left out."""
        built, alone = self.built, self.worth.features if self.worth else {}
        share = (
            {name: n / built.cells for name, n in zip(built.features, built.known, strict=True)}
            if built.cells and built.known is not None
            else {}
        )
        return {
            name: structs.replace(alone.get(name, FeatureFigures()), coverage=share.get(name))
            for name in {**share, **alone}
        }

    def rows(self, catalog: FeatureCatalog) -> tuple[FeatureRow, ...]:
        """The catalog with its figures; what the feature set left out is off."""
        figures, columns = self.figures(), self.built.features
        rows = []
        for row in catalog.features:
            absent = columns and row.name not in columns
            off = row.off or ("not in the feature set" if absent else None)
            found = structs.asdict(figures.get(row.name, FeatureFigures()))
            rows.append(structs.replace(row, off=off, **found))
        return tuple(rows)


def feature_source(
    workspace: Path, chain: Sequence[str] | None, get: _Get = record.read
) -> FeatureSource:
    """The feature set of the snapshot with ``chain``, else the newest; and the newest run that was trained
    on that very set and measured its features, else the newest that measured any.
    """
    found = newest(workspace / "features", _FeatureSetManifest, chain, get)
    _, built, fits = found or (None, _FeatureSetManifest(), False)
    paths = sorted((workspace / "runs").glob(f"*/{_WORTH}"), reverse=True)[:_RUNS]
    told: list[tuple[str, _FeatureWorth]] = [(p.parent.name, get(p, _FeatureWorth)) for p in paths]
    same = [one for one in told if one[1].fingerprint == built.fingerprint]
    run, worth = next(iter([*same, *told]), ("", None))
    return FeatureSource(built=built, fits=fits, run=run, worth=worth)


class Acceptance(Struct, frozen=True, kw_only=True):
    """One file that the audit found blind to the future."""

    sha256: str
    """Of the bytes of the file."""
    columns: tuple[str, ...]
    snapshot: str
    """The data on which it was shown."""
    when: str
    """UTC, ISO."""


class AcceptedFeatures(Struct, frozen=True, kw_only=True):
    """``features/accepted.json``."""

    files: dict[str, Acceptance] = {}


def own_files(workspace: Path) -> dict[str, Path]:
    """Name -> file of every own feature, sorted. ConfigError where a name stands for two files or is none."""
    found: dict[str, Path] = {}
    folder = workspace / FOLDER
    for path in sorted([*folder.glob("[!._]*.toml"), *folder.glob("[!._]*.py")]):
        if not path.stem.isidentifier():
            raise ConfigError(f"{path}: a feature's name has letters, digits and _ only")
        if path.stem in found:
            raise ConfigError(
                f"{path}: {found[path.stem].name} has the same name", hint="delete one of them"
            )
        found[path.stem] = path
    return found


def own_text(path: Path) -> str:
    """What stands for a file in a configuration: the text of an expression file, the hash of a Python one."""
    return CODE + sha256(path) if path.suffix == ".py" else read_toml_text(path)


def accepted_texts(workspace: Path) -> dict[str, str]:
    """Name -> `own_text` of each own file; empty for one that is not accepted as it stands."""
    kept = record.read_if_there(workspace / ACCEPTED, AcceptedFeatures) or AcceptedFeatures()
    texts = {}
    for name, path in own_files(workspace).items():
        known = kept.files.get(name)
        same = known is not None and known.sha256 == sha256(path)
        texts[name] = own_text(path) if same else ""
    return texts


def changed_since(workspace: Path, own: Mapping[str, str]) -> tuple[str, ...]:
    """Own features of a configuration whose file is gone or says something else by now, sorted."""
    files = own_files(workspace)
    return tuple(
        name
        for name, text in sorted(own.items())
        if text and (name not in files or own_text(files[name]) != text)
    )
