"""One consumer of a durable subscription in mode SHARED: handles deliveries, settles each, keeps the long ones."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from . import v1
from .backoff import Backoff
from .call_error import wrong_mode
from .connecting import Connecting
from .conversation_pool import ConversationPool, conversation
from .frame_source import FrameSource, longest_silence
from .frame_stream import FrameCall
from .notices import Notices
from .settler import Settler

_log = logging.getLogger("aulm.gateway")

_PATIENCE = 1.0
_USUAL_ACK_DEADLINE = 30.0
_SETTLES = (
    v1.SETTLEMENT_ACTION_ACK,
    v1.SETTLEMENT_ACTION_RETRY,
    v1.SETTLEMENT_ACTION_PARK,
    v1.SETTLEMENT_ACTION_SKIP,
)
# Of one stream: the contract allows no more outstanding.
_MOST_WAITING_DELIVERIES = 10_000

Handler = Callable[[v1.Delivery], v1.Settlement | None]
"""What becomes of a delivery: None for ACK, or a Settlement with action and delay (its token is filled in)."""


class SharedConsumer:
    """Made by Client.consume. `run` it on one thread, `stop` it from any. One use."""

    def __init__(
        self,
        subscribe: Callable[[v1.SubscribeEventsRequest], FrameCall],
        acknowledge: Callable[[v1.AcknowledgeEventsRequest], v1.AcknowledgeEventsResponse],
        get_subscription: Callable[[], v1.Subscription],
        request: v1.SubscribeEventsRequest,
        *,
        connecting: Connecting,
        is_closed: Callable[[], bool],
        longest_handling: float,
        backoff: Backoff,
        notices: Notices,
    ) -> None:
        """See Client.consume."""
        self._get_subscription = get_subscription
        self._longest_handling = longest_handling
        self._notices = notices
        self._settler = Settler(acknowledge, request.subscription, notices)
        self._lock = threading.Lock()
        self._in_hand: dict[bytes, float] = {}  # tokens that are not settled, and when they came
        self._source = FrameSource(
            lambda: subscribe(request),
            connecting=connecting,
            is_closed=is_closed,
            silence=longest_silence(request),
            backoff=backoff,
            notices=notices,
            on_interrupted=lambda: None,
        )

    def stop(self) -> None:
        """Ends `run` once the handlers that run have ended and are settled. Any thread; does not wait."""
        self._source.stop()

    def run(self, handler: Handler, *, concurrency: int = 1) -> None:
        """Calls the handler for each delivery, on up to `concurrency` threads, in order within a conversation.

        A handler that raises has its delivery tried again (RETRY), which is logged, or told as a notice. Deliveries in
        hand are extended until their handler ends. Raises CallError for what trying again cannot mend, such as a
        subscription in mode CURSOR, TypeError or ValueError for what a handler returned that settles nothing, and what
        is no Exception (SystemExit) as the handler raised it.
        """
        deadline = self._ask_ack_deadline()
        if deadline is None:
            return

        def handle(delivery: v1.Delivery) -> None:
            try:
                self._handle(handler, delivery)
            except BaseException:
                self._source.stop()  # wakes the loop below: no handler would see what it takes
                raise

        pool = ConversationPool(handle, concurrency, _MOST_WAITING_DELIVERIES)
        extending = threading.Thread(target=self._extend, args=(deadline,), name="aulm-gateway-extend", daemon=True)
        extending.start()
        self._settler.start()
        try:
            while not self._source.stopped:
                frame = self._source.take(_PATIENCE)
                if frame is None:
                    continue
                for delivery in frame.event_batch.deliveries:
                    with self._lock:
                        self._in_hand[delivery.ack_token] = time.monotonic()
                    pool.submit(conversation(delivery.event), delivery)
        finally:
            self._source.stop()
            for delivery in pool.close():  # handed back at once, rather than when their time is up
                self._settle(delivery, v1.Settlement(action=v1.SETTLEMENT_ACTION_RETRY))
            pool.join()
            self._settler.finish()
            self._source.close()
        if pool.failure is not None:
            raise pool.failure

    def _ask_ack_deadline(self) -> float | None:
        """None when stopped before it could be had."""
        subscription = self._source.ask(self._get_subscription)
        if subscription is None:
            return None
        if subscription.mode == v1.SUBSCRIPTION_MODE_CURSOR:
            raise wrong_mode(subscription.name, "CURSOR", "Client.subscribe with a request that names it")
        return subscription.ack_deadline.ToTimedelta().total_seconds() or _USUAL_ACK_DEADLINE

    def _handle(self, handler: Handler, delivery: v1.Delivery) -> None:
        try:
            settlement = handler(delivery)
        except Exception as error:
            if self._notices.handler_failed:
                self._notices.handler_failed(error, delivery)
            else:
                _log.exception("the handler of an event failed; it is delivered again (attempt %d)", delivery.attempt)
            settlement = v1.Settlement(action=v1.SETTLEMENT_ACTION_RETRY)
        if settlement is None:
            settlement = v1.Settlement(action=v1.SETTLEMENT_ACTION_ACK)
        if not isinstance(settlement, v1.Settlement):
            raise TypeError(
                f"the handler returned {type(settlement).__name__}: return None for ACK, or a v1.Settlement"
            )
        if settlement.action not in _SETTLES:
            name = v1.SettlementAction.Name(settlement.action)
            raise ValueError(f"the handler returned a Settlement of {name}: its action is ACK, RETRY, PARK or SKIP")
        self._settle(delivery, settlement)

    def _settle(self, delivery: v1.Delivery, settlement: v1.Settlement) -> None:
        with self._lock:
            self._in_hand.pop(delivery.ack_token, None)
        filled = v1.Settlement()
        filled.CopyFrom(settlement)
        filled.ack_token = delivery.ack_token
        self._settler.add(filled)

    def _extend(self, deadline: float) -> None:
        """Extends what is in hand, three times a deadline, until stopped and settled."""
        while not self._settler.wait_finished(deadline / 3):
            oldest = time.monotonic() - self._longest_handling
            with self._lock:
                for token, since in self._in_hand.items():
                    if since > oldest:  # added under the lock, and so before the settlement of the delivery
                        self._settler.add(v1.Settlement(ack_token=token, action=v1.SETTLEMENT_ACTION_EXTEND))
