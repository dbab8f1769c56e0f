"""Tomorrow's trades: sealed signals, the champion that makes them, schedule and alerts."""

from engine.commands.command import RUN, SESSION, Command, argument, flag, option

# fmt: off
DAILY: tuple[Command, ...] = (
    Command("signals",
            "The sealed trade list of a session, with the card that says whether to trade it.",
            "engine.stages.signals:signals", parameters=(
        option("date", "Session, ISO date; the newest of the store if left out."),
        flag("revise", "Seal other inputs beside what is sealed already; needs --reason."),
        option("reason", "Why a sealed session is revised."),
        option("positions", "What is held: a broker's export, or code,shares and a row $cash."),
        option("position_columns",
               "Its columns, code=THEIRS,shares=THEIRS,...; also side, account, kind, value, "
               "name, currency (schedule.position_columns)."),
        option("cash", "Cash of the account, if the file does not say it.", type=float),
        option("run", "Use this run's networks instead of the champion's."),
    )),
    Command("replay", "Make a sealed signal again from its own inputs and compare every byte.",
            "engine.stages.sealed:replay", (SESSION,), configurable=False),
    Command("diff", "What differs between two sealed signals, and which rows moved the ranks.",
            "engine.stages.sealed:diff", configurable=False, parameters=(
        argument("before", "A session, or 2016-12-30-r1.", required=True),
        argument("after", "The other one.", required=True),
    )),
    Command("verify", "Check seal, files, inputs and model of sealed signals: all, or one session.",
            "engine.stages.sealed:verify", configurable=False, parameters=(
        argument("session", "A session, or 2016-12-30-r1."),
    )),
    Command("promote", "Make a run's networks the champion, if the gate lets them.",
            "engine.stages.promote:promote", parameters=(
        RUN,
        option("force_reason", "Promote against the gate, and why."),
    )),
    Command("champion",
            "Show the champion, its history, go back to the one before, or train a challenger.",
            "engine.stages.champion:champion", parameters=(
        argument("action", "show, history, rollback or challenge.", default="show",
                 choices=("show", "history", "rollback", "challenge")),
    )),
    Command("ledger",
            "Sealed signals filled at the next real open and close, against the backtest.",
            "engine.stages.ledger:ledger"),
    Command("schedule",
            "Signals by themselves after each session: the process, its book, or one pass of it.",
            "engine.schedule.command:schedule", parameters=(
        argument("action", "run until stopped; status; once: catch the latest session up and end.",
                 choices=("run", "status", "once"), required=True),
    )),
    Command("alerts", "Send a test alert to every configured channel, or list what was told.",
            "engine.stages.alerts:alerts", parameters=(
        argument("action", "test or list.", choices=("test", "list"), required=True),
    )),
)
