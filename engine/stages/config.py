"""`config`: what is set, from where, and what it means."""

from pathlib import Path

from engine.config_file import describe, flatten, render_template
from engine.errors import UsageError
from engine.files import write_text
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table


def config(context: StageContext, *, action: str) -> Outcome:
    """show: every key with value and origin; init: write a commented file; check: validate only."""
    if action == "init":
        path = context.workspace / "config.toml"
        if path.exists():
            raise UsageError(f"{path}: exists already", hint="edit it, or remove it first")
        write_text(path, render_template())
        return Outcome(json={"path": str(path)}, text=f"wrote {path}")
    values = flatten(context.config)
    if action == "check":
        return Outcome(json={"valid": True}, text=f"configuration is valid ({len(values)} keys)")
    rows, answer = [], {}
    for key, value in values.items():
        origin = _origin(context, key)
        text, limits = (
            ("", "") if isinstance(value, tuple) and key.endswith("phases") else describe(key)
        )
        plain = [item.name for item in value] if key.endswith("phases") else value
        rows.append([key, str(plain), origin, limits])
        answer[key] = {"value": plain, "origin": origin, "range": limits, "help": text}
    return Outcome(json=answer, text=table(rows, header=["key", "value", "from", "range"]))


def _origin(context: StageContext, key: str) -> str:
    origin = context.origins.get(key, "default")
    return origin.replace(str(Path.cwd()) + "/", "")
