"""`alerts`: does every channel work, and what was told."""

import sys

from engine.alerts.alert import Alert, DeliveryError, find_secrets
from engine.alerts.channels import Channel, channels
from engine.errors import ConfigError, EnvironmentProblem
from engine.records.agenda import BookedAlert
from engine.records.database import read_records
from engine.records.record import as_json
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_SHOWN = 50


def alerts(context: StageContext, *, action: str) -> Outcome:
    """``test`` sends one alert to each channel, now; ``list`` shows the newest of the queue."""
    return _test(context) if action == "test" else _list(context)


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
    query = "SELECT * FROM alerts ORDER BY created_at DESC, key, channel LIMIT ?"
    told = read_records(path, BookedAlert, query, (_SHOWN,)) if path.exists() else ()
    rows = [[one.created_at, one.channel, one.state, one.title, one.problem] for one in told]
    text = table(rows, header=["at", "channel", "state", "alert", "problem"]) if rows else ""
    answer = [as_json(one) for one in told]
    return Outcome(json={"alerts": answer}, text=text or "nothing was told yet")
