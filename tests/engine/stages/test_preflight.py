"""What is said before a run starts, and what the last audit means for it."""

from pathlib import Path

import msgspec
import pytest

from engine.config import Config
from engine.config.file import override
from engine.disk import there
from engine.files import write_text
from engine.records import record
from engine.records.preflight import (
    AUDIT,
    AuditCheck,
    AuditResult,
    AuditSample,
    Leak,
    PreflightResult,
    PreflightRow,
    PresetEstimate,
    audit_row,
    read_audit,
    rows_of_files,
    told_duration,
)
from engine.records.record import RecordError
from engine.stages.audit import _text
from engine.stages.capacity import GIB, Needs
from engine.stages.preflight import _jobs_row, _mode_row, _room

LEAK = Leak(check="features", name="tomorrow", day="2026-01-05", symbol="A", detail="changes")
FAILED = AuditResult(
    verdict="failed", checks=(AuditCheck(name="features", passed=False, detail="tomorrow: changes"),
                              AuditCheck(name="scores", passed=None, detail="not checked")),
    leaks=(LEAK,), notes=("adjusted",), cuts=("2026-01-05",),
    sample=AuditSample(stocks=40, sessions=400, columns=45), when="2026-01-06T10:00:00+00:00",
)  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "device", "cores", "hinted"),
    [
        ("safe", "cpu", 2, True),
        ("safe", "cpu", 1, False),
        ("safe", "cuda", 8, False),
        ("optimized", "cpu", 8, False),
    ],
)
def test_the_mode_that_leaves_cores_idle_is_named(
    mode: str, device: str, cores: int, hinted: bool
) -> None:
    row = _mode_row(mode, device, cores)
    assert row.verdict == "ok"
    assert ("optimized" in row.hint) == hinted


@pytest.mark.parametrize(("needed", "verdict"), [(0.5, "ok"), (0.8, "warn"), (1.1, "stop")])
def test_memory_and_disk_are_judged_by_their_share(needed: float, verdict: str) -> None:
    row = _room("memory", needed * 2**30, 2**30, "take less")
    assert row.verdict == verdict
    assert row.value == f"needs about {needed:.1f} GiB, 1.0 GiB free"
    assert (row.hint == "take less") == (verdict == "stop")


def test_the_number_of_processes_is_said_with_its_reason() -> None:
    needs = Needs(tensor=0.0, each=2 * GIB)
    asked = override(Config(), {"executor.jobs": 3, "training.device": "cpu"}, origin="test")
    row = _jobs_row(asked, needs, 64 * GIB)
    assert (row.name, row.verdict) == ("jobs", "ok")
    assert row.value == "3 at a time: executor.jobs, about 2.0 GiB each"
    alone = override(asked, {"executor.jobs": 0, "training.mode": "optimized"}, origin="test")
    row = _jobs_row(alone, needs, 64 * GIB)
    assert (row.value[:9], row.hint) == ("1 at a ti", "")


def test_the_audit_stops_warns_or_is_well(tmp_path: Path) -> None:
    assert audit_row(tmp_path).verdict == "warn"
    record.write(tmp_path / AUDIT, FAILED)
    row = audit_row(tmp_path)
    assert (row.verdict, row.value) == ("stop", "features: tomorrow sees ahead")
    record.write(
        tmp_path / AUDIT, AuditResult(verdict="passed", when="2026-01-06T10", snapshot="s")
    )
    row = audit_row(tmp_path)
    assert (row.verdict, row.value) == ("warn", "passed 2026-01-06, on other data")


def test_files_alone_tell_of_data_audit_and_drill(tmp_path: Path) -> None:
    (red,) = rows_of_files(tmp_path)
    assert (red.name, red.verdict) == ("data", "stop")
    record.write(tmp_path / AUDIT, FAILED)
    write_text(tmp_path / "data" / "CURRENT", "s1", listed=False)
    data, audit, drill = rows_of_files(tmp_path)
    assert (data.value, data.verdict) == ("not checked yet", "warn")
    assert (audit.verdict, drill.value) == ("stop", "never")


@pytest.mark.parametrize(
    ("seconds", "told"), [(89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (12_240, "3.4 h")]
)
def test_a_time_is_told_in_one_unit(seconds: float, told: str) -> None:
    assert told_duration(seconds) == told
    estimate = PresetEstimate(name="base", seconds=seconds, memory_gib=1.25)
    assert estimate.line == f"about {told}, 1.2 GiB"


def test_an_audit_comes_back_as_it_was_and_a_damaged_one_names_the_field(tmp_path: Path) -> None:
    assert read_audit(tmp_path) is None
    record.write(tmp_path / AUDIT, FAILED)
    assert read_audit(tmp_path) == FAILED
    (tmp_path / AUDIT).write_text('{"verdict": "maybe"}')
    with pytest.raises(RecordError, match=r"verdict"):
        read_audit(tmp_path)


def test_the_text_of_an_audit_names_every_leak() -> None:
    lines = _text(FAILED, Path("w/audit.json"), ()).splitlines()
    assert lines[0].startswith("verdict: failed   45 columns of 40 stocks over 400 sessions")
    assert [line.split()[1] for line in lines[4:6]] == ["LEAK", "-"]
    assert "features: tomorrow  2026-01-05 A  changes" in lines
    assert lines[-3:] == ["note: adjusted", "", "written to w/audit.json"]


def test_an_audit_that_passed_names_the_next_step_under_its_settings() -> None:
    passed = msgspec.structs.replace(FAILED, verdict="passed", leaks=())
    last = _text(passed, Path("w/audit.json"), ("--preset", "cpu-small")).splitlines()[-1]
    assert last == "next: `atft-tui preflight --preset cpu-small`"


def test_a_workspace_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert str(there(tmp_path / "a" / "b")) == str(tmp_path)


def test_an_answer_with_rows_has_no_error_in_json() -> None:
    row = PreflightRow("device", "cpu", "ok")
    told = record.as_json(PreflightResult(verdict="ok", rows=(row,)))
    assert told.keys() == {"verdict", "rows", "presets"}


def test_an_answer_without_rows_is_one_red_row() -> None:
    row = PreflightRow("device", "cpu", "ok")
    assert PreflightResult(verdict="ok", rows=(row,)).told() == (row,)
    (red,) = PreflightResult(error="no data", hint="run `ingest`").told()
    assert (red.name, red.verdict, red.value, red.hint) == (
        "preflight",
        "stop",
        "no data",
        "run `ingest`",
    )
