"""A desk for each test, and an undisturbed pull to compare with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.data.tables import RawTables
from tests.engine.data.jquants.desk import FIRST, LAST, Desk
from tests.engine.data.jquants.server import FakeJQuants


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeJQuants(FIRST, LAST) as server:
        yield Desk(tmp_path, server)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[RawTables, str, int]:
    """Tables, snapshot and number of requests of an undisturbed pull."""
    with FakeJQuants(FIRST, LAST) as server:
        desk = Desk(tmp_path_factory.mktemp("clean"), server)
        report = desk.pull()
        return desk.read(report), desk.snapshot(report), report.requests
