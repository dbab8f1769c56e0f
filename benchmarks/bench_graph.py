"""The graph of one date: correlation and the k strongest neighbours of every stock."""

import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import kneighbors_graph

from benchmarks.pairs import compare
from engine.graph.correlation import strongest_neighbours, weighted_correlation

STOCKS, WINDOW, K = 1500, 60, 10


def main() -> None:
    rng = np.random.default_rng(0)
    return_NW = rng.normal(size=(STOCKS, WINDOW))
    frame = pd.DataFrame(return_NW.T)
    centred = return_NW - return_NW.mean(axis=1, keepdims=True)
    unit = torch.from_numpy((centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype("f4"))

    def ours() -> object:
        return strongest_neighbours(np.abs(weighted_correlation(return_NW, 30.0, 0.1)), K, 0.0)

    def with_pandas() -> object:
        rho = np.abs(frame.corr().to_numpy(copy=True))
        np.fill_diagonal(rho, 0.0)
        return np.argpartition(-rho, K, axis=1)[:, :K]

    def with_sklearn() -> object:
        return kneighbors_graph(return_NW, K, metric="correlation", include_self=False)

    def with_torch() -> object:
        return torch.topk((unit @ unit.T).abs_().fill_diagonal_(0.0), K)

    peers = {
        "pandas corr + argpartition": with_pandas,
        "sklearn kneighbors_graph": with_sklearn,
        "torch matmul + topk": with_torch,
    }
    compare(f"graph of {STOCKS} stocks, window {WINDOW}, k {K}", ours, peers)


if __name__ == "__main__":
    main()
