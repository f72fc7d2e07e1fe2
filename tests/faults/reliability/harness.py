"""A gateway between the simulator and callers, whose promises are checked after whatever happened to it.

Callers send under request ids of their own, and aulm delivers webhooks until they are answered 2xx. What both were told
is then held against the log and against what aulm took.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from aulm.gateway import CallError, Client, Outcome, v1

from programs import Gateway, Simulator, point_webhooks, wait_for

SESSION = "00000000-0000-4000-8000-000000000001"
PEER = "+966512345678"
READY_LIMIT_S = 60.0


class World:
    """One simulator and one gateway; `start` may be given variables for one life of it."""

    def __init__(self, *, proxy: str | None = None, simulator: list[str] | None = None) -> None:
        """`proxy` is where aulm is found in place of the simulator itself."""
        self.simulator = Simulator(["--webhook-concurrency=8", *(simulator or [])])
        self.gateway = Gateway(proxy or self.simulator.address)
        point_webhooks(self.simulator, self.gateway)
        self.client = Client(self.gateway.grpc)

    def close(self) -> None:
        self.client.close()
        self.gateway.close()
        self.simulator.stop()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def variables(self, **variables: str) -> Iterator[None]:
        """The environment of gateways that are started meanwhile."""
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    def restart(self) -> None:
        """Kills the gateway where it lives, and starts it as it is meant to run."""
        self.gateway.end()
        self.gateway.start()

    def ports(self, aulm: str | None = None) -> str:
        addresses = [self.gateway.addresses["webhook"], self.gateway.grpc, aulm or self.simulator.address]
        return ",".join(address.rsplit(":", 1)[1] for address in addresses)


class Senders:
    """Threads that send, each message under an id that is its body, until stopped; what each was told last."""

    def __init__(
        self, client: Client, *, threads: int, prefix: str, timeout_s: float = 10.0, pause_s: float = 0.0
    ) -> None:
        """`pause_s` is between two sends of a thread."""
        self.told: dict[str, Outcome | None] = {}  # None: sent
        self._client = client
        self._pause_s = pause_s
        self._timeout = timedelta(seconds=timeout_s)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(f"{prefix}-{n}",)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Waits for the sends that are under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, prefix: str) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._stop.wait(self._pause_s)
            send(self._client, f"{prefix}-{number}", self._timeout, self.told, self._lock)


def send(
    client: Client, name: str, timeout: timedelta, told: dict[str, Outcome | None], lock: threading.Lock | None = None
) -> Outcome | None:
    """One message, under its name as request id and as body."""
    outcome: Outcome | None = None
    try:
        client.send_text(session_id=SESSION, to=PEER, body=name, request_id=name, timeout=timeout)
    except CallError as error:
        outcome = error.outcome
    with lock or contextlib.nullcontext():
        told[name] = outcome
    return outcome


def taken_by_aulm(simulator: Simulator) -> Counter[str]:
    """How often aulm accepted each body."""
    taken: Counter[str] = Counter()
    for request in simulator.control("GET", "requests")["requests"]:
        if request["target"].startswith("/v1/messages/") and request.get("message_id"):
            taken[body_of(request)] += 1
    return taken


def body_of(request: dict[str, Any]) -> str:
    return str(json.loads(request["body"])["body"])


def broken_sends(told: dict[str, Outcome | None], taken: Counter[str]) -> list[str]:
    """What was promised of sends and not kept."""
    broken = [f"{name} was taken {count} times" for name, count in taken.items() if count > 1]
    for name, outcome in told.items():
        if outcome is None and taken[name] == 0:
            broken.append(f"{name} was reported as sent, and aulm has not seen it")
        if outcome is Outcome.NOT_SENT and taken[name] > 0:
            broken.append(f"{name} was reported as not sent, and aulm took it")
    return broken


def read_log(client: Client) -> Iterator[v1.Event]:
    """The whole of it, page by page."""
    request = v1.ReadEventsRequest(position=v1.START_POSITION_EARLIEST, page_size=1000)
    while True:
        page = client.read_events(request, timeout=timedelta(seconds=READY_LIMIT_S))
        yield from page.events
        if page.end_of_log:
            return
        request.after_cursor = page.next_cursor


def broken_webhooks(acknowledged: Iterable[str], events: Iterable[v1.Event]) -> list[str]:
    """What was promised of webhooks and not kept."""
    stored = Counter(event.delivery_id for event in events)
    broken = [f"{name} is in the log {count} times" for name, count in stored.items() if count > 1]
    return broken + [f"{name} was answered 2xx and is not in the log" for name in acknowledged if stored[name] == 0]


def wait_for_blast(simulator: Simulator, limit: float) -> dict[str, Any]:
    """The figures of a blast that has ended."""

    def ended() -> dict[str, Any] | None:
        blast = simulator.control("GET", "blast")
        return None if blast["running"] else blast

    return dict(wait_for("the end of the blast", ended, limit))


def memory_mib(process: subprocess.Popen[str]) -> float:
    """What the process has in memory now."""
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def processor_s(process: subprocess.Popen[str]) -> float:
    """The processor time that it has used so far, in seconds."""
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(process: subprocess.Popen[str]) -> int:
    """How many files and connections it has open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))
