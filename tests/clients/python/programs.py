"""The real gateway and the simulator as child processes of a test, on free ports, each in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

LIMIT_S = 20.0
BINARIES = Path(os.environ["AULM_GATEWAY_BIN"])


def wait_for(what: str, look: Any, limit: float = LIMIT_S) -> Any:
    """Polls another process until `look` returns something true; fails after `limit` with what was awaited."""
    give_up = time.monotonic() + limit
    while not (seen := look()):
        if time.monotonic() > give_up:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)
    return seen


class Simulator:
    """aulm, as it is documented."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            [
                BINARIES / "aulm-simulator",
                "--listen=127.0.0.1:0",
                "--exit-when-stdin-closes",
                "--webhook-concurrency=1",
                "--statuses=",
                "--retry-base-ms=50",
                "--retry-max-ms=200",
                *arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[2]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control API; returns its JSON, or None for an empty answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}/_simulator/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def deliver(self, path: str, body: Any) -> None:
        """Has a webhook sent, and waits until it was answered 2xx."""
        sequence = self.control("POST", path, body)["sequence"]

        def delivered() -> bool:
            deliveries = self.control("GET", f"deliveries?after={sequence - 1}")
            return any(d["sequence"] == sequence and d["state"] == "delivered" for d in deliveries["deliveries"])

        wait_for(f"delivery {sequence}", delivered)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Gateway:
    """A gateway that can be ended, paused and started again on the same ports."""

    def __init__(self, aulm: str) -> None:
        self._aulm = aulm
        self._folder = Path(tempfile.mkdtemp(prefix="aulm-gateway-test-"))
        self._stores = 0
        self._process: subprocess.Popen[str] | None = None
        self.addresses = dict.fromkeys(("grpc", "webhook", "admin"), "127.0.0.1:0")
        self.start_empty()

    @property
    def grpc(self) -> str:
        return self.addresses["grpc"]

    def start(self) -> None:
        environment = dict(
            os.environ,
            AULM_BASE_URL=f"http://{self._aulm}",
            AULM_API_KEY="alm_sk_test_simulator",
            AULM_WEBHOOK_SECRET="whsec_simulator",
            GATEWAY_GRPC_LISTEN=self.addresses["grpc"],
            GATEWAY_WEBHOOK_LISTEN=self.addresses["webhook"],
            GATEWAY_ADMIN_LISTEN=self.addresses["admin"],
            GATEWAY_STORE=f"sqlite://{self._folder}/store-{self._stores}",
        )
        with open(self._folder / "gateway.log", "ab") as log:
            self._process = subprocess.Popen(
                [BINARIES / "aulm-gateway"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        for _ in self.addresses:
            line = self._process.stdout.readline()
            assert line, f"the gateway did not start: {(self._folder / 'gateway.log').read_text()[-2000:]}"
            _, listener, address = line.split()
            self.addresses[listener] = address

    def start_empty(self) -> None:
        self._stores += 1
        self.start()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        status = self._end(signal.SIGTERM)
        assert status == 0, f"the gateway ended with status {status}"

    def end(self) -> bool:
        """Kills it where it lives; True when it had ended by itself, or by a signal of another's."""
        if self._process is None:
            return True
        ended = self._process.poll() is not None
        self.kill()
        return ended

    def await_end(self, limit: float) -> bool:
        """Waits for the process to end by itself."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        status = process.wait(timeout=40)
        assert process.stdout is not None
        process.stdout.close()
        return status


def point_webhooks(simulator: Simulator, gateway: Gateway) -> None:
    """Has the simulator deliver to this gateway."""
    url = f"http://{gateway.addresses['webhook']}/webhooks/aulm"
    simulator.control("PUT", "webhooks", {"account": "default", "url": url})
