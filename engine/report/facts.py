"""Everything a report says, read from the run directory; nothing is computed twice or invented."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.backtest.performance import drawdowns, equity, monthly_returns
from engine.backtest.result import BacktestResult
from engine.evaluation.inference import newey_west_se
from engine.evaluation.rank_ic import average_ranks
from engine.features.feature_set import FeatureSet, open_features
from engine.files import read_json
from engine.portfolio.prediction import Prediction
from engine.runs.events import AssertionChecked, EpochEvaluated, decode
from engine.runs.store import Run

QUANTILES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run; parts that have not been made yet are None or empty."""

    run_id: str
    manifest: dict[str, Any]
    train: dict[str, Any]
    backtest: dict[str, Any] | None
    quality: dict[str, Any] | None
    epochs: tuple[EpochEvaluated, ...]
    assertions: tuple[AssertionChecked, ...]
    daily: pl.DataFrame | None
    """Backtest: date, net_return, equity, drawdown."""
    baseline_equity: dict[str, tuple[list[str], list[float]]]
    months: dict[str, float]
    quantile_returns: dict[str, float]
    """Quantile of the score -> mean forward return of its stocks less the day's mean, per holding."""
    quantile_errors: dict[str, float]
    config: dict[str, Any]


def gather(workspace: Path, run: Run) -> Facts:
    """Read the files of a finished run."""
    train = read_json(run.path("train.json"))
    tested = run.path("backtest.json")
    quality = workspace / "data" / "quality.json"
    epochs, assertions = _events(run)
    daily, months = _daily(run)
    means, errors = _quantiles(workspace, run, train)
    return Facts(
        run_id=run.id,
        manifest=run.manifest,
        train=train,
        backtest=read_json(tested) if tested.is_file() else None,
        quality=read_json(quality) if quality.is_file() else None,
        epochs=epochs,
        assertions=assertions,
        daily=daily,
        baseline_equity=_baseline_equity(run),
        months=months,
        quantile_returns=means,
        quantile_errors=errors,
        config=run.config().model_dump(mode="json"),
    )


def _events(run: Run) -> tuple[tuple[EpochEvaluated, ...], tuple[AssertionChecked, ...]]:
    epochs: dict[int, EpochEvaluated] = {}
    assertions: dict[str, AssertionChecked] = {}
    with run.events_path.open("rb") as file:
        for line in file:
            event = decode(line)
            if isinstance(event, EpochEvaluated):
                epochs[event.epoch] = event
            elif isinstance(event, AssertionChecked):
                assertions[event.name] = event
    return tuple(epochs.values()), tuple(assertions.values())


def _daily(run: Run) -> tuple[pl.DataFrame | None, dict[str, float]]:
    path = run.path("backtest.parquet")
    if not path.is_file():
        return None, {}
    result = BacktestResult.read(path)
    net_D = result.net_returns()
    frame = result.daily.select("date", "net_return").with_columns(
        pl.Series("equity", equity(net_D)[-net_D.size :]),
        pl.Series("drawdown", drawdowns(net_D)[-net_D.size :]),
    )
    dates_D = result.daily["date"].to_numpy().astype("datetime64[D]")
    return frame, monthly_returns(dates_D, net_D)


def _baseline_equity(run: Run) -> dict[str, tuple[list[str], list[float]]]:
    path = run.path("backtest_baselines.parquet")
    if not path.is_file():
        return {}
    curves = {}
    for (name,), rows in pl.read_parquet(path).group_by("name", maintain_order=True):
        net_D = rows["net_return"].to_numpy()
        curve = equity(net_D)[-net_D.size :].tolist()
        curves[str(name)] = (rows["date"].cast(pl.String).to_list(), curve)
    return curves


def _quantiles(
    workspace: Path, run: Run, train: dict[str, Any]
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean excess forward return by decile of the test scores, with Newey-West errors."""
    path = run.path("predictions.parquet")
    directory = workspace / "features" / str(train.get("features_fingerprint"))
    if not path.is_file() or not (directory / "manifest.json").is_file():
        return {}, {}
    horizon = int(train["score_horizon"])
    features = open_features(directory)
    series: dict[str, list[float]] = defaultdict(list)
    test = Prediction.read(path).only("test").frame
    for score_N, return_N in _days(test, features, horizon):
        if score_N.size < 2 * QUANTILES:
            continue
        excess_N = return_N - return_N.mean()
        place_N = np.ceil(average_ranks(score_N) / score_N.size * QUANTILES).astype(int)
        for q in range(1, QUANTILES + 1):
            series[str(q)].append(float(excess_N[place_N == q].mean()))
    means = {q: float(np.mean(values)) for q, values in series.items()}
    errors = {q: newey_west_se(np.array(v), lag=horizon) for q, v in series.items()}
    return means, errors


def _days(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> Any:
    """(scores, forward returns) of each day, stocks with a known return only."""
    position = {symbol: i for i, symbol in enumerate(features.symbols)}
    h = features.horizons.index(horizon)
    for (date,), rows in frame.group_by("date", maintain_order=True):
        session = int(np.searchsorted(features.dates_S, np.datetime64(str(date), "D")))
        columns = [position[symbol] for symbol in rows["symbol"]]
        return_N = features.forward_return_SNH[session, columns, h].astype(np.float64)
        known_N = np.isfinite(return_N)
        yield rows[f"score_{horizon}"].to_numpy()[known_N], return_N[known_N]
