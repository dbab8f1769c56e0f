"""Configuration -> network, and what it is made of."""

from torch import nn

from engine.config import Config
from engine.graph.graph import Graph
from engine.model.atft_gat_fan import ATFTGATFAN


def build_model(config: Config, n_features: int) -> ATFTGATFAN:
    """A network with fresh weights from torch's default generator, all configured blocks on."""
    return ATFTGATFAN(
        config.model,
        n_features=n_features,
        n_horizons=len(config.labels.horizons),
        window=config.split.window,
        n_edge_attrs=len(Graph.edge_names),
        watch_attention=bool(config.loss.attention_entropy or config.loss.edge_penalty),
    )


def parameter_table(model: ATFTGATFAN) -> dict[str, int]:
    """Number of parameters per block; blocks that the configuration leaves out do not count."""
    return {name: count_parameters(module) for name, module in model.module_groups().items()}


def count_parameters(module: nn.Module) -> int:
    """How many numbers the module learns."""
    return sum(parameter.numel() for parameter in module.parameters())
