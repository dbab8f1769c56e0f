"""The run store and the configuration."""

from engine.commands.command import RUN, Command, argument, flag, option

_WAIT = option("wait", "Seconds to wait for its answer; 0 asks only.", type=int, default=60)
_STATUSES = ("created", "running", "paused", "done", "stopped", "failed", "crashed")

# fmt: off
STORE: tuple[Command, ...] = (
    Command("runs", "List the runs, newest first.", "engine.stages.runs:runs", configurable=False,
            parameters=(
        option("tag", "Only runs with this tag; several: with all of them.", multiple=True),
        option("command", "Only runs of this command."),
        option("status", "Only runs in this state.",
               choices=_STATUSES),
        option("limit", "At most so many, the newest.", type=int),
    )),
    Command("tag", "Put tags on a run, or take them away.", "engine.stages.labels:tag",
            configurable=False, parameters=(
        RUN,
        argument("tags", "Words without spaces, 32 letters at most.", required=True, multiple=True),
        flag("remove", "Take these tags away."),
    )),
    Command("note", "Write a note on a run, in place of the one it has; without a text, show it.",
            "engine.stages.labels:note", configurable=False, parameters=(
        RUN,
        argument("text", "One line, 1,000 characters at most."),
        flag("clear", "Take the note away."),
    )),
    Command("delete",
            "Delete runs for good; their trials stay counted in the deflated Sharpe ratio.",
            "engine.stages.delete:delete", configurable=False, parameters=(
        argument("run", "Run ids, their starts, or `last`.", required=True, multiple=True),
        flag("yes", "Do not ask."),
    )),
    Command("show", "One run: status, figures, versions.", "engine.stages.runs:show", (RUN,),
            configurable=False),
    Command("watch", "Follow a run's events until it ends.", "engine.stages.runs:watch", (RUN,),
            configurable=False),
    Command("stop", "Ask a run to save a checkpoint and end.", "engine.stages.runs:stop", (RUN,),
            configurable=False),
    Command("checkpoint", "Have a run save a checkpoint at the end of its step.",
            "engine.stages.control:checkpoint", (RUN, _WAIT), configurable=False),
    Command("pause", "Have a run save a checkpoint and wait at the end of its step.",
            "engine.stages.control:pause", (RUN, _WAIT), configurable=False),
    Command("continue", "Let a paused run go on.", "engine.stages.control:continue_", (RUN,),
            configurable=False),
    Command("rollback",
            "Take a run back to its last healthy checkpoint, with a lower learning rate.",
            "engine.stages.control:rollback", (RUN, _WAIT), configurable=False),
    Command("config", "Show, change or check the configuration, or write a commented file of it.",
            "engine.stages.config:config", parameters=(
        argument("action", "show, set, unset, check or init.",
                 choices=("show", "set", "unset", "check", "init"), required=True),
        argument("key", "Dotted key, e.g. training.seed; of show the start of one."),
        argument("value", "What to set it to, in TOML; after -- where it begins with a dash."),
    )),
)
