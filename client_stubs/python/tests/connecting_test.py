"""A lost gateway is looked for between the tries of a call: the channel is watched meanwhile."""

from __future__ import annotations

import threading
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from aulm.gateway import Notices, v1
from aulm.gateway.backoff import Backoff
from aulm.gateway.connecting import Connecting, sleep_connecting
from aulm.gateway.frame_source import FrameSource

State = grpc.ChannelConnectivity
LONG = 3600.0


class FakeChannel:
    """Goes through these states as soon as it is watched."""

    def __init__(self, *states: State) -> None:
        self.watchers: list[Callable[[State], None]] = []
        self._states = states

    def subscribe(self, callback: Any) -> None:
        self.watchers.append(callback)
        for state in self._states:
            callback(state)

    def unsubscribe(self, callback: Any) -> None:
        self.watchers.remove(callback)


class OneFrame:
    """A call that brings one frame and then waits until it is cancelled."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[v1.SubscribeEventsResponse]:
        yield v1.SubscribeEventsResponse(heartbeat=v1.Heartbeat())
        self._cancelled.wait()

    def cancel(self) -> bool:
        self._cancelled.set()
        return True


class NobodyThereError(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "nobody there"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class Refused:
    """A call that meets nobody."""

    def __iter__(self) -> Iterator[v1.SubscribeEventsResponse]:
        raise NobodyThereError

    def cancel(self) -> bool:
        return True


class SleepTest(unittest.TestCase):
    def test_sleep_ends_once_the_channel_is_connected_again(self) -> None:
        channel = FakeChannel(State.TRANSIENT_FAILURE, State.CONNECTING, State.READY)
        sleep_connecting(channel, LONG)
        self.assertEqual(channel.watchers, [])


class FrameSourceTest(unittest.TestCase):
    def test_channel_is_watched_from_an_interruption_until_the_next_frame(self) -> None:
        channel = FakeChannel()
        calls = [Refused(), OneFrame()]
        watched: list[bool] = []
        source = FrameSource(
            lambda: calls.pop(0),
            connecting=Connecting(channel),
            is_closed=lambda: False,
            silence=LONG,
            backoff=Backoff(0.001, 0.001),
            notices=Notices(),
            on_interrupted=lambda: watched.append(bool(channel.watchers)),
        )
        while (frame := source.take(LONG)) is None:
            pass
        self.assertEqual(frame.WhichOneof("frame"), "heartbeat")
        self.assertEqual(watched, [True])
        self.assertEqual(channel.watchers, [])
        source.close()


if __name__ == "__main__":
    unittest.main()
