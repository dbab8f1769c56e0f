"""The ranks of a training beside the first: they have its settings and data, read rows, and write nothing."""

from engine.config import Config
from engine.errors import EnvironmentProblem
from engine.features.feature_set import FeatureSet
from engine.files import digest
from engine.model.build import build_model
from engine.runs.sink import NullSink
from engine.stages.context import Outcome, StageContext
from engine.stages.fit import start_runtime
from engine.stages.load import load_dataset
from engine.training.passes import open_pass
from engine.training.ranks import Begin, Ranks


def what_counts(config: Config, features: FeatureSet) -> Begin:
    """What every rank must have: rank 0 tells it once its data are built and stored."""
    return Begin(features=features.fingerprint, settings=digest(config.model_dump(mode="json")))


def follow(context: StageContext, ranks: Ranks) -> Outcome:
    """Read rows for rank 0 until it has ended.

    EnvironmentProblem where settings or data are others than there, or rank 0 ends without a word.
    """
    begun, config, steps = ranks.hear(), context.config, 0
    if isinstance(begun, Begin):
        features = load_dataset(context, NullSink(), in_memory=False).features
        if begun != what_counts(config, features):
            raise EnvironmentProblem(
                f"rank {ranks.rank} has other settings or data than rank 0",
                hint="start all ranks with the same words, on one workspace or equal copies of it",
            )
        runtime = start_runtime(config, NullSink(), ranks)
        model = build_model(config, len(features.features)).to(runtime.device)
        with open_pass(runtime) as rows:
            steps = rows.follow(model, features, config.split.window)
    text = f"rank {ranks.rank} of {ranks.size}: read its rows of {steps} steps"
    return Outcome(json={"rank": ranks.rank, "steps": steps}, text=text)
