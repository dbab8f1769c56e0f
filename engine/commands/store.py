"""The run store and the configuration."""

from engine.commands.command import RUN, Command, Parameter

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
