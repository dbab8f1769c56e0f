"""Two runs side by side: the same figures, the differences with their errors, and what was configured."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from engine.backtest.inference import sharpe_difference
from engine.errors import UsageError
from engine.report import charts
from engine.report.answers import Answer, rank_ic
from engine.report.facts import Facts
from engine.report.sections.section import Section, flat, shown, with_error

FIGURES = {
    "sharpe": "+.2f", "sharpe_low": "+.2f", "sharpe_high": "+.2f", "sharpe_deflated": ".0%",
    "sortino": "+.2f", "annual_return": "+.1%", "annual_volatility": ".1%", "max_drawdown": ".1%",
    "turnover": ".1%", "cost_drag": ".1%", "mean_names": ".0f", "capacity": ",.0f",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What can be said about two simulated runs on the days that both have."""

    a: Facts
    b: Facts
    days: pl.DataFrame
    """``date, a, b``: net returns of the common sessions."""

    @classmethod
    def of(cls, a: Facts, b: Facts) -> "Comparison":
        for facts in (a, b):
            if facts.daily is None or facts.backtest is None:
                raise UsageError(
                    f"{facts.run_id}: not simulated yet",
                    hint=f"run `atft-tui backtest {facts.run_id}` first",
                )
        assert a.daily is not None
        assert b.daily is not None
        days = a.daily.select("date", pl.col("net_return").alias("a")).join(
            b.daily.select("date", pl.col("net_return").alias("b")), on="date"
        )
        if len(days) < 20:
            raise UsageError(
                f"{a.run_id} and {b.run_id} have {len(days)} sessions in common",
                hint="compare runs whose test days overlap",
            )
        return cls(a=a, b=b, days=days.sort("date"))

    def json(self) -> dict[str, Any]:
        """Figures of both, the Sharpe difference on common days, and the keys that differ."""
        gap = self._gap()
        return {
            "runs": [self.a.run_id, self.b.run_id],
            "sessions": len(self.days),
            "figures": {
                name: [(facts.backtest or {}).get(name) for facts in (self.a, self.b)]
                for name in FIGURES
            },
            "test": [facts.train.get("test") for facts in (self.a, self.b)],
            "sharpe_difference": gap.difference,
            "sharpe_difference_se": gap.standard_error,
            "sharpe_difference_p": gap.p_value,
            "return_correlation": self._correlation(),
            "settings": {
                key: [_setting(facts, key) for facts in (self.a, self.b)]
                for key in self._differing()
            },
        }

    def answers(self) -> list[Answer]:
        gap = self._gap()
        better = self.a if gap.difference > 0 else self.b
        sure = gap.p_value < 0.10
        return [
            Answer(
                question="Which one?",
                answer=f"{better.model} of {better.run_id}" if sure else "undecided",
                detail=f"Net Sharpe of the first less the second on {len(self.days)} common sessions: "
                f"{gap.difference:+.2f} ± {gap.standard_error:.2f}, p = {gap.p_value:.2f} "
                "(Ledoit & Wolf 2008). Undecided means p of 0.10 or more.",
                kind="plain",
            ),
            Answer(
                question="Are they different books?",
                answer=f"correlation of daily returns {shown(self._correlation(), '+.2f')}",
                detail="Near 1: two names for one book; near 0: half of each would be calmer than either.",
            ),
        ]

    def sections(self) -> list[Section]:
        names = (f"1: {self.a.model}", f"2: {self.b.model}")
        labels = self.days["date"].cast(pl.String).to_list()
        growth = self.days.select((pl.col("a", "b") + 1.0).cum_prod() - 1.0)
        chart = charts.lines(
            {names[0]: growth["a"].to_list(), names[1]: growth["b"].to_list()},
            labels,
            title="Net return on common days",
            unit="net return since the start, %",
            percent=True,
        )
        rows = [
            ("run", self.a.run_id, self.b.run_id),
            ("test RankIC", *(rank_ic(facts.train.get("test")) for facts in (self.a, self.b))),
        ]
        for name, form in FIGURES.items():
            cells = [(facts.backtest or {}).get(name) for facts in (self.a, self.b)]
            rows.append((name.replace("_", " "), shown(cells[0], form), shown(cells[1], form)))
        differing = [
            (key, *(str(_setting(facts, key)) for facts in (self.a, self.b)))
            for key in self._differing()
        ]
        gap = self._gap()
        return [
            Section(title="Equity after costs, common days", chart=chart),
            Section(
                title="Figures",
                header=("", *names),
                rows=tuple(rows),
                caption="Each over its own days; difference of the net Sharpe ratios on common days "
                f"{with_error(gap.difference, gap.standard_error, '+.2f')}.",
            ),
            Section(
                title="Settings that differ",
                text=() if differing else ("None.",),
                header=("key", *names) if differing else (),
                rows=tuple(differing),
            ),
        ]

    def _gap(self) -> Any:
        config = self.a.backtest or {}
        return sharpe_difference(
            self.days["a"].to_numpy(),
            self.days["b"].to_numpy(),
            config["sessions_per_year"],
            lag=config["horizon"],
        )

    def _correlation(self) -> float | None:
        value = self.days.select(pl.corr("a", "b")).item()
        return None if value is None else float(value)

    def _differing(self) -> list[str]:
        keys = dict.fromkeys(key for facts in (self.a, self.b) for key, _ in flat(_settings(facts)))
        return [key for key in keys if _setting(self.a, key) != _setting(self.b, key)]


def _settings(facts: Facts) -> dict[str, Any]:
    """The run's configuration with the trading tables that its backtest used."""
    tested = facts.backtest or {}
    used: dict[str, Any] = {
        name: tested[name] for name in ("portfolio", "constraints", "costs") if name in tested
    }
    return {**facts.config, **used}


def _setting(facts: Facts, key: str) -> Any:
    return dict(flat(_settings(facts))).get(key, "—")
