"""A connection to aulm that breaks, dawdles or trickles, at every byte of a send and of its answer.

Between the gateway and the simulator stands a proxy that resets the connection after so many bytes of the request, or
of the answer. Whatever the gateway then tells its caller must agree with what aulm took.
"""

from __future__ import annotations

import socket
import struct
import threading
from datetime import timedelta

from aulm.gateway import Outcome

from harness import World, broken_sends, send, taken_by_aulm

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close sends a reset
TIMEOUT = timedelta(seconds=10)


class Pair:
    """Two connections, closed when the thread of neither needs them: before that a close would not be seen outside."""

    def __init__(self, connections: tuple[socket.socket, socket.socket]) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._threads = 2

    def reset(self) -> None:
        for one in self._connections:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            one.shutdown(socket.SHUT_RD)  # wakes the other thread, and tells the peer nothing

    def leave(self) -> None:
        with self._lock:
            self._threads -= 1
            last = self._threads == 0
        if last:
            for one in self._connections:
                one.close()


class Proxy:
    """Passes bytes on, as `plan` says for the request after the next; one request a connection at a time."""

    def __init__(self, upstream: str) -> None:
        host, port = upstream.rsplit(":", 1)
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._to_aulm: int | None = None  # bytes that still pass, then a reset
        self._from_aulm: int | None = None
        self.trickle_s = 0.0  # a pause after each byte
        self.broke = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def plan(self, *, to_aulm: int | None = None, from_aulm: int | None = None) -> None:
        with self._lock:
            self._to_aulm, self._from_aulm = to_aulm, from_aulm
        self.broke.clear()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._upstream)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = Pair((client, server))
            for source, sink, name in ((client, server, "_to_aulm"), (server, client, "_from_aulm")):
                threading.Thread(target=self._pass, args=(pair, source, sink, name), daemon=True).start()

    def _pass(self, pair: Pair, source: socket.socket, sink: socket.socket, name: str) -> None:
        try:
            while data := source.recv(65536):
                for piece in (data,) if self.trickle_s == 0 else (data[i : i + 1] for i in range(len(data))):
                    allowed = self._spend(name, len(piece))
                    sink.sendall(piece[:allowed])
                    if allowed < len(piece):
                        self.broke.set()
                        pair.reset()
                        return
                    if self.trickle_s > 0:
                        self.broke.wait(self.trickle_s)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            pair.leave()

    def _spend(self, name: str, size: int) -> int:
        with self._lock:
            left = getattr(self, name)
            if left is None:
                return size
            setattr(self, name, left - size if left >= size else None)
            return int(min(left, size))


def run(step: int) -> tuple[dict[str, object], list[str]]:
    """Resets after every `step`-th byte, of the request and of the answer; then a trickle of single bytes."""
    told: dict[str, Outcome | None] = {}
    broken: list[str] = []
    resets = 0
    with World() as behind:  # for its simulator
        proxy = Proxy(behind.simulator.address)
        with World(proxy=proxy.address) as world:
            for direction in ("to_aulm", "from_aulm"):
                size = 0
                while True:
                    proxy.plan(**{direction: size})
                    outcome = send(world.client, f"{direction}-{size}", TIMEOUT, told)
                    if not proxy.broke.is_set():
                        break  # the whole of it had passed
                    resets += 1
                    if direction == "from_aulm" and outcome is Outcome.NOT_SENT:
                        broken.append(f"{direction}-{size} was reported as not sent while aulm answered")
                    proxy.plan()
                    # A send that works keeps the gateway from taking aulm for unreachable.
                    if send(world.client, f"{direction}-{size}-whole", TIMEOUT, told) is not None:
                        broken.append(f"{direction}-{size}-whole failed with nothing in its way")
                    size += step
            proxy.plan()
            proxy.trickle_s = 0.001
            if send(world.client, "trickled", TIMEOUT, told) is not None:
                broken.append("a trickle of single bytes was not waited for")
            broken += broken_sends(told, taken_by_aulm(behind.simulator))
        proxy.close()
    unknown = sum(outcome is Outcome.UNKNOWN for outcome in told.values())
    not_sent = sum(outcome is Outcome.NOT_SENT for outcome in told.values())
    return {"sends": len(told), "resets": resets, "unknown": unknown, "not sent": not_sent}, broken
