"""`config`: what is set, from where, and what it means; and one key changed at a time."""

from dataclasses import asdict
from pathlib import Path

from engine.config.edit import KeyChange, require_known, set_key, unset_key
from engine.config.keys import PHASES, describe, flatten, render_template
from engine.errors import UsageError
from engine.files import write_text
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table


def config(
    context: StageContext, *, action: str, key: str | None = None, value: str | None = None
) -> Outcome:
    """``show`` every key with value and origin; ``set`` or ``unset`` one in the workspace's file; ``check``
    the whole; ``init``: write a commented file.
    """
    if action in ("set", "unset"):
        return _change(context, action, key, value)
    if value is not None or (key is not None and action != "show"):
        raise UsageError(f"config {action} takes no {'value' if action == 'show' else 'key'}")
    if action == "init":
        path = context.workspace / "config.toml"
        if path.exists():
            raise UsageError(f"{path}: exists already", hint="edit it, or remove it first")
        write_text(path, render_template(), listed=False)
        return Outcome(json={"path": str(path)}, text=f"wrote {path}")
    if action == "check":
        count = len(flatten(context.config))
        return Outcome(json={"valid": True}, text=f"configuration is valid ({count} keys)")
    return _show(context, key)


def _change(context: StageContext, action: str, key: str | None, value: str | None) -> Outcome:
    if key is not None and action == "set" and value is None:
        key, separator, value = key.partition("=")
        value = value if separator else None
    if key is None or (action == "set") != (value is not None):
        usage = "config set KEY VALUE" if action == "set" else "config unset KEY"
        raise UsageError(f"expected: {usage}")
    if value is not None:
        change = set_key(context.workspace, key.strip(), value)
    else:
        change = unset_key(context.workspace, key)
    return Outcome(json={**asdict(change), "path": str(change.path)}, text=_told(change))


def _told(change: KeyChange) -> str:
    origin = _relative(change.origin)
    return f"{change.key} = {change.after} (was {change.before}), from {origin}"


def _show(context: StageContext, prefix: str | None) -> Outcome:
    values = flatten(context.config)
    if prefix is not None:
        chosen = {k: v for k, v in values.items() if k == prefix or k.startswith(f"{prefix}.")}
        if not chosen:
            require_known(prefix)
        values = chosen
    phases = context.config.training.phases
    rows, answer = [], {}
    for key, value in values.items():
        origin = _relative(context.origins.get(key, "default"))
        help_of = describe(key)
        plain = [phase.name for phase in phases] if key == PHASES else value
        rows.append([key, str(plain), origin, help_of.limits])
        told = {"unit": help_of.unit, "range": help_of.limits, "help": help_of.about}
        answer[key] = {"value": plain, "origin": origin, **told}
    return Outcome(json=answer, text=table(rows, header=["key", "value", "from", "range"]))


def _relative(origin: str) -> str:
    return origin.replace(f"{Path.cwd()}/", "")
