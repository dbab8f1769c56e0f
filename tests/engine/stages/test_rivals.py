"""The perceptron is the network with every block off; what decides its scores and what does not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pytest
import torch

from engine.config.file import override
from engine.data.load import StoredPanel
from engine.dataset.split import Fold, Part, Split, refit_split
from engine.errors import ConfigError, Interrupted
from engine.evaluation.rank_ic import rank_ic
from engine.features.feature_set import FeatureSet
from engine.files import digest
from engine.model.atft_gat_fan import build_model
from engine.model_kit import LightGBMModel
from engine.runs.events import Advanced, ControlAnswered, RunEvent
from engine.runs.launch import ControlFiles
from engine.runs.sink import ListSink, NullSink
from engine.runs.store import Run
from engine.stages.context import StageContext, Stop, StopFlag
from engine.stages.fit import Scoring, score_seeds
from engine.stages.identity import identity
from engine.stages.load import Dataset, as_taught
from engine.stages.rivals import hearing, score_rivals
from engine.training.baselines import RULES, compute_baselines, count_fits
from engine.training.device import Runtime
from engine.training.members import PERCEPTRON, _perceptron
from engine.training.scoring import score_days
from tests.conftest import World
from tests.engine.training.test_planted import StopAfter

RUNTIME = Runtime(device=torch.device("cpu"), mode="safe", autocast=False, threads=1)


@pytest.fixture(scope="module", autouse=True)
def _few_trees_one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LightGBMModel, "rounds", 5)
        yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=False)


@dataclass(frozen=True)
class Bench:
    """Rivals of the small market; each call is a run of its own unless one is given."""

    world: World
    root: Path

    def dataset(self, features: FeatureSet | None = None) -> Dataset:
        return Dataset(
            panel=cast(StoredPanel, self.world.panel),
            universe=self.world.universe,
            features=features or self.world.features,
            graphs=self.world.graphs,
            all_graphs=self.world.graphs,
        )

    def context(self, stop: Stop, **changes: object) -> StageContext:
        dotted = {key.replace("__", "."): value for key, value in changes.items()}
        config = override(self.world.config, dotted, origin="test")
        return StageContext(workspace=self.root, config=config, sink=NullSink(), stop=stop)

    def run(self) -> Run:
        return self.context(StopFlag()).store.create("train", self.world.config)

    def scores(
        self,
        features: FeatureSet | None = None,
        *,
        run: Run | None = None,
        sink: ListSink | None = None,
        stop: Stop | None = None,
        seeds: int = 1,
        hears: bool = False,
        **changes: object,
    ) -> pl.DataFrame:
        hearing_or_not = {"training__rivals_hear_neighbours": hears}
        context = self.context(stop or StopFlag(), **changes, **hearing_or_not)
        dataset = hearing(self.dataset(features), context.config)
        fold = Fold(index=0, split=self.world.split)
        run, sink = run or self.run(), sink or ListSink()
        parts: tuple[Part, ...] = ("validation", "test")
        work = Scoring(
            context=context, run=run, dataset=dataset, sink=sink, parts=parts, seeds=seeds
        )
        return score_rivals(work, fold)


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Bench:
    return Bench(world, tmp_path)


@pytest.fixture(scope="module")
def frame(world: World, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return Bench(world, tmp_path_factory.mktemp("rivals")).scores()


@dataclass(frozen=True)
class WithRefit:
    """Asks to stop once a refit has written its first checkpoint."""

    run: Run

    @property
    def requested(self) -> bool:
        return any(self.run.path("checkpoints").glob("*/refit/resume"))


def of(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.filter(pl.col("name") == name)


def test_it_is_the_network_with_every_block_off_on_the_last_session(world: World) -> None:
    """Same weights, window of 1 for window of 8: the same scores, to the last bit."""
    own, n_features = _perceptron(world.config), len(world.features.features)
    torch.manual_seed(3)
    network, rival = build_model(world.config, n_features), build_model(own, n_features)
    rival.load_state_dict(network.state_dict())
    network.set_blocks(())
    assert rival.blocks == frozenset()
    found = [
        score_days(
            model, world.features, None, world.split.test[:5], window=window, runtime=RUNTIME
        )
        for model, window in ((network, world.config.split.window), (rival, own.split.window))
    ]
    for ours, theirs in zip(*(days.score_DNH for days in found), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert world.config.split.window > own.split.window == 1


def test_it_is_taught_as_the_network_is_in_its_first_phase(world: World) -> None:
    config = override(world.config, {"training.epochs": [0, 3, 1, 1]}, origin="test")
    own = _perceptron(config)
    assert [(phase.name, phase.blocks, phase.epochs) for phase in own.training.phases] == [
        ("adaptive-norm", (), 3)
    ]
    assert own.loss == config.loss
    taught = {"phases"}
    assert own.training.model_dump(exclude=taught) == config.training.model_dump(exclude=taught)


def test_every_rival_scores_the_same_days_and_horizons(world: World, frame: pl.DataFrame) -> None:
    days = np.concatenate([world.split.validation, world.split.test])
    expected = int(world.features.member_SN[days].sum())
    assert set(frame.group_by("name").len()["len"]) == {expected}
    for horizon in world.features.horizons:
        assert of(frame, PERCEPTRON)[f"score_{horizon}"].is_finite().all()


def test_equal_seeds_give_equal_bits_and_leave_the_random_state_alone(
    bench: Bench, frame: pl.DataFrame
) -> None:
    before = torch.get_rng_state()
    assert bench.scores().equals(frame, null_equal=True)
    torch.testing.assert_close(torch.get_rng_state(), before)
    other = bench.scores(training__seed=2)
    for name in (PERCEPTRON, "lightgbm"):
        assert not of(other, name).equals(of(frame, name))


def test_other_stocks_rows_change_no_score(bench: Bench, world: World, frame: pl.DataFrame) -> None:
    """On test days every member but the first gets the row of the one before it: so do the scores."""
    x_SNF = np.array(world.features.x_SNF[:])
    member = {int(s): np.flatnonzero(world.features.member_SN[s]) for s in world.split.test}
    for session, member_N in member.items():
        x_SNF[session, member_N[1:]] = np.roll(x_SNF[session, member_N[1:]], 1, axis=0)
    rolled = bench.scores(replace(world.features, x_SNF=x_SNF))
    for name in ("ridge", "lightgbm", PERCEPTRON):
        for session, member_N in member.items():
            day = (pl.col("name") == name) & (
                pl.col("date") == world.features.dates_S[session].item()
            )
            ours, theirs = (table.filter(day)["score_5"].to_numpy() for table in (frame, rolled))
            assert member_N.size == ours.size
            assert np.allclose(theirs[:1], ours[:1], atol=1e-4), name
            assert np.allclose(theirs[1:], np.roll(ours[1:], 1), atol=1e-4), name


def test_with_neighbours_every_rival_hears_them(
    bench: Bench, world: World, frame: pl.DataFrame
) -> None:
    heard = bench.scores(hears=True)
    for name in ("ridge", "lightgbm", PERCEPTRON):
        assert not of(heard, name)["score_5"].equals(of(frame, name)["score_5"])
    for name in RULES:
        assert of(heard, name).equals(of(frame, name), null_equal=True)


def test_where_the_network_hears_nobody_its_rivals_do_not_either(
    bench: Bench, world: World
) -> None:
    on = override(world.config, {"training.rivals_hear_neighbours": True}, origin="test")
    off = override(world.config, {"training.rivals_hear_neighbours": False}, origin="test")
    whole = bench.dataset()
    assert hearing(replace(whole, graphs=None), on).features is whole.features
    assert hearing(whole, off).features is whole.features
    heard = hearing(whole, on)
    assert len(heard.features.features) == 2 * len(whole.features.features)
    assert heard.graphs is None, "no edge is gathered for models without a graph"


def test_the_switch_belongs_to_no_network(bench: Bench, world: World) -> None:
    """Weights of before it was there still fit."""
    on, off = (
        override(world.config, {"training.rivals_hear_neighbours": hears}, origin="test")
        for hears in (True, False)
    )
    assert identity(on, bench.dataset()) == identity(off, bench.dataset())


def test_a_refit_after_it_changes_no_network_and_weights_of_days_do(
    bench: Bench, world: World
) -> None:
    def of_config(**changes: object) -> dict[str, object]:
        dotted = {key.replace("__", "."): value for key, value in changes.items()}
        return identity(override(world.config, dotted, origin="test"), bench.dataset())

    assert of_config(training__refit=True) == of_config()
    assert of_config(training__recency_half_life=250) != of_config()
    known = world.config.training.model_dump(
        mode="json",
        exclude={"device", "own_models", "rivals_hear_neighbours", "refit", "recency_half_life"},
    )
    rules = {
        "training": known,
        "loss": world.config.loss.model_dump(mode="json"),
        "split": world.config.split.model_dump(mode="json"),
    }
    assert of_config()["training"] == digest(rules), "weights of before these keys still fit"


def test_a_refit_on_permuted_labels_learns_no_true_one(bench: Bench, world: World) -> None:
    """Those of the embargo between training and validation days are learned too; the test keeps its own."""
    changes = {"training.permute_labels": True, "training.refit": True}
    config = override(world.config, changes, origin="test")
    longer = refit_split(world.features, world.split, config.split, config.universe.min_names)
    dealt = as_taught(bench.dataset(), longer, config).features.forward_return_SNH
    for session in range(int(world.split.train[0]), int(world.features.dates_S.size)):
        same = np.array_equal(
            dealt[session], world.features.forward_return_SNH[session], equal_nan=True
        )
        assert same == (session > world.split.validation[-1])


def test_its_training_tells_progress_and_answers_and_nothing_else(bench: Bench) -> None:
    """Its epochs, steps and checkpoints would be taken for the network's."""
    run = bench.run()

    @dataclass
    class Person(ListSink):
        def emit(self, event: RunEvent) -> None:
            super().emit(event)
            if isinstance(event, Advanced) and event.note == "perceptron, seed 2":
                ControlFiles.of(run).ask("checkpoint")

    sink = Person(events=[])
    bench.scores(run=run, sink=sink, seeds=2, training__epochs=[2, 1, 1, 1])
    assert all(isinstance(event, Advanced | ControlAnswered) for event in sink.events)
    assert [e.action for e in sink.events if isinstance(e, ControlAnswered)] == ["checkpoint"]
    told = [event for event in sink.events if isinstance(event, Advanced)]
    assert [event.note for event in told if event.note.startswith("perceptron, seed")] == [
        "perceptron, seed 1",
        "perceptron, seed 2",
    ]
    assert sum(event.note.startswith("perceptron, epoch") for event in told) == 4
    assert told[-1].done == told[-1].total == 2 * 2 + 2


