"""What a form means on the command line: every command, parsed back by the real parser."""

from typing import Any

import click
import pytest

from atft_tui.screens.form_words import command_words, missing, split, wrong_words
from engine.cli import _build
from engine.commands import BY_NAME, COMMANDS, Command, Parameter

VISIBLE = [command for command in COMMANDS if not command.hidden]


def sample(parameter: Parameter, number: int) -> str | bool:
    if parameter.kind == "flag":
        return True
    if parameter.choices:
        return parameter.choices[-1]
    if parameter.type in (int, float):
        return str(number + 7)
    return f"one{number} two{number}" if parameter.multiple else f"a value {number} [/] 日本"


def meant(parameter: Parameter, value: str | bool) -> Any:
    if parameter.multiple:
        return tuple(split(str(value)))
    return parameter.type(value) if parameter.type in (int, float) else value


def parsed(command: Command, words: list[str]) -> dict[str, Any]:
    context = _build(command).make_context(command.name, list(words[1:]))
    return context.params


@pytest.mark.parametrize("command", VISIBLE, ids=lambda command: command.name)
def test_a_filled_form_is_the_same_command_line(command: Command) -> None:
    values = {p.name: sample(p, i) for i, p in enumerate(command.parameters)}
    words = command_words(command, values, preset="demo", overrides=["a.b=1 2", "c.d=x"])
    read = parsed(command, words)
    assert {p.name: read[p.name] for p in command.parameters} == {
        p.name: meant(p, values[p.name]) for p in command.parameters
    }
    if command.configurable:
        assert read["preset"] == "demo"
        assert read["overrides"] == ("a.b=1 2", "c.d=x")


@pytest.mark.parametrize("command", VISIBLE, ids=lambda command: command.name)
def test_an_empty_form_says_what_it_needs_or_is_the_bare_command(command: Command) -> None:
    values: dict[str, str | bool] = {}
    lacking = missing(command, values)
    assert lacking == [p.name for p in command.parameters if p.required]
    words = command_words(command, values)
    assert words == [command.name]
    if not lacking:
        parsed(command, words)
    else:
        with pytest.raises(click.MissingParameter):
            parsed(command, words)


def test_an_argument_that_looks_like_an_option_stands_at_the_end() -> None:
    command = BY_NAME["note"]
    words = command_words(command, {"run": "last", "text": "-5 % worse --clear"})
    assert words == ["note", "--", "last", "-5 % worse --clear"]
    read = parsed(command, words)
    assert (read["text"], read["clear"]) == ("-5 % worse --clear", False)


def test_an_open_quote_takes_the_words_as_they_stand() -> None:
    assert split("a 'b c' d") == ["a", "b c", "d"]
    assert split("it's so") == ["it's", "so"]
    assert BY_NAME["train"].launchable


def test_what_is_no_number_or_no_day_is_named() -> None:
    command = BY_NAME["walkforward"]
    assert wrong_words(command, {"seeds": "3", "first_test": "2016-12-30"}) == ""
    assert wrong_words(command, {"seeds": "three"}) == "seeds: 'three' is not a number"
    told = wrong_words(command, {"first_test": "30/12/2016"})
    assert told == "first test: '30/12/2016' is not a date, write YYYY-MM-DD"
