"""The run store and the configuration."""

from engine.commands.command import RUN, Command, Parameter, option

WAIT = option("wait", "Seconds to wait for its answer; 0 asks only.", type=int, default=60)

STORE: tuple[Command, ...] = (
    Command(
        name="runs", help="List the runs.", handler="engine.stages.runs:runs", configurable=False
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
        parameters=(RUN, WAIT),
        configurable=False,
    ),
    Command(
        name="pause",
        help="Have a run save a checkpoint and wait at the end of its step.",
        handler="engine.stages.control:pause",
        parameters=(RUN, WAIT),
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
        parameters=(RUN, WAIT),
        configurable=False,
    ),
    Command(
        name="config",
        help="Show the resolved configuration, write a commented one, or check it.",
        handler="engine.stages.config:config",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="show, init or check.",
                choices=("show", "init", "check"),
                required=True,
            ),
        ),
    ),
)
