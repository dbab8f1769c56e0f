"""The tutorial notebook runs as a reader would run it, from an empty folder, and stores no output."""

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"


def test_the_notebook_is_stored_without_outputs() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
@pytest.mark.long
def test_every_cell_runs_and_shows_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("nbclient", reason="extra notebook")
    pytest.importorskip("ipykernel", reason="extra notebook")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    book = nbformat.read(NOTEBOOK, as_version=4)
    client.NotebookClient(
        book, timeout=1800, startup_timeout=600, resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = [out for cell in book.cells for out in cell.get("outputs", [])]
    drawn = [out.data["image/svg+xml"] for out in shown if "image/svg+xml" in out.get("data", {})]
    assert len(drawn) == 2
    assert all(svg.startswith("<svg") for svg in drawn)
    streams = "".join(out.text for out in shown if out.output_type == "stream")
    plain = "".join(out.data["text/plain"] for out in shown if "text/plain" in out.get("data", {}))
    assert re.search(r"'[+-]\d\.\d\d \[[+-]\d", plain), "the Sharpe ratio with its interval"
    assert "epoch 0 validation RankIC" in streams, "what the command says while it works"
    tables = [out.data["text/html"] for out in shown if "text/html" in out.get("data", {})]
    assert any("oracle" in table for table in tables)
