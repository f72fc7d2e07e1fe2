"""More webhooks than the gateway can take, and a long quiet life: it stays answering, honest and of one size."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

from aulm.gateway import v1

from harness import (
    READY_LIMIT_S,
    Senders,
    World,
    broken_sends,
    broken_webhooks,
    descriptors,
    memory_mib,
    processor_s,
    read_log,
    taken_by_aulm,
    wait_for_blast,
)
from programs import wait_for

CONNECTIONS = 256
CAPACITY_EVENTS = 3_000
# More than the gateway lets one address have (limits.webhook_connections_per_address, 512).
OVERLOAD_CONNECTIONS = 1_000
SLOW_SYNC_US = 250_000
MOST_MEMORY_MIB = 512.0
# What a webhook may be answered with under load: taken, come back later, or the store's own fault. Never another 4xx,
# which aulm takes for final. "0" is a connection that ended without an answer, which aulm repeats: one of more than
# may be open.
HONEST = {"0", "200", "429", "503"}
GOODPUT = 0.9  # of the capacity; looked at in the long form alone
STEADY_CONNECTIONS = 64
# Of the soak. Aulm's simulator keeps the last 100,000 requests, against which the sends are held.
WEBHOOKS_PER_SECOND = 200
SEND_PAUSE_S = 0.1
LOOKS = 100
# Between two looks at a process whose load stays the same.
MOST_GROWTH_MIB = 32.0
MOST_NEW_DESCRIPTORS = 8


def overload(seconds: float, shim: Path, least_goodput: float = 0.0) -> tuple[dict[str, object], list[str]]:
    """Three times the webhooks that it takes, at a rate that does not wait for answers, for so long.

    What it takes is set by a disk that is slow to sync: the load and the gateway do not fight for the processor.
    """
    broken: list[str] = []
    slow_disk = {"LD_PRELOAD": str(shim), "FAULT_SLOW_SYNC_US": str(SLOW_SYNC_US)}
    with World() as world, world.variables(**slow_disk):
        world.restart()
        full = {"count": CAPACITY_EVENTS, "concurrency": CONNECTIONS, "retry": True}
        world.simulator.control("POST", "blast", full)
        capacity = wait_for_blast(world.simulator, READY_LIMIT_S)["delivered_per_second"]
        world.simulator.control(
            "POST",
            "blast",
            {
                "count": int(3 * capacity * seconds),
                "concurrency": OVERLOAD_CONNECTIONS,
                "rate_per_second": 3 * capacity,
                "open_loop": True,
                "keep_ids": True,
            },
        )
        most_memory = 0.0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
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
    offered = (figures["sent"] + figures["held"]) / figures["elapsed_us"] * 1e6 / capacity
    if goodput < least_goodput:
        broken.append(f"it took {goodput:.2f} of its capacity, not {least_goodput:.2f}")
    return {
        "capacity, webhooks/s": round(capacity),
        "offered, of capacity": round(offered, 2),
        "goodput, of capacity": round(goodput, 2),
        "memory, MiB": round(most_memory),
        "held back": figures["held"],
        **{f"answered {code}": count for code, count in sorted(figures["statuses"].items())},
    }, broken


def steady(seconds: float, per_second: int) -> tuple[dict[str, object], list[str]]:
    """Webhooks at one rate, in ten parts: latency, processor time and memory of each, which are not to drift."""
    broken: list[str] = []
    count = int(per_second * seconds / 10)
    parts: dict[str, list[str]] = {"p50, ms": [], "p99, ms": [], "processor, us": [], "memory, MiB": []}
    with World() as world:
        for _ in range(10):
            used = processor_s(world.gateway.process)
            blast = {"count": count, "concurrency": STEADY_CONNECTIONS, "rate_per_second": per_second, "retry": True}
            world.simulator.control("POST", "blast", blast)
            time.sleep(seconds / 10)
            figures = wait_for_blast(world.simulator, READY_LIMIT_S + seconds)
            used = processor_s(world.gateway.process) - used
            parts["p50, ms"].append(f"{figures['p50_us'] / 1000:.1f}")
            parts["p99, ms"].append(f"{figures['p99_us'] / 1000:.1f}")
            parts["processor, us"].append(f"{used / count * 1e6:.0f}")
            parts["memory, MiB"].append(f"{memory_mib(world.gateway.process):.0f}")
            broken += [
                f"{times} webhooks were answered {code}"
                for code, times in figures["statuses"].items()
                if code not in HONEST
            ]
        stored = sum(1 for _ in read_log(world.client))
    if stored != 10 * count:
        broken.append(f"the log has {stored} events of {10 * count}")
    memory = [float(each) for each in parts["memory, MiB"]]
    if memory[-1] - memory[1] > MOST_GROWTH_MIB:
        broken.append(f"it grew by {memory[-1] - memory[1]:.0f} MiB")
    return {"webhooks": 10 * count, **{name: " ".join(values) for name, values in parts.items()}}, broken


def soak(seconds: float) -> tuple[dict[str, object], list[str]]:
    """Webhooks, sends with their statuses and a subscriber, all at a modest rate, for so long.

    What the process has in memory is looked at a hundred times. A leak is a growth from the second tenth of the time to
    the last, in medians: what fills up once, such as the ring of recent events, has done so by then.
    """
    memory: list[float] = []
    open_files: list[int] = []
    seen: list[str] = []
    with World(simulator=["--statuses=sent,delivered"]) as world:
        follower = world.client.subscribe(v1.SubscribeEventsRequest(position=v1.START_POSITION_EARLIEST))
        subscriber = threading.Thread(target=follower.run, args=(lambda event: seen.append(event.delivery_id),))
        subscriber.start()
        count = int(WEBHOOKS_PER_SECOND * seconds)
        blast = {"count": count, "concurrency": 8, "rate_per_second": WEBHOOKS_PER_SECOND}
        world.simulator.control("POST", "blast", {**blast, "retry": True, "keep_ids": True})
        senders = Senders(world.client, threads=2, prefix="soak", pause_s=SEND_PAUSE_S)
        begun = time.monotonic()
        for look in range(1, LOOKS + 1):
            time.sleep(max(0.0, begun + seconds * look / LOOKS - time.monotonic()))
            memory.append(memory_mib(world.gateway.process))
            open_files.append(descriptors(world.gateway.process))
        senders.stop()
        wait_for_blast(world.simulator, READY_LIMIT_S + seconds)
        acknowledged = world.simulator.control("GET", "blast/ids")["delivered_ids"]
        broken = broken_sends(senders.told, taken_by_aulm(world.simulator))
        stored = [event.delivery_id for event in read_log(world.client)]
        wait_for("the subscriber to see the log", lambda: len(seen) >= len(stored), READY_LIMIT_S)
        follower.stop()
        subscriber.join()
        world.gateway.terminate()
        world.gateway.start()
        broken += broken_webhooks(acknowledged, read_log(world.client))
    if seen[: len(stored)] != stored:
        broken.append("the subscriber saw something else than the log")
    tenths = [statistics.median(memory[i : i + LOOKS // 10]) for i in range(0, LOOKS, LOOKS // 10)]
    grown = tenths[-1] - tenths[1]
    opened = open_files[-1] - open_files[LOOKS // 10]
    if grown > MOST_GROWTH_MIB:
        broken.append(f"it grew by {grown:.0f} MiB")
    if opened > MOST_NEW_DESCRIPTORS:
        broken.append(f"it opened {opened} descriptors that it did not close")
    return {
        "webhooks": count,
        "sends": len(senders.told),
        "events": len(stored),
        "memory by tenths, MiB": " ".join(f"{each:.1f}" for each in tenths),
        "grown, MiB": round(grown, 1),
        "descriptors": opened,
    }, broken