def test_stopped_in_its_training_it_goes_on_to_the_same_bits(
    bench: Bench, frame: pl.DataFrame
) -> None:
    run = bench.run()
    fits = count_fits(bench.world.config, 1)
    looks = fits + len(bench.world.config.baseline_horizons) * LightGBMModel.rounds
    with pytest.raises(Interrupted, match="after ridge, seed 1"):
        bench.scores(run=run, stop=StopAfter(1))
    assert not run.path("checkpoints").exists()
    with pytest.raises(Interrupted, match="mlp-fold-0-seed-1"):
        bench.scores(run=run, stop=StopAfter(looks + 5))
    saved = {path.name for path in run.path("checkpoints/mlp-fold-0-seed-1").iterdir()}
    assert any(name.startswith("resume") for name in saved)
    assert not run.path("folds/mlp-fold-0-seed-1.parquet").exists()
    assert bench.scores(run=run).equals(frame, null_equal=True)


def test_with_a_refit_test_scores_are_learned_up_to_the_embargo_and_validation_scores_are_not(
    bench: Bench, world: World, frame: pl.DataFrame
) -> None:
    """Ridge and LightGBM learn the longer span at once; the perceptron chooses first. Cut off in its refit it
    goes on to the same bits.
    """
    run = bench.run()
    with pytest.raises(Interrupted, match="mlp-fold-0-seed-1"):
        bench.scores(run=run, stop=WithRefit(run), training__refit=True)
    again = bench.scores(run=run, training__refit=True)
    for part in ("validation", "test"):
        rows = pl.col("split") == part
        for name in (*RULES, "ridge", "lightgbm", PERCEPTRON):
            same = (
                of(again, name).filter(rows).equals(of(frame, name).filter(rows), null_equal=True)
            )
            assert same == (part == "validation" or name in RULES), (name, part)
    config = override(world.config, {"training.refit": True}, origin="test")
    longer = refit_split(world.features, world.split, config.split, config.universe.min_names)
    alone = compute_baselines(
        as_taught(bench.dataset(), longer, config).features,
        longer,
        config=config,
        parts=("test",),
        sink=NullSink(),
    )
    test = pl.col("split") == "test"
    for name in ("ridge", "lightgbm"):
        assert of(again, name).filter(test).equals(of(alone, name), null_equal=True)


