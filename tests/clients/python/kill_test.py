"""10,000 events while the gateway is killed 10 times: the subscriber sees every event once, in the order of the log."""

from __future__ import annotations

import tempfile
import unittest
from datetime import timedelta
from pathlib import Path

from aulm.gateway import Client, FileCursorStore, v1

from programs import Gateway, Simulator, point_webhooks

EVENTS = 10_000
KILLS = 10


class KillTest(unittest.TestCase):
    def test_every_event_once_and_in_order(self) -> None:
        simulator = Simulator(["--webhook-concurrency=8"])
        self.addCleanup(simulator.stop)
        gateway = Gateway(simulator.address)
        self.addCleanup(gateway.close)
        point_webhooks(simulator, gateway)
        client = Client(gateway.grpc)
        self.addCleanup(client.close)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        blast = {"count": EVENTS, "concurrency": 8, "retry": True, "retry_delay_ms": 20, "peers": 50}

        simulator.control("POST", "blast", {**blast, "rate_per_second": 4000})
        seen: list[v1.Event] = []
        with client.subscribe(
            v1.SubscribeEventsRequest(position=v1.START_POSITION_EARLIEST),
            cursor_store=FileCursorStore(Path(folder) / "position"),
            least_backoff=timedelta(milliseconds=20),
            most_backoff=timedelta(milliseconds=200),
        ) as events:
            for event in events:
                seen.append(event)
                if len(seen) % (EVENTS // (KILLS + 1)) == 0 and len(seen) // (EVENTS // (KILLS + 1)) <= KILLS:
                    gateway.kill()
                    gateway.start()
                if len(seen) == EVENTS:
                    break

        log: list[v1.Event] = []
        request = v1.ReadEventsRequest(position=v1.START_POSITION_EARLIEST, page_size=1000)
        while True:
            page = client.read_events(request)
            log.extend(page.events)
            if page.end_of_log:
                break
            request.after_cursor = page.next_cursor
        self.assertEqual([event.cursor for event in seen], [event.cursor for event in log])
        self.assertEqual(len({event.delivery_id for event in seen}), EVENTS)


if __name__ == "__main__":
    unittest.main()
