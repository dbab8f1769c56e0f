"""Takes alerts from the queue to their channels, in a thread of its own: a signal never waits for it."""

import datetime as dt
import threading
from collections.abc import Callable, Sequence

from engine.alerts.alert import DeliveryError
from engine.alerts.channels import Channel
from engine.alerts.outbox import LONGEST, Outbox, QueuedAlert
from engine.config import AlertConfig

_POLL_S = 0.5


class Courier:
    """Tries each queued alert until its channel takes it or its attempts are used up."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        config: AlertConfig,
        now: Callable[[], dt.datetime],
        told: Callable[[str], None],
    ) -> None:
        """``told`` hears of each delivery that failed for good."""
        self._outbox, self._config, self._now, self._told = outbox, config, now, told
        self._channels = {channel.name: channel for channel in channels}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver in a thread."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """End after the delivery under way; what is queued stays queued."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(patience_s)

    def is_alive(self) -> bool:
        """Whether the thread is at work; a bug in it ends it."""
        return self._thread is not None and self._thread.is_alive()

    def deliver(self) -> int:
        """Try everything that is due, once; how many attempts were made."""
        items = self._outbox.due(self._now())
        for item in items:
            if self._stop.is_set():
                break
            self._attempt(item)
        return len(items)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.deliver()
            self._stop.wait(_POLL_S)

    def _attempt(self, item: QueuedAlert) -> None:
        channel = self._channels.get(item.channel)
        try:
            if channel is None:
                raise DeliveryError(f"{item.channel}: no longer configured", final=True)
            channel.send(item.alert)
        except DeliveryError as problem:
            now = self._now()
            if problem.final or item.attempts + 1 >= self._config.attempts:
                self._outbox.failed(item, now, problem.message)
                self._told(f"alert {item.alert.title!r} was not delivered: {problem.message}")
            else:
                self._outbox.again(item, now + self._pause(item.attempts), problem.message)
            return
        self._outbox.delivered(item, self._now())

    def _pause(self, failures: int) -> dt.timedelta:
        seconds = self._config.backoff_seconds * 2.0 ** min(failures, 20)
        return min(dt.timedelta(seconds=seconds), LONGEST)
