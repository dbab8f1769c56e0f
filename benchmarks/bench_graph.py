"""Graphs of 2,800 stocks: one date against what one would otherwise call, and five years of weeks.

The peers get what they are fast with: pandas and scikit-learn's correlation the returns, scikit-learn's
euclidean search rows that are already z-scores (the squared distance of two is 2 W (1 - rho), so it ranks
by signed rho). Ours starts from the returns every time, with equal weights as the peers have them, by
|rho| against pandas and by signed rho against scikit-learn. Before the clock starts the neighbours must
be equal. Every library may use all processors.
"""

import statistics
import sys
import time

from engine.runs.threads import limit_threads

limit_threads(safe=False)

import numpy as np  # noqa: E402 - the limits are read at import
import pandas as pd  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402

from benchmarks.pairs import compare, seconds  # noqa: E402
from engine.config import GraphConfig  # noqa: E402
from engine.graph.correlation import unit_tiles  # noqa: E402
from engine.graph.edges import graphs_of_sessions  # noqa: E402
from engine.graph.neighbours import strongest_neighbours  # noqa: E402

STOCKS, WINDOW, K, SESSIONS = 2800, 60, 10, 1260
EQUAL = 1e9
"""A half-life so long that all weights are 1."""


def main() -> None:
    rng = np.random.default_rng(0)
    factor_FS, sector_N = rng.normal(size=(33, SESSIONS)), rng.integers(0, 33, STOCKS)
    return_NS = 0.01 * (0.5 * factor_FS[sector_N] + rng.normal(size=(STOCKS, SESSIONS)))
    one_date(np.ascontiguousarray(return_NS[:, :WINDOW]))
    five_years(return_NS, sector_N.astype(np.int16))


def one_date(return_NW: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(return_NW.T)
    z_NW = return_NW - return_NW.mean(axis=1, keepdims=True)
    z_NW /= z_NW.std(axis=1, keepdims=True)
    row_N = np.arange(STOCKS)

    def ours(*, signed: bool) -> NDArray[np.int64]:
        tile_TWL = unit_tiles(return_NW, row_N, WINDOW, window=WINDOW, half_life=EQUAL)
        floor = -np.inf if signed else 0.0
        return strongest_neighbours(tile_TWL, STOCKS, K, floor=floor, signed=signed)[0]

    def with_pandas() -> NDArray[np.int64]:
        strength_NN = np.abs(frame.corr().to_numpy(copy=True))
        np.fill_diagonal(strength_NN, -1.0)
        top_Nk = np.argpartition(-strength_NN, K, axis=1)[:, :K]
        order_Nk = np.argsort(-np.take_along_axis(strength_NN, top_Nk, axis=1), axis=1)
        return np.take_along_axis(top_Nk, order_Nk, axis=1)

    def with_sklearn(x_NW: NDArray[np.floating], metric: str) -> NDArray[np.int64]:
        search = NearestNeighbors(n_neighbors=K, metric=metric, algorithm="brute").fit(x_NW)
        return np.asarray(search.kneighbors(return_distance=False))

    def matrix() -> object:
        return np.matmul(z32_NW, z32_WN, out=product_NN)

    z32_NW = z_NW.astype(np.float32)
    z32_WN = np.asfortranarray(z32_NW).T.copy()
    product_NN = np.empty((STOCKS, STOCKS), dtype=np.float32)
    signed_peers = {
        "sklearn correlation": lambda: with_sklearn(return_NW, "correlation"),
        "sklearn euclidean, float64": lambda: with_sklearn(z_NW, "euclidean"),
        "sklearn euclidean, float32": lambda: with_sklearn(z32_NW, "euclidean"),
    }
    signed_Nk = ours(signed=True)
    same("pandas", ours(signed=False), with_pandas())
    for name, peer in signed_peers.items():
        same(name, signed_Nk, peer())
    title = f"graph of {STOCKS} stocks, window {WINDOW}, k {K}"
    compare(
        f"{title}, |rho|", lambda: ours(signed=False), {"pandas corr + top k": with_pandas}, pairs=5
    )
    compare(f"{title}, signed", lambda: ours(signed=True), signed_peers, pairs=21)
    # By itself: after a product OpenBLAS spins for a while and would take a processor from its partner.
    product = statistics.median(seconds(matrix) for _ in range(21))
    gflop = 2e-9 * STOCKS * STOCKS * WINDOW
    sys.stdout.write(f"numpy's float32 product alone, {gflop:.2f} Gflop: {product * 1e3:.1f} ms\n")


def same(name: str, ours_Nk: NDArray[np.int64], theirs_Nk: NDArray[np.int64]) -> None:
    """Ranks may swap where two float32 sums round to the other order; the count is printed."""
    differing = int((ours_Nk != theirs_Nk).sum())
    sys.stdout.write(f"neighbours unlike those of {name}: {differing} of {ours_Nk.size}\n")
    if differing > 1e-3 * ours_Nk.size:
        raise SystemExit(f"neighbours differ from those of {name}")


def five_years(return_NS: NDArray[np.float64], sector_N: NDArray[np.int16]) -> None:
    member_SN = np.ones((SESSIONS, STOCKS), dtype=np.bool_)
    sessions = np.arange(WINDOW, SESSIONS, 5)
    for kind in ("correlation", "sector", "random"):
        config = GraphConfig.model_validate({"kind": kind, "window": WINDOW, "k": K})
        list(graphs_of_sessions(return_NS, member_SN, sector_N, sessions[:1], config))
        wall, cpu = time.perf_counter(), time.process_time()
        graphs = list(graphs_of_sessions(return_NS, member_SN, sector_N, sessions, config))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        edges = sum(graph.edge_attr_EK.shape[0] for graph in graphs)
        sys.stdout.write(
            f"{len(graphs)} weekly graphs of {STOCKS} stocks, {kind:<12} {wall:6.2f} s "
            f"({cpu:.2f} s of processor), {edges:,} edges\n"
        )


if __name__ == "__main__":
    main()
