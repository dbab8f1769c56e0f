"""The user's own code: modules of the workspace, found without being run and loaded by path alone; and the
promises that it has to keep, tried.

    WORKSPACE/features/NAME.py    WORKSPACE/models/NAME.py    WORKSPACE/strategies/NAME.py

Nothing is taken from the folder where the user stands or from ``sys.path``. A module is one file, so that its
hash says all of it that is the user's; it may import the engine and installed packages.
"""

import ast
import hashlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Literal, Self

from engine.errors import EngineError, GateError, IntegrityError, UsageError
from engine.hashes import sha256

_Kind = Literal["features", "models", "strategies"]
"""A folder of the workspace that holds code."""
_UNREADABLE = "cannot be used: "
"""Begins what is said of a file instead of its first line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModule:
    """One module of the workspace, loaded."""

    kind: _Kind
    name: str
    path: Path
    sha256: str
    """Hex digest of the bytes that were run, as `hashes_of` gives that of the file."""
    module: ModuleType

    @classmethod
    def load(cls, workspace: Path, kind: _Kind, name: str) -> Self | None:
        """Run ``KIND/NAME.py`` of the workspace; None where there is no such file.

        The same bytes at the same place are run once in a process. UsageError, with file and line, where the
        file does not parse or fails while it is run; IntegrityError where it is a link out of its folder.
        """
        path = _module_path(workspace, kind, name)
        return None if path is None else cls.run(kind, name, path)

    @classmethod
    def run(cls, kind: _Kind, name: str, path: Path) -> Self:
        """As `load`, a file that lies elsewhere in the workspace: a copy that was kept."""
        content = path.read_bytes()
        module = _run(path, content)
        hashed = hashlib.sha256(content).hexdigest()
        return cls(kind=kind, name=name, path=path, sha256=hashed, module=module)

    @property
    def file(self) -> str:
        """Its place in the workspace, as ``models/NAME.py``."""
        return f"{self.kind}/{self.name}.py"

    def member(self, name: str, *, wanted: str, page: str) -> object:
        """What the module defines under a name. UsageError where it does not.

        ``wanted``: what it should be, in words; ``page``: where that is described.
        """
        if not hasattr(self.module, name):
            raise self.refused(f"defines no {name}, {wanted}", page=page)
        return getattr(self.module, name)

    def refused(self, why: str, *, page: str) -> UsageError:
        """The error that says why the module cannot be used; ``page``: where it is described how it can."""
        return UsageError(f"{self.path}: {why}", hint=f"{page} shows a whole one")

    @contextmanager
    def calling(self, what: str) -> Iterator[None]:
        """Errors of the user's code, called within, become UsageErrors that name its file and line."""
        with _blamed(self.path, what):
            yield


def _module_path(workspace: Path, kind: _Kind, name: str) -> Path | None:
    """Where a module of the workspace lies; None where there is none. See `UserModule.load`."""
    if not name.isidentifier() or name.startswith("_"):
        return None
    path = workspace / kind / f"{name}.py"
    if not path.is_file():
        return None
    if path.resolve().parent != path.parent.resolve():
        raise IntegrityError(
            f"{path}: is a link that leads out of its folder",
            hint="code is taken from the workspace alone; put the file itself there",
        )
    return path


