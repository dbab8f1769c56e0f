"""`features`: the list, one feature, and what a mistyped name is told."""

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.features.catalog import CATALOG
from engine.files import write_json
from engine.records import record
from engine.records.features import CATALOG as CATALOG_FILE
from engine.records.features import FeatureCatalog
from engine.stages.features import features
from tests.engine.stages.market_files import context


def test_the_list_has_every_feature_and_writes_the_catalog(tmp_path: Path) -> None:
    done = features(context(tmp_path), action="list")
    assert [one["name"] for one in done.json["features"]] == [one.name for one in CATALOG]
    assert done.json["data"] is False
    assert "no market data in the workspace yet" in done.text
    rows = record.read(tmp_path / CATALOG_FILE, FeatureCatalog).features
    assert [row.name for row in rows] == [one.name for one in CATALOG]


def test_figures_are_those_of_the_files(tmp_path: Path) -> None:
    """45 of 50 stock-days known; a RankIC of a run on the same feature set goes before a newer one."""
    built = {"fingerprint": "f", "features": ["return_1"], "known": [45], "cells": 50}
    write_json(tmp_path / "features" / "x" / "manifest.json", built)
    for run, fingerprint, mean in (("1-train", "f", 0.02), ("2-train", "other", 0.5)):
        alone = {"rank_ic": mean, "rank_ic_se": 0.01, "n_dates": 9}
        told = {"fingerprint": fingerprint, "features": {"return_1": alone}}
        write_json(tmp_path / "runs" / run / "feature_ic.json", told)
    shown = features(context(tmp_path), action="show", name="return_1")
    assert (shown.json["coverage"], shown.json["rank_ic"], shown.json["n_dates"]) == (0.9, 0.02, 9)
    assert "90.0%" in shown.text
    assert "+0.0200 ± 0.0100 alone" in shown.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "show"}, "needs a name"),
        ({"action": "list", "name": "return_1"}, "takes no name"),
        ({"action": "list", "family": "momentun"}, "no family is named"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        features(context(tmp_path), **given)
