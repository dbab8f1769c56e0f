"""Graphs of many stocks: one date against what one would otherwise call, and five years of weeks.

The peers get what they are fast with: pandas and scikit-learn's correlation the returns, scikit-learn's
euclidean search rows that are already z-scores (the squared distance of two is 2 W (1 - rho), so it ranks
by signed rho). Ours starts from the returns every time, with equal weights as the peers have them, by
|rho| against pandas and by signed rho against scikit-learn. Before the clock starts the neighbours must
be equal. Every library may use all processors.
"""

import statistics
import sys
from functools import partial

from engine.runs.launch import limit_threads

limit_threads(safe=False)

import numpy as np  # noqa: E402 - the limits are read at import
import pandas as pd  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402

from benchmarks.contender import timed  # noqa: E402
from benchmarks.options import read_options, say  # noqa: E402
from benchmarks.pairs import compare, seconds  # noqa: E402
from engine.config import GraphConfig  # noqa: E402
from engine.graph.correlation import strongest_neighbours, unit_tiles  # noqa: E402
from engine.graph.edges import graphs_of_sessions  # noqa: E402
from engine.graph.graph import Graph  # noqa: E402

WINDOW, K = 60, 10
EQUAL = 1e9
"""A half-life so long that all weights are 1."""


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__, arguments, stocks=(2800, 60), sessions=(1260, 66), pairs=(21, 1)
    )
    N, S = options.stocks, options.sessions
    rng = np.random.default_rng(0)
    factor_FS, sector_N = rng.normal(size=(33, S)), rng.integers(0, 33, N)
    return_NS = 0.01 * (0.5 * factor_FS[sector_N] + rng.normal(size=(N, S)))
    one_date(np.ascontiguousarray(return_NS[:, :WINDOW]), options.pairs)
    every_week(return_NS, sector_N.astype(np.int16))
    return 0


def one_date(return_NW: NDArray[np.float64], pairs: int) -> None:
    """Our neighbours against those of each peer; pandas takes seconds and gets a quarter of the pairs."""
    N = len(return_NW)
    frame = pd.DataFrame(return_NW.T)
    z_NW = return_NW - return_NW.mean(axis=1, keepdims=True)
    z_NW /= z_NW.std(axis=1, keepdims=True)
    row_N = np.arange(N)

    def ours(*, signed: bool) -> NDArray[np.int64]:
        tile_TWL = unit_tiles(return_NW, row_N, WINDOW, window=WINDOW, half_life=EQUAL)
        floor = -np.inf if signed else 0.0
        return strongest_neighbours(tile_TWL, N, K, floor=floor, signed=signed)[0]

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
    product_NN = np.empty((N, N), dtype=np.float32)
    signed_peers = {
        "sklearn correlation": lambda: with_sklearn(return_NW, "correlation"),
        "sklearn euclidean, float64": lambda: with_sklearn(z_NW, "euclidean"),
        "sklearn euclidean, float32": lambda: with_sklearn(z32_NW, "euclidean"),
    }
    signed_Nk = ours(signed=True)
    same("pandas", ours(signed=False), with_pandas())
    for name, peer in signed_peers.items():
        same(name, signed_Nk, peer())
    title = f"graph of {N} stocks, window {WINDOW}, k {K}"
    pandas = {"pandas corr + top k": with_pandas}
    compare(f"{title}, |rho|", lambda: ours(signed=False), pandas, pairs=max(pairs // 4, 1))
    compare(f"{title}, signed", lambda: ours(signed=True), signed_peers, pairs=pairs)
    # By itself: after a product OpenBLAS spins for a while and would take a processor from its partner.
    product = statistics.median(seconds(matrix) for _ in range(pairs))
    gflop = 2e-9 * N * N * WINDOW
    say(f"numpy's float32 product alone, {gflop:.2f} Gflop: {product * 1e3:.1f} ms")


def same(name: str, ours_Nk: NDArray[np.int64], theirs_Nk: NDArray[np.int64]) -> None:
    """Ranks may swap where two float32 sums round to the other order; the count is printed."""
    differing = int((ours_Nk != theirs_Nk).sum())
    say(f"neighbours unlike those of {name}: {differing} of {ours_Nk.size}")
    if differing > 1e-3 * ours_Nk.size:
        raise SystemExit(f"neighbours differ from those of {name}")


def every_week(return_NS: NDArray[np.float64], sector_N: NDArray[np.int16]) -> None:
    """All graphs of a history, one a week, of every kind."""
    N, S = return_NS.shape
    member_SN = np.ones((S, N), dtype=np.bool_)
    sessions = np.arange(WINDOW, S, 5)
    for kind in ("correlation", "sector", "random"):
        config = GraphConfig.model_validate({"kind": kind, "window": WINDOW, "k": K})
        list(graphs_of_sessions(return_NS, member_SN, sector_N, sessions[:1], config))
        weekly = graphs_of_sessions(return_NS, member_SN, sector_N, sessions, config)
        graphs: list[Graph] = []
        spent = timed(partial(graphs.extend, weekly))
        edges = sum(graph.edge_attr_EK.shape[0] for graph in graphs)
        say(
            f"{len(graphs)} weekly graphs of {N} stocks, {kind:<12} {spent.wall:6.2f} s "
            f"({spent.cpu:.2f} s of processor), {edges:,} edges"
        )


if __name__ == "__main__":
    sys.exit(main())
