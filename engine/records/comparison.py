"""Comparisons: ``compare/<kind>-<digest>.json``, with the daily series in the parquet file beside it.

Sizes and ablations are variants of one configuration against a reference, runs are compared in pairs, and
permutations are trainings on permuted labels. The name of a file begins with its kind.
"""

import math
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.records.figure import Figure
from engine.records.protocol import JudgedDays
from engine.records.rank_ic import MeanFigure, PairedDifference

Direction = Literal["better", "worse", "undecided"]
FOLDER = "compare"
VARIANTS: tuple[str, ...] = ("sizes", "ablations")
"""Kinds of a `VariantComparison`."""
PERMUTATIONS, RUNS = "permutations", "runs"
_LIMIT = 2.0
"""Standard errors within which the mean RankIC of permuted trainings has to lie."""


class RankICLevel(Struct, frozen=True, kw_only=True):
    """RankIC of the mean of the seeds' scores, and of each seed alone."""

    rank_ic: float
    rank_ic_se: float = math.nan
    """Newey-West standard error."""
    n_dates: int = 0
    by_seed: tuple[float, ...] = ()
    seed_deviation: float = math.nan
    """Standard deviation over seeds; NaN with fewer than two."""

    @property
    def figure(self) -> Figure:
        """RankIC with its error and its days; no null band is drawn."""
        return Figure(self.rank_ic, self.rank_ic_se, n=self.n_dates)

    @property
    def line(self) -> str:
        """``+0.0205 ± 0.0042 (n=252) seeds ±0.0031``."""
        told = self.figure.text()
        known = not math.isnan(self.seed_deviation) and not math.isnan(self.rank_ic)
        return f"{told} seeds ±{self.seed_deviation:.4f}" if known else told


class RankICGap(PairedDifference, frozen=True, kw_only=True):
    """Mean daily RankIC of one less that of another on common days, and the same of each common seed."""

    by_seed: tuple[float, ...] = ()
    seed_deviation: float = math.nan
    direction: Direction = "undecided"
    """Decided where the whole interval and every seed lie on one side of 0."""

    @property
    def line(self) -> str:
        """``+0.0031 [+0.0008, +0.0054]``."""
        return f"{self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


class VariantResult(Struct, frozen=True, kw_only=True):
    """One variant of a comparison."""

    name: str
    changes: dict[str, object] = {}
    """Dotted key of the configuration -> value."""
    runs: dict[str, str] = {}
    """Seed -> id of its run."""
    errors: tuple[str, ...] = ()
    parameters: int | None = None
    """Weights of the network; None where nothing was trained."""
    seconds: float = math.nan
    """Mean over the runs."""
    validation: RankICLevel | None = None
    test: RankICLevel | None = None
    difference: dict[str, RankICGap | None] = {}
    """Split -> the variant less the reference; empty for the reference itself."""
    verdict: str = "reference"

    @property
    def gap(self) -> RankICGap | None:
        """Against the reference on the test days."""
        return self.difference.get("test")


class VariantComparison(Struct, frozen=True, kw_only=True):
    """Sizes or ablations: variants of one configuration against the first of them."""

    id: str
    kind: str
    reference: str
    judged_days: JudgedDays | None = None
    """The test days by the spans of the protocol; None without one."""
    score_horizon: int
    confidence: float
    """Share of each interval, a fraction."""
    bootstrap_draws: int = 0
    data_fingerprint: str = ""
    """Fingerprint of the feature set; the report tells comparisons of its own run's."""
    source: str = ""
    seeds: int = 0
    """Most runs of a variant that came to their end."""
    variants: tuple[VariantResult, ...]
    run_id: str = ""


class ComparedRun(Struct, frozen=True, kw_only=True):
    """A run and its RankIC on its test days."""

    run_id: str
    test: RankICLevel | None = None


class RunPair(RankICGap, frozen=True, kw_only=True):
    """The first run less the second."""

    first: str
    second: str
    beyond: MeanFigure | None = None
    """RankIC of what the first one's scores say beyond the second's; None in older files."""
    beyond_first: MeanFigure | None = None
    """The same of the second beyond the first."""


class RunComparison(Struct, frozen=True, kw_only=True):
    """Runs against each other, two and two, on the test days that both have scored."""

    id: str = ""
    kind: str = RUNS
    judged_days: JudgedDays | None = None
    """The test days by the spans of the protocol; None without one."""
    score_horizon: int
    confidence: float
    bootstrap_draws: int = 0
    data_fingerprint: str = ""
    source: str = ""
    runs: tuple[ComparedRun, ...] = ()
    pairs: tuple[RunPair, ...]


class PermutedRun(Struct, frozen=True, kw_only=True):
    """One training on permuted labels, judged on test days with their own labels."""

    seed: int
    run_id: str
    rank_ic: float
    rank_ic_se: float


class PermutationTest(Struct, frozen=True, kw_only=True):
    """RankIC of networks that were trained on permuted labels, with both sources of its error."""

    rank_ic: float = math.nan
    """Mean over permutations and days."""
    spread: float = math.nan
    """Standard deviation over permutations, divisor K - 1."""
    se_permutations: float = math.nan
    """spread / sqrt(K): another set of permutations would give other networks."""
    se_days: float = math.nan
    """Newey-West, of the daily mean over permutations: other days would rank the same networks otherwise."""
    se: float = math.nan
    """Root of the sum of both squares. What is noise of a day and of one network alone counts in both, so
    it is rather too large than too small."""
    n_permutations: int = 0
    n_dates: int = 0
    ratio: float = math.nan
    """rank_ic / se."""

    @property
    def verdict(self) -> Literal["within", "outside", "undecided"]:
        """``within`` = no better and no worse than chance; ``undecided`` where the ratio is NaN."""
        if not math.isfinite(self.ratio):
            return "undecided"
        return "within" if abs(self.ratio) <= _LIMIT else "outside"


class PermutationComparison(Struct, frozen=True, kw_only=True):
    """Trainings on permuted labels: is what they find as good as chance?"""

    id: str
    kind: str = PERMUTATIONS
    judged_days: JudgedDays | None = None
    """The test days by the spans of the protocol; None without one."""
    score_horizon: int
    data_fingerprint: str = ""
    source: str = ""
    permutations: tuple[PermutedRun, ...]
    errors: tuple[str, ...] = ()
    test: PermutationTest
    limit: float = _LIMIT
    verdict: str
    """That of the test."""
    run_id: str = ""


def comparison_files(workspace: Path, *kinds: str) -> list[Path]:
    """The files of these kinds, the newest first."""
    found = []
    for kind in kinds:
        for path in (workspace / FOLDER).glob(f"{kind}-*.json"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                found.append((-path.stat().st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(found)]
