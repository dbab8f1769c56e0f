"""What trained weights belong to: the rules and data between a source and a network's output."""

from engine.config import Config, TrainingConfig
from engine.data.repair import RULES
from engine.data.universe import VERSION
from engine.features import feature_set
from engine.features.catalog import own_texts
from engine.files import digest
from engine.graph import build as graph_build
from engine.model.atft_gat_fan import ATFTGATFAN, NETWORK, build_model
from engine.runs.store import Run
from engine.stages.load import Dataset
from engine.training.device import Runtime
from engine.training.refit import final_folder
from engine.training.snapshots import Snapshots

DATA = ("data", "graph")
"""Parts of an identity that name the data themselves: a resumed training needs them unchanged, scoring
with finished weights does not."""


def identity(config: Config, dataset: Dataset) -> dict[str, object]:
    """What trained weights belong to. A checkpoint of another identity is refused."""
    return {
        "network": NETWORK,
        "model": config.model.model_dump(mode="json"),
        "window": config.split.window,
        "horizons": list(config.labels.horizons),
        "features": list(dataset.features.features),
        **input_rules(config, dataset.features.market),
        "training": digest(
            {
                "training": _training_rules(config.training),
                "loss": config.loss.model_dump(mode="json"),
                "split": config.split.model_dump(mode="json"),
            }
        ),
        "data": dataset.features.fingerprint,
        "graph": dataset.graphs.fingerprint if dataset.graphs else "none",
    }


def _training_rules(training: TrainingConfig) -> dict[str, object]:
    """What decides the weights: not whether others follow, and what came later only where it is on."""
    exclude = {"device", "own_models", "rivals_hear_neighbours", "refit"}
    if not training.recency_half_life:
        exclude.add("recency_half_life")
    return training.model_dump(mode="json", exclude=exclude)


def input_rules(config: Config, market: str) -> dict[str, object]:
    """Every rule between the source and the network's input, the data apart: one entry a layer.

    Equal rules give a day the same inputs, whatever was appended after it.
    """
    return {
        "market": market,
        "cleaning": {
            "rules": RULES,
            "quality": config.quality.model_dump(mode="json"),
            "index": config.data.index_symbol,
        },
        "universe": {"rules": VERSION, **config.universe.model_dump(mode="json")},
        "labels": config.labels.model_dump(mode="json"),
        "scaling": {
            "rules": feature_set.CODE_VERSION,
            "scaling": config.features.scaling,
            "dtype": config.features.dtype,
        },
        "edges": {"rules": graph_build.CODE_VERSION, **config.graph.model_dump(mode="json")},
        **({"own features": own} if (own := own_texts(config.features)) else {}),
    }


def kept_model(run: Run, config: Config, dataset: Dataset, runtime: Runtime) -> ATFTGATFAN:
    """The network of a finished run with the weights that score its test days.

    The data may have grown or been revised since; everything else must be as it was in training.
    """
    model = build_model(config, len(dataset.features.features)).to(runtime.device)
    directory = final_folder(run.path("checkpoints"), config.training)
    snapshots = Snapshots(directory=directory, identity=identity(config, dataset))
    model.set_blocks(snapshots.load_weights("kept", model, ignore=DATA)["blocks"])
    return model
