"""Words that a person reads, by rule: one name a model, one meaning of net, one unit of memory, "1 run"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.records import record
from engine.records.names import MODEL_NAMES, PLAIN, model_name
from engine.records.train import TrainResult
from engine.report import render
from engine.stages.text import training_text
from tests.engine.report.samples import CREATED, facts, tested, trained

ROOT = Path(__file__).parents[2]
PICTURES = sorted((ROOT / "tests" / "tui" / "__snapshots__").rglob("*.svg"))
COUNTED = (
    "bars", "cells", "changes", "columns", "days", "epochs", "errors", "events", "features", "files",
    "findings", "folds", "keys", "lines", "looks", "models", "names", "networks", "orders", "points",
    "positions", "processes", "rows", "runs", "seeds", "sessions", "settings", "sets", "signals", "steps",
    "stocks", "symbols", "tasks", "trials", "variants", "warnings", "weeks",
)  # fmt: skip
AFTER_NET = "Sharpe|return|returns|CAGR|of costs"
KEYS = re.compile(
    r"\b(mlp|MLP|lightgbm|Lightgbm|equal_weight|network_without_graph|momentum_12_1 \()"
)
UNITS = re.compile(r"\d+ ?[KMG]B\b|\d+ ?G free\b")
ONES = re.compile(rf"(?<![\d.,:/-])\b1 ({'|'.join(COUNTED)})\b")


def text_of(picture: Path) -> str:
    """What a picture of the screen says, a line for each run of letters."""
    found = re.findall(r"<text [^>]*>(.*?)</text>", picture.read_text("utf-8"))
    return "\n".join(found).replace("&#160;", " ")


def wrong_nets(text: str) -> list[str]:
    """Where "net" is not said of what is left after costs; alone it is the last bar from gross to net."""
    allowed = rf"(?:to net\b|\bnet (?:{AFTER_NET})\b|^ *\|? *net *(?:\||$))"
    rest = re.sub(allowed, "", text, flags=re.IGNORECASE | re.MULTILINE)
    return re.findall(r".{0,30}\bnet\b.{0,30}", rest, flags=re.IGNORECASE)


def literals(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line and words of every string of a module that is no docstring; whether a value stands before it."""
    tree = ast.parse(path.read_text("utf-8"))
    told = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for before, part in zip([None, *node.values], node.values, strict=False):
                if isinstance(part, ast.Constant):
                    yield part.lineno, str(part.value), isinstance(before, ast.FormattedValue)
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
        ):
            yield node.lineno, node.value, False


SHOWN = [*(ROOT / "atft_tui").rglob("*.py"), *(ROOT / "engine" / "report").rglob("*.py")]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_count_and_its_noun_agree(path: Path) -> None:
    """``{n} runs`` says "1 runs" one day: `counted` says it right. "1 of 3 runs" is right either way."""
    noun = re.compile(rf" ({'|'.join(COUNTED)})\b(?!/)")
    wrong, before = [], ""
    for number, words, valued in literals(path):
        if valued and noun.match(words) and not before.endswith(("of ", "of the best ", "of all ")):
            wrong.append((number, words))
        before = words
    assert wrong == []


def test_memory_is_told_in_units_of_1024() -> None:
    sources = [*SHOWN, *(ROOT / "engine" / "stages").rglob("*.py")]
    wrong = [(p.name, n, w) for p in sources for n, w, _ in literals(p) if UNITS.search(w)]
    assert wrong == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_picture_of_the_screen_keeps_the_words(picture: Path) -> None:
    text = text_of(picture)
    assert KEYS.findall(text) == []
    assert UNITS.findall(text) == []
    assert ONES.findall(text) == []
    assert wrong_nets(text) == []


def every_model() -> TrainResult:
    """A training beside every model that the program brings."""
    (rival,) = record.as_json(trained())["baselines"].values()
    return trained(baselines=dict.fromkeys((*MODEL_NAMES, f"mlp{PLAIN}"), rival))


def test_report_and_command_line_call_every_model_by_its_name() -> None:
    side = record.as_json(tested())["baselines"]["lightgbm"]
    sides = {key: side for key in MODEL_NAMES if key != "random"} | {"random": side | {"draws": 1}}
    found = facts(train=every_model(), backtest=tested(baselines=sides))
    report = render.document(found, created=CREATED)
    for text in (report.markdown().partition("## How to repeat it")[0], training_text(found.train)):
        assert KEYS.findall(text) == []
        assert wrong_nets(text) == []
        for key in (*MODEL_NAMES, f"mlp{PLAIN}"):
            assert model_name(key) in text
    assert "lightgbm" not in report.html().partition("How to repeat it")[0]


def test_a_model_of_the_user_s_own_keeps_its_name() -> None:
    assert model_name("kalman") == "kalman"
    assert model_name(f"kalman{PLAIN}") == "kalman (plain label)"
    assert model_name("k\x1b[2Jx") == "k x"


def test_the_rules_catch_what_they_forbid() -> None:
    assert wrong_nets("net exposure +3 %") == ["net exposure +3 %"]
    assert wrong_nets("net Sharpe +0.4, from gross to net, net of costs") == []
    assert ONES.findall("1 runs, 21 runs, 1 run, 0.1 days") == ["runs"]
    assert UNITS.findall("3 GB, 4 GiB, 73 G free") == ["3 GB", "73 G free"]
    assert KEYS.findall("ridge, mlp") == ["mlp"]
