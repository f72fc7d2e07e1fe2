"""How long to wait before each attempt after a failed one."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double up to a bound, jittered so that a gateway's clients do not come back all at once.

    In seconds. Not thread-safe.
    """

    def __init__(self, least: float, most: float) -> None:
        """No delay is longer than `least` at first, nor ever longer than `most`."""
        if not 0 < least <= most:
            raise ValueError(f"a backoff from {least} s to {most} s: give 0 < least <= most")
        self._least = least
        self._most = most
        self._next = least

    def next(self) -> float:
        """The next delay: between a half and the whole of a value that doubles each time."""
        whole = self._next
        self._next = min(whole * 2, self._most)
        return whole * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """An attempt came through: start over."""
        self._next = self._least


def spread(wait: float) -> float:
    """`wait` and up to a fifth more: for a wait that all clients of a gateway were told alike."""
    return wait * random.uniform(1.0, 1.2)