def test_a_label_neutral_to_an_unknown_feature_is_refused_for_all(bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"loss\.neutral_to: other is not among"):
        bench.scores(loss__neutral_to=["other"])


S, N, F = 90, 120, 6
SPLIT = Split(train=np.arange(50), validation=np.arange(50, 70), test=np.arange(70, S))


def market(*, interaction: float) -> FeatureSet:
    """Returns = interaction * x0 * x1 + noise: every single feature has correlation 0 with them."""
    rng = np.random.default_rng(3)
    x_SNF = rng.standard_normal((S, N, F)).astype(np.float16)
    signal_SN = interaction * x_SNF[..., 0].astype(np.float32) * x_SNF[..., 1]
    y_SNH = np.stack([signal_SN + rng.standard_normal((S, N)) for _ in range(2)], axis=-1)
    member_SN = np.ones((S, N), dtype=bool)
    member_SN[::3, :20] = False
    return FeatureSet(
        directory=None,
        dates_S=np.datetime64("2020-01-01", "D") + np.arange(S),
        symbols=tuple(f"S{n}" for n in range(N)),
        features=tuple(f"f{n}" for n in range(F)),
        horizons=(1, 5),
        x_SNF=x_SNF,
        member_SN=member_SN,
        forward_return_SNH=y_SNH.astype(np.float32),
        sector_N=np.zeros(N, dtype=np.int16),
        sectors=("all",),
        fingerprint="planted",
        market="synthetic",
        source="planted",
    )


