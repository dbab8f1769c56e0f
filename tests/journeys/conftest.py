from pathlib import Path

import pytest

from tests.journeys.command import SETTINGS, atft_here


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the small synthetic market in its store."""
    workspace = tmp_path_factory.mktemp("market")
    done = atft_here(workspace, "ingest", "--source", "synthetic", *SETTINGS)
    assert done.code == 0, done.err
    return workspace