def summaries(folders: Iterable[Path], defines: str) -> dict[str, str]:
    """Name -> first line of the docstring, of the modules in some folders that assign or define a name.

    No module is run. A file that cannot be read says so instead, after `_UNREADABLE`. Names with ``_`` at the
    start are left out.
    """
    found: dict[str, str] = {}
    for path in sorted(path for folder in folders for path in folder.glob("[!_.]*.py")):
        try:
            tree = ast.parse(path.read_bytes(), filename=str(path))
        except (SyntaxError, ValueError, OSError) as error:
            found[path.stem] = f"{_UNREADABLE}{error}"
            continue
        if any(defines in _names(node) for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def own_summaries(
    workspace: Path, kind: _Kind, defines: str, built_in: Collection[str]
) -> dict[str, str]:
    """`summaries` of modules of the workspace; one with a name of the ``built_in`` ones says so instead."""
    found = summaries([workspace / kind], defines)
    return {name: _shadow(name, built_in) or line for name, line in found.items()}


def refuse_shadow(workspace: Path, kind: _Kind, name: str, built_in: Collection[str]) -> None:
    """UsageError where a module of the workspace has the name of a built-in one."""
    if (path := _module_path(workspace, kind, name)) and name in built_in:
        raise UsageError(
            f"{path}: {name!r} is the name of a built-in one, which a workspace cannot replace",
            hint="give the file another name",
        )


def unknown(kind: _Kind, name: str, known: Iterable[str]) -> UsageError:
    """The error of a name that neither a built-in module nor one of the workspace has."""
    what = {"features": "feature", "models": "model", "strategies": "strategy"}[kind]
    return UsageError(
        f"there is no {what} {name!r}",
        hint=f"known: {', '.join(known)}; a new one goes into {kind}/{name}.py of the workspace",
    )


def hashes_of(workspace: Path, kind: _Kind, names: Iterable[str]) -> dict[str, str]:
    """Place -> sha256 of those of some modules that are the workspace's, as manifests and seals keep them."""
    found = {}
    for name in sorted(set(names)):
        if path := _module_path(workspace, kind, name):
            found[f"{kind}/{name}.py"] = sha256(path)
    return found


def changed_code(workspace: Path, kept: Mapping[str, str]) -> list[str]:
    """Places of modules (among other keys of ``kept``) that have another hash by now, or are gone."""
    return [
        place
        for place, wanted in kept.items()
        if "/" in place and not ((path := workspace / place).is_file() and sha256(path) == wanted)
    ]


def require_same(workspace: Path, sealed: Mapping[str, str], whose: str) -> None:
    """GateError, naming the file, unless each of ``sealed`` (place -> hash) is what it was.

    ``whose``: what was made with them.
    """
    for place, wanted in sealed.items():
        kind, _, file = place.partition("/")
        path = workspace / kind / Path(file).name
        if not path.is_file():
            raise GateError(
                f"{whose} was made with {place}, which is not in this workspace",
                hint=f"bring {path} back; its sha256 is {wanted}",
            )
        found = sha256(path)
        if found != wanted:
            raise GateError(
                f"{whose} was made with another {place}: sha256 {wanted[:12]}, now {found[:12]}",
                hint=f"bring {path} back as it was, or make it again with the code of now",
            )


def _shadow(name: str, built_in: Collection[str]) -> str:
    return f"{_UNREADABLE}a built-in one has this name" if name in built_in else ""


@lru_cache(maxsize=256)
def _run(path: Path, content: bytes) -> ModuleType:
    """Compiled from these very bytes, so no cached byte code of others is run.

    The private name stands in ``sys.modules`` because dataclasses look their module up there.
    """
    digest = hashlib.sha256(str(path).encode() + b"\0" + content).hexdigest()[:16]
    name = f"_workspace_{path.parent.name}_{path.stem}_{digest}"
    module = ModuleType(name)
    module.__file__ = str(path)
    with _blamed(path, "cannot be loaded"):
        code = compile(content, str(path), "exec", dont_inherit=True)
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - the user's own file, asked for by its name
        except BaseException:
            del sys.modules[name]
            raise
    return module


@contextmanager
def _blamed(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        line = _line_of(error, path)
        place = f"{path}:{line}" if line else f"{path}"
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        hint = "correct the file; a module of the workspace is one file, and imports only the engine and "
        raise UsageError(
            f"{place}: {what}: {type(error).__name__}: {said}", hint=f"{hint}installed packages"
        ) from error


def _line_of(error: BaseException, path: Path) -> int | None:
    """The line of this file where it happened: the innermost one."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    return set()


class BrokenPromiseError(AssertionError):
    """A promise that is not kept; its text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseCheck:
    """Whether one promise is kept, and how it was broken."""

    name: str
    passed: bool
    detail: str


def tried(promises: Iterable[tuple[str, Callable[[], None]]]) -> list[PromiseCheck]:
    """Every promise by its name, tried; never raises for a broken one."""
    done = []
    for name, promise in promises:
        detail = ""
        try:
            promise()
        except (BrokenPromiseError, EngineError) as error:
            detail = str(error)
        done.append(PromiseCheck(name=name, passed=not detail, detail=detail))
    return done
