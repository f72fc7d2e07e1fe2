"""The client: sends, reads and subscriptions on one channel."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

import grpc

from . import v1
from .backoff import Backoff
from .call_error import CallError, Outcome, call_error, not_made
from .channel import MAX_MESSAGE_BYTES, TlsOptions, Token, open_channel
from .connecting import Connecting, WatchedChannel, sleep_connecting
from .cursor_store import CursorStore
from .event_follower import EventFollower
from .notices import Notices
from .sending import send
from .shared_consumer import SharedConsumer
from .v1.event_service_pb2_grpc import EventServiceStub
from .v1.messaging_service_pb2_grpc import MessagingServiceStub
from .v1.quota_service_pb2_grpc import QuotaServiceStub
from .v1.session_service_pb2_grpc import SessionServiceStub
from .v1.subscription_service_pb2_grpc import SubscriptionServiceStub

Response = TypeVar("Response")

SEND_TIMEOUT = timedelta(seconds=30)
READ_TIMEOUT = timedelta(seconds=10)
_LEAST_BACKOFF = timedelta(milliseconds=200)
_MOST_BACKOFF = timedelta(seconds=10)
_SAVE_INTERVAL = timedelta(seconds=1)
_LONGEST_HANDLING = timedelta(hours=1)


class Client:
    """A connection to a gateway, to be shared by a process: thread-safe. Every method raises CallError.

    `messaging`, `sessions`, `events`, `quotas` and `subscriptions` are the generated stubs on the same channel, for
    calls that have no method here; they raise grpc.RpcError, which `call_error` decodes.
    """

    def __init__(
        self,
        target: str = "127.0.0.1:50051",
        *,
        tls: TlsOptions | None = None,
        token: Token | None = None,
        timeout: timedelta | None = None,
        keepalive: timedelta = timedelta(seconds=30),
        user_agent: str = "",
    ) -> None:
        """See open_channel. Does not connect: the first call does.

        `timeout` is for calls that give none of their own; None: 30 s for sends, 10 s for reads.
        """
        self.channel = open_channel(target, tls=tls, token=token, keepalive=keepalive, user_agent=user_agent)
        self._watched = WatchedChannel(self.channel)
        self._send_timeout = SEND_TIMEOUT if timeout is None else timeout
        self._read_timeout = READ_TIMEOUT if timeout is None else timeout
        self.messaging = MessagingServiceStub(self.channel)
        self.sessions = SessionServiceStub(self.channel)
        self.events = EventServiceStub(self.channel)
        self.quotas = QuotaServiceStub(self.channel)
        self.subscriptions = SubscriptionServiceStub(self.channel)

    def close(self) -> None:
        """Ends every call of this client, and its followers and consumers: they raise CANCELLED."""
        self._watched.close()

    def __enter__(self) -> Client:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def send_text(
        self,
        *,
        session_id: str,
        to: str,
        body: str,
        request_id: str = "",
        labels: Mapping[str, str] | None = None,
        timeout: timedelta | None = None,
    ) -> v1.SendTextResponse:
        """Sends a text from a WhatsApp session (UUID) to a phone number (E.164).

        Give every message a `request_id` of your own, stored with it: repeating a call with the same id never sends
        twice. One is made where it is empty, and told in the answer and in the error. What was not sent because
        something was unavailable is tried again within `timeout`; what has an unknown outcome is not.
        """
        request = v1.SendTextRequest(
            session_id=session_id, to=to, body=body, request_id=request_id or str(uuid.uuid4()), labels=labels
        )
        return self._send(self.messaging.SendText, request, timeout)

    def send_image(
        self,
        *,
        session_id: str,
        to: str,
        data: bytes = b"",
        mime_type: str = "",
        url: str = "",
        caption: str = "",
        request_id: str = "",
        labels: Mapping[str, str] | None = None,
        timeout: timedelta | None = None,
    ) -> v1.SendImageResponse:
        """Sends an image: the bytes of its file (`data`, at most 5 MiB), or a public https `url` that aulm fetches.

        `mime_type` is recognised from the bytes where it is empty. The rest is as in send_text.
        """
        if bool(data) == bool(url):
            raise ValueError("give the image as data or as url, and not both")
        request = v1.SendImageRequest(
            session_id=session_id, to=to, caption=caption, request_id=request_id or str(uuid.uuid4()), labels=labels
        )
        if url:
            request.image_url = url
        else:
            request.image_data.data = data
            request.image_data.mime_type = mime_type
        return self._send(self.messaging.SendImage, request, timeout)

    def get_message(
        self,
        *,
        request_id: str = "",
        session_id: str = "",
        message_id: str = "",
        timeout: timedelta | None = None,
    ) -> v1.GetMessageResponse:
        """What became of a send, by its request id, or by its session and message id."""
        request = v1.GetMessageRequest(request_id=request_id)
        if not request_id:
            request.message.session_id = session_id
            request.message.message_id = message_id
        return self._read(self.messaging.GetMessage, request, timeout)

    def session_status(self, session_id: str, *, timeout: timedelta | None = None) -> v1.Session:
        """Asks aulm for a session's state."""
        request = v1.GetSessionStatusRequest(session_id=session_id)
        return self._read(self.sessions.GetSessionStatus, request, timeout).session

    def quota(self, account: str = "", *, timeout: timedelta | None = None) -> v1.GetQuotaResponse:
        """The last quota that aulm told with an answer to a send; of the account `default` where none is named."""
        return self._read(self.quotas.GetQuota, v1.GetQuotaRequest(account=account), timeout)

    def read_events(
        self, request: v1.ReadEventsRequest | None = None, *, timeout: timedelta | None = None
    ) -> v1.ReadEventsResponse:
        """One bounded page of the log."""
        return self._read(self.events.ReadEvents, request or v1.ReadEventsRequest(), timeout)

    def subscribe(
        self,
        request: v1.SubscribeEventsRequest | None = None,
        *,
        cursor_store: CursorStore | None = None,
        save_interval: timedelta = _SAVE_INTERVAL,
        least_backoff: timedelta = _LEAST_BACKOFF,
        most_backoff: timedelta = _MOST_BACKOFF,
        notices: Notices | None = None,
    ) -> EventFollower:
        """Follows events: each once and in order, over broken connections and restarts of the gateway.

        `request` has the start, the filter, the heartbeat interval and the rest; its start holds until there is a
        position, from the store or from the gateway. With `request.subscription`, a durable subscription in mode
        CURSOR, the gateway keeps the position. It is saved once in `save_interval` at most; a process that dies
        repeats the events handled since. Between streams that came to nothing it waits from `least_backoff` up to
        `most_backoff`.
        """
        request = request or v1.SubscribeEventsRequest()
        durable = request.subscription
        if durable:
            if cursor_store is not None:
                raise ValueError(
                    "cursor_store: a durable subscription keeps its position in the gateway; give one of them"
                )
            cursor_store = _AcknowledgedPosition(self, durable)
        return EventFollower(
            self.events.SubscribeEvents,
            lambda: self._get_subscription(durable),
            request,
            connecting=Connecting(self._watched),
            is_closed=lambda: self._watched.closed,
            cursor_store=cursor_store,
            save_interval=save_interval.total_seconds(),
            backoff=Backoff(least_backoff.total_seconds(), most_backoff.total_seconds()),
            notices=notices or Notices(),
        )

    def consume(
        self,
        subscription: str,
        *,
        consumer_id: str = "",
        max_outstanding_events: int = 0,
        heartbeat_interval: timedelta | None = None,
        include_raw_body: bool = False,
        longest_handling: timedelta = _LONGEST_HANDLING,
        least_backoff: timedelta = _LEAST_BACKOFF,
        most_backoff: timedelta = _MOST_BACKOFF,
        notices: Notices | None = None,
    ) -> SharedConsumer:
        """One of the consumers of a durable subscription in mode SHARED.

        Make the subscription with `subscriptions.CreateSubscription`. At most `max_outstanding_events` (0: 100) are in
        hand at once; each is kept from the other consumers for as long as its handler runs, up to `longest_handling`.
        """
        request = v1.SubscribeEventsRequest(
            subscription=subscription,
            consumer_id=consumer_id,
            max_outstanding_events=max_outstanding_events,
            include_raw_body=include_raw_body,
        )
        if heartbeat_interval is not None:
            request.heartbeat_interval.FromTimedelta(heartbeat_interval)
        return SharedConsumer(
            self.events.SubscribeEvents,
            lambda acknowledgement: self._read(self.events.AcknowledgeEvents, acknowledgement, None),
            lambda: self._get_subscription(subscription),
            request,
            connecting=Connecting(self._watched),
            is_closed=lambda: self._watched.closed,
            longest_handling=longest_handling.total_seconds(),
            backoff=Backoff(least_backoff.total_seconds(), most_backoff.total_seconds()),
            notices=notices or Notices(),
        )

    def _get_subscription(self, name: str) -> v1.Subscription:
        return self._read(self.subscriptions.GetSubscription, v1.GetSubscriptionRequest(name=name), None).subscription

    def _send(self, method: Callable[..., Response], request: Any, timeout: timedelta | None) -> Response:
        seconds = (self._send_timeout if timeout is None else timeout).total_seconds()
        return send(
            lambda left: self._call(method, request, left),
            request.request_id,
            seconds,
            sleep_connecting=lambda wait: sleep_connecting(self._watched, wait),
        )

    def _read(self, method: Callable[..., Response], request: Any, timeout: timedelta | None) -> Response:
        seconds = (self._read_timeout if timeout is None else timeout).total_seconds()
        try:
            if seconds <= 0:
                raise not_made(grpc.StatusCode.DEADLINE_EXCEEDED, "no time was left for the call: it was not made")
            return self._call(method, request, seconds)
        except CallError as error:
            error.outcome = Outcome.NONE  # no send
            raise

    def _call(self, method: Callable[..., Response], request: Any, seconds: float) -> Response:
        """One try of a call: CallError, NOT_SENT where it is certain that nothing left."""
        if (size := request.ByteSize()) > MAX_MESSAGE_BYTES:
            message = f"the request has {size} bytes, the gateway takes {MAX_MESSAGE_BYTES}: an image may have 5 MiB"
            raise not_made(grpc.StatusCode.INVALID_ARGUMENT, message)
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            raise call_error(error) from None
        except ValueError:  # grpc's, of a channel that is closed
            if not self._watched.closed:
                raise
            raise not_made(grpc.StatusCode.CANCELLED, "the client is closed") from None

    def _acknowledge(self, subscription: str, cursor: bytes) -> None:
        request = v1.AcknowledgeEventsRequest(subscription=subscription, up_to_cursor=cursor)
        self._read(self.events.AcknowledgeEvents, request, None)


class _AcknowledgedPosition:
    """A cursor store that is the gateway's: of a durable subscription in mode CURSOR."""

    def __init__(self, client: Client, subscription: str) -> None:
        self._client = client
        self._subscription = subscription

    def load(self) -> bytes:
        return b""  # the gateway starts where it stands

    def save(self, cursor: bytes) -> None:
        self._client._acknowledge(self._subscription, cursor)
