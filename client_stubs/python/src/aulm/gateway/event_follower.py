"""Follows the gateway's events, each once and in order, over broken connections and restarts of the gateway."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

import grpc

from . import v1
from .backoff import Backoff
from .call_error import CallError, wrong_mode
from .connecting import Connecting
from .conversation_pool import ConversationPool, conversation
from .cursor_store import CursorStore
from .frame_source import FrameSource, longest_silence
from .frame_stream import FrameCall
from .notices import Notices
from .position import Entry, Position

# The longest that a look at the saving of the position is put off.
_PATIENCE = 1.0
_MOST_WAITING_EVENTS = 1000

_Received = tuple[Entry, v1.Event]


class EventFollower:
    """Made by Client.subscribe. Either iterate over it:

        with client.subscribe(cursor_store=FileCursorStore("position")) as events:
            for event in events:
                ...

    An event counts as handled when the next one is asked for, or when the `with` block is left without an exception. Or
    have handlers run at the same time with `run`. Any thread may `stop` it. One use each.

    CallError is raised for what trying again cannot mend: a bad request, CURSOR_EXPIRED, not allowed, not found. What
    the cursor store raises is raised here too.
    """

    def __init__(
        self,
        subscribe: Callable[[v1.SubscribeEventsRequest], FrameCall],
        get_subscription: Callable[[], v1.Subscription],
        request: v1.SubscribeEventsRequest,
        *,
        connecting: Connecting,
        is_closed: Callable[[], bool],
        cursor_store: CursorStore | None,
        save_interval: float,
        backoff: Backoff,
        notices: Notices,
    ) -> None:
        """See Client.subscribe. Does not connect: the first event asked for does."""
        self._subscribe = subscribe
        self._get_subscription = get_subscription
        self._request = v1.SubscribeEventsRequest()
        self._request.CopyFrom(request)
        self._patience = min(_PATIENCE, save_interval) if save_interval > 0 else _PATIENCE
        self._position = Position(cursor_store, save_interval, notices.not_saved)
        self._received = b""  # after everything that came: where a new stream starts
        self._waiting: deque[_Received] = deque()  # came in a frame, and not yet handed out
        self._repeats: set[bytes] = set()  # of a durable subscription: what this stream may send though we have it
        self._in_hand: Entry | None = None  # handed out by the iterator
        self._begun = False
        self._in_block = False  # of a with statement, whose end saves the position
        self._source = FrameSource(
            self._connect,
            connecting=connecting,
            is_closed=is_closed,
            silence=longest_silence(request),
            backoff=backoff,
            notices=notices,
            on_interrupted=self._position.save,
        )

    @property
    def cursor(self) -> bytes:
        """Stands after the last event up to which all are handled; empty before anything is known."""
        return self._position.handled

    def stop(self) -> None:
        """Ends the iteration, or `run` once the handlers that run have ended. Any thread; does not wait."""
        self._source.stop()

    def __enter__(self) -> EventFollower:
        """Nothing happens yet."""
        self._in_block = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops and saves the position; the event in hand counts as handled unless an exception leaves the block."""
        self._source.stop()
        self._source.close()
        if kind is None:
            self._handled_in_hand()
        self._save_last(error)

    def __iter__(self) -> Iterator[v1.Event]:
        """The events, without an end until stopped."""
        self._begin()
        try:
            while (received := self._handled_then_next()) is not None:
                self._in_hand = received[0]
                yield received[1]
        except Exception as error:
            self._save_last(error)
            raise
        except GeneratorExit:
            if not self._in_block:
                self._position.save()
            raise
        else:
            self._position.save()
        finally:
            self._source.close()

    def commit(self) -> None:
        """Says that the event in hand was handled, and saves the position now. On the iterating thread."""
        self._handled_in_hand()
        self._position.save()

    def run(self, handler: Callable[[v1.Event], None], *, concurrency: int = 1) -> None:
        """Calls the handler for each event, on up to `concurrency` threads, in order within a conversation.

        Returns after `stop`, once the handlers that run have ended. A handler that raises ends it likewise, and what it
        raised is raised here; its event was not handled and comes again with the same position.
        """
        self._begin()

        def handle(received: _Received) -> None:
            try:
                handler(received[1])
                self._position.done(received[0])
            except BaseException:
                self._source.stop()  # wakes the loop below
                raise

        pool = ConversationPool(handle, concurrency, _MOST_WAITING_EVENTS)
        watch = threading.Thread(target=self._close_with, args=(pool,), name="aulm-gateway-stop", daemon=True)
        watch.start()
        try:
            while (received := self._next()) is not None:
                pool.submit(conversation(received[1]), received)
        finally:
            self._source.stop()
            pool.close()
            pool.join()
            self._source.close()
        self._save_last(pool.failure)
        if pool.failure is not None:
            raise pool.failure

    def _save_last(self, failure: BaseException | None) -> None:
        """Saves the position at the end; where that fails beside `failure`, that one is told."""
        try:
            self._position.save()
        except Exception:
            if failure is None:
                raise

    def _close_with(self, pool: ConversationPool[_Received]) -> None:
        """Closes the pool as soon as a stop is asked for, also while `run` waits for room in it."""
        self._source.wait_stopped()
        pool.close()

    def _begin(self) -> None:
        if self._begun:
            raise RuntimeError("this follower was used before: ask the client for another")
        self._begun = True
        self._received = self._position.load()
        if self._request.subscription:
            self._check_mode()

    def _check_mode(self) -> None:
        """Before any stream: a delivery of a subscription in mode SHARED counts as an attempt."""
        try:
            subscription = self._source.ask(self._get_subscription)
        except CallError as error:
            if error.code is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return  # following needs no right to ask
        if subscription is not None and subscription.mode == v1.SUBSCRIPTION_MODE_SHARED:
            raise self._shared()

    def _handled_in_hand(self) -> None:
        entry, self._in_hand = self._in_hand, None
        if entry is not None:
            self._position.done(entry)

    def _handled_then_next(self) -> _Received | None:
        self._handled_in_hand()
        return self._next()

    def _next(self) -> _Received | None:
        """The next event; None once stopped."""
        while not self._source.stopped:
            if self._waiting:
                return self._waiting.popleft()
            frame = self._source.take(self._patience)
            self._position.save_if_due()
            if frame is not None:
                self._accept(frame)
        return None

    def _connect(self) -> FrameCall:
        request = v1.SubscribeEventsRequest()
        request.CopyFrom(self._request)
        if request.subscription:
            self._repeats = self._position.not_saved_yet()
        elif self._received:
            request.after_cursor = self._received
        return self._subscribe(request)

    def _accept(self, frame: v1.SubscribeEventsResponse) -> None:
        match frame.WhichOneof("frame"):
            case "started":
                # Done: the consumer that ends this one by a takeover is not to be ended in turn.
                self._request.take_over = False
                # Held on to, or an interruption before the first event would start at a newer "latest".
                if not self._received and self._starts_at_latest():
                    self._move_to(frame.started.head_cursor)
            case "event_batch":
                for delivery in frame.event_batch.deliveries:
                    if delivery.ack_token:
                        raise self._shared()
                    if delivery.event.cursor in self._repeats:
                        continue
                    self._repeats = set()  # the log's order: none comes after an event that is new
                    entry = self._position.add(delivery.event.cursor)
                    self._waiting.append((entry, delivery.event))
                self._move_to(frame.event_batch.resume_cursor)
            case "heartbeat":
                self._move_to(frame.heartbeat.resume_cursor)
            case "gap":
                self._move_to(frame.gap.to_cursor)
            case "drain":
                self._move_to(frame.drain.resume_cursor)

    def _shared(self) -> CallError:
        return wrong_mode(self._request.subscription, "SHARED", "Client.consume")

    def _move_to(self, cursor: bytes) -> None:
        if cursor:
            self._received = cursor
            self._position.move_to(cursor)

    def _starts_at_latest(self) -> bool:
        if self._request.subscription:
            return False
        match self._request.WhichOneof("start"):
            case None:
                return True
            case "position":
                return self._request.position != v1.START_POSITION_EARLIEST
            case _:
                return False
