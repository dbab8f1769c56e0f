"""Features of one's own from their files to a champion's sealed signal, which keeps its own texts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.errors import ConfigError
from engine.records.features import accepted_texts
from engine.stages.features import features
from engine.stages.load import load_dataset
from engine.stages.promote import promote
from engine.stages.sealed import replay
from engine.stages.walkforward import walkforward
from tests.engine.signals.desk import Desk

FAR = '''"""How far the close is from its mean of 20 sessions."""

from engine.features import rolling

UNIT, LOOKBACK = "fraction", 20


def feature(x):
    return x.close / rolling.mean(x.close, 20) - 1.0
'''


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_from_a_file_to_a_signal_that_replays_byte_for_byte(
    trained_desk: Desk, tmp_path: Path
) -> None:
    desk = trained_desk.copy(tmp_path / "workspace")
    (tmp_path / "far.py").write_text(FAR)
    for name, text in (("gap", "open / Ref(close, 1) - 1"), ("far", str(tmp_path / "far.py"))):
        features(desk.context(), action="add", name=name, text=text)
    own = accepted_texts(desk.workspace)
    begun = {"features.own": own, "features.columns": ["gap", "far"]}
    plain = load_dataset(desk.context(), desk.context().sink).features
    context = desk.context(**{key.replace(".", "__"): value for key, value in begun.items()})
    dataset = load_dataset(context, context.sink).features
    assert dataset.features[-2:] == ("far", "gap")
    assert dataset.fingerprint != plain.fingerprint
    x_SNF, place = np.asarray(dataset.x_SNF[:]), dataset.features.index
    same = x_SNF[:, :, place("gap")], x_SNF[:, :, place("overnight_gap")]
    assert np.array_equal(*same)  # the same formula, so the same bits

    done = walkforward(
        context, first_test=str(desk.days[-60]), last_test=None, step="1y", seeds=1,
        with_baselines=False, model="ridge",
    )  # fmt: skip
    promote(desk.context(), run=str(done.json["run_id"]), force_reason="a test")
    model = desk.models.require_champion()
    assert model.config().features.own == own
    desk.next_day()
    desk.signals()
    explained = pl.read_parquet(desk.workspace / "signals" / str(desk.last) / "explain.parquet")
    assert {"gap", "far"} & set(explained["name"])  # the strongest inputs alone are kept
    assert replay(desk.context(), session=str(desk.last)).exit_code == 0

    path = desk.workspace / "features" / "gap.toml"
    path.write_text('expression = "close / open"\n')
    assert replay(desk.context(), session=str(desk.last)).exit_code == 0
    desk.next_day()
    desk.signals()  # the champion has the text that it was trained with
    code = desk.workspace / "features" / "far.py"
    code.write_text(FAR.replace("20", "30"))
    assert accepted_texts(desk.workspace) == {"gap": "", "far": ""}
    other = {"far": own["far"][:-1] + ("0" if own["far"][-1] != "0" else "1")}
    changed = context.config.features.model_copy(update={"own": other, "columns": ("far",)})
    moved = replace(context, config=context.config.model_copy(update={"features": changed}))
    with pytest.raises(ConfigError, match=r"far\.py is not that code any more"):
        load_dataset(moved, moved.sink)
