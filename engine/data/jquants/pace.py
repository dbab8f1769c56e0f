"""No request above the plan's rate: evenly spaced, with a margin, across pages, retries and restarts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

PER_MINUTE = {"free": 5.0, "light": 60.0, "standard": 120.0, "premium": 500.0}
"""Requests a minute that each plan allows."""
OWN_PER_MINUTE = {"/fins/summary": 60.0}
"""Endpoints with a limit of their own, whatever the plan."""
_MARGIN = 1.05
"""Spacing over 60 s / limit: requests that arrive late do not crowd the next window."""


@dataclass(slots=True)
class Pace:
    """Spaces requests by ``60 * MARGIN / per_minute`` seconds.

    The first one waits as well: the process may follow another that was killed a moment ago.
    """

    per_minute: float
    clock: Callable[[], float] = time.monotonic
    """Seconds, never going back."""
    sleep: Callable[[float], None] = time.sleep
    _due: float = field(init=False)
    _own_due: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._due = self.clock() + self.interval

    @property
    def interval(self) -> float:
        """Seconds between two requests."""
        return 60.0 * _MARGIN / self.per_minute

    def wait(self, path: str) -> None:
        """Return when a request to this endpoint may go out."""
        due = max(self._due, self._own_due.get(path, self._due))
        while (left := due - self.clock()) > 0:
            self.sleep(left)
        sent = self.clock()
        self._due = sent + self.interval
        if path in OWN_PER_MINUTE:
            self._own_due[path] = sent + 60.0 * _MARGIN / OWN_PER_MINUTE[path]

    def hold(self, seconds: float) -> None:
        """No request at all before ``seconds`` from now."""
        self._due = max(self._due, self.clock() + seconds)
