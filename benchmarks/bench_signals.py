"""`signals` on a large store that is up to date: seconds of each stage, start and model load included.

The champion is a blend: so many networks, as many perceptrons, LightGBM and ridge. The networks have fresh
weights and the others learned noise: what they say is nonsense, what they cost is not. The first signal pins
a year of bars and scores the past decisions; the days after it are the daily case.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from benchmarks.large_market import large_market
from benchmarks.options import read_options, say
from engine.config import Config, SplitConfig
from engine.config.file import write_resolved
from engine.data.store import PanelStore
from engine.dataset.split import single_split
from engine.model.atft_gat_fan import build_model
from engine.model_kit import Days
from engine.records import record
from engine.records.train import Span, Spans, TrainResult
from engine.runs.sink import NullSink
from engine.signals.models import MemberFiles, ModelStore
from engine.stages.context import StageContext, StopFlag
from engine.stages.identity import input_rules
from engine.stages.load import load_dataset
from engine.stages.package import Trained, _make_reference, _names_inside
from engine.training.ensemble import Ensemble
from engine.training.fitted import FittedModels
from engine.training.members import member_config
from engine.training.own_models import FITS
from engine.training.snapshots import MODEL


def fresh(config: Config, name: str, networks: int, columns: int, folder: Path) -> MemberFiles:
    """Untrained networks of one member, or its models fitted to noise."""
    own = member_config(config, name)
    if name in FITS:
        rng = np.random.default_rng(0)
        target_MH = rng.normal(size=(20_000, 1)).astype(np.float32)
        horizons, model = (config.portfolio.horizon,), FITS[name]()
        model.fit(
            Days(
                dates_M=np.zeros(20_000, dtype="datetime64[D]"),
                x_MF=rng.normal(size=(20_000, columns)).astype(np.float32),
                target_MH=target_MH,
                return_MH=target_MH,
                weight_M=None,
                columns=tuple(map(str, range(columns))),
                horizons=horizons,
                seed=0,
            )
        )
        FittedModels([model], horizons).write(folder / f"{name}.npz")
        return MemberFiles(name=name, paths=(folder / f"{name}.npz",))
    paths = []
    for seed in range(networks):
        torch.manual_seed(seed)
        state = build_model(own, columns).state_dict()
        paths.append(folder / f"{name}-{seed}.safetensors")
        save_file({MODEL + k: v.contiguous() for k, v in state.items()}, paths[-1])
    blocks = tuple(tuple(own.model.blocks) for _ in paths)
    return MemberFiles(name=name, paths=tuple(paths), blocks=blocks)


def champion(context: StageContext, networks: int) -> None:
    """A package of such members, made champion."""
    config = context.config
    dataset = load_dataset(context, NullSink(), in_memory=False)
    features = dataset.features
    folder = context.workspace / "fresh"
    folder.mkdir()
    columns = len(features.features)
    members = tuple(fresh(config, name, networks, columns, folder) for name in config.blend.members)
    split = single_split(features, config.split, config.universe.min_names)
    validation, test = (
        Span(first=str(features.dates_S[part[0]]), last=str(features.dates_S[part[-1]]))
        for part in (split.validation, split.test)
    )
    spans = Spans(validation=validation, test=test)
    made = Trained(members=members, config=config, result=TrainResult(splits=spans))
    ensemble = Ensemble.load(members, config, features.features)
    facts = {
        "features": list(features.features),
        "blocks": [],
        "members": [
            {"name": m.name, "files": _names_inside(m), "blocks": [list(b) for b in m.blocks]}
            for m in members
        ],
        "rules": input_rules(config, features.market),
        "splits": record.as_json(spans),
        "last_session": str(features.dates_S[-1]),
        "score_horizon": config.training.score_horizon,
        "test": dict.fromkeys(("rank_ic", "rank_ic_se", "null_band"), 0.01) | {"n_dates": 252},
    }
    store = ModelStore(context.workspace / "models")
    reference = _make_reference(made, dataset, ensemble, NullSink())
    model = store.pack(made.packed(), config, facts, reference)
    store.record("promoted", model.id, at=context.now())


def signal(workspace: Path) -> dict[str, float]:
    """One `signals` in a process of its own; seconds until each stage began, and in all."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "signals", "--workspace", str(workspace), "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    marks = [("start", began)]
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("· "):
            marks.append((line[2:].strip(), time.perf_counter()))
        elif line.startswith(("error", "hint", "Traceback")):
            say(line.rstrip())
    process.wait()
    marks.append(("end", time.perf_counter()))
    spent = {name: stop - start for (name, start), (_, stop) in itertools.pairwise(marks)}
    return spent | {"total": marks[-1][1] - began}


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__,
        arguments,
        stocks=(4000, 40),
        sessions=(2520, 520),
        networks=(5, 1),
        days=(3, 1),
    )
    stocks, sessions, networks = options.stocks, options.sessions, options.networks
    raw = large_market(stocks, sessions)
    days = raw.bars["date"].unique().sort()
    # Nothing is trained: small splits let a short history do.
    config = Config(split=SplitConfig(validation_sessions=60, test_sessions=60))
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        store = PanelStore(workspace / "data")
        write_resolved(workspace / "config.toml", config)
        store.save(replace(raw, bars=raw.bars.filter(pl.col("date") < days[-options.days])))
        context = StageContext(workspace=workspace, config=config, sink=NullSink(), stop=StopFlag())
        started = time.perf_counter()
        champion(context, networks)
        say(
            f"{stocks} stocks x {sessions} sessions, {2 * networks + 2} members; build and reference "
            f"{time.perf_counter() - started:.0f} s"
        )
        for day in days[-options.days :]:
            store.append(replace(raw, bars=raw.bars.filter(pl.col("date") == day)))
            spent = signal(workspace)
            parts = "  ".join(f"{k} {v:.1f}" for k, v in spent.items() if k != "total")
            say(f"{day}  {spent['total']:6.1f} s   {parts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
