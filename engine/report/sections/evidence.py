"""Why the figures can be believed: split, audit, liveness of the network, data, trials, settings."""

from engine.report import charts
from engine.report.facts import Facts
from engine.report.sections.section import Section, flat, shown


def split(facts: Facts) -> Section:
    splits = facts.train["splits"]
    spans = [
        (name, splits[name]["first"], splits[name]["last"], splits[name]["sessions"])
        for name in ("train", "validation", "test")
    ]
    gap = splits["embargo_sessions"]
    folds = len(facts.train.get("folds", []))
    last = f"The last of {folds} folds; " if folds > 1 else ""
    return Section(
        title="Split, purge and embargo",
        chart=charts.timeline(spans, gap=gap, title="Train, validation and test, in sessions"),
        caption=f"{last}{gap} sessions between two parts belong to none, so that no label reaches into the "
        "next. Bars to scale, numbers are sessions.",
    )


def audit(facts: Facts) -> Section:
    """The proof that nothing saw the future, where it was made."""
    if facts.audit is None:
        checked = [a for a in facts.assertions if a.name == "truncation"]
        start = (
            "The start-up assertion 'truncation' "
            + ("passed" if checked[0].passed else "FAILED")
            + f": {checked[0].detail}."
            if checked
            else "No network was trained, so there were no start-up assertions."
        )
        return Section(
            title="Look-ahead audit", text=("There is no audit.json in the workspace.", start)
        )
    words = {True: "passed", False: "FAILED", None: "-"}
    rows = [
        (str(check["name"]), words[check["passed"]], str(check["detail"]))
        for check in facts.audit["checks"]
    ]
    run = facts.audit.get("run")
    made = f"made {facts.audit['when'][:10]} on snapshot {facts.audit['snapshot']}"
    return Section(
        title="Look-ahead audit",
        text=(
            f"Verdict: {facts.audit['verdict']}; {made}" + (f", scores of {run}." if run else "."),
        ),
        header=("check", "", "detail"),
        rows=tuple(rows),
    )


def health(facts: Facts) -> Section:
    train = facts.train
    rows = [(a.name, "passed" if a.passed else "FAILED", a.detail) for a in facts.assertions]
    if not rows:
        return Section(title="")
    gradient = ", ".join(f"{name} {norm:.1e}" for name, norm in train.get("gradient", {}).items())
    alpha = train.get("alpha", {}).get("bypass")
    text = [
        f"Score deviation / label deviation in eval mode: {train['score_std_ratio']:.2f}."
        if train.get("score_std_ratio") is not None
        else "",
        f"Gradient norm per block at the end: {gradient}." if gradient else "",
        f"Gate alpha: projected {alpha:.2f}, graph {1 - alpha:.2f}." if alpha is not None else "",
    ]
    return Section(
        title="Is the network alive?",
        text=tuple(line for line in text if line),
        header=("start-up assertion", "", "detail"),
        rows=tuple(rows),
    )


def data(facts: Facts) -> Section:
    quality = facts.quality
    if quality is None:
        return Section(title="Data", text=("Run `atft-tui check`, then the report again.",))
    rows = [
        (f["rule"], f["level"], f"{f['count']:,}", f["action"], f["description"])
        for f in quality["findings"]
    ]
    return Section(
        title="Data",
        text=(
            f"Verdict {quality['verdict']}: {quality['rows_in']:,} rows read, {quality['rows_out']:,} kept, "
            f"{quality['symbols']:,} symbols, {quality['first']} to {quality['last']}, snapshot "
            f"{quality['snapshot']}.",
            *(f"Note: {note}." for note in quality["notes"]),
        ),
        header=("rule", "level", "count", "action", "what"),
        rows=tuple(rows),
    )


def trials(facts: Facts) -> Section:
    if facts.backtest is None:
        return Section(title="")
    test = facts.backtest
    tried = sorted(facts.trials.values(), key=lambda t: -(t["sharpe"] or float("-inf")))
    rows = [(t["what"], shown(t["sharpe"])) for t in tried[:10]]
    return Section(
        title="Trials",
        text=(
            f"{test['trials']} in this run store, {len(tried)} on these scores. The best of so many "
            f"worthless ones is expected to show a Sharpe ratio of "
            f"{shown(test['sharpe_expected_best'])}; against that, the probability that this one is more "
            f"than luck is {shown(test['sharpe_deflated'], '.0%')} (Bailey & Lopez de Prado 2014).",
        ),
        header=("variant simulated on these scores", "net Sharpe") if rows else (),
        rows=tuple(rows),
        caption="the ten best" if len(tried) > len(rows) else "",
    )


def settings(facts: Facts) -> Section:
    rows: list[tuple[str, ...]] = [
        (name, str(facts.manifest.get(name) or "—"))
        for name in ("created", "git_commit", "python", "platform", "config_digest")
    ]
    rows += [(name, version) for name, version in facts.manifest["packages"].items()]
    config = dict(facts.config)
    for name in ("portfolio", "constraints", "costs"):
        if facts.backtest is not None and name in facts.backtest:
            config[name] = facts.backtest[name]
    rows += [(key, str(value)) for key, value in flat(config)]
    return Section(title="How to repeat it", header=("key", "value"), rows=tuple(rows))
