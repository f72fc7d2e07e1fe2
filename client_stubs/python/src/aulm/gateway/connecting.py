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


class _Watchable(Protocol):
    """What is used of a grpc.Channel."""

    def subscribe(self, callback: _OnState, try_to_connect: bool = False) -> None:
        """Calls back with the state now, and with each further one."""
        ...

    def unsubscribe(self, callback: _OnState) -> None:
        """Ends that."""
        ...


class Connecting:
    """Watches a channel from `begin` to `end`; both may be called again. For one thread at a time."""

    def __init__(self, channel: _Watchable) -> None:
        """Does nothing yet."""
        self._channel = channel
        self._watching = False

    def begin(self) -> None:
        """From now on the channel connects."""
        if not self._watching:
            self._watching = True
            self._channel.subscribe(self._changed, try_to_connect=True)

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


def sleep_connecting(channel: _Watchable, seconds: float) -> None:
    """Sleeps, and has the channel connect meanwhile; less long where it comes to be connected."""
    away = threading.Event()
    back = threading.Event()

    def changed(state: grpc.ChannelConnectivity) -> None:
        if state is not grpc.ChannelConnectivity.READY:
            away.set()
        elif away.is_set():
            back.set()

    channel.subscribe(changed, try_to_connect=True)
    try:
        back.wait(seconds)
    finally:
        channel.unsubscribe(changed)
