"""Ends the gateway at named points of its work, or fails one call of its system there, again and again.

The points and how they are reached: fault_shim.cc. In every life webhooks come in and sends go out; a life
that does not reach its point is killed at its end.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from aulm.gateway import Outcome

from harness import (
    READY_LIMIT_S,
    Senders,
    World,
    broken_sends,
    broken_webhooks,
    read_log,
    taken_by_aulm,
    wait_for_blast,
)

# The point, and within how many passings of it the fault falls.
POINTS = {
    "before-log-write": 150,
    "after-log-write": 150,
    "before-log-sync": 12,
    "after-log-sync": 12,
    "before-database-write": 5,
    "after-database-write": 5,
    "before-database-sync": 1,
    "after-database-sync": 1,
    "before-webhook-answer": 150,
    "after-webhook-answer": 150,
    "before-call-answer": 20,
    "after-call-answer": 20,
    "before-aulm-request": 12,
    "after-aulm-request": 12,
    "before-aulm-answer": 12,
    "after-aulm-answer": 12,
    "log-write-eio": 150,
    "log-write-enospc": 150,
    "log-sync-eio": 12,
    "database-write-enospc": 5,
    "no-memory": 30_000,
}
# What a start and the first load allocate, about.
ALLOCATIONS = 60_000
EVENTS_A_LIFE = 250
BODY_CHARACTERS = 3_000
LONGEST_LIFE_S = 1.0
# The database itself is written once the write-ahead log has filled.
DATABASE_EVENTS_A_LIFE = 1_500
DATABASE_LONGEST_LIFE_S = 6.0
# The log is read whole at the end of a store's lives: a new store now and then keeps that, and the database, small.
LIVES_A_STORE = 42


def run(lives: int, shim: Path, seed: int = 1) -> tuple[dict[str, object], list[str]]:
    """Every point in turn, each time at a passing of chance."""
    chance = random.Random(seed)
    names = list(POINTS)
    plan = [(name, 1 + chance.randrange(POINTS[name])) for name in (names[life % len(names)] for life in range(lives))]
    reached, figures, broken = _run(plan, shim)
    if lives >= 2 * len(POINTS):
        broken += [f"no life reached {point}" for point in POINTS if reached[point] == 0]
    return {**figures, **{point: reached[point] for point in POINTS}}, broken


def without_memory(lives: int, shim: Path) -> tuple[dict[str, object], list[str]]:
    """The n-th allocation since the program began fails, with n evenly over its start and its first load."""
    step = max(1, ALLOCATIONS // lives)
    plan = [("no-memory", count) for count in range(step, ALLOCATIONS + 1, step)]
    reached, figures, broken = _run(plan, shim)
    return {**figures, "allocations that failed": reached["no-memory"], "every n-th": step}, broken


def _run(plan: list[tuple[str, int]], shim: Path) -> tuple[Counter[str], dict[str, object], list[str]]:
    """A life for each fault: how often each point was reached, figures, and every promise that was broken."""
    reached: Counter[str] = Counter()
    broken: list[str] = []
    webhooks = sends = ended = 0
    for first in range(0, len(plan), LIVES_A_STORE):
        with World() as world, tempfile.TemporaryDirectory() as folder:
            marker = Path(folder) / "reached"
            acknowledged: list[str] = []
            told: dict[str, Outcome | None] = {}
            for life, (point, count) in enumerate(plan[first : first + LIVES_A_STORE], first):
                with world.variables(
                    LD_PRELOAD=str(shim),
                    FAULT_POINT=point,
                    FAULT_COUNT=str(count),
                    FAULT_PORTS=world.ports(),
                    FAULT_REACHED=str(marker),
                ):
                    world.gateway.end()
                    try:
                        world.gateway.start()
                        started = True
                    except AssertionError:  # ended in its start
                        started = False
                if started:
                    _live(world, life, "database" in point, told)
                ended += world.gateway.end()
                reached[point] += marker.exists()
                marker.unlink(missing_ok=True)
                world.gateway.start()  # takes what is still to be delivered, and shows that the store can be opened
                if started:
                    wait_for_blast(world.simulator, READY_LIMIT_S)
                    acknowledged += world.simulator.control("GET", "blast/ids")["delivered_ids"]
            broken += broken_webhooks(acknowledged, read_log(world.client))
            broken += broken_sends(told, taken_by_aulm(world.simulator))
            webhooks += len(set(acknowledged))
            sends += len(told)
    return reached, {"lives": len(plan), "ended": ended, "webhooks": webhooks, "sends": sends}, broken


def _live(world: World, life: int, long: bool, told: dict[str, Outcome | None]) -> None:
    """Load until the gateway ends, or for a while."""
    blast = {"concurrency": 8, "retry": True, "retry_delay_ms": 10, "keep_ids": True, "peers": 20}
    count = DATABASE_EVENTS_A_LIFE if long else EVENTS_A_LIFE
    world.simulator.control("POST", "blast", {**blast, "count": count, "body_characters": BODY_CHARACTERS})
    senders = Senders(world.client, threads=4, prefix=f"life-{life}", timeout_s=1.0)
    world.gateway.await_end(DATABASE_LONGEST_LIFE_S if long else LONGEST_LIFE_S)
    senders.stop()
    told.update(senders.told)
