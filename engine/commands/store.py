"""The run store and the configuration."""

from engine.commands.command import RUN, Command, Parameter, option

_WAIT = option("wait", "Seconds to wait for its answer; 0 asks only.", type=int, default=60)
_STATUSES = ("created", "running", "paused", "done", "stopped", "failed", "crashed")

STORE: tuple[Command, ...] = (
    Command(
        name="runs",
        help="List the runs, newest first.",
        handler="engine.stages.runs:runs",
        parameters=(
            option("tag", "Only runs with this tag; several: with all of them.", multiple=True),
            option("command", "Only runs of this command."),
            option("status", "Only runs in this state.", choices=_STATUSES),
            option("limit", "At most so many, the newest.", type=int),
        ),
        configurable=False,
    ),
    Command(
        name="tag",
        help="Put tags on a run, or take them away.",
        handler="engine.stages.labels:tag",
        parameters=(
            RUN,
            Parameter(
                name="tags",
                kind="argument",
                help="Words without spaces, 32 letters at most.",
                required=True,
                multiple=True,
            ),
            option("remove", "Take these tags away.", kind="flag", default=False),
        ),
        configurable=False,
    ),
    Command(
        name="note",
        help="Write a note on a run, in place of the one it has; without a text, show it.",
        handler="engine.stages.labels:note",
        parameters=(
            RUN,
            Parameter(name="text", kind="argument", help="One line, 1,000 characters at most."),
            option("clear", "Take the note away.", kind="flag", default=False),
        ),
        configurable=False,
    ),
    Command(
        name="delete",
        help="Delete runs for good; their trials stay counted in the deflated Sharpe ratio.",
        handler="engine.stages.delete:delete",
        parameters=(
            Parameter(
                name="run",
                kind="argument",
                help="Run ids, their starts, or `last`.",
                required=True,
                multiple=True,
            ),
            option("yes", "Do not ask.", kind="flag", default=False),
        ),
        configurable=False,
    ),
    Command(
        name="show",
        help="One run: status, figures, versions.",
        handler="engine.stages.runs:show",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="watch",
        help="Follow a run's events until it ends.",
        handler="engine.stages.runs:watch",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="stop",
        help="Ask a run to save a checkpoint and end.",
        handler="engine.stages.runs:stop",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="checkpoint",
        help="Have a run save a checkpoint at the end of its step.",
        handler="engine.stages.control:checkpoint",
        parameters=(RUN, _WAIT),
        configurable=False,
    ),
    Command(
        name="pause",
        help="Have a run save a checkpoint and wait at the end of its step.",
        handler="engine.stages.control:pause",
        parameters=(RUN, _WAIT),
        configurable=False,
    ),
    Command(
        name="continue",
        help="Let a paused run go on.",
        handler="engine.stages.control:continue_",
        parameters=(RUN,),
        configurable=False,
    ),
    Command(
        name="rollback",
        help="Take a run back to its last healthy checkpoint, with a lower learning rate.",
        handler="engine.stages.control:rollback",
        parameters=(RUN, _WAIT),
        configurable=False,
    ),
    Command(
        name="config",
        help="Show, change or check the configuration, or write a commented file of it.",
        handler="engine.stages.config:config",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="show, set, unset, check or init.",
                choices=("show", "set", "unset", "check", "init"),
                required=True,
            ),
            Parameter(
                name="key",
                kind="argument",
                help="Dotted key, e.g. training.seed; of show the start of one.",
            ),
            Parameter(
                name="value",
                kind="argument",
                help="What to set it to, in TOML; after -- where it begins with a dash.",
            ),
        ),
    ),
)
