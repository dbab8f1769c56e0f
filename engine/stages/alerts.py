"""`alerts`: does every channel work, and what was told."""

import sys
from typing import Any

from engine.alerts.alert import Alert, DeliveryError, find_secrets
from engine.alerts.channels import Channel, channels
from engine.alerts.outbox import OUTBOX_SCHEMA, Outbox
from engine.errors import ConfigError, EnvironmentProblem, UsageError
from engine.records.database import Database
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_SHOWN = 50


def alerts(context: StageContext, *, action: str) -> Outcome:
    """``test`` sends one alert to each channel, now; ``list`` shows the newest of the queue."""
    if action == "test":
        return _test(context)
    if action == "list":
        return _list(context)
    raise UsageError(f"alerts {action}: known are test and list")


def _test(context: StageContext) -> Outcome:
    config = context.config.alerts
    found = channels(config, find_secrets(config), sys.stderr)
    if not found:
        raise ConfigError(
            "no channel is configured", hint="alerts.webhook, alerts.smtp_host or alerts.bell"
        )
    moment = context.now().isoformat(timespec="seconds")
    alert = Alert(key=f"test:{moment}", kind="signal", title="test", text=f"Sent at {moment}.")
    results = {channel.name: _send(channel, alert) for channel in found}
    failed = [name for name, problem in results.items() if problem]
    lines = [f"{name}: {problem or 'delivered'}" for name, problem in results.items()]
    return Outcome(
        json={"channels": results, "failed": failed},
        text="\n".join(lines),
        exit_code=EnvironmentProblem.exit_code if failed else 0,
    )


def _send(channel: Channel, alert: Alert) -> str:
    """What went wrong; empty if nothing did."""
    try:
        channel.send(alert)
    except DeliveryError as problem:
        return problem.message
    return ""


def _list(context: StageContext) -> Outcome:
    path = context.workspace / "schedule" / "ledger.sqlite"
    rows: list[dict[str, Any]] = []
    if path.exists():
        database = Database(path, OUTBOX_SCHEMA, version=1)
        try:
            rows = Outbox(database).newest(_SHOWN)
        finally:
            database.close()
    shown = [[str(row[name]) for name in ("created_at", "channel", "state", "title", "problem")]
             for row in rows]  # fmt: skip
    text = table(shown, header=["at", "channel", "state", "alert", "problem"]) if rows else ""
    return Outcome(json={"alerts": rows}, text=text or "nothing was told yet")
