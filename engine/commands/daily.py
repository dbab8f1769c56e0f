"""Tomorrow's trades: sealed signals, the champion that makes them, schedule and alerts."""

from engine.commands.command import RUN, Command, Parameter, option

_SESSION = Parameter(
    name="session", kind="argument", help="A session, or 2016-12-30-r1.", required=True
)

DAILY: tuple[Command, ...] = (
    Command(
        name="signals",
        help="The sealed trade list of a session, with the card that says whether to trade it.",
        handler="engine.stages.signals:signals",
        parameters=(
            option("date", "Session, ISO date; the newest of the store if left out."),
            option(
                "revise",
                "Seal other inputs beside what is sealed already; needs --reason.",
                kind="flag",
                default=False,
            ),
            option("reason", "Why a sealed session is revised."),
            option("positions", "What is held: a broker's export, or code,shares and a row $cash."),
            option(
                "position_columns",
                "Its columns, code=THEIRS,shares=THEIRS,...; also side, account, kind, value, name, "
                "currency (schedule.position_columns).",
            ),
            option("cash", "Cash of the account, if the file does not say it.", type=float),
            option("run", "Use this run's networks instead of the champion's."),
        ),
    ),
    Command(
        name="replay",
        help="Make a sealed signal again from its own inputs and compare every byte.",
        handler="engine.stages.sealed:replay",
        parameters=(_SESSION,),
        configurable=False,
    ),
    Command(
        name="diff",
        help="What differs between two sealed signals, and which rows moved the ranks.",
        handler="engine.stages.sealed:diff",
        parameters=(
            Parameter(
                name="before", kind="argument", help="A session, or 2016-12-30-r1.", required=True
            ),
            Parameter(name="after", kind="argument", help="The other one.", required=True),
        ),
        configurable=False,
    ),
    Command(
        name="verify",
        help="Check seal, files, inputs and model of sealed signals: all, or one session.",
        handler="engine.stages.sealed:verify",
        parameters=(
            Parameter(name="session", kind="argument", help="A session, or 2016-12-30-r1."),
        ),
        configurable=False,
    ),
    Command(
        name="promote",
        help="Make a run's networks the champion, if the gate lets them.",
        handler="engine.stages.promote:promote",
        parameters=(RUN, option("force_reason", "Promote against the gate, and why.")),
    ),
    Command(
        name="champion",
        help="Show the champion, its history, go back to the one before, or train a challenger.",
        handler="engine.stages.champion:champion",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="show, history, rollback or challenge.",
                choices=("show", "history", "rollback", "challenge"),
                default="show",
            ),
        ),
    ),
    Command(
        name="ledger",
        help="Sealed signals filled at the next real open and close, against the backtest.",
        handler="engine.stages.ledger:ledger",
    ),
    Command(
        name="schedule",
        help="Signals by themselves after each session: the process, its book, or one pass of it.",
        handler="engine.schedule.command:schedule",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="run until stopped; status; once: catch the latest session up and end.",
                choices=("run", "status", "once"),
                required=True,
            ),
        ),
    ),
    Command(
        name="alerts",
        help="Send a test alert to every configured channel, or list what was told.",
        handler="engine.stages.alerts:alerts",
        parameters=(
            Parameter(
                name="action",
                kind="argument",
                help="test or list.",
                choices=("test", "list"),
                required=True,
            ),
        ),
    ),
)
