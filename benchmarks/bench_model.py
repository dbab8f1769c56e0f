"""A training step (forward, loss, backward) of the whole network against a usual rewrite of it.

The rewrite does what most ports of the Temporal Fusion Transformer do: a gated residual network per
feature and session for the variable selection, and attention for every session where one is used.
"""

import torch
from torch import Tensor, nn

from benchmarks.pairs import compare
from engine.config import Config
from engine.dataset.batch import Batch
from engine.model.build import build_model
from engine.training.losses import combined_loss

STOCKS, DAYS, FEATURES, DEGREE = 300, 2, 45, 10


def make_batch(config: Config) -> Batch:
    torch.manual_seed(0)
    rows, T, H = STOCKS * DAYS, config.split.window, len(config.labels.horizons)
    target = torch.arange(rows).repeat_interleave(DEGREE)
    first = target // STOCKS * STOCKS
    return Batch(
        dates=(),
        sessions=tuple(range(DAYS)),
        day_ptr=tuple(STOCKS * d for d in range(DAYS + 1)),
        symbol_M=torch.arange(rows) % STOCKS,
        x_MTF=torch.randn(rows, T, FEATURES),
        mask_MT=torch.ones(rows, T),
        y_MH=torch.randn(rows, H) * 0.02,
        target_MH=torch.randn(rows, H),
        edge_index_2E=torch.stack([first + torch.randint(0, STOCKS, target.shape), target]),
        edge_attr_EK=torch.rand(target.numel(), 3),
    )


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
    def __init__(self, config: Config) -> None:
        super().__init__()
        C = config.model.hidden
        self.selection = PerFeatureSelection(FEATURES, C)
        self.lstm = nn.LSTM(C, C, batch_first=True)
        self.attention = nn.MultiheadAttention(C, config.model.attention_heads, batch_first=True)
        self.head = nn.Linear(C, len(config.labels.horizons))

    def forward(self, batch: Batch) -> Tensor:
        h_MTC, _ = self.lstm(self.selection(batch.x_MTF))
        h_MTC, _ = self.attention(h_MTC, h_MTC, h_MTC)
        out: Tensor = self.head(h_MTC[:, -1])
        return out


def main() -> None:
    torch.set_num_threads(1)
    config = Config()
    batch = make_batch(config)
    model = build_model(config, FEATURES).train()
    usual = UsualRewrite(config).train()

    def ours() -> None:
        model.zero_grad()
        combined_loss(model(batch), batch, config.loss, config.model.quantiles)[0].backward()

    def theirs() -> None:
        usual.zero_grad()
        (usual(batch) - batch.target_MH).square().mean().backward()

    size = f"{DAYS} days x {STOCKS} stocks x {config.split.window} x {FEATURES}"
    compare(f"training step, {size}", ours, {"per-feature TFT without graph": theirs})


if __name__ == "__main__":
    main()
