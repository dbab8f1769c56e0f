"""Each contract of pyproject.toml between packages catches an import that it was written against."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract

RULES = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
KINDS: dict[str, Any] = {
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
    "protected": ProtectedContract,
}
PLANTED = (
    ("Data flows", "engine.data", "engine.training"),
    ("Data flows", "engine.records", "engine.runs"),
    ("The TUI", "atft_tui.app", "engine.schedule.timetable"),
    ("The TUI", "atft_tui.readings", "engine.data.calendar"),
    ("The TUI", "engine.schedule.agenda", "torch"),
    ("The engine runs", "engine.report", "rich"),
    ("The engine runs", "engine.portfolio", "strategies"),
    ("Torch stays", "engine.runs", "torch"),
    ("Torch stays", "engine.features", "torch_geometric"),
    ("Optuna", "engine.stages", "optuna"),
    ("vectorbt", "engine.report", "pandas"),
    ("vectorbt", "engine.stages", "vectorbt"),
    ("The network", "engine.features", "engine.data.yahoo"),
    ("The network", "engine.signals", "requests"),
    ("Only engine.alerts", "engine.schedule", "smtplib"),
    ("There is no other", "engine.data", "httpx"),
    ("What only plans", "engine.signals", "torch of engine.model"),
    ("What only plans", "engine.report", "torch of engine.training"),
    ("The command line", "engine.schedule", "vectorbt of engine.backtest"),
    ("A strategy", "strategies", "engine.runs"),
)
"""Start of the contract's name, importer, imported; "torch of PACKAGE" is a module of it that loads torch."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    configure()
    return grimp.build_graph(
        *RULES["root_packages"],
        include_external_packages=True,
        exclude_type_checking_imports=True,
    )


def is_kept(rule: dict[str, Any], graph: grimp.ImportGraph) -> bool:
    options = {
        name: str(value) if isinstance(value, bool) else value
        for name, value in rule.items()
        if name not in ("name", "type")
    }
    contract = KINDS[rule["type"]](
        name=rule["name"], session_options=RULES, contract_options=options
    )
    return bool(contract.check(deepcopy(graph), verbose=False).kept)


def test_every_contract_has_a_planted_violation() -> None:
    for rule in RULES["contracts"]:
        assert any(rule["name"].startswith(start) for start, _, _ in PLANTED), rule["name"]


@pytest.mark.parametrize(("start", "importer", "imported"), PLANTED)
def test_a_planted_import_breaks_its_contract(
    graph: grimp.ImportGraph, start: str, importer: str, imported: str
) -> None:
    rule = next(rule for rule in RULES["contracts"] if rule["name"].startswith(start))
    planted = deepcopy(graph)
    library, by, package = imported.partition(" of ")
    if by:
        loads = graph.find_modules_that_directly_import(library)
        imported = min(module for module in loads if module.startswith(f"{package}."))
    if imported not in planted.modules:
        assert "." not in imported, f"{imported} is no module any more"
        planted.add_module(imported, is_squashed=True)
    planted.add_import(importer=importer, imported=imported, line_number=1, line_contents="import")
    assert is_kept(rule, graph)
    assert not is_kept(rule, planted)
