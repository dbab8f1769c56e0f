"""The scheduler and its alerts over the real command line: one at a time, exit codes, no secret anywhere."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from engine.schedule.agenda import _HEARTBEAT
from tests.engine.alerts.servers import PASSWORD, TOKEN, FakeMail, FakeWebhook
from tests.journeys.command import PATIENCE_S, Done, arguments, environment

SETTINGS = {
    "data.market": "synthetic",
    "alerts.webhook": "true",
    "alerts.insecure_loopback": "true",
    "alerts.timeout_seconds": "0.5",
    "alerts.attempts": "2",
    "alerts.backoff_seconds": "0.01",
    "schedule.heartbeat_seconds": "0.2",
}


def words(*command: str, **more: str) -> list[str]:
    chosen = SETTINGS | {key.replace("__", "."): value for key, value in more.items()}
    return [*command, *(w for k, v in chosen.items() for w in ("--set", f"{k}={v}"))]


def secretive(server: FakeWebhook) -> dict[str, str]:
    return environment() | {"ATFT_WEBHOOK_URL": server.url, "ATFT_SMTP_PASSWORD": PASSWORD}


def run(workspace: Path, server: FakeWebhook, *command: str, **more: str) -> Done:
    workspace.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        arguments(workspace, *words(*command, **more)),
        cwd=workspace,
        env=secretive(server),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def no_secret_in(folder: Path, *outputs: Done) -> None:
    found = [p for p in folder.rglob("*") if p.is_file()]
    assert found
    for path in found:
        content = path.read_bytes()
        assert TOKEN.encode() not in content, path
        assert PASSWORD.encode() not in content, path
    for done in outputs:
        assert TOKEN not in done.out + done.err
        assert PASSWORD not in done.out + done.err


def test_one_scheduler_runs_beats_stops_and_leaves_no_secret(tmp_path: Path) -> None:
    """Against a webhook that refuses and says back what it was sent. The store is empty: no signal."""
    with FakeWebhook("echo") as server:
        command = arguments(tmp_path, *words("schedule", "run"))
        process = subprocess.Popen(
            command, cwd=tmp_path, env=secretive(server), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        log = tmp_path / "logs" / "schedule.log"
        seen: list[str] = []
        end = time.monotonic() + PATIENCE_S
        while not (log.exists() and "was not delivered" in log.read_text()):
            assert time.monotonic() < end
            assert process.poll() is None, process.communicate()
            seen += [" ".join(p.cmdline()) for p in psutil.process_iter() if _is_ours(p, tmp_path)]
            time.sleep(0.05)
        second = run(tmp_path, server, "schedule", "once")
        assert second.code == 5, second.err
        assert f"process {process.pid}" in second.err
        status = run(tmp_path, server, "schedule", "status", "--json")
        assert status.json["process"] == "running"
        assert status.json["pid"] == process.pid
        assert status.json["exchange"] == "WEEKDAYS"
        assert status.json["alerts"]["failed"] >= 1
        assert [row["state"] for row in status.json["sessions"]] == ["due"]
        text = run(tmp_path, server, "schedule", "status")
        assert "heartbeat" in text.out
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    stopped = Done(process.returncode, out, err)
    assert stopped.code == 0, err
    assert stopped.out.strip() == "stopped"
    no_secret_in(tmp_path, second, status, text, stopped)
    assert any("schedule run" in line for line in seen)
    assert any(" signals " in line for line in seen)
    assert not [line for line in seen if TOKEN in line or PASSWORD in line]
    assert json.loads((tmp_path / _HEARTBEAT).read_text())["pid"] == process.pid


def _is_ours(process: psutil.Process, workspace: Path) -> bool:
    try:
        return str(workspace) in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_one_pass_answers_with_what_is_wrong_and_tells_it(tmp_path: Path) -> None:
    with FakeWebhook() as server:
        done = run(tmp_path, server, "schedule", "once", "--json")
    assert done.code == 2, done.err
    assert done.json["made"] is False
    assert done.json["entry"]["state"] == "due"
    assert done.json["entry"]["attempts"] == 1
    assert done.json["entry"]["reason"] == "signals: there is no champion yet"
    no_secret_in(tmp_path, done)
    texts = [json.loads(body)["text"] for body in server.posted]
    assert len(texts) == 1
    assert texts[0].startswith(
        f"failure WEEKDAYS {done.json['session']}\nsignals: there is no champ"
    )


def test_a_missing_secret_or_a_forbidden_address_ends_it_before_anything_is_done(
    tmp_path: Path,
) -> None:
    with FakeWebhook() as server:
        refused = run(tmp_path, server, "schedule", "once", alerts__insecure_loopback="false")
    assert refused.code == 2
    assert "must start with https://" in refused.err
    assert TOKEN not in refused.out + refused.err
    assert not (tmp_path / "schedule" / "ledger.sqlite").exists()


def test_alerts_test_names_the_channel_that_fails(tmp_path: Path) -> None:
    with FakeWebhook() as server, FakeMail("refuse-login") as mail:
        mails = {
            "alerts__smtp_host": "localhost",
            "alerts__smtp_port": str(mail.port),
            "alerts__smtp_user": "desk",
            "alerts__mail_from": "a@example.com",
            "alerts__mail_to": '["b@example.com"]',
        }
        done = run(tmp_path, server, "alerts", "test", "--json", **mails)
    assert done.code == 4
    assert done.json["channels"]["webhook"] == ""
    assert done.json["failed"] == [
        "mail"
    ]  # the fake's certificate is nobody's: refused before login
    assert len(server.posted) == 1
    assert mail.logins == []
    assert TOKEN not in done.out + done.err
    nothing = run(tmp_path, server, "alerts", "test", alerts__webhook="false")
    assert nothing.code == 2
    listed = run(tmp_path, server, "alerts", "list")
    assert listed.out.strip() == "nothing was told yet"
