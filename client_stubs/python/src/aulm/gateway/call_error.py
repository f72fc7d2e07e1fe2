"""A failed call as a value: everything that the gateway put into the status and its details, decoded once.

Every method of Client raises CallError. For stubs of one's own, `call_error(rpc_error)` makes one of what grpc raised.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from . import v1

_DETAILS_KEY = "grpc-status-details-bin"


class Outcome(Enum):
    """What became of a send that failed."""

    NONE = "none"
    """Not told: no send."""
    NOT_SENT = "not_sent"
    """aulm did not take the message: a repeat is safe."""
    UNKNOWN = "unknown"
    """Nobody can know: a repeat under another request id may send the message twice."""


@dataclass(frozen=True)
class Violation:
    """One complaint, as the standard details list them."""

    subject: str
    """The field ("to"), the precondition's subject ("session:…") or the quota's ("account:…")."""
    description: str
    """What is wrong and how it is mended."""


@dataclass(eq=False, kw_only=True)
class CallError(Exception):
    """A call that failed."""

    code: grpc.StatusCode
    message: str = ""
    """For developers, in English."""
    reason: str = ""
    """UPPER_SNAKE: aulm's error code or the gateway's own. Empty when the error came without details."""
    domain: str = ""
    """`aulm.io` or `aulm-gateway`: whose word the reason is."""
    outcome: Outcome = Outcome.NONE
    """Of a send: may it be repeated?"""
    retry_after: timedelta | None = None
    """Wait at least this long before a repeat."""
    quota: v1.RateLimit | None = None
    """The account's quota, where aulm told it."""
    request_id: str = ""
    """The send's request id: the caller's, or the one that was made for it. Empty on reads."""
    aulm_request_id: str = ""
    """aulm's x-request-id: quote it to aulm's support. Empty when aulm was not asked."""
    field_violations: list[Violation] = field(default_factory=list)
    """Which fields of the request are wrong."""
    precondition_violations: list[Violation] = field(default_factory=list)
    """What must be put right before the call can work."""
    quota_violations: list[Violation] = field(default_factory=list)
    """Which quota ran out."""
    resource_description: str = ""
    """What the error says of the session or subscription that it is about."""
    earliest_cursor: bytes = b""
    """With CURSOR_EXPIRED: where the log now starts, ready for `after_cursor`."""
    metadata: dict[str, str] = field(default_factory=dict)
    """ErrorInfo's metadata, whole."""

    def __str__(self) -> str:
        """Code, reason and message in one line."""
        name = f"{self.code.name} {self.reason}".rstrip()
        return f"{name}: {self.message}" if self.message else name

    @property
    def from_gateway(self) -> bool:
        """True when the gateway itself answered, and not a broken connection or a proxy."""
        return bool(self.reason)


def call_error(error: grpc.RpcError) -> CallError:
    """Decodes what grpc raised. Details that cannot be read are left out, never an error of their own."""
    if not isinstance(error, grpc.Call):
        return CallError(code=grpc.StatusCode.UNKNOWN, message=str(error))
    result = CallError(code=error.code(), message=error.details() or "")
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            _read_details(value, result)
    return result


def may_pass(error: Exception) -> bool:
    """True for what the same call, repeated, may well not meet again."""
    return isinstance(error, CallError) and error.code in _MAY_PASS


_MAY_PASS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def not_made(code: grpc.StatusCode, message: str) -> CallError:
    """The error of a call that the client itself did not make: nothing was sent."""
    return CallError(code=code, message=message, outcome=Outcome.NOT_SENT)


def wrong_mode(subscription: str, mode: str, use: str) -> CallError:
    """The error of following a durable subscription in the way of the other mode."""
    message = f"the subscription {subscription} has mode {mode}: use {use}"
    return CallError(code=grpc.StatusCode.FAILED_PRECONDITION, reason="SUBSCRIPTION_MODE", message=message)


def failed_send_outcome(error: CallError) -> Outcome:
    """What a single try of a send that ended so means: as told, else by the code alone."""
    if error.outcome is not Outcome.NONE:
        return error.outcome
    never_taken = (
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    return Outcome.NOT_SENT if error.code in never_taken else Outcome.UNKNOWN


def _read_details(data: bytes, result: CallError) -> None:
    try:
        status = status_pb2.Status.FromString(data)
    except DecodeError:
        return
    for packed in status.details:
        name = packed.type_url.rsplit("/", 1)[-1]
        kind = _KINDS.get(name)
        if kind is None:
            continue
        try:
            _read_detail(kind.FromString(packed.value), result)
        except DecodeError:
            continue


_KINDS: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.RetryInfo,
        error_details_pb2.RequestInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.PreconditionFailure,
        error_details_pb2.QuotaFailure,
        error_details_pb2.ResourceInfo,
        v1.RateLimit,
    )
}


def _read_detail(detail: Message, result: CallError) -> None:
    match detail:
        case error_details_pb2.ErrorInfo():
            _read_error_info(detail, result)
        case error_details_pb2.RetryInfo():
            result.retry_after = detail.retry_delay.ToTimedelta()
        case error_details_pb2.RequestInfo():
            result.aulm_request_id = detail.request_id
        case error_details_pb2.BadRequest():
            result.field_violations = [Violation(v.field, v.description) for v in detail.field_violations]
        case error_details_pb2.PreconditionFailure():
            result.precondition_violations = _violations(detail.violations)
        case error_details_pb2.QuotaFailure():
            result.quota_violations = _violations(detail.violations)
        case error_details_pb2.ResourceInfo():
            result.resource_description = detail.description
        case v1.RateLimit():
            result.quota = detail


def _violations(
    violations: Iterable[error_details_pb2.PreconditionFailure.Violation | error_details_pb2.QuotaFailure.Violation],
) -> list[Violation]:
    return [Violation(violation.subject, violation.description) for violation in violations]


def _read_error_info(info: error_details_pb2.ErrorInfo, result: CallError) -> None:
    result.reason = info.reason
    result.domain = info.domain
    result.metadata = dict(info.metadata)
    outcome = result.metadata.get("outcome", "")
    if outcome in (Outcome.NOT_SENT.value, Outcome.UNKNOWN.value):
        result.outcome = Outcome(outcome)
    result.request_id = result.metadata.get("request_id", "")
    cursor = result.metadata.get("earliest_cursor", "")
    try:
        result.earliest_cursor = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        result.earliest_cursor = b""
