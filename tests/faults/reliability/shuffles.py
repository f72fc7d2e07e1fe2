"""Deliveries that come twice, late and in another order, while the gateway is killed.

Each is once in the log, and once at a subscriber that follows all the time, in the log's order.
"""

from __future__ import annotations

import threading
from datetime import timedelta

from aulm.gateway import v1

from harness import READY_LIMIT_S, World, broken_webhooks, read_log
from programs import wait_for

FAULTS = {"seed": 7, "duplicate": 0.4, "reorder": 0.4, "webhook_delay": 0.2, "longest_delay_ms": 50}
EVENTS_A_LIFE = 200


def run(kills: int) -> tuple[dict[str, object], list[str]]:
    """Figures for the report, and every promise that was broken."""
    sent: list[str] = []
    seen: list[bytes] = []
    with World() as world:
        world.simulator.control("PUT", "seeded-faults", FAULTS)
        follower = world.client.subscribe(
            v1.SubscribeEventsRequest(position=v1.START_POSITION_EARLIEST),
            least_backoff=timedelta(milliseconds=20),
            most_backoff=timedelta(milliseconds=200),
        )
        subscriber = threading.Thread(target=follower.run, args=(lambda event: seen.append(event.cursor),))
        subscriber.start()
        for life in range(kills + 1):
            for number in range(EVENTS_A_LIFE):
                event = {"from": f"+9665000000{number % 10:02}", "body": f"{life}-{number}"}
                sent.append(world.simulator.control("POST", "events/inbound", event)["delivery_id"])
                if number == EVENTS_A_LIFE // 2 and life < kills:
                    world.gateway.kill()
                    world.gateway.start()
        wait_for("every delivery in the log", lambda: len(seen) >= len(sent), READY_LIMIT_S)
        log = list(read_log(world.client))
        follower.stop()
        subscriber.join()
        attempts = sum(
            len(delivery["attempts"]) for delivery in world.simulator.control("GET", "deliveries")["deliveries"]
        )
    broken = broken_webhooks(sent, log)
    if [event.cursor for event in log] != seen:
        broken.append("a subscriber over the kills saw something else than the log")
    if len(log) != len(sent):
        broken.append(f"the log has {len(log)} events of {len(sent)} deliveries")
    return {"deliveries": len(sent), "attempts": attempts, "kills": kills}, broken
