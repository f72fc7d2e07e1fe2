"""How far a consumer has come: what it received, what it handled, and what it saved of that.

Events may be handled in another order than they came; the position stands before the oldest one that is not handled.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from .call_error import may_pass
from .cursor_store import CursorStore


class Entry:
    """One place on the way, passed once it is done."""

    __slots__ = ("cursor", "done")

    def __init__(self, cursor: bytes, done: bool) -> None:
        """Where the position stands once this is the last that is done."""
        self.cursor = cursor
        self.done = done


class Position:
    """Thread-safe. Saves at most once an interval.

    Whoever calls `done`, `save_if_due` or `save` may block on the store, and is raised what it raises, save what may
    pass: a gateway that is away. That is told of, and tried again later.
    """

    def __init__(
        self, store: CursorStore | None, save_interval: float, not_saved: Callable[[Exception], None] | None
    ) -> None:
        """Without a store nothing is saved. An interval of 0 saves after each event."""
        self._store = store
        self._save_interval = save_interval
        self._not_saved = not_saved
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()  # from the oldest that is not done
        self._unsaved: deque[bytes] = deque()  # cursors behind `saved`, up to `handled`
        self._last = b""  # what came last
        self._handled = b""
        self._saving = threading.Lock()  # held while the store is called
        self._saved = b""
        self._saved_at = time.monotonic()

    def load(self) -> bytes:
        """Takes the position from the store, and returns it: empty when there is none. Raises what the store raises."""
        if self._store is None:
            return b""
        with self._saving:
            self._saved = self._store.load()
        with self._lock:
            self._handled = self._saved
        return self._saved

    @property
    def handled(self) -> bytes:
        """Everything up to this cursor was handled; empty before anything is known."""
        with self._lock:
            return self._handled

    def not_saved_yet(self) -> set[bytes]:
        """What was received and is not known to be saved: where the store says where to go on, this may come again."""
        with self._lock:
            return {*self._unsaved, *(entry.cursor for entry in self._entries)}

    def add(self, cursor: bytes) -> Entry:
        """An event was received."""
        with self._lock:
            entry = Entry(cursor, done=False)
            self._last = cursor
            self._entries.append(entry)
            return entry

    def move_to(self, cursor: bytes) -> None:
        """Nothing is left to handle between what was added last and this cursor."""
        with self._lock:
            if not cursor or cursor == self._last:
                return
            self._last = cursor
            self._entries.append(Entry(cursor, done=True))
            self._advance()

    def done(self, entry: Entry) -> None:
        """The event was handled."""
        with self._lock:
            entry.done = True
            self._advance()
        self.save_if_due()

    def save_if_due(self) -> None:
        """Saves when something is to be saved and the interval has passed."""
        if time.monotonic() - self._saved_at >= self._save_interval:
            self.save()

    def save(self) -> None:
        """Saves now."""
        if self._store is None:
            return
        with self._saving:
            cursor = self.handled
            if not cursor or cursor == self._saved:
                return
            self._saved_at = time.monotonic()  # also after a failure: it is not tried again at once
            try:
                self._store.save(cursor)
            except Exception as error:
                if not may_pass(error):
                    raise
                if self._not_saved is not None:
                    self._not_saved(error)
                return
            self._saved = cursor
            with self._lock:
                self._forget_up_to(cursor)

    def _advance(self) -> None:
        while self._entries and self._entries[0].done:
            self._handled = self._entries.popleft().cursor
            if self._store is not None:
                self._unsaved.append(self._handled)

    def _forget_up_to(self, saved: bytes) -> None:
        while self._unsaved:
            cursor = self._unsaved.popleft()
            if cursor == saved:
                return
