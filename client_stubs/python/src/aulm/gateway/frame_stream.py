"""One SubscribeEvents call whose frames one thread takes in turn, with a limit on how long it waits for each."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import grpc

from . import v1
from .call_error import CallError, call_error


class FrameCall(Protocol):
    """A SubscribeEvents call that was started, as grpc returns it."""

    def __iter__(self) -> Iterator[v1.SubscribeEventsResponse]:
        """Raises grpc.RpcError at its end."""
        ...

    def cancel(self) -> bool:
        """Ends it soon."""
        ...


# One that waits and one that arrives, beside the one that is taken apart: enough to keep the connection busy.
_MOST_WAITING_FRAMES = 2


class FrameStream:
    """Reads a few frames ahead on a thread of its own and then no more: a slow taker holds the gateway back."""

    def __init__(self, call: FrameCall) -> None:
        """Takes over a call that was started."""
        self._call = call
        self._changed = threading.Condition()
        self._frames: deque[v1.SubscribeEventsResponse] = deque()
        self._waiting_since: float | None = None  # the taker, for a frame; None while it is busy with one
        self._end: CallError | None = None
        self._failure: Exception | None = None  # none of a call's
        self._woken = False
        threading.Thread(target=self._read, name="aulm-gateway-frames", daemon=True).start()

    def take(self, patience: float) -> v1.SubscribeEventsResponse | None:
        """The next frame; None after `patience` seconds, or once the stream has ended and every frame was taken.

        Raises what ended the stream where that is none of gRPC's errors.
        """
        with self._changed:
            if self._waiting_since is None:
                self._waiting_since = time.monotonic()
            self._changed.wait_for(lambda: self._frames or self._end or self._woken, max(patience, 0))
            if not self._frames and self._failure is not None and not self._woken:
                raise self._failure
            if not self._frames or self._woken:
                return None
            self._waiting_since = None
            self._changed.notify_all()
            return self._frames.popleft()

    @property
    def end(self) -> CallError | None:
        """How the call ended; None while it runs or frames wait to be taken."""
        with self._changed:
            return None if self._frames else self._end

    @property
    def silence(self) -> float:
        """For how many seconds the taker has waited for a frame in vain."""
        with self._changed:
            return 0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    def wake(self) -> None:
        """Ends a `take` that waits, and any further one, at once; the call goes on. Any thread, any time, and again."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Ends the call soon, besides."""
        self.wake()
        self._call.cancel()

    def _read(self) -> None:
        end = CallError(code=grpc.StatusCode.UNAVAILABLE, message="the stream ended")
        failure: Exception | None = None
        try:
            for frame in self._call:
                with self._changed:
                    self._frames.append(frame)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: len(self._frames) < _MOST_WAITING_FRAMES or self._woken)
                    if self._woken:
                        break
        except grpc.RpcError as error:
            end = call_error(error)
        except CallError as error:  # of a call that was not made
            end = error
        except Exception as error:
            failure = error
        with self._changed:
            self._end = end
            self._failure = failure
            self._changed.notify_all()
