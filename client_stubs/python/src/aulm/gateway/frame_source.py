"""The frames of SubscribeEvents over broken connections, drains, silence and restarts of the gateway."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import grpc

from . import v1
from .backoff import Backoff, spread
from .call_error import CallError, may_pass
from .connecting import Connecting
from .frame_stream import FrameCall, FrameStream
from .notices import Notices

_USUAL_HEARTBEAT = 20.0
_SILENT_HEARTBEATS = 3

# What another try with the same request cannot mend.
_FINAL = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


def longest_silence(request: v1.SubscribeEventsRequest) -> float:
    """After how many seconds without a frame a stream of this request is dead."""
    asked = request.heartbeat_interval.ToTimedelta().total_seconds()
    return _SILENT_HEARTBEATS * (asked if asked > 0 else _USUAL_HEARTBEAT)


class FrameSource:
    """Connects, and connects again. One thread takes; any thread may stop it."""

    def __init__(
        self,
        connect: Callable[[], FrameCall],
        *,
        connecting: Connecting,
        is_closed: Callable[[], bool],
        silence: float,
        backoff: Backoff,
        notices: Notices,
        on_interrupted: Callable[[], None],
    ) -> None:
        """`connect` starts a call from where things stand, on the channel that `connecting` is of.

        `on_interrupted` is called before each wait. No call can be made any more once `is_closed`.
        """
        self._connect = connect
        self._connecting = connecting
        self._is_closed = is_closed
        self._silence = silence
        self._backoff = backoff
        self._notices = notices
        self._on_interrupted = on_interrupted
        self._not_before = 0.0  # when to connect again
        self._progressed = False  # this stream sent more than Started and Drain
        self._drain: v1.Drain | None = None  # taken, and not yet obeyed
        self._lock = threading.Lock()
        self._stream: FrameStream | None = None
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """True once stop was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Makes `take` return None at once, for good. The stream stays until `close`, to settle what is in hand."""
        self._stopped.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.wake()

    def wait_stopped(self, timeout: float | None = None) -> bool:
        """Blocks until stop was called, or for that many seconds; True when it was."""
        return self._stopped.wait(timeout)

    def ask(self, get_subscription: Callable[[], v1.Subscription]) -> v1.Subscription | None:
        """What the gateway says of the subscription, asked for as long as it is away; None when stopped before."""
        while not self.stopped:
            try:
                return get_subscription()
            except CallError as error:
                if not may_pass(error):
                    raise
                wait = self._backoff.next()
                if self._notices.interrupted:
                    self._notices.interrupted(error, timedelta(seconds=wait))
                with self._connecting:
                    self._stopped.wait(wait)
        return None

    def take(self, patience: float) -> v1.SubscribeEventsResponse | None:
        """The next frame; None after `patience` seconds at most, so that the caller can see to other things.

        CallError when trying again cannot mend what happened.
        """
        try:
            return self._take(patience)
        except ValueError:  # grpc's, of a channel that is closed
            if not self._is_closed():
                raise
            raise CallError(code=grpc.StatusCode.CANCELLED, message="the client is closed") from None

    def _take(self, patience: float) -> v1.SubscribeEventsResponse | None:
        if self._drain is not None:
            self._obey(self._drain)
        stream = self._stream
        if stream is None:
            wait = self._not_before - time.monotonic()
            if wait > 0:
                self._stopped.wait(min(wait, patience))
                return None
            stream = self._open()
        frame = stream.take(min(self._silence - stream.silence, patience))
        if self.stopped:
            return None
        if frame is not None:
            self._note(frame)
            return frame
        if (end := stream.end) is not None:
            if end.code in _FINAL or self._is_closed():
                self.close()
                raise end
            self._interrupted(end, end.retry_after.total_seconds() if end.retry_after else 0)
        elif stream.silence >= self._silence:
            message = f"the gateway was silent for {self._silence:g} s"
            self._interrupted(CallError(code=grpc.StatusCode.UNAVAILABLE, message=message), 0)
        return None

    def close(self) -> None:
        """Leaves the stream."""
        self._connecting.end()
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    def _open(self) -> FrameStream:
        self._connecting.begin()  # until the stream's first frame
        stream = FrameStream(self._connect())
        self._progressed = False
        with self._lock:
            self._stream = stream
        if self.stopped:  # between the last look and now: stop has not seen this stream
            stream.wake()
        return stream

    def _note(self, frame: v1.SubscribeEventsResponse) -> None:
        self._connecting.end()
        kind = frame.WhichOneof("frame")
        if kind not in ("started", "drain"):
            self._progressed = True
        if kind == "started" and self._notices.started:
            self._notices.started(frame.started)
        elif kind == "heartbeat" and self._notices.heartbeat:
            self._notices.heartbeat(frame.heartbeat)
        elif kind == "gap" and self._notices.gap:
            self._notices.gap(frame.gap)
        elif kind == "drain":
            self._drain = frame.drain

    def _obey(self, drain: v1.Drain) -> None:
        self._drain = None
        error = CallError(code=grpc.StatusCode.UNAVAILABLE, reason="DRAINING", message=drain.reason)
        self._interrupted(error, drain.reconnect_after.ToTimedelta().total_seconds())

    def _interrupted(self, error: CallError, least_wait: float) -> None:
        """Leaves the stream, and has the next one wait: as told, and longer with each stream that came to nothing."""
        self.close()
        self._connecting.begin()
        if self._progressed:
            self._backoff.reset()
        asked_to_come_back = self._progressed and error.reason == "DRAINING"
        wait = spread(least_wait)
        if not asked_to_come_back:
            wait = max(wait, self._backoff.next())
        self._not_before = time.monotonic() + wait
        if self._notices.interrupted:
            self._notices.interrupted(error, timedelta(seconds=wait))
        self._on_interrupted()
