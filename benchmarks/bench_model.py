"""A training step (forward, loss, backward) of the whole network against a usual rewrite of it.

The rewrite does what most ports of the Temporal Fusion Transformer do: a gated residual network per
feature and session for the variable selection, and attention for every session where one is used.
"""

import sys

import torch
from torch import Tensor, nn

from benchmarks.options import read_options
from benchmarks.pairs import compare
from benchmarks.speed_case import Case, random_batch
from engine.config import Config
from engine.dataset.batch import Batch
from engine.model.atft_gat_fan import build_model
from engine.training.losses import combined_loss


class PerFeatureSelection(nn.Module):
    """One gated residual network per feature, mixed by softmax weights (Lim et al., 2021)."""

    def __init__(self, n_features: int, channels: int) -> None:
        super().__init__()
        self.embed = nn.ModuleList(nn.Linear(1, channels) for _ in range(n_features))
        self.grns = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, channels), nn.ELU(), nn.Linear(channels, channels))
            for _ in range(n_features)
        )
        self.weights = nn.Linear(n_features, n_features)

    def forward(self, x_MTF: Tensor) -> Tensor:
        weight_MTF = self.weights(x_MTF).softmax(dim=-1)
        parts = [
            grn(embed(x_MTF[..., f : f + 1])) * weight_MTF[..., f : f + 1]
            for f, (embed, grn) in enumerate(zip(self.embed, self.grns, strict=True))
        ]
        return torch.stack(parts).sum(dim=0)


class UsualRewrite(nn.Module):
    """Selection, LSTM over the sessions, attention of every session, and a score per horizon."""

    def __init__(self, config: Config, n_features: int) -> None:
        super().__init__()
        C = config.model.hidden
        self.selection = PerFeatureSelection(n_features, C)
        self.lstm = nn.LSTM(C, C, batch_first=True)
        self.attention = nn.MultiheadAttention(C, config.model.attention_heads, batch_first=True)
        self.head = nn.Linear(C, len(config.labels.horizons))

    def forward(self, batch: Batch) -> Tensor:
        h_MTC, _ = self.lstm(self.selection(batch.x_MTF))
        h_MTC, _ = self.attention(h_MTC, h_MTC, h_MTC)
        out: Tensor = self.head(h_MTC[:, -1])
        return out


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__, arguments, stocks=(300, 12), days=(2, 1), features=(45, 4), pairs=(7, 1)
    )
    torch.set_num_threads(1)
    config = Config()
    case = Case(
        stocks=options.stocks,
        days=options.days,
        window=config.split.window,
        features=options.features,
    )
    batch = random_batch(case, config)
    model = build_model(config, case.features).train()
    usual = UsualRewrite(config, case.features).train()

    def ours() -> None:
        model.zero_grad()
        combined_loss(model(batch), batch, config.loss, config.model.quantiles)[0].backward()

    def theirs() -> None:
        usual.zero_grad()
        (usual(batch) - batch.target_MH).square().mean().backward()

    size = f"{case.days} days x {case.stocks} stocks x {case.window} x {case.features}"
    peers = {"per-feature TFT without graph": theirs}
    compare(f"training step, {size}", ours, peers, pairs=options.pairs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
