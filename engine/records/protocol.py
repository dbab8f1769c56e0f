"""The days of the protocol: settings are chosen on the first, confirmed on the second, the third stay sealed.

``runs/looks.jsonl`` holds one `CountedLook` a line. It is only ever added to: a run that is deleted was
looked at all the same.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

LOOKS = "looks.jsonl"
SpanName = Literal["development", "confirmation", "sealed"]


class CountedLook(Struct, frozen=True, kw_only=True):
    """Somebody saw what a set of scores, or a book made of it, is worth on these days."""

    run: str
    """Whose scores."""
    book: str = ""
    """Digest of the settings that were simulated; empty for the scores alone."""
    market: str
    first: str
    last: str
    """ISO dates of the first and the last day judged."""
    command: str = ""
    at: str = ""
    """UTC, ISO 8601."""


class DaySpan(Struct, frozen=True, kw_only=True):
    """The judged days that lie in one span of the protocol."""

    name: SpanName
    first: str
    last: str
    """ISO dates."""
    sessions: int


class JudgedDays(Struct, frozen=True, kw_only=True):
    """The days that a figure rests on, by span and in order of time."""

    market: str
    spans: tuple[DaySpan, ...]

    def looks(self, known: Iterable[CountedLook]) -> int:
        """How often anybody looked at the days beyond development; 0 where there are none among these.

        Scores count once, with the first book that was made of them; each further book counts again. A look
        that shares one day counts whole, and so does one from before the protocol was set.
        """
        kept = self._kept
        if not kept:
            return 0
        books: dict[str, set[str]] = {}
        for look in known:
            common = look.first <= kept[-1].last and look.last >= kept[0].first
            if look.market == self.market and common:
                books.setdefault(look.run, set()).update({look.book} - {""})
        return sum(max(1, len(tried)) for tried in books.values())

    def words(self, looks: int) -> str:
        """``development days``, ``confirmed once`` or ``looked at 7 times``, with the share of the days."""
        kept, every = (sum(s.sessions for s in spans) for spans in (self._kept, self.spans))
        if not kept:
            return "development days"
        told = "confirmed once" if looks < 2 else f"looked at {looks:,} times"
        return told if kept == every else f"{told} ({kept:,} of {every:,} days)"

    @property
    def _kept(self) -> tuple[DaySpan, ...]:
        return tuple(span for span in self.spans if span.name != "development")
