"""What the scores are worth before any book: RankIC, decay, entry delay, quantiles, epochs, folds."""

from engine.report import charts
from engine.report.answers import rank_ic, signed
from engine.report.facts import Facts
from engine.report.sections.section import Section, number, shown, with_error


def rank_ic_table(facts: Facts) -> Section:
    train = facts.train
    rows = [(facts.model, rank_ic(train.get("best")), rank_ic(train["test"]), "")]
    strongest = sorted(
        train["baselines"].items(), key=lambda item: -number(item[1]["test"]["rank_ic"])
    )
    for name, values in strongest:
        gap = values.get("test_difference")
        difference = f"{signed(gap['difference'])} ± {gap['se']:.4f}" if gap else ""
        rows.append((name, rank_ic(values.get("validation")), rank_ic(values["test"]), difference))
    rows += [
        (f"fold {row['fold']} of {facts.model}", "", rank_ic(row), "")
        for row in train.get("folds", [])
    ]
    return Section(
        title=f"RankIC over {train['score_horizon']} sessions, same days",
        header=("scores", "validation", "test", f"{facts.model} minus this, test"),
        rows=tuple(rows),
        caption="Mean daily Spearman correlation of score and forward return ± Newey-West standard error; "
        "~ = inside the null band of shuffled scores. Epochs were chosen on validation, nothing on test. "
        "oracle exists on synthetic markets only.",
    )


def heads(facts: Facts) -> Section:
    by_horizon = facts.train["horizons"]["test"]
    if len(by_horizon) < 2:
        return Section(title="")  # the table above has it
    test = {h: by_horizon[h] for h in sorted(by_horizon, key=int)}
    values = {h: figures["rank_ic"] or 0.0 for h, figures in test.items()}
    errors = {h: figures["rank_ic_se"] or 0.0 for h, figures in test.items()}
    band = max((figures["null_band"] or 0.0 for figures in test.values()), default=0.0)
    return Section(
        title="RankIC of each horizon's own score, test",
        chart=charts.bars(
            values, errors=errors, band=band, title="RankIC by horizon", unit="mean daily RankIC",
            x_label="horizon of score and return, sessions",
        ),
        caption="Each horizon has its own score. Whiskers: one standard error; shaded: widest null band.",
    )  # fmt: skip


def decay(facts: Facts) -> Section:
    factor = (facts.backtest or {})["factor"]
    values = {str(row["horizon"]): row["rank_ic"] or 0.0 for row in factor["decay"]}
    errors = {str(row["horizon"]): row["rank_ic_se"] or 0.0 for row in factor["decay"]}
    stay = factor["rank_autocorrelation"]
    return Section(
        title=f"Decay of the traded score ({factor['horizon']} sessions)",
        chart=charts.bars(
            values, errors=errors, title="IC decay", unit="mean daily RankIC",
            x_label="sessions that the return runs over",
        ),
        caption="One score against returns over longer and longer holdings, from the traded entry. Rank "
        f"autocorrelation from day to day {shown(stay['value'], '.3f')}.",
    )  # fmt: skip


def entry(facts: Facts) -> Section:
    """The skip-day figure: how much lives off the first session."""
    found = (facts.backtest or {})["factor"]["entry"]
    names = {
        "same_close": "at the signal's own close (cannot be traded)",
        "traded": "one session later (what is traded)",
        "skipped": "two sessions later",
    }
    rows = [
        (names[key], with_error(found[key]["value"], found[key]["se"]), str(found[key]["n_dates"]))
        for key in names
    ]
    return Section(
        title="Entry: bid-ask bounce and the first session",
        text=(
            f"Microstructure share {shown(found['microstructure_share'], '.0%')}: part of the same-close "
            "RankIC that is gone by the traded entry. Skip-day ratio "
            f"{shown(found['skip_ratio'], '.2f')}: RankIC after skipping one more session over the "
            "traded one; far below 1 means that what is traded still lives off its first session. A "
            "dash: the divisor is not two standard errors above zero.",
        ),
        header=("entry", "RankIC", "days"),
        rows=tuple(rows),
    )


def quantiles(facts: Facts) -> Section:
    factor = (facts.backtest or {})["factor"]
    moved = {q: number(value) for q, value in factor["quantile_turnover"].items()}
    in_order = sorted(factor["quantile_returns"].items(), key=lambda item: int(item[0]))
    known = {q: number(value) for q, value in in_order}
    values = {q: value for q, value in known.items() if value == value}
    errors = {q: number(factor["quantile_errors"][q]) for q in values}
    errors = {q: value for q, value in errors.items() if value == value}
    chart = charts.bars(
        values, errors=errors, percent=True, title="Decile returns",
        unit=f"{factor['horizon']}-session return less the day's mean, %",
        x_label="decile of the score (10 = best)",
    )  # fmt: skip
    edge = [moved[q] for q in ("1", "10") if q in moved]
    return Section(
        title="Return by score decile, test",
        chart=chart,
        caption="Before costs; whiskers: one standard error. Share of names that are new from one day to "
        f"the next: worst decile {shown(edge[0] if edge else None, '.0%')}, best decile "
        f"{shown(edge[1] if len(edge) > 1 else None, '.0%')}.",
    )


def epochs(facts: Facts) -> Section:
    phases = tuple(
        (
            phase["name"],
            str(phase["epochs"]),
            f"{signed(phase['rank_ic'])} ± {phase['rank_ic_se']:.4f}",
            "kept" if phase["kept"] else "did not beat the one before: rolled back",
        )
        for phase in facts.train.get("phases", [])
    )
    if len(facts.epochs) < 2 or "folds" in facts.train:
        return Section(title="Training" if phases else "", rows=phases)
    chart = charts.lines(
        {
            "validation": [event.rank_ic for event in facts.epochs],
            "training days, dropout on": [event.train_rank_ic for event in facts.epochs],
            "null band": [event.null_band for event in facts.epochs],
        },
        [f"epoch {event.epoch}" for event in facts.epochs],
        title="RankIC per epoch",
        unit="mean daily RankIC",
    )
    return Section(
        title="Training",
        chart=chart,
        header=("phase", "epochs", "best validation RankIC", "outcome"),
        rows=phases,
        caption="RankIC per epoch, validation in eval mode on whole days.",
    )


def ablations(facts: Facts) -> Section:
    """Single runs that differ in a part; left out where a comparison says it with intervals."""
    if not facts.ablations and any(made["kind"] == "ablations" for made in facts.comparisons):
        return Section(title="")
    rows = [
        (row["change"], rank_ic(row["test"]), shown(row["sharpe"]), row["run_id"])
        for row in facts.ablations
    ]
    text = "No other run on the same features and days differs in its network or graph."
    return Section(
        title="Ablations",
        text=() if rows else (text,),
        header=("this run, but", "test RankIC", "net Sharpe", "run") if rows else (),
        rows=tuple(rows),
    )
