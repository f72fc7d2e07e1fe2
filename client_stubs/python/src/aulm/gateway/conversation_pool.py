"""Runs handlers at the same time, and one after the other within a conversation."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from . import v1

Item = TypeVar("Item")
Conversation = tuple[str, str, str]


def conversation(event: v1.Event) -> Conversation:
    """The event's conversation: account, session and the other side, which is empty where there is none."""
    match event.WhichOneof("payload"):
        case "inbound_message":
            peer = event.inbound_message.__getattribute__("from")
        case "message_status":
            peer = event.message_status.to
        case _:
            peer = ""
    return event.account, event.session_id, str(peer)


class ConversationPool(Generic[Item]):
    """A bound on handlers that run, a bound on items that wait; the first failure ends it.

    Of the items whose conversation is in no handler, the oldest goes first: one thread keeps the order of the log.
    """

    def __init__(self, handle: Callable[[Item], None], concurrency: int, most_waiting: int) -> None:
        """`handle` runs on up to `concurrency` threads of the pool's own."""
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}: give at least 1")
        self._handle = handle
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        # Also empty: of a conversation that is in a handler.
        self._waiting: dict[Conversation, deque[tuple[int, Item]]] = {}
        # A heap of the conversations that have items waiting and none in a handler, by their oldest.
        self._ready: list[tuple[int, Conversation]] = []
        self._count = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"aulm-gateway-handler-{number}", daemon=True)
            for number in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def failure(self) -> BaseException | None:
        """What the first failed handler raised."""
        with self._changed:
            return self._failure

    def submit(self, key: Conversation, item: Item) -> bool:
        """Has the item handled after those of its conversation. Blocks while too many wait; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._count < self._most_waiting or self._closed)
            if self._closed:
                return False
            self._count += 1
            numbered = next(self._numbers), item
            queue = self._waiting.get(key)
            if queue is None:
                self._waiting[key] = deque([numbered])
                heapq.heappush(self._ready, (numbered[0], key))
            else:
                queue.append(numbered)
            self._changed.notify_all()
            return True

    def close(self) -> list[Item]:
        """Starts no further handler. Does not wait. Returns the items that no handler will see."""
        with self._changed:
            self._closed = True
            left = [item for queue in self._waiting.values() for _, item in queue]
            self._waiting.clear()
            self._ready.clear()
            self._count = 0
            self._changed.notify_all()
            return left

    def join(self) -> None:
        """Waits until the running handlers have ended. After close."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._closed)
                if self._closed:
                    return
                _, key = heapq.heappop(self._ready)
                _, item = self._waiting[key].popleft()
                self._count -= 1
                self._changed.notify_all()
            try:
                self._handle(item)
            except BaseException as failure:
                with self._changed:
                    self._failure = self._failure or failure
                self.close()
                return
            with self._changed:
                if self._closed:
                    return
                if self._waiting[key]:
                    heapq.heappush(self._ready, (self._waiting[key][0][0], key))
                    self._changed.notify_all()
                else:
                    del self._waiting[key]
