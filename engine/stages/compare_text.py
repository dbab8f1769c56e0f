"""The tables that `compare` prints."""

from engine.records.comparison import (
    PermutationComparison,
    RankICGap,
    RankICLevel,
    RunComparison,
    VariantComparison,
)
from engine.records.figure import Figure
from engine.stages.text import table

ComparisonRecord = VariantComparison | RunComparison | PermutationComparison
_FOOT = "± Newey-West standard error of the seeds' mean score · [ ] stationary block bootstrap over days"


def comparison_text(found: ComparisonRecord) -> str:
    """The table of one comparison of any kind, with what it does not say."""
    match found:
        case VariantComparison():
            return "\n\n".join(_variants(found))
        case RunComparison():
            return "\n\n".join(_runs(found))
        case PermutationComparison():
            return "\n\n".join(_permutations(found))


def _variants(found: VariantComparison) -> list[str]:
    h, share = found.score_horizon, f"{found.confidence:.0%}"
    rows = [
        [
            row.name,
            "—" if row.parameters is None else f"{row.parameters:,}",
            _level(row.validation),
            _level(row.test),
            _gap(row.gap),
            "—" if row.seconds != row.seconds else f"{row.seconds:.0f}",
            row.verdict,
        ]
        for row in found.variants
    ]
    header = ["", "size", f"validation RankIC, h={h}", f"test RankIC, h={h}",
              f"less {found.reference}, test ({share})", "s/run", ""]  # fmt: skip
    decisions = len(found.variants) - 1
    return [
        f"comparison {found.id}: {found.seeds} seeds",
        table(rows, header=header),
        *(f"{row.name}: {words}" for row in found.variants for words in row.errors),
        f"Of {decisions} intervals of {share}, {(1.0 - found.confidence) * decisions:.1f} miss 0 by "
        "chance alone. A verdict also needs all seeds on the same side.",
        _FOOT,
    ]


def _runs(found: RunComparison) -> list[str]:
    rows = [[row.run_id, _level(row.test)] for row in found.runs]
    pairs = [[f"{pair.first} - {pair.second}", pair.line, pair.direction] for pair in found.pairs]
    share = f"{found.confidence:.0%}"
    return [
        table(rows, header=["run", f"test RankIC, h={found.score_horizon}"]),
        table(pairs, header=["difference on common days", f"{share} interval", ""]),
        _FOOT,
    ]


def _permutations(found: PermutationComparison) -> list[str]:
    test = found.test
    rows = [
        [f"permutation {row.seed}", Figure(row.rank_ic, row.rank_ic_se).text()]
        for row in found.permutations
    ]
    rows.append(["mean", Figure(test.rank_ic, test.se).text()])
    return [
        f"comparison {found.id}: trained on permuted labels, judged on true ones",
        table(rows, header=["", f"test RankIC, h={found.score_horizon}"]),
        *found.errors,
        f"{found.verdict} {found.limit:.0f} standard errors of 0 ({test.ratio:+.1f}): over "
        f"{test.n_permutations} permutations ±{test.se_permutations:.4f} (spread "
        f"{test.spread:.4f}), over {test.n_dates} days ±{test.se_days:.4f}",
    ]


def _level(level: RankICLevel | None) -> str:
    return "—" if level is None else level.line


def _gap(gap: RankICGap | None) -> str:
    return "—" if gap is None else gap.line
