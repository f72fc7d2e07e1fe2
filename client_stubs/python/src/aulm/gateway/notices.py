"""What a follower of events tells besides events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from . import v1
from .call_error import CallError


@dataclass(frozen=True, kw_only=True)
class Notices:
    """Callbacks, all optional, each quick: they are called on threads of the follower. What they raise ends it."""

    started: Callable[[v1.Started], None] | None = None
    """Connected: at the start and after each interruption."""
    heartbeat: Callable[[v1.Heartbeat], None] | None = None
    """Tells whether the follower has caught up and how far behind it is."""
    gap: Callable[[v1.Gap], None] | None = None
    """Events that can no longer be had; following goes on behind them."""
    interrupted: Callable[[CallError, timedelta], None] | None = None
    """The stream ended (a Drain has reason "DRAINING", silence has none); it is tried again after the delay."""
    not_saved: Callable[[Exception], None] | None = None
    """The gateway could not take an acknowledgement; it is tried again. (A cursor store that fails ends it all.)"""
    handler_failed: Callable[[Exception, v1.Delivery], None] | None = None
    """Of a SharedConsumer: what a handler raised, whose delivery is tried again. None: it is logged."""
