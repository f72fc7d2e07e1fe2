"""Has a channel connect while nobody calls.

gRPC's core sees to a connection in the making only while a call or a watch waits on the channel, and otherwise every
five seconds: a lost gateway would be found again late, however soon it is back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import grpc

_OnState = Callable[[grpc.ChannelConnectivity], None]

_LONGEST_BEGINNING = 1.0  # of a watch, until grpc's thread runs


class Watchable(Protocol):
    """What is used of a grpc.Channel."""

    def subscribe(self, callback: _OnState) -> None:
        """Calls back with the state now, and with each further one."""
        ...

    def unsubscribe(self, callback: _OnState) -> None:
        """Ends that."""
        ...


class WatchedChannel:
    """A channel whose watches end before it does, since grpc's thread that watches fails on one that is closed.

    Does not ask grpc to connect: the call that failed did, and round_robin goes on with it. Thread-safe.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        """Closes it in the end."""
        self._channel = channel
        self._lock = threading.Lock()
        self._watches: dict[_OnState, _Watch] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """True once close was called: no further call can be made."""
        with self._lock:
            return self._closed

    def subscribe(self, callback: _OnState) -> None:
        """See Watchable. Of a channel that is closed it tells SHUTDOWN, and no more."""
        with self._lock:
            if not self._closed:
                self._watches[callback] = watch = _Watch(callback)
                self._channel.subscribe(watch)
                return
        callback(grpc.ChannelConnectivity.SHUTDOWN)

    def unsubscribe(self, callback: _OnState) -> None:
        """See Watchable."""
        with self._lock:
            watch = self._watches.pop(callback, None)
            if watch is not None:
                self._end(watch)

    def close(self) -> None:
        """Ends every watch, whose callbacks are told SHUTDOWN, and every call."""
        with self._lock:
            self._closed = True
            ended, self._watches = self._watches, {}
            for watch in ended.values():
                self._end(watch)
        for callback in ended:
            callback(grpc.ChannelConnectivity.SHUTDOWN)
        self._channel.close()

    def _end(self, watch: _Watch) -> None:
        watch.begun.wait(_LONGEST_BEGINNING)
        self._channel.unsubscribe(watch)


class _Watch:
    """Passes states on, and knows when grpc's thread has begun to watch: before that, the channel must not close."""

    def __init__(self, callback: _OnState) -> None:
        self._callback = callback
        self.begun = threading.Event()

    def __call__(self, state: grpc.ChannelConnectivity) -> None:
        self.begun.set()
        self._callback(state)


class Connecting:
    """Watches a channel from `begin` to `end`; both may be called again. For one thread at a time."""

    def __init__(self, channel: Watchable) -> None:
        """Does nothing yet."""
        self._channel = channel
        self._watching = False

    def begin(self) -> None:
        """From now on the channel connects."""
        if not self._watching:
            self._watching = True
            self._channel.subscribe(self._changed)

    def end(self) -> None:
        """A call sees to that, or nobody needs it any more."""
        if self._watching:
            self._watching = False
            self._channel.unsubscribe(self._changed)

    def __enter__(self) -> Connecting:
        """Begins."""
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends."""
        self.end()

    def _changed(self, state: grpc.ChannelConnectivity) -> None:
        pass  # the watching is what counts


def sleep_connecting(channel: Watchable, seconds: float) -> None:
    """Sleeps, and has the channel connect meanwhile; less long where it comes to be connected, or is closed."""
    away = threading.Event()
    back = threading.Event()

    def changed(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.SHUTDOWN:
            back.set()
        elif state is not grpc.ChannelConnectivity.READY:
            away.set()
        elif away.is_set():
            back.set()

    channel.subscribe(changed)
    try:
        back.wait(seconds)
    finally:
        channel.unsubscribe(changed)
