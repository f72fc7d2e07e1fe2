"""Sends settlements to the gateway: as many at once as wait, and again where the gateway was away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from . import v1
from .backoff import Backoff
from .call_error import CallError, may_pass
from .notices import Notices

_MOST_AT_ONCE = 1000
# How long a consumer that stops goes on trying to settle what its handlers have done.
_LAST_TRIES = 5.0


class Settler:
    """A thread of its own calls AcknowledgeEvents. A settlement that came too late is the gateway's to pass over."""

    def __init__(
        self,
        acknowledge: Callable[[v1.AcknowledgeEventsRequest], v1.AcknowledgeEventsResponse],
        subscription: str,
        notices: Notices,
    ) -> None:
        """`acknowledge` raises CallError."""
        self._acknowledge = acknowledge
        self._subscription = subscription
        self._notices = notices
        self._changed = threading.Condition()
        self._waiting: list[v1.Settlement] = []
        self._give_up_at: float | None = None
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._work, name="aulm-gateway-settle", daemon=True)

    def start(self) -> None:
        """Once."""
        self._thread.start()

    def add(self, settlement: v1.Settlement) -> None:
        """Does not block."""
        with self._changed:
            self._waiting.append(settlement)
            self._changed.notify_all()

    def finish(self) -> None:
        """Settles what waits, with a bound on the time, and ends the thread."""
        with self._changed:
            self._give_up_at = time.monotonic() + _LAST_TRIES
            self._changed.notify_all()
        self._thread.join()
        self._finished.set()

    def wait_finished(self, timeout: float) -> bool:
        """True once finish has returned."""
        return self._finished.wait(timeout)

    def _work(self) -> None:
        backoff = Backoff(0.1, 2.0)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._give_up_at is not None)
                if not self._waiting:
                    return
                batch = self._waiting[:_MOST_AT_ONCE]
                del self._waiting[:_MOST_AT_ONCE]
            try:
                request = v1.AcknowledgeEventsRequest(subscription=self._subscription, settlements=batch)
                self._acknowledge(request)
                backoff.reset()
            except CallError as error:
                if self._notices.not_saved:
                    self._notices.not_saved(error)
                if not may_pass(error):
                    continue
                with self._changed:
                    if self._give_up_at is not None and time.monotonic() > self._give_up_at:
                        return
                    self._waiting[:0] = batch
                    self._changed.wait_for(lambda: self._give_up_at is not None, backoff.next())
