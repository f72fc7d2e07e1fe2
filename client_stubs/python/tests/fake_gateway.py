"""A gateway that answers as a test says: one function a call, in turn, the last again and again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from aulm.gateway import Client, v1
from aulm.gateway.v1 import event_service_pb2_grpc, messaging_service_pb2_grpc, subscription_service_pb2_grpc

Stream = Callable[["FakeGateway", grpc.ServicerContext], Iterator[v1.SubscribeEventsResponse]]


class GatewayError(Exception):
    """What a call of the fake is to end with."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        domain: str = "aulm-gateway",
        outcome: str = "",
        retry_after: int = 0,
        **metadata: str,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.trailers: tuple[tuple[str, bytes], ...] = ()
        if not reason:
            return
        status = status_pb2.Status(code=code.value[0], message="made for a test")
        info = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata={"outcome": outcome, **metadata})
        details: list[Any] = [info]
        if retry_after:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.seconds = retry_after
            details.append(retry)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        self.trailers = (("grpc-status-details-bin", status.SerializeToString()),)


class FakeGateway(
    event_service_pb2_grpc.EventServiceServicer,
    messaging_service_pb2_grpc.MessagingServiceServicer,
    subscription_service_pb2_grpc.SubscriptionServiceServicer,
):
    def __init__(self) -> None:
        self.sends: list[GatewayError | None] = [None]
        self.streams: list[Stream] = []
        self.mode = v1.SUBSCRIPTION_MODE_SHARED
        self.finding: Callable[[], GatewayError | None] = lambda: None
        self.acknowledging: Callable[[], GatewayError | None] = lambda: None
        self.send_requests: list[v1.SendTextRequest] = []
        self.subscriptions: list[v1.SubscribeEventsRequest] = []
        self.authorizations: list[str] = []
        self.acknowledged: list[bytes] = []
        self.settled: queue.Queue[v1.Settlement] = queue.Queue()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        event_service_pb2_grpc.add_EventServiceServicer_to_server(self, self._server)
        messaging_service_pb2_grpc.add_MessagingServiceServicer_to_server(self, self._server)
        subscription_service_pb2_grpc.add_SubscriptionServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.target = f"127.0.0.1:{port}"
        self.client = Client(self.target, token=lambda: "secret")

    def close(self) -> None:
        self.client.close()  # which ends every stream
        self._server.stop(None).wait()

    def SendText(self, request: v1.SendTextRequest, context: Any) -> v1.SendTextResponse:
        self.send_requests.append(request)
        self.authorizations += [value for key, value in context.invocation_metadata() if key == "authorization"]
        self._raise(_take(self.sends), context)
        return v1.SendTextResponse(message=v1.SentMessage(request_id=request.request_id))

    def SubscribeEvents(self, request: v1.SubscribeEventsRequest, context: Any) -> Iterator[v1.SubscribeEventsResponse]:
        self.subscriptions.append(request)
        yield from _take(self.streams)(self, context)

    def AcknowledgeEvents(self, request: v1.AcknowledgeEventsRequest, context: Any) -> v1.AcknowledgeEventsResponse:
        self._raise(self.acknowledging(), context)
        self.acknowledged.append(request.up_to_cursor)
        for settlement in request.settlements:
            self.settled.put(settlement)
        return v1.AcknowledgeEventsResponse()

    def GetSubscription(self, request: v1.GetSubscriptionRequest, context: Any) -> v1.GetSubscriptionResponse:
        self._raise(self.finding(), context)
        response = v1.GetSubscriptionResponse()
        response.subscription.name = request.name
        response.subscription.mode = self.mode
        response.subscription.ack_deadline.FromMilliseconds(60)
        return response

    def await_settled(self, token: bytes, action: v1.SettlementAction.ValueType) -> None:
        while True:
            settlement = self.settled.get(timeout=20)
            if settlement.ack_token == token and settlement.action == action:
                return

    def wait_ended(self, context: Any) -> None:
        """Keeps a stream open."""
        ended = threading.Event()
        if context.add_callback(ended.set):
            ended.wait()

    @staticmethod
    def _raise(error: GatewayError | None, context: Any) -> None:
        if error is not None:
            context.set_trailing_metadata(error.trailers)
            context.abort(error.code, "made for a test")


def _take(items: list[Any]) -> Any:
    return items.pop(0) if len(items) > 1 else items[0]


def stream_of(*frames: v1.SubscribeEventsResponse) -> Stream:
    """A stream of these frames that then stays open."""

    def stream(gateway: FakeGateway, context: Any) -> Iterator[v1.SubscribeEventsResponse]:
        yield from frames
        gateway.wait_ended(context)

    return stream


def broken(*frames: v1.SubscribeEventsResponse, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> Stream:
    """A stream of these frames that then breaks."""

    def stream(gateway: FakeGateway, context: Any) -> Iterator[v1.SubscribeEventsResponse]:
        yield from frames
        context.abort(code, "broken")

    return stream


def event(cursor: str, peer: str = "a") -> v1.Event:
    return v1.Event(cursor=cursor.encode(), inbound_message=v1.InboundMessage(**{"from": peer}))


def started(head: str) -> v1.SubscribeEventsResponse:
    return v1.SubscribeEventsResponse(started=v1.Started(head_cursor=head.encode()))


def batch(resume: str, *events: v1.Event) -> v1.SubscribeEventsResponse:
    deliveries = [v1.Delivery(event=one) for one in events]
    return v1.SubscribeEventsResponse(event_batch=v1.EventBatch(deliveries=deliveries, resume_cursor=resume.encode()))


def shared(token: str, peer: str) -> v1.SubscribeEventsResponse:
    delivery = v1.Delivery(event=event(f"c-{token}", peer), ack_token=token.encode(), attempt=1)
    return v1.SubscribeEventsResponse(event_batch=v1.EventBatch(deliveries=[delivery]))


def drain(resume: str, after_ms: int) -> v1.SubscribeEventsResponse:
    frame = v1.SubscribeEventsResponse(drain=v1.Drain(reason="shutdown", resume_cursor=resume.encode()))
    frame.drain.reconnect_after.FromMilliseconds(after_ms)
    return frame
