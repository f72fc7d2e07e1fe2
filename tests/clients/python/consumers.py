"""The consumers of one conformance case: each follows events on its own thread and records what its handlers do."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from aulm.gateway import CallError, Client, EventFollower, FileCursorStore, Notices, SharedConsumer, v1

from programs import LIMIT_S

_BACKOFF = {"least_backoff": timedelta(milliseconds=20), "most_backoff": timedelta(milliseconds=200)}


class HandlerFailedError(Exception):
    """What a handler raises that is told to fail."""


def event_name(event: v1.Event) -> str:
    """How the table calls an event."""
    match event.WhichOneof("payload"):
        case "inbound_message":
            return event.inbound_message.body
        case "message_status":
            return event.message_status.aulm_status
        case _:
            return event.event_name


@dataclass
class Handled:
    """A handler that has ended."""

    consumer: str
    event: str
    raw_body: str
    attempt: int


@dataclass
class Record:
    """What all consumers of a case did, in the order of time."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    events: dict[str, v1.Event] = field(default_factory=dict)
    handled: list[Handled] = field(default_factory=list)
    running: list[tuple[str, str]] = field(default_factory=list)

    def wait(self, what: str, look: Callable[[], bool], seen: Callable[[], object]) -> None:
        """Until `look` says so, under the lock; `seen` is for the message of a failure."""
        with self.changed:
            if not self.changed.wait_for(look, LIMIT_S):
                raise AssertionError(f"waited in vain for {what}; saw {seen()}")


class Consumer:
    """One `subscribe` step."""

    def __init__(
        self, client: Client, record: Record, step: Mapping[str, Any], request: v1.SubscribeEventsRequest, folder: Path
    ) -> None:
        self.name: str = step["as"]
        self._record = record
        self._hold = set(step.get("hold", ()))
        self._fail = set(step.get("fail", ()))
        self._settle = step.get("settle", {})
        self._shared = step.get("mode") == "SHARED"
        self._concurrency = step.get("concurrency", 1)
        self._tries: dict[str, int] = defaultdict(int)
        self.notices: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.ended = False
        self.error: BaseException | None = None
        notices = Notices(
            started=lambda _: self._note("started"),
            heartbeat=lambda h: self._note("heartbeat", caught_up=h.caught_up, lag_events=h.lag_events),
            gap=lambda _: self._note("gap"),
            interrupted=lambda e, _: self._note("interrupted", code=e.code.name, reason=e.reason),
        )
        self._follower: EventFollower | SharedConsumer
        if self._shared:
            self._follower = client.consume(
                request.subscription,
                max_outstanding_events=request.max_outstanding_events,
                heartbeat_interval=request.heartbeat_interval.ToTimedelta() or None,
                notices=notices,
                **_BACKOFF,
            )
        else:
            store = FileCursorStore(folder / step["cursor_store"]) if "cursor_store" in step else None
            self._follower = client.subscribe(
                request, cursor_store=store, save_interval=timedelta(0), notices=notices, **_BACKOFF
            )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._follower.stop()

    def join(self, limit: float) -> bool:
        self._thread.join(limit)
        return not self._thread.is_alive()

    def release(self, events: list[str]) -> None:
        with self._record.changed:
            self._hold -= set(events)
            self._record.changed.notify_all()

    def release_all(self) -> None:
        with self._record.changed:
            self._hold.clear()
            self._record.changed.notify_all()

    def _run(self) -> None:
        try:
            if isinstance(self._follower, SharedConsumer):
                self._follower.run(self._handle_delivery, concurrency=self._concurrency)
            else:
                self._follower.run(self._handle, concurrency=self._concurrency)
        except (CallError, HandlerFailedError) as error:
            self.error = error
        finally:
            with self._record.changed:
                self.ended = True
                self._record.changed.notify_all()

    def _note(self, kind: str, **values: Any) -> None:
        with self._record.changed:
            self.notices[kind].append(values)
            self._record.changed.notify_all()

    def _handle(self, event: v1.Event) -> None:
        name = event_name(event)
        self._hold_on(event)
        with self._record.changed:
            self._record.running.remove((self.name, name))
            if name not in self._fail:
                self._record.handled.append(Handled(self.name, name, event.raw_body.decode(), 0))
            self._record.changed.notify_all()
        if name in self._fail:
            raise HandlerFailedError(name)

    def _handle_delivery(self, delivery: v1.Delivery) -> v1.Settlement | None:
        name = event_name(delivery.event)
        self._hold_on(delivery.event)
        with self._record.changed:
            answers = self._settle.get(name, [])
            answer = answers[self._tries[name]] if self._tries[name] < len(answers) else "ACK"
            self._tries[name] += 1
            self._record.running.remove((self.name, name))
            self._record.handled.append(Handled(self.name, name, "", delivery.attempt))
            self._record.changed.notify_all()
        if answer == "FAIL":
            raise HandlerFailedError(name)
        return v1.Settlement(action=v1.SettlementAction.Value(f"SETTLEMENT_ACTION_{answer}"))

    def _hold_on(self, event: v1.Event) -> None:
        name = event_name(event)
        with self._record.changed:
            self._record.events[name] = event
            self._record.running.append((self.name, name))
            self._record.changed.notify_all()
            self._record.changed.wait_for(lambda: name not in self._hold)
