"""Which features count, stock by stock."""

# Shape suffixes: M rows, T sessions, F features, C channels.
import torch
from torch import Tensor, nn

from engine.model.dropout import Dropout


class VariableSelection(nn.Module):
    """Weights per feature from the window's last values and means, then one shared embedding.

    Lim et al. 2021, section 4.2, weigh the outputs of F networks of C^2 parameters each, which made 85 to
    96 % of the original's parameters and most of its time. Here feature f is embedded by one learned vector
    E_f and the weighted sum is one product: ``sum_f w_f x_f E_f = (w * x) E``. The weights are
    ``F * softmax(logits / 2)``, so that they are 1 on average; off means w = 1, and so does the start.

    Shapes: ``x_MTF``, ``mask_MT`` -> ``h_MTC`` and ``w_MF``.
    """

    def __init__(self, n_features: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.n_features = n_features
        self.scorer = nn.Sequential(
            nn.Linear(2 * n_features, channels),
            nn.ELU(),
            Dropout(dropout),
            nn.Linear(channels, n_features),
        )
        for parameter in self.scorer[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_MTF: Tensor) -> Tensor:
        summary_M2F = torch.cat([x_MTF[:, -1], x_MTF.mean(dim=1)], dim=-1)
        logit_MF = self.scorer(summary_M2F)
        return self.n_features * torch.softmax(logit_MF / 2.0, dim=-1)
