"""What the figures mean, a sentence or two each: for the report's links and the help of the screen."""

import re

GLOSSARY: dict[str, str] = {
    "RankIC": "Mean over days of the Spearman correlation of the day's scores and the returns that "
    "followed, with its Newey-West standard error. 0 is no order at all, 1 the right one.",
    "IC": "The same as RankIC with Pearson's correlation of the values.",
    "ICIR": "Mean of the daily RankIC over its deviation, not annualised.",
    "null band": "Where the figure would lie in 95 of 100 cases if scores were shuffled within each "
    "day. A value inside is marked ~ and dim: chance alone gives as much.",
    "oracle": "The best RankIC that can be had, known for the made-up market only.",
    "Sharpe": "Mean net return over its deviation, both annualised; net is after commission, spread, "
    "impact and borrow. The brackets hold its 95% bootstrap interval.",
    "deflated": "Probability that the true Sharpe ratio beats what luck alone gives after so many "
    "trials of variants.",
    "drawdown": "Equity below its highest value so far, as a share of that.",
    "Calmar": "Annual net return over the largest drawdown.",
    "Sortino": "Like the Sharpe ratio, with the deviation of the losses alone.",
    "turnover": "Traded value as a share of equity; buying and selling both count.",
    "cost drag": "What commission, spread, impact and borrow take from a year's return.",
    "CAGR": "Compound growth of the equity a year: the product of one plus each session's net return, "
    "to the power of sessions a year over sessions, less one.",
    "exposure": "Value of the positions as a share of equity: long, short, gross (their sum), long "
    "less short (their difference).",
    "beta": "How far the book moves when the market moves by 1.",
    "VaR": "The loss of a day that is exceeded in 5 of 100.",
    "breakeven": "Costs a trade, in basis points, at which the return before costs would be gone.",
    "decile": "A tenth of the day's names by score; the tenth has the highest.",
    "coverage": "Share of the universe that has a score on a day.",
    "transfer": "Correlation of what the scores ask for and what the limits leave of it.",
    "gate alpha": "Share of the network's own stream where it meets the stream of the graph; the "
    "graph's is one less alpha.",
    "graph's worth": "RankIC with the graph's edges less that without them, on the same weights.",
    "gradient": "Length of the gradient of a part of the network, as a power of ten: below -8 the "
    "part is starved.",
    "spread ratio": "Deviation of the scores over that of the labels: near 0 they have collapsed.",
    "PSI": "How far a distribution has moved from its reference: below 0.1 little, above 0.25 much.",
    "live RankIC": "RankIC of the sealed signals of the champion with the returns that came since.",
    "embargo": "Sessions left out between two splits, so that no label reaches from one into the next.",
    "fold": "One training with the test days that follow it; a walk-forward has many.",
    "look": "Scores or a book judged on some days; each is counted for ever.",
    "shadow ledger": "Sealed signals filled at the real prices that came later.",
}
"""Term -> what it is. No term without a figure that bears its name."""
_NAMES = sorted(GLOSSARY, key=len, reverse=True)
_TERM = re.compile(r"\b(" + "|".join(map(re.escape, _NAMES)) + r")s?\b", re.IGNORECASE)
_BY_NAME = {name.lower(): name for name in GLOSSARY}


def terms_in(text: str) -> tuple[str, ...]:
    """The terms that a text names, each once, in order; the longest where one holds another."""
    found = (_BY_NAME[match.lower()] for match in _TERM.findall(text))
    return tuple(dict.fromkeys(found))


def linked(html: str, anchor: str = "term-") -> str:
    """An escaped text with the first mention of each term as a link to its definition."""
    seen: set[str] = set()

    def link(match: re.Match[str]) -> str:
        name = _BY_NAME[match[1].lower()]
        if name in seen:
            return match[0]
        seen.add(name)
        return f'<a href="#{anchor}{anchor_of(name)}">{match[0]}</a>'

    return _TERM.sub(link, html)


def anchor_of(name: str) -> str:
    """A term as the name of a place in a page: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
