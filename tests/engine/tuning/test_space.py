"""The space as data: what a configuration takes of it, and what cannot be tuned at all."""

import pytest

from engine.config import Config, Range
from engine.config.file import resolve
from engine.errors import ConfigError
from engine.tuning.space import applied, usable


def with_space(text: str) -> Config:
    return resolve([], overrides=[f"tune.space={text}"]).config


def test_the_default_space_varies_layers_heads_sizes_rates_dropout_and_losses() -> None:
    config = Config()
    keys = {dimension.key for dimension in usable(config.tune.space, config).dimensions}
    assert {
        "model.gat_heads", "model.attention_heads", "model.hidden", "model.dropout",
        "training.learning_rate", "loss.rank_ic", "loss.cs_ic", "loss.sharpe",
    } <= keys  # fmt: skip


def test_every_value_of_the_usable_default_space_is_a_valid_configuration() -> None:
    config = Config()
    space = usable(config.tune.space, config)
    for dimension in space.dimensions:
        given = (
            (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension.choices
        )
        for value in given:
            assert applied(config, {dimension.key: value}).model_dump() is not None
    left = {words.split(" = ")[0] for words in space.left_out}
    assert left <= {"model.gat_heads"}, "only numbers of GAT layers that the network does not have"


def test_values_that_the_configuration_refuses_are_left_out_and_named() -> None:
    config = with_space(
        '[{key="model.hidden",choices=[8,7,16]},{key="model.dropout",low=0.1,high=1.5}]'
    )
    space = usable(config.tune.space, config)
    assert space.to_json() == [{"key": "model.hidden", "choices": [8, 16]}]
    assert [words.split(":")[0] for words in space.left_out] == [
        "model.hidden = 7",
        "model.dropout = 1.5",
    ]


def test_a_space_without_a_valid_value_is_refused() -> None:
    config = with_space('[{key="model.hiden",choices=[8,16]}]')
    with pytest.raises(ConfigError, match="did you mean hidden"):
        usable(config.tune.space, config)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ('[{key="split.window",choices=[5,10]}]', "cannot be tuned"),
        ('[{key="labels.entry",choices=["open","close"]}]', "cannot be tuned"),
        ('[{key="training.seed",choices=[1,2]}]', "cannot be tuned"),
        ('[{key="training.score_horizon",choices=[1,5]}]', "cannot be tuned"),
        ('[{key="model.dropout",low=0.5,high=0.1}]', "low must be below high"),
        ('[{key="model.dropout",low=0.0,high=0.1,log=true}]', "needs low > 0"),
        ('[{key="model.hidden",choices=[]}]', "at least one"),
        ('[{key="model.hidden",choices=[8,8]}]', "distinct"),
        ('[{key="model.hidden",choices=[8]},{key="model.hidden",choices=[16]}]', "distinct"),
        ("[]", "at least one"),
    ],
)
def test_a_senseless_space_is_a_mistake_of_the_configuration(space: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        with_space(space)


def test_a_trial_sets_plain_keys_and_keys_of_a_phase() -> None:
    config = Config()
    found = applied(
        config, {"model.hidden": 64, "training.phases.fine-tune.learning_rate_scale": 0.5}
    )
    assert found.model.hidden == 64
    scales = {phase.name: phase.learning_rate_scale for phase in found.training.phases}
    before = {phase.name: phase.learning_rate_scale for phase in config.training.phases}
    assert scales == {**before, "fine-tune": 0.5}


def test_values_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of attention_heads"):
        applied(Config(), {"model.hidden": 12, "model.attention_heads": 8})


def test_a_phase_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="no phase 'warm'") as caught:
        resolve([], overrides=["training.phases.warm.epochs=3"])
    assert "fine-tune" in caught.value.hint
