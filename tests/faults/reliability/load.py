"""More webhooks than the gateway can take, and a long quiet life: it stays answering, honest and of one size."""

from __future__ import annotations

import time

from harness import (
    READY_LIMIT_S,
    Senders,
    World,
    broken_sends,
    broken_webhooks,
    descriptors,
    memory_mib,
    read_log,
    taken_by_aulm,
    wait_for_blast,
)

CONNECTIONS = 64
MOST_MEMORY_MIB = 512.0
# What a webhook may be answered with under load: taken, come back later, or the store's own fault. Never another 4xx,
# which aulm takes for final.
HONEST = {"200", "429", "503"}
GOODPUT = 0.9  # of the capacity; looked at in the long form alone
# Between two looks at a process whose load stays the same.
MOST_GROWTH_MIB = 32.0
MOST_NEW_DESCRIPTORS = 8


def overload(seconds: float, least_goodput: float = 0.0) -> tuple[dict[str, object], list[str]]:
    """Asked for three times the rate that it takes, for so long."""
    broken: list[str] = []
    with World() as world:
        world.simulator.control("POST", "blast", {"count": 20_000, "concurrency": CONNECTIONS, "retry": True})
        capacity = wait_for_blast(world.simulator, READY_LIMIT_S)["delivered_per_second"]
        world.simulator.control(
            "POST",
            "blast",
            {
                "count": int(3 * capacity * seconds),
                "concurrency": 8 * CONNECTIONS,
                "rate_per_second": 3 * capacity,
                "keep_ids": True,
            },
        )
        most_memory = 0.0
        end = time.monotonic() + seconds
        while time.monotonic() < end and world.simulator.control("GET", "blast")["running"]:
            most_memory = max(most_memory, memory_mib(world.gateway.process))
            time.sleep(0.2)
        world.simulator.control("DELETE", "blast")
        figures = wait_for_blast(world.simulator, READY_LIMIT_S)
        broken += [
            f"{count} webhooks were answered {code}"
            for code, count in figures["statuses"].items()
            if code not in HONEST
        ]
        if most_memory > MOST_MEMORY_MIB:
            broken.append(f"it took {most_memory:.0f} MiB")
        acknowledged = world.simulator.control("GET", "blast/ids")["delivered_ids"]
        broken += broken_webhooks(acknowledged, read_log(world.client))
    goodput = figures["delivered_per_second"] / capacity
    offered = figures["sent"] / figures["elapsed_us"] * 1e6 / capacity
    if goodput < least_goodput:
        broken.append(f"it took {goodput:.2f} of its capacity, not {least_goodput:.2f}")
    return {
        "capacity, webhooks/s": round(capacity),
        "connections": 8 * CONNECTIONS,
        "offered, of capacity": round(offered, 2),
        "goodput, of capacity": round(goodput, 2),
        "memory, MiB": round(most_memory),
        **{f"answered {code}": count for code, count in sorted(figures["statuses"].items())},
    }, broken


def soak(seconds: float) -> tuple[dict[str, object], list[str]]:
    """Webhooks, sends and a subscriber at a modest rate. Memory and descriptors are those of a tenth of the time."""
    with World() as world:
        count = int(200 * seconds)
        world.simulator.control(
            "POST",
            "blast",
            {"count": count, "concurrency": 8, "rate_per_second": 200, "retry": True, "keep_ids": True},
        )
        senders = Senders(world.client, threads=2, prefix="soak")
        time.sleep(seconds / 10)
        memory, open_before = memory_mib(world.gateway.process), descriptors(world.gateway.process)
        time.sleep(seconds * 9 / 10)
        grown, opened = memory_mib(world.gateway.process) - memory, descriptors(world.gateway.process) - open_before
        senders.stop()
        wait_for_blast(world.simulator, READY_LIMIT_S + seconds)
        broken = broken_webhooks(world.simulator.control("GET", "blast/ids")["delivered_ids"], read_log(world.client))
        broken += broken_sends(senders.told, taken_by_aulm(world.simulator))
        world.gateway.terminate()
        world.gateway.start()
    if grown > MOST_GROWTH_MIB:
        broken.append(f"it grew by {grown:.0f} MiB")
    if opened > MOST_NEW_DESCRIPTORS:
        broken.append(f"it opened {opened} descriptors that it did not close")
    return {"webhooks": count, "sends": len(senders.told), "grown, MiB": round(grown, 1), "descriptors": opened}, broken