@pytest.mark.parametrize(("interaction", "low", "high"), [(1.0, 0.2, 1.0), (0.0, -0.08, 0.08)])
def test_it_finds_an_interaction_and_in_noise_nothing(
    bench: Bench, interaction: float, low: float, high: float
) -> None:
    features = market(interaction=interaction)
    context = bench.context(
        StopFlag(),
        labels__horizons=[1, 5],
        loss__horizon_weights=[0.5, 0.5],
        loss__neutral_to=[],
        portfolio__horizon=5,
        model__hidden=32,
        training__epochs=[6, 1, 1, 1],
        training__day_stride=1,
        training__learning_rate=5e-3,
    )
    work = Scoring(
        context=replace(context, config=_perceptron(context.config)),
        run=bench.run(),
        dataset=replace(bench.dataset(features), graphs=None),
        sink=NullSink(),
        parts=("test",),
    )
    found = score_seeds(work, [Fold(index=0, split=SPLIT)])
    for h, horizon in enumerate(features.horizons):
        days = []
        for session in SPLIT.test:
            rows = found.filter(pl.col("date") == features.dates_S[session].item())
            member_N = features.member_SN[session]
            score_N = rows[f"score_{horizon}"].to_numpy()
            days.append(rank_ic(score_N, features.forward_return_SNH[session, member_N, h]))
        assert low < np.mean(days) < high
