"""`features list` and `features show` over the real command line."""

from pathlib import Path

import pytest

from engine.features.catalog import CATALOG, families_of
from tests.journeys.command import atft_here


def test_every_feature_is_listed_with_what_the_data_lack(market: Path) -> None:
    done = atft_here(market, "features", "list", "--json")
    assert done.code == 0, done.err
    answer = done.json
    assert [item["name"] for item in answer["features"]] == [f.name for f in CATALOG]
    assert set(answer["families"]) == set(families_of(CATALOG))
    assert sum(item["features"] for item in answer["families"].values()) == len(CATALOG)
    assert answer["families"]["options"]["off"] == "needs the table `options`"
    assert answer["families"]["price"]["off"] is None
    text = atft_here(market, "features", "list").out
    assert "off: needs the table `options`" in text
    assert all(feature.name in text for feature in CATALOG)


def test_a_family_can_be_listed_without_data(tmp_path: Path) -> None:
    done = atft_here(tmp_path, "features", "list", "--family", "price")
    assert done.code == 0, done.err
    assert "no market data" in done.out
    assert " options " not in done.out
    other = atft_here(
        tmp_path, "features", "list", "--set", 'features.families=["price"]', "--json"
    )
    assert other.json["families"]["volume"]["off"] == "not in features.families"


def test_one_feature_is_shown(tmp_path: Path) -> None:
    feature = next(f for f in CATALOG if f.source == "margin")
    done = atft_here(tmp_path, "features", "show", feature.name)
    assert done.code == 0, done.err
    for said in (feature.formula, feature.unit, feature.published, feature.source):
        assert said in done.out
    told = atft_here(tmp_path, "features", "show", feature.name, "--json").json
    assert told["lookback"] == feature.lookback
    assert told["core"] == feature.core


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", CATALOG[0].name + "x"], f"did you mean {CATALOG[0].name}"),
        (["show"], "needs a name"),
        (["list", "--family", "prise"], "did you mean price"),
        (["list", CATALOG[0].name], "features show"),
        (["draw"], "draw"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, words: list[str], said: str) -> None:
    done = atft_here(tmp_path, "features", *words)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""
