"""pytorch-forecasting's Temporal Fusion Transformer as a contender, in its own Python: a script.

``contender_tft.py THREADS STOCKS WINDOW FEATURES HIDDEN``. One continuous input per feature, windows of the
same length, one session ahead, seven quantiles; sizes that are not given are its defaults (the inputs'
networks have 8 channels, which is in its favour). The samples go through in parts of 250 whose gradients
add up, because all 1,000 at once need some 10 GiB; one update at the end.
"""

import sys
from typing import Any

import torch
from contender import serve
from pytorch_forecasting import TemporalFusionTransformer
from pytorch_forecasting.data.encoders import TorchNormalizer
from pytorch_forecasting.metrics import QuantileLoss

PART = 250


def main() -> None:
    threads, stocks, window, features, hidden = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = build(window, features, hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    sizes = [min(PART, stocks - first) for first in range(0, stocks, PART)]
    parts = [inputs(size, window, features) for size in sizes]
    labels = [torch.randn(size, 1) for size in sizes]

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        for part, label in zip(parts, labels, strict=True):
            loss = model.loss.loss(model(part)["prediction"], label).sum() / stocks
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    def score() -> None:
        model.eval()
        with torch.no_grad():
            for part in parts:
                model(part)

    serve({"step": step, "score": score})


def build(window: int, features: int, hidden: int) -> Any:
    names = [f"f{i}" for i in range(features)]
    return TemporalFusionTransformer(
        hidden_size=hidden,
        output_size=7,
        loss=QuantileLoss(),
        max_encoder_length=window,
        time_varying_reals_encoder=names,
        time_varying_reals_decoder=names[:1],  # the decoder must be given something
        x_reals=names,
        output_transformer=TorchNormalizer(method="identity"),
    )


def inputs(samples: int, window: int, features: int) -> dict[str, torch.Tensor]:
    return {
        "encoder_cont": torch.randn(samples, window, features),
        "decoder_cont": torch.randn(samples, 1, features),
        "encoder_cat": torch.zeros(samples, window, 0, dtype=torch.long),
        "decoder_cat": torch.zeros(samples, 1, 0, dtype=torch.long),
        "encoder_lengths": torch.full((samples,), window),
        "decoder_lengths": torch.ones(samples, dtype=torch.long),
        "target_scale": torch.ones(samples, 2),
    }


if __name__ == "__main__":
    main()
