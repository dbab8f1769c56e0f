import pytest

from engine.config import Config
from engine.data.tables import RawTables
from tests.engine.signals.desk import Desk, open_desk


@pytest.fixture(scope="session")
def trained_desk(raw: RawTables, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Never changed: tests work on copies."""
    return open_desk(tmp_path_factory.mktemp("desk") / "workspace", config, raw)


@pytest.fixture
def desk(trained_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return trained_desk.copy(tmp_path_factory.mktemp("copy") / "workspace")


@pytest.fixture(scope="module")
def sealed_desk(trained_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Four sessions as they came, each with its signal. Never changed."""
    desk = trained_desk.copy(tmp_path_factory.mktemp("sealed") / "workspace")
    for _ in range(4):
        done = desk.signals(desk.next_day())
        assert done.json["seal"]
    return desk
