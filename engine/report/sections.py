"""The body of the report as data: sections of text, tables and charts. HTML and Markdown share it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.report import charts
from engine.report.answers import rank_ic, signed
from engine.report.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    text: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    chart: str = ""
    """Inline SVG; left out of Markdown."""
    caption: str = ""


def sections(facts: Facts) -> list[Section]:
    """All sections in order; those whose files are missing say what to run."""
    if facts.backtest is None:
        text = f"Nothing has been simulated: run `atft-tui backtest {facts.run_id}`, then the report again."
        made = [Section(title="Backtest", text=(text,))]
    else:
        made = [_equity(facts), _sharpe(facts), _costs(facts), _months(facts)]
    return [
        *made,
        _rank_ic_table(facts),
        _decay(facts),
        _quantiles(facts),
        _epochs(facts),
        _split(facts),
        _health(facts),
        _data(facts),
        _settings(facts),
    ]


def _equity(facts: Facts) -> Section:
    if facts.daily is None:
        return Section(title="Equity after costs")
    labels = facts.daily["date"].cast(str).to_list()
    series = {"network": [value - 1.0 for value in facts.daily["equity"].to_list()]}
    for name in ("lightgbm", "ridge", "reversal_5", "equal_weight"):
        if name in facts.baseline_equity:
            dates, curve = facts.baseline_equity[name]
            by_date = dict(zip(dates, curve, strict=True))
            series[name] = [by_date.get(label, float("nan")) - 1.0 for label in labels]
    chart = charts.lines(series, labels, title="Net return since the start", percent=True)
    chart += charts.area(facts.daily["drawdown"].to_list(), labels, title="Drawdown")
    return Section(
        title="Equity after costs",
        chart=chart,
        caption="Cumulative net return of the same strategy and costs on different scores; below, the "
        "network's drawdown. equal_weight holds the whole universe, long only.",
    )


def _sharpe(facts: Facts) -> Section:
    test = facts.backtest or {}
    points = {"network": (test["sharpe_low"], test["sharpe"], test["sharpe_high"])}
    rows = []
    rivals = sorted(test["baselines"].items(), key=lambda item: -_nan(item[1]["sharpe"]))
    for name, values in [("network", test), *rivals]:
        low, value, high = (_nan(values[k]) for k in ("sharpe_low", "sharpe", "sharpe_high"))
        points[name] = (low, value, high)
        rows.append(
            (
                name,
                f"{value:+.2f}",
                f"[{low:+.2f}, {high:+.2f}]",
                f"{values['annual_return']:+.1%}",
                f"{values['turnover']:.1%}",
                f"{values['cost_drag']:.1%}",
            )
        )
    return Section(
        title="Net Sharpe ratio against the target",
        chart=charts.meter(points, target=test["target"], title="Sharpe ratios with intervals"),
        header=(
            "scores",
            "net Sharpe",
            "interval",
            "return a year",
            "turnover a day",
            "costs a year",
        ),
        rows=tuple(rows),
        caption=f"Mean / deviation of daily net returns x sqrt({test['sessions_per_year']}), zero rate; "
        f"{test['confidence']:.0%} stationary block bootstrap. random: 5 % to 95 % of "
        f"{test['baselines']['random']['draws']} sets of random scores.",
    )


def _costs(facts: Facts) -> Section:
    test = facts.backtest or {}
    parts = test["waterfall"]
    steps = {
        "gross": parts["gross_return"],
        "commission": -parts["commission"],
        "slippage": -parts["slippage"],
        "borrow": -parts["borrow"],
        "net": parts["net_return"],
    }
    costs = test["costs"]
    return Section(
        title="From gross to net",
        chart=charts.waterfall(steps, title="Annual return, gross to net"),
        caption=f"Commission {costs['commission_bps']:g} and slippage {costs['slippage_bps']:g} bp one way, "
        f"borrow {costs['borrow_bps_per_year']:g} bp a year; entry at the {test['entry']}; turnover "
        f"{test['turnover']:.1%} of equity a day; forced exits of delisted stocks "
        f"{parts['delisting']:+.2%} a year (inside gross).",
    )


def _months(facts: Facts) -> Section:
    return Section(
        title="Net return by month", chart=charts.heat_map(facts.months, title="Monthly returns")
    )


def _rank_ic_table(facts: Facts) -> Section:
    train = facts.train
    rows = [("network", rank_ic(train.get("best")), rank_ic(train["test"]), "")]
    strongest = sorted(
        train["baselines"].items(), key=lambda item: -_nan(item[1]["test"]["rank_ic"])
    )
    for name, values in strongest:
        gap = values.get("test_difference")
        difference = f"{signed(gap['difference'])} ± {gap['se']:.4f}" if gap else ""
        rows.append((name, rank_ic(values.get("validation")), rank_ic(values["test"]), difference))
    return Section(
        title=f"RankIC over {train['score_horizon']} sessions, same days",
        header=("scores", "validation", "test", "network minus this, test"),
        rows=tuple(rows),
        caption="Mean daily Spearman correlation of score and forward return ± Newey-West standard error; "
        "~ = inside the null band of shuffled scores. Epochs were chosen on validation, nothing on test. "
        "oracle exists on synthetic markets only.",
    )


def _decay(facts: Facts) -> Section:
    by_horizon = facts.train["horizons"]["test"]
    test = {h: by_horizon[h] for h in sorted(by_horizon, key=int)}
    values = {f"{h} sessions": figures["rank_ic"] or 0.0 for h, figures in test.items()}
    errors = {f"{h} sessions": figures["rank_ic_se"] or 0.0 for h, figures in test.items()}
    band = max((figures["null_band"] or 0.0 for figures in test.values()), default=0.0)
    return Section(
        title="RankIC by horizon, test",
        chart=charts.bars(values, errors=errors, band=band, title="RankIC by horizon"),
        caption="Each horizon has its own head. Whiskers: one standard error; shaded: widest null band.",
    )


def _quantiles(facts: Facts) -> Section:
    if not facts.quantile_returns:
        return Section(
            title="Return by score decile", text=("The feature set is not in the workspace.",)
        )
    return Section(
        title="Return by score decile, test",
        chart=charts.bars(
            facts.quantile_returns,
            errors=facts.quantile_errors,
            percent=True,
            title="Decile returns",
        ),
        caption=f"Mean {facts.train['score_horizon']}-session return less the day's mean; 10 = best scores; "
        "before costs.",
    )


def _epochs(facts: Facts) -> Section:
    phases = tuple(
        (
            phase["name"],
            str(phase["epochs"]),
            f"{signed(phase['rank_ic'])} ± {phase['rank_ic_se']:.4f}",
            "kept" if phase["kept"] else "did not beat the one before: rolled back",
        )
        for phase in facts.train.get("phases", [])
    )
    if len(facts.epochs) < 2:
        return Section(title="Training", rows=phases)
    labels = [str(event.epoch) for event in facts.epochs]
    chart = charts.lines(
        {
            "validation": [event.rank_ic for event in facts.epochs],
            "training days, dropout on": [event.train_rank_ic for event in facts.epochs],
            "null band": [event.null_band for event in facts.epochs],
        },
        labels,
        title="RankIC per epoch",
    )
    return Section(
        title="Training",
        chart=chart,
        header=("phase", "epochs", "best validation RankIC", "outcome"),
        rows=phases,
        caption="RankIC per epoch, validation in eval mode on whole days.",
    )


def _split(facts: Facts) -> Section:
    splits = facts.train["splits"]
    spans = [
        (name, splits[name]["first"], splits[name]["last"], splits[name]["sessions"])
        for name in ("train", "validation", "test")
    ]
    gap = splits["embargo_sessions"]
    return Section(
        title="Split",
        chart=charts.timeline(spans, gap=gap, title="Train, validation and test"),
        caption=f"{gap} sessions between two parts belong to none, so that no label reaches into the next.",
    )


def _health(facts: Facts) -> Section:
    train = facts.train
    rows = [(a.name, "passed" if a.passed else "FAILED", a.detail) for a in facts.assertions]
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


def _data(facts: Facts) -> Section:
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


def _settings(facts: Facts) -> Section:
    rows: list[tuple[str, ...]] = [
        (name, str(facts.manifest.get(name) or "—"))
        for name in ("created", "git_commit", "python", "platform", "config_digest")
    ]
    rows += [(name, version) for name, version in facts.manifest["packages"].items()]
    rows += [(key, str(value)) for key, value in _flat(facts.config)]
    return Section(title="How to repeat it", header=("key", "value"), rows=tuple(rows))


def _flat(table: dict[str, Any], prefix: str = "") -> Sequence[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict) and value:
            out += _flat(value, f"{prefix}{key}.")
        elif key == "phases":
            out += [(f"{prefix}{key}", ", ".join(f"{p['name']} x{p['epochs']}" for p in value))]
        else:
            out.append((prefix + key, value))
    return out


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value
