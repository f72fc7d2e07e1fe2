"""The tries of one send: which failures are tried again, when, and what became of the send when none is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import grpc

from .backoff import Backoff, spread
from .call_error import CallError, Outcome, failed_send_outcome

Response = TypeVar("Response")

_LEAST_BACKOFF = 0.2
_MOST_BACKOFF = 5.0
# The gateway's own word for a send that never left it although it was looked up in the ledger before.
_LOOKED_UP = "CONNECT_FAILED"


def send(
    attempt: Callable[[float], Response],
    request_id: str,
    timeout: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    sleep_connecting: Callable[[float], None] = time.sleep,
) -> Response:
    """Calls `attempt` with the seconds that are left, until it succeeds or must not be repeated. It raises CallError.

    Repeated is UNAVAILABLE where nothing was sent, or where nobody can know: the request id, the same each time, keeps
    the gateway from sending twice. Raises the last CallError, with the outcome of all tries together. The time after a
    try that met no gateway is spent in `sleep_connecting`. No try is made without time for it.
    """
    deadline = now() + timeout
    backoff = Backoff(_LEAST_BACKOFF, _MOST_BACKOFF)
    in_doubt = False
    error = CallError(code=grpc.StatusCode.DEADLINE_EXCEEDED, message="no time was left for the send: none was tried")
    error.outcome, error.request_id = Outcome.NOT_SENT, request_id
    while (left := deadline - now()) > 0:
        try:
            return attempt(left)
        except CallError as raised:
            error = raised
        told = failed_send_outcome(error)
        if error.domain == "aulm.io" or error.reason == _LOOKED_UP:
            in_doubt = False
        elif not error.from_gateway and told is Outcome.UNKNOWN:
            in_doubt = True
        wait = spread(error.retry_after.total_seconds()) if error.retry_after else backoff.next()
        error.outcome = Outcome.UNKNOWN if in_doubt else told
        error.request_id = error.request_id or request_id
        again = error.code is grpc.StatusCode.UNAVAILABLE and (not error.from_gateway or told is Outcome.NOT_SENT)
        if not again or now() + wait >= deadline:
            break
        (sleep if error.from_gateway else sleep_connecting)(wait)
    raise error
