"""Two runs side by side: the same figures, the differences with their errors, and what was configured."""

import math
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from msgspec import to_builtins

from engine.backtest.inference import SharpeGap, sharpe_difference
from engine.errors import UsageError
from engine.files import Json
from engine.records.backtest import (
    COMPARED,
    ComparedValue,
    SettingsTable,
    compare_figures,
    compare_settings,
)
from engine.records.figure import DASH, counted
from engine.report import charts
from engine.report.answers import Answer
from engine.report.facts import Facts
from engine.report.sections.section import Column, Section, cells, flat, rank_ic, shown, titles

_SURE = 0.10
"""p-value from which on a difference is told as undecided."""


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """What can be said about two simulated runs on the days that both have."""

    a: Facts
    b: Facts
    days: pl.DataFrame
    """``date, a, b``: net returns of the common sessions, fractions."""

    @classmethod
    def of(cls, a: Facts, b: Facts) -> "SideBySide":
        """UsageError where one is not simulated yet or fewer than 20 sessions are common."""
        frames = []
        for name, facts in (("a", a), ("b", b)):
            if facts.daily is None or facts.backtest is None:
                raise UsageError(
                    f"{facts.run_id}: not simulated yet",
                    hint=f"run `atft-tui backtest {facts.run_id}` first",
                )
            frames.append(facts.daily.select("date", pl.col("net_return").alias(name)))
        days = frames[0].join(frames[1], on="date")
        if len(days) < 20:
            raise UsageError(
                f"{a.run_id} and {b.run_id} have {counted(len(days), 'session')} in common",
                hint="compare runs whose test days overlap",
            )
        return cls(a=a, b=b, days=days.sort("date"))

    def json(self) -> Json:
        """Figures of both, the Sharpe difference on common days, and the keys that differ."""
        both = (self.a, self.b)
        return {
            "runs": [facts.run_id for facts in both],
            "sessions": len(self.days),
            "figures": {name: [getattr(f.traded, name) for f in both] for name in COMPARED},
            "test": [to_builtins(facts.train.test) for facts in both],
            "sharpe_difference": self.gap.difference,
            "sharpe_difference_se": self.gap.standard_error,
            "sharpe_difference_p": self.gap.p_value,
            "return_correlation": self.correlation,
            "settings": {
                row.name: [side.get(row.name, DASH) for side in self.settings]
                for row in self.differing
            },
        }

    def answers(self) -> list[Answer]:
        """Which one is better, as far as that is decided, and how different the two books are."""
        better = self.a if self.gap.difference > 0 else self.b
        sure = self.gap.p_value < _SURE
        return [
            Answer(
                question="Which one?",
                answer=f"{better.model} of {better.run_id}" if sure else "undecided",
                detail=f"Net Sharpe of the first less the second on "
                f"{counted(len(self.days), 'common session')}: {self.gap.figure.text(2)}, "
                f"p = {self.gap.p_value:.2f} (Ledoit & Wolf 2008). Undecided means p of 0.10 or more.",
            ),
            Answer(
                question="Are they different books?",
                answer=f"correlation of daily returns {shown(self.correlation)}",
                detail="Near 1: two names for one book; near 0: half of each would be calmer than either.",
            ),
        ]

    def sections(self) -> list[Section]:
        """Equity on common days, figures, settings that differ."""
        both = (f"1: {self.a.model}", f"2: {self.b.model}")
        columns: tuple[Column, ...] = (
            ("", "name", ""),
            (both[0], "before", ""),
            (both[1], "after", ""),
        )
        days = [facts.words(facts.train.judged_days) for facts in (self.a, self.b)]
        growth = self.days.select((pl.col("a", "b") + 1.0).cum_prod() - 1.0)
        rows = [
            ComparedValue("run", self.a.run_id, self.b.run_id),
            ComparedValue("test RankIC", rank_ic(self.a.train.test), rank_ic(self.b.train.test)),
            *([ComparedValue("protocol", *(told or DASH for told in days))] if any(days) else []),
            *compare_figures(self.a.traded, self.b.traded),
        ]
        chart = charts.lines(
            {both[0]: growth["a"].to_list(), both[1]: growth["b"].to_list()},
            self.days["date"].cast(pl.String).to_list(),
            title="Net return on common days",
            unit="net return since the start, compounded, %",
            percent=True,
        )
        return [
            Section(title="Equity after costs, common days", chart=chart),
            Section(
                title="Figures",
                header=titles(columns),
                rows=cells(rows, columns),
                caption="Each over its own days; difference of the net Sharpe ratios on common days "
                f"{self.gap.figure.text(2)}.",
            ),
            Section(
                title="Settings that differ",
                text=() if self.differing else ("None.",),
                header=("key", *both) if self.differing else (),
                rows=cells(self.differing, columns),
            ),
        ]

    @cached_property
    def gap(self) -> SharpeGap:
        """Sharpe ratio of the first less the second on the common days."""
        return sharpe_difference(
            self.days["a"].to_numpy(),
            self.days["b"].to_numpy(),
            self.a.traded.sessions_per_year,
            lag=self.a.traded.horizon,
        )

    @cached_property
    def correlation(self) -> float:
        """Correlation of the daily net returns; NaN where one of them does not vary."""
        value = self.days.select(pl.corr("a", "b")).item()
        return math.nan if value is None else float(value)

    @cached_property
    def settings(self) -> tuple[SettingsTable, SettingsTable]:
        """Dotted key -> value of both."""
        return dict(flat(self.a.settings)), dict(flat(self.b.settings))

    @cached_property
    def differing(self) -> list[ComparedValue]:
        """Settings that the two do not share."""
        return compare_settings(*self.settings)
