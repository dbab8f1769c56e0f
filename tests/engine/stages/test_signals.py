"""What `signals` answers, reads off a seal, and writes into its manifest: by hand, without a network."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.config import Config, ConstraintConfig, CostConfig, PortfolioConfig, SignalConfig
from engine.errors import DataError, GateError, IntegrityError
from engine.files import digest
from engine.records import record
from engine.runs.sink import ListSink
from engine.signals.seal import SealStore, TradingRules
from engine.stages.context import StageContext, StopFlag
from engine.stages.ledger import _filled_book, _PinnedMarket
from engine.stages.signals import _answer, _differs, _refuse_in_sample, _require_past, provenance
from tests.engine.stages.seals import ORDER, REFUSED, model_of, seal_of

DAY = "2026-11-25"


def test_the_answer_is_read_from_the_seal(tmp_path: Path) -> None:
    seal = seal_of(tmp_path, DAY, "m" * 16)
    done = _answer(seal)
    assert (done.exit_code, done.json["verdict"], done.json["revision"]) == (0, "TRADE", 0)
    assert done.json["key"] == f"XTKS:{DAY}:{'m' * 16}:{'d' * 16}"
    assert done.json["orders"] == [record.as_json(ORDER)]
    assert done.json["orders"][0]["code"] == "-AB"  # a spreadsheet sees '-AB
    assert repr(done.json["orders"][0]["held"]) == "1200"  # as in the CSV, not 1200.0
    assert b"'-AB," in seal.read("orders.csv")
    assert np.isnan(done.json["refused"][0]["notional"])
    assert {**done.json["refused"][0], "notional": 0.0} == {
        **record.as_json(REFUSED), "notional": 0.0,
    }  # fmt: skip
    assert done.json["figures"]["equity"] == 1e7
    assert done.text.endswith(f"sealed in {seal.directory}\nseal {seal.digest}")
    assert _answer(seal_of(tmp_path, "2026-11-26", "m", "HOLD")).exit_code == 6


def test_a_changed_file_is_no_answer(tmp_path: Path) -> None:
    seal = seal_of(tmp_path, DAY, "m" * 16)
    path = seal.directory / "orders.csv"
    path.write_bytes(path.read_bytes().replace(b"1200", b"2100"))
    with pytest.raises(IntegrityError, match=r"orders\.csv: is not what was sealed"):
        _answer(seal)


def test_a_manifest_says_what_the_files_come_from(tmp_path: Path) -> None:
    inputs = seal_of(tmp_path, DAY, "m" * 16).inputs()
    made = provenance(inputs, 2, "late prices", {"version": "1"})
    assert (made.revision, made.reason, made.model) == (2, "late prices", "m" * 16)
    assert made.key_text == str(inputs.key)
    assert made.config == digest({"portfolio": {"horizon": 5}})
    assert made.same == digest([str(inputs.key), {"portfolio": {"horizon": 5}}, None])
    assert (made.positions, made.code) == ("", {"version": "1"})


def test_sessions_that_the_model_has_seen_are_refused(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    with pytest.raises(GateError, match=r"trained and chosen on \(to 2026-06-30\)"):
        _refuse_in_sample(model, "2026-06-30")
    _refuse_in_sample(model, "2026-07-01")


def test_what_differs_from_a_seal_is_named(tmp_path: Path) -> None:
    seal = seal_of(tmp_path, DAY, "m" * 16)

    class Other:
        key = type("Key", (), {"model": "n" * 16, "data": "d" * 16})

    class Same:
        key = seal.key

    told = _differs(seal, Other()).message  # type: ignore[arg-type]
    assert told.endswith(f"model {'m' * 16} then, {'n' * 16} now")
    told = _differs(seal, Same()).message  # type: ignore[arg-type]
    assert told.endswith("the trading rules or the positions differ")


def test_the_ledger_reads_a_book_off_a_seal(tmp_path: Path) -> None:
    """-AB: 1,200 held and sold, at 25; it is borrowed at 252 bp a year, 1 bp a session."""
    import polars as pl

    seal = seal_of(tmp_path, DAY, "m" * 16)
    frame = pl.DataFrame({"symbol": ["6758"], "weight": [0.25]})
    weights = seal.directory / "weights.parquet"
    frame.write_parquet(weights)

    class Read:
        session = seal.session
        card = staticmethod(seal.card)

        @staticmethod
        def read(name: str) -> bytes:
            return weights.read_bytes() if name == "weights.parquet" else seal.read(name)

    class Panel:
        market, sessions_per_year = "jp", 252

    costs = CostConfig(borrow_bps_per_year=100.8, borrow_classes={"hard": 252.0})
    rules = TradingRules(
        portfolio=PortfolioConfig(), limits=ConstraintConfig(), costs=costs, signals=SignalConfig(),
        initial_cash=0.0,
    )  # fmt: skip
    pins = SealStore(tmp_path / "signals").pins
    book = _filled_book(Read(), seal.inputs(), _PinnedMarket(pins), rules, Panel())  # type: ignore[arg-type]
    assert (book.symbols, book.equity, book.verdict) == (("-AB", "6758"), 1e7, "TRADE")
    assert book.weight_N.tolist() == [0.0, 0.25]
    assert book.held_N.tolist() == [1200.0, 0.0]
    assert book.change_N.tolist() == [-1200.0, 0.0]
    assert book.limit_N[0] == 2850.5
    assert np.isnan(book.limit_N[1])
    assert book.close_N.tolist() == [25.0, 25.0]
    assert book.adv_N.tolist() == [25.0, 25.0]
    assert book.borrow_N == pytest.approx([1e-4, 0.4e-4])


@pytest.mark.parametrize(("hour", "refused"), [(14, True), (16, False)])
def test_a_session_later_than_now_is_not_signed(tmp_path: Path, hour: int, refused: bool) -> None:
    """At 15:00 UTC the day of Tokyo begins: an hour before it the session is tomorrow's."""
    now = dt.datetime(2026, 1, 5, hour, tzinfo=dt.UTC)
    context = StageContext(
        workspace=tmp_path, config=Config(), sink=ListSink(), stop=StopFlag(), now=lambda: now
    )
    snapshot: Any = SimpleNamespace(days=["2026-01-05", "2026-01-06"], exchange="XTKS")
    if not refused:
        _require_past(context, snapshot)
        return
    with pytest.raises(DataError, match=r"2026-01-06, is later than now \(2026-01-05"):
        _require_past(context, snapshot)
