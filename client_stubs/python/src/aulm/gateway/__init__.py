"""Client of aulm-gateway: sends WhatsApp messages through aulm, and follows what comes back.

    with Client("127.0.0.1:50051") as client:
        client.send_text(session_id=SESSION, to="+966512345678", body="Hello", request_id="order-4711")
        with client.subscribe(cursor_store=FileCursorStore("position")) as events:
            for event in events:
                print(event)

`aulm.gateway.v1` has the messages of the contract.
"""

from . import v1
from .call_error import CallError, Outcome, Violation, call_error
from .channel import SERVICE_CONFIG, TlsOptions, Token, open_channel
from .client import Client
from .cursor_store import CursorStore, FileCursorStore, MemoryCursorStore
from .event_follower import EventFollower
from .notices import Notices
from .shared_consumer import Handler, SharedConsumer

__all__ = [
    "SERVICE_CONFIG",
    "CallError",
    "Client",
    "CursorStore",
    "EventFollower",
    "FileCursorStore",
    "Handler",
    "MemoryCursorStore",
    "Notices",
    "Outcome",
    "SharedConsumer",
    "TlsOptions",
    "Token",
    "Violation",
    "call_error",
    "open_channel",
    "v1",
]
