"""Code of the workspace: found without being run, loaded by path alone, named by its hash."""

import hashlib
import sys
from pathlib import Path

import pytest

from engine.errors import GateError, IntegrityError, UsageError
from engine.workspace_code import (
    UserModule,
    _module_path,
    hashes_of,
    own_summaries,
    refuse_shadow,
    require_same,
)


def put(workspace: Path, text: str, name: str = "mine", kind: str = "models") -> Path:
    path = workspace / kind / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def loaded(workspace: Path, name: str = "mine") -> UserModule:
    found = UserModule.load(workspace, "models", name)
    assert found is not None
    return found


def test_a_module_is_run_from_its_bytes_and_named_by_them(tmp_path: Path) -> None:
    path = put(
        tmp_path, "from dataclasses import dataclass\n@dataclass(slots=True)\nclass A:\n  x: int\n"
    )
    found = loaded(tmp_path)
    assert found.member("A", wanted="a class", page="docs")(x=2).x == 2  # type: ignore[operator]
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashes_of(tmp_path, "models", ["mine", "ridge"]) == {"models/mine.py": found.sha256}
    assert loaded(tmp_path).module is found.module
    assert not list(tmp_path.rglob("*.pyc"))
    path.write_text("A = 3\n", encoding="utf-8")
    assert loaded(tmp_path).module.A == 3


def test_nothing_is_taken_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, workspace = tmp_path / "here", tmp_path / "workspace"
    put(here, "A = 1\n")
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [str(here), str(here / "models"), *sys.path])
    assert UserModule.load(workspace, "models", "mine") is None
    for hostile in ("../mine", "", "a.b", "_mine", "mine/", "os.path"):
        assert _module_path(here, "models", hostile) is None
    (workspace / "models").mkdir(parents=True)
    (workspace / "models" / "mine.py").symlink_to(here / "models" / "mine.py")
    with pytest.raises(IntegrityError, match="leads out of its folder"):
        UserModule.load(workspace, "models", "mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A = 1\nB = (\n", r"mine\.py:2: cannot be loaded: SyntaxError"),
        ("\n\nA = 1 / 0\n", r"mine\.py:3: cannot be loaded: ZeroDivisionError: division by zero"),
        ("import beside_me\n", r"mine\.py:1: .*No module named 'beside_me'"),
        ("import sys\nsys.exit(3)\n", r"mine\.py:2: cannot be loaded: SystemExit: 3"),
        ("A = 1\0", "cannot be loaded: SyntaxError"),
    ],
)
def test_code_that_cannot_be_loaded_says_where(tmp_path: Path, text: str, said: str) -> None:
    put(tmp_path, text)
    before = set(sys.modules)
    with pytest.raises(UsageError, match=said):
        loaded(tmp_path)
    assert not {name for name in set(sys.modules) - before if name.startswith("_workspace_")}


def test_errors_of_a_call_name_the_line_and_ours_pass_through(tmp_path: Path) -> None:
    put(tmp_path, "def f(x):\n    y = [1]\n    return y[x]\n")
    found = loaded(tmp_path)
    with pytest.raises(UsageError, match=r"mine\.py:3: fit: IndexError"), found.calling("fit"):
        found.module.f(5)
    with pytest.raises(GateError, match="ours"), found.calling("fit"):
        raise GateError("ours")
    with pytest.raises(UsageError, match="defines no MODEL, a class") as refused:
        found.member("MODEL", wanted="a class", page="docs/models.md")
    assert "docs/models.md" in refused.value.hint


def test_the_list_runs_nothing_and_a_built_in_name_is_refused(tmp_path: Path) -> None:
    put(tmp_path, '"""First.\n\nMore."""\nraise SystemExit\nA = 1\n')
    put(tmp_path, "A = (\n", "broken")
    put(tmp_path, "A: int = 1\n", "ridge")
    put(tmp_path, "B = 1\n", "other")
    put(tmp_path, "A = 1\n", "_hidden")
    found = own_summaries(tmp_path, "models", "A", {"ridge"})
    assert list(found) == ["broken", "mine", "ridge"]
    assert found["mine"] == "First."
    assert found["broken"].startswith("cannot be used: ")
    assert found["ridge"] == "cannot be used: a built-in one has this name"
    refuse_shadow(tmp_path, "models", "mine", {"ridge"})
    refuse_shadow(tmp_path, "models", "lightgbm", {"lightgbm"})
    with pytest.raises(UsageError, match=r"ridge\.py: 'ridge' is the name of a built-in one"):
        refuse_shadow(tmp_path, "models", "ridge", {"ridge"})


def test_changed_code_is_named(tmp_path: Path) -> None:
    path = put(tmp_path, "A = 1\n")
    sealed = hashes_of(tmp_path, "models", ["mine"])
    require_same(tmp_path, sealed, "the signal")
    path.write_text("A = 2\n", encoding="utf-8")
    with pytest.raises(GateError, match=r"the signal was made with another models/mine\.py"):
        require_same(tmp_path, sealed, "the signal")
    path.unlink()
    with pytest.raises(GateError, match=r"models/mine\.py, which is not in this workspace"):
        require_same(tmp_path, sealed, "the signal")
