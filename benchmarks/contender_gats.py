"""Qlib's GATs as a contender, in Qlib's own Python: a script, never imported.

``contender_gats.py THREADS STOCKS WINDOW FEATURES HIDDEN``. A step is what `GATs.train_epoch` does with one
day: forward, mean squared error, backward, gradients clipped by value, Adam. The network is the one of
Qlib's published workflow: two LSTM layers under the attention of every stock to every other.
"""

import sys

import torch
from contender import serve
from qlib.contrib.model.pytorch_gats import GATModel


def main() -> None:
    threads, stocks, window, features, hidden = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = GATModel(
        d_feat=features, hidden_size=hidden, num_layers=2, dropout=0.7, base_model="LSTM"
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    x, label = torch.randn(stocks, features * window), torch.randn(stocks)

    def step() -> None:
        model.train()
        loss = ((model(x) - label) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 3.0)
        optimizer.step()

    def score() -> None:
        model.eval()
        with torch.no_grad():
            model(x)

    serve({"step": step, "score": score})


if __name__ == "__main__":
    main()
