"""What a card is judged by: the live record and the audit, by hand."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.config import Config, SignalConfig
from engine.files import digest, write_json
from engine.records.seal import SealPlace
from engine.stages import evidence
from engine.stages.evidence import audit_evidence, live_evidence, live_rank_ics, model_evidence
from tests.engine.stages.seals import model_of


@dataclass
class Chain:
    chain: list[str]


def test_the_least_to_expect_of_a_live_rank_ic(tmp_path: Path) -> None:
    """Test RankIC 0.02 ± 0.004 over 250 days: over 10 days two errors are 2 x 0.004 x 5 = 0.04."""
    model = model_of(tmp_path)
    config = Config(signals=SignalConfig(live_sessions=10, live_sigmas=2.0))
    daily = {f"2026-10-{day:02}": 0.001 * day for day in range(1, 16)}
    found = live_evidence(daily, model, config)
    assert (found.sessions, found.expected) == (10, 0.02)
    assert found.rank_ic == pytest.approx(0.0105)  # of the 6th to the 15th
    assert found.low == pytest.approx(0.02 - 0.04)
    none = live_evidence({}, model, config)
    assert (none.sessions, math.isnan(none.rank_ic), math.isnan(none.low)) == (0, True, True)


def test_a_model_is_as_old_as_the_sessions_after_its_data(tmp_path: Path) -> None:
    days = np.array(["2026-11-02", "2026-11-04", "2026-11-05"], dtype="datetime64[D]")

    class Features:
        dates_S = days

    class Data:
        features = Features()

    found = model_evidence(model_of(tmp_path), Data())  # type: ignore[arg-type]
    assert (found.age, found.last_session) == (2, "2026-11-02")


def test_the_age_of_an_audit_is_counted_along_the_chain_of_sessions(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    snapshot = Chain(["a", "b", "c", "d"])

    def told() -> object:
        return audit_evidence(tmp_path, snapshot, model)  # type: ignore[arg-type]

    assert told() is None
    leaks = [{"check": "features", "name": f"leak {n}", "day": "2016-01-04"} for n in range(7)]
    audit = {"verdict": "passed", "leaks": [], "rules": digest({"lookback": 60}), "chain": "b",
             "snapshot": "gone"}  # fmt: skip
    write_json(tmp_path / "audit.json", audit)
    assert told().age == 2  # type: ignore[attr-defined]
    for other in ({"chain": "x"}, {"rules": "of other settings"}):
        write_json(tmp_path / "audit.json", audit | other)
        assert told().age is None  # type: ignore[attr-defined]
    write_json(tmp_path / "audit.json", audit | {"verdict": "failed", "leaks": leaks})
    assert told().leaks == tuple(f"leak {n}" for n in range(5))  # type: ignore[attr-defined]


def test_only_the_newest_signals_with_an_outcome_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six sessions, outcomes one session ahead of the entry: those of the first four are known."""
    days = [f"2026-11-{day:02}" for day in range(2, 8)]
    names = tuple(f"S{n:02}" for n in range(40))
    falling = np.linspace(1.0, -1.0, 40)
    pl.DataFrame({"symbol": names, "score_1": falling}).write_parquet(tmp_path / "scores.parquet")
    read: list[str] = []

    class Sealed:
        def __init__(self, directory: Path) -> None:
            self.session = directory.name
            self.key = type("Key", (), {"model": "other" if self.session == days[2] else "m"})

        def read(self, name: str) -> bytes:
            read.append(self.session)
            return (tmp_path / name).read_bytes()

    class Features:
        dates_S = np.array(days, dtype="datetime64[D]")
        symbols, horizons = names, (1,)
        forward_return_SNH = np.tile(falling[None, :, None], (6, 1, 1))

    monkeypatch.setattr(evidence, "read_seal", Sealed)
    found = live_rank_ics(
        [SealPlace(Path(day)) for day in days],
        Features(),  # type: ignore[arg-type]
        horizon=1, model="m", newest=2,
    )  # fmt: skip
    assert read == [days[3], days[1]]
    assert found == {days[3]: pytest.approx(1.0), days[1]: pytest.approx(1.0)}
