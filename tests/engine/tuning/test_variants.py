"""Every variant of a comparison is a valid configuration that differs in what its name says."""

import pytest

from engine.config import Config
from engine.config.file import PRESETS, override, resolve
from engine.errors import UsageError
from engine.tuning.space import ablations, chosen, sizes


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_ablation_resolves_against_every_preset(preset: str) -> None:
    config = resolve([], preset=preset).config
    variants = ablations(config)
    assert variants[0].changes == {}
    resolved = [override(config, v.changes, origin=v.name) for v in variants]
    assert len({made.model_dump_json() for made in resolved}) == len(variants), "all differ"


def test_the_ablations_of_the_default_configuration() -> None:
    config = Config()
    made = {v.name: override(config, v.changes, origin=v.name) for v in ablations(config)}
    assert {
        "full", "graph none", "graph sector", "graph random", "without fan", "without san",
        "without selection", "without temporal", "without attention", "without bypass",
        "graph scale 1", "heads alone",
    } <= set(made)  # fmt: skip
    assert set(made["graph none"].model.blocks) == set(config.model.blocks) - {"gat", "bypass"}
    assert made["graph none"].graph.kind == "none"
    assert made["graph random"].model == config.model
    assert made["graph random"].graph.kind == "random"
    for block in ("fan", "san", "selection", "temporal", "attention", "bypass"):
        changed = made[f"without {block}"]
        assert set(changed.model.blocks) == set(config.model.blocks) - {block}
        assert changed.graph == config.graph
    assert made["graph scale 1"].model.graph_scale == 1.0
    assert made["heads alone"].model.blocks == ()


def test_only_parts_that_are_there_are_taken_away() -> None:
    config = resolve([], overrides=['model.blocks=["temporal"]', 'graph.kind="none"']).config
    assert [v.name for v in ablations(config)] == ["full", "without temporal", "heads alone"]
    sector = resolve([], overrides=['graph.kind="sector"']).config
    names = [v.name for v in ablations(sector)]
    assert "graph correlation" in names
    assert "graph sector" not in names


def test_a_block_that_no_phase_switches_on_is_no_part_of_the_network() -> None:
    config = resolve(
        [],
        overrides=[
            "training.epochs=[3,0,2,0]",
            "training.phases.baseline.blocks=['selection','temporal','attention']",
            "training.phases.gat.blocks=['gat']",
        ],
    )
    names = {v.name for v in ablations(config.config)}
    assert {"without selection", "without temporal", "without attention", "graph none"} <= names
    assert not names & {"without fan", "without san", "without bypass", "graph scale 1"}


def test_named_variants_keep_the_reference_first() -> None:
    every = ablations(Config())
    names = [v.name for v in chosen(every, ["without san", "graph none"])]
    assert names == ["full", "graph none", "without san"]
    with pytest.raises(UsageError, match="'without gas'") as caught:
        chosen(every, ["without gas"])
    assert "without fan" in caught.value.hint


def test_sizes_need_two_widths() -> None:
    assert [v.changes for v in sizes([16, 32])] == [{"model.hidden": 16}, {"model.hidden": 32}]
    for widths in ([64], [64, 64]):
        with pytest.raises(UsageError):
            sizes(widths)
