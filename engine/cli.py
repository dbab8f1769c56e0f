"""The command line over `COMMANDS`: parse, load one handler, print its outcome, map errors to codes."""

import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from engine import disk
from engine.commands import COMMANDS, Command, Parameter
from engine.config.file import Resolved, resolve_new
from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.files import strict_text
from engine.plain_text import clean_lines
from engine.runs.launch import limit_threads, world_size
from engine.runs.sink import EventSink, NullSink
from engine.runs.store import RunStore
from engine.runs.terminal import TerminalSink
from engine.workspace import resolve_workspace

if TYPE_CHECKING:
    from engine.stages.context import Outcome, StageContext

_GLOBAL_OPTIONS = (
    click.Option(["--workspace"], help="Directory of data, runs and reports.", metavar="DIR"),
    click.Option(
        ["as_json", "--json"], is_flag=True, help="One JSON object on stdout, nothing else."
    ),
    click.Option(["--quiet"], is_flag=True, help="No progress on stderr."),
)
_CONFIG_OPTIONS = (
    click.Option(["--preset"], help="Named set of overrides, e.g. cpu-small."),
    click.Option(
        ["overrides", "--set"], multiple=True, metavar="KEY=VALUE", help="Override a key."
    ),
    click.Option(["--mode"], type=click.Choice(["safe", "optimized"]), help="training.mode"),
    click.Option(["--device"], type=click.Choice(["auto", "cuda", "cpu"]), help="training.device"),
    click.Option(["run_id", "--run"], hidden=True),
)
_EPILOG = (
    "Exit codes: 0 done, 2 usage or configuration, 3 data, 4 file or environment, 5 locked, "
    "6 refused by a gate, 130 interrupted, 1 a bug. With --json an error is an object with "
    "error, hint and exit_code. `atft-tui serve --help`: the screen in a browser."
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    group = click.Group(
        "atft-tui",
        help="Train a graph-attention stock ranker, watch it learn, backtest it honestly.",
        epilog=_EPILOG,
        commands={command.name: _build(command) for command in COMMANDS},
    )
    group.params.append(
        click.Option(
            ["--workspace"],
            help="Directory of data, runs and reports; alone it opens the screen "
            "(with --read-only, one that starts and writes nothing).",
        )
    )
    click.version_option(package_name="atft-tui", message="%(prog)s %(version)s")(group)
    try:
        return int(group.main(arguments, prog_name="atft-tui", standalone_mode=False) or 0)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        sys.stderr.write(clean_lines(shown.getvalue()) + "\n")
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            hint = "the command with --help lists its options"
            told = {"error": error.format_message(), "hint": hint, "exit_code": error.exit_code}
            _print(_strict_json(told))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
        return 130


def _build(command: Command) -> click.Command:
    own = {item.name for item in command.parameters if item.kind != "argument"}
    options = [*_GLOBAL_OPTIONS, *(_CONFIG_OPTIONS if command.configurable else ())]
    options = [option for option in options if not own & {o.lstrip("-") for o in option.opts}]
    return click.Command(
        command.name,
        help=f"{command.help}\n\n{command.about}".strip(),
        short_help=command.help,
        params=[*(_parameter(item) for item in command.parameters), *options],
        callback=partial(_run, command),
        hidden=command.hidden,
    )


def _parameter(item: Parameter) -> click.Parameter:
    kind: Any = click.Choice(item.choices) if item.choices else item.type
    # Only where there is one: click takes a default of None for a value and then misses nothing.
    default: dict[str, Any] = {} if item.default is None else {"default": item.default}
    if item.kind == "argument" and item.multiple:
        return click.Argument([item.name], type=kind, required=item.required, nargs=-1)
    if item.kind == "argument":
        return click.Argument([item.name], type=kind, required=item.required, **default)
    flag = f"--{item.name.replace('_', '-')}"
    if item.kind == "flag":
        return click.Option([item.name, flag], is_flag=True, help=item.help)
    return click.Option(
        [item.name, flag],
        type=kind,
        required=item.required,
        multiple=item.multiple,
        help=item.help,
        show_default=item.default is not None,
        **default,
    )


def _run(command: Command, /, **given: Any) -> int:
    given["workspace"] = given["workspace"] or _before_the_command("workspace")
    as_json, quiet = given.pop("as_json"), given.pop("quiet")
    sink: EventSink = NullSink() if quiet else TerminalSink(sys.stderr)
    try:
        outcome = _execute(command, sink, given)
    except EngineError as error:
        return _fail(error, as_json=as_json)
    except Exception as error:
        found = disk.problem(error)
        if found is None and isinstance(error, OSError):
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            found = EnvironmentProblem(what)
        if found is None:
            raise
        return _fail(found, as_json=as_json)
    finally:
        if isinstance(sink, TerminalSink):
            sink.close()
    _print(_strict_json(outcome.json) if as_json else clean_lines(outcome.text))
    return outcome.exit_code


def _before_the_command(option: str) -> str | None:
    """``atft-tui --workspace DIR runs`` means what ``atft-tui runs --workspace DIR`` does."""
    outer = click.get_current_context().parent
    return outer.params.get(option) if outer is not None else None


def _execute(command: Command, sink: EventSink, given: dict[str, Any]) -> "Outcome":
    _refuse_ranks(command)
    workspace = resolve_workspace(given.pop("workspace"))
    configured = _configured(given)
    resolved, run_id = _configuration(command, workspace, given)
    limit_threads(safe=resolved.config.training.mode == "safe")
    # By name, like the handlers: the screen may import this module, and must not reach a stage by it.
    frame = importlib.import_module("engine.stages.context")
    stop = frame.StopFlag()
    _listen(stop)
    context: StageContext = frame.StageContext(
        workspace=workspace,
        config=resolved.config,
        sink=sink,
        stop=stop,
        run_id=run_id,
        origins=resolved.origins,
        configured=configured,
    )
    context.store.sweep()
    module, _, function = command.handler.partition(":")
    handler: Callable[..., Outcome] = getattr(importlib.import_module(module), function)
    return handler(context, **given)


def _refuse_ranks(command: Command) -> None:
    """UsageError where `torchrun` starts a command that is one process."""
    if world_size() > 1 and command.name != "train":
        raise UsageError(
            f"{command.name} is one process, but WORLD_SIZE is {world_size()}",
            hint="torchrun is for `train`; commands with many tasks take --jobs and --executor",
        )


def _configured(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The configuration options as words of a command line."""
    words = [
        word
        for name in ("preset", "mode", "device")
        if (value := given.get(name)) is not None
        for word in (f"--{name}", value)
    ]
    return (*words, *(word for value in given.get("overrides", ()) for word in ("--set", value)))


def _configuration(
    command: Command, workspace: Path, given: dict[str, Any]
) -> tuple[Resolved, str | None]:
    if not command.configurable:
        return resolve_new(workspace), None
    preset, overrides = given.pop("preset"), list(given.pop("overrides"))
    for name in ("mode", "device"):
        value = given.pop(name)
        if value is not None:
            overrides.append(f"training.{name}={value}")
    run_id = given.pop("run_id", None)
    existing = run_id or given.get("resume")
    if existing:
        run = RunStore(workspace / "runs").open(existing)
        return Resolved(run.config(), {}), run_id
    return resolve_new(workspace, preset=preset or command.preset, overrides=overrides), None


def _listen(stop: Any) -> None:
    """First SIGTERM or SIGINT asks the stage to stop at the next step; the second ends at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            os._exit(130)
        stop.requested = True
        sys.stderr.write(f"\n{signal.Signals(number).name}: stopping at the next step\n")

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _fail(error: EngineError, *, as_json: bool) -> int:
    sys.stderr.write(f"error: {clean_lines(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {clean_lines(error.hint)}\n")
    if as_json:
        told = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
        answer = {**error.details, **told}
        _print(_strict_json(answer))
    return error.exit_code


def _print(text: str) -> None:
    """Print to stdout; when its reader has gone (`| head`), the rest is dropped without a word."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _strict_json(value: Mapping[str, Any]) -> str:
    """ASCII without controls: what JSON itself leaves is the one that deletes."""
    return strict_text(value, sort_keys=False).replace("\x7f", "\\u007f")
