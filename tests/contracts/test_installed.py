"""What is installed works anywhere: the wheel in a venv of its own, other Pythons by their bounds, Windows by
a word.
"""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import TINY

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = {
    pin.name.lower(): pin.specifier
    for pin in map(Requirement, (ROOT / "constraints.txt").read_text("utf-8").splitlines())
}
USER = '''"""What a user writes; strictly typed."""

from pathlib import Path

import polars as pl

from engine.api import RunReader, Workspace

here = Workspace(Path("workspace"), settings={"training.seed": 3})
run: RunReader = here.run("last")
best: pl.DataFrame = run.rank_ic().sort("rank_ic")
days: int = here.features(["return_1"])["date"].n_unique()
sharpe: float = run.backtest().figures.sharpe
svg: str = run.chart("equity").svg
'''


def test_windows_is_refused_in_words_before_anything_is_missing() -> None:
    code = (
        "import sys; sys.platform = 'win32'; sys.modules['fcntl'] = None\\n"
        "from atft_tui.__main__ import main\\n"
        "sys.argv = ['atft-tui', 'runs']\\n"
        "sys.exit(main())"
    ).replace("\\n", "\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "does not run on Windows" in done.stderr
    assert "WSL 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_torch_is_bound_where_a_build_without_cuda_is_found() -> None:
    """2.13.0+cpu fits the bound and the pin as 2.13.0 does; a pin with a local version would shut one out."""
    (bound,) = (one for one in map(Requirement, PROJECT["dependencies"]) if one.name == "torch")
    assert Version("2.13.0+cpu") in bound.specifier
    assert Version("2.14.0") not in bound.specifier
    assert Version("2.13.0+cpu") in PINS["torch"]
    assert Version("2.13.0") in PINS["torch"]


def test_every_extra_and_dependency_fits_its_pin() -> None:
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(one for extra in extras for one in extra)]
    for one in map(Requirement, wanted):
        if pin := PINS.get(one.name.lower().replace("_", "-")):
            version = next(iter(pin)).version
            assert version in one.specifier, f"{one} and its pin {version}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the wheel is built by hatchling, of the extra dev")
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Templates, styles and markers of types too; nothing of tests, benchmarks or deployment."""
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "engine", "atft_tui", "strategies"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert held == set(tracked)
    for name in ("engine/report/templates/report.html.j2", "engine/report/templates/chart.css",
                 "atft_tui/app.tcss", "engine/py.typed"):  # fmt: skip
        assert name in held


@pytest.mark.slow
@pytest.mark.long
def test_it_works_in_any_folder_and_its_types_are_seen(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, beside the libraries of this environment, from a folder with files of our names."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps"]
    subprocess.run([*install, "--no-index", str(wheel)], check=True, capture_output=True)
    folder = tmp_path / "foreign"
    (folder / "strategies").mkdir(parents=True)
    (folder / "engine.py").write_text("raise SystemExit('a decoy')", encoding="utf-8")
    (folder / "strategies" / "__init__.py").write_text("raise SystemExit('a decoy')", "utf-8")
    program = tmp_path / "venv" / "bin" / "atft-tui"
    shell = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("ATFT_")}

    def told(*words: str | Path) -> str:
        done = subprocess.run(
            [*map(str, words)], cwd=folder, env=shell, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert told(program, "--version") == f"atft-tui {PROJECT['version']}\n"
    assert "synthetic market" in told(program, "demo", "--help")
    assert str(site) in told(python, "-P", "-c", "import engine.api; print(engine.api.__file__)")
    size = [word for setting in TINY for word in ("--set", setting)]
    told(program, "ingest", "--source", "synthetic", *size)
    assert "long_short_quantile" in told(program, "strategies")
    assert "stocks per session" in told(program, "check", *size)
    assert (folder / "workspace" / "data").is_dir()
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "user.py").write_text(USER, encoding="utf-8")
    strict = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python)]
    done = subprocess.run(
        [*strict, "--config-file=", "user.py"],
        cwd=tmp_path / "user", env=shell, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
