"""How a client reaches the gateway: one channel, set up as the gateway's contract asks."""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc

from .call_error import not_made

MAX_MESSAGE_BYTES = 8 << 20
"""The most that one message may hold, in either direction: the gateway's own limit."""

LEAST_KEEPALIVE = timedelta(seconds=20)
"""A server takes more frequent pings for an attack."""

_READS = {
    "SessionService": ["GetSessionStatus"],
    "EventService": ["ReadEvents"],
    "MessagingService": ["GetMessage"],
    "QuotaService": ["GetQuota"],
    "SubscriptionService": ["GetSubscription", "ListSubscriptions", "ListParkedEvents"],
}

SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [
                    {"service": f"aulm.gateway.v1.{service}", "method": method}
                    for service, methods in _READS.items()
                    for method in methods
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)
"""gRPC repeats reads that were UNAVAILABLE, within their deadline; sends never, since their outcome may be unknown."""


@dataclass(frozen=True)
class TlsOptions:
    """What a TLS connection to the gateway needs. All PEM texts, not paths."""

    ca_pem: bytes | None = None
    """The certificates that may have signed the gateway's; None: those that come with grpcio."""
    certificate_pem: bytes | None = None
    """This client's certificate chain, for mTLS. With its key or not at all."""
    key_pem: bytes | None = None
    """The key of certificate_pem."""


Token = str | Callable[[], str]
"""The caller's token, or what is asked for it once a call, on any thread: for a token that changes. Must be quick."""


def open_channel(
    target: str,
    *,
    tls: TlsOptions | None = None,
    token: Token | None = None,
    keepalive: timedelta = timedelta(seconds=30),
    user_agent: str = "",
) -> grpc.Channel:
    """A channel to `target`, as gRPC names targets: "host:port", "dns:///host:port", "unix:path".

    Does not connect: the first call does. Without `tls` in plaintext, for loopback or where a mesh does the encryption.
    The token is sent as `authorization: Bearer …`. A connection with calls is pinged after `keepalive` of silence, and
    given up 10 s later. ValueError names the option that is wrong. A call whose token cannot be had, or is none, is not
    made: CallError, UNAUTHENTICATED.
    """
    if not target:
        raise ValueError("target is empty: give the gateway's host:port")
    if keepalive < LEAST_KEEPALIVE:
        raise ValueError(f"keepalive is {keepalive}: the gateway allows no less than {LEAST_KEEPALIVE}")
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", int(keepalive.total_seconds() * 1000)),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A subscriber sends nothing after its request: pings must not stop for want of data.
        ("grpc.http2.max_pings_without_data", 0),
        # A lost gateway is looked for soon and often; gRPC's own backoff would grow to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 5_000),  # in truth how long one try to connect may take
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.service_config", SERVICE_CONFIG),
        # No DNS record may bring retries back.
        ("grpc.service_config_disable_resolution", 1),
        # The gateway is inside: a web proxy in the environment is not meant for it.
        ("grpc.enable_http_proxy", 0),
    ]
    if user_agent:
        options.append(("grpc.primary_user_agent", user_agent))
    if tls is None:
        channel = grpc.insecure_channel(target, options=options)
    else:
        if (tls.certificate_pem is None) != (tls.key_pem is None):
            raise ValueError("tls: a client certificate and its key go together; only one is given")
        credentials = grpc.ssl_channel_credentials(
            root_certificates=tls.ca_pem, private_key=tls.key_pem, certificate_chain=tls.certificate_pem
        )
        channel = grpc.secure_channel(target, credentials, options=options)
    if isinstance(token, str) and not _is_token(token):
        raise ValueError(f"token: {_NO_TOKEN}")
    if token is not None:
        channel = grpc.intercept_channel(channel, _BearerToken(token))
    return channel


_NO_TOKEN = "not printable ASCII without spaces (a line end, perhaps, of the file that it was read from)"


def _is_token(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


class _CallDetails(
    namedtuple("_CallDetails", ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")),
    grpc.ClientCallDetails,
):
    """grpc's own is abstract."""


class _BearerToken(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds the token to each call. Call credentials would not do: gRPC refuses those in plaintext."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def _with_token(self, details: Any) -> Any:
        token = self._ask()
        if not token:
            return details
        metadata: Iterable[tuple[str, str]] = details.metadata or ()
        return _CallDetails(
            details.method,
            details.timeout,
            [*metadata, ("authorization", f"Bearer {token}")],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )

    def _ask(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            token = self._token()
        except Exception as error:
            raise not_made(grpc.StatusCode.UNAUTHENTICATED, f"the token cannot be had: {error}") from error
        if not isinstance(token, str) or not _is_token(token):
            raise not_made(grpc.StatusCode.UNAUTHENTICATED, f"the token that was given: {_NO_TOKEN}")
        return token
