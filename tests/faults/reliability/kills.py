"""Ends the gateway at named points of its work, or fails one call of its system there, again and again.

The points and how they are reached: fault_shim.cc. In every life webhooks come in and sends go out; a life
that does not reach its point is killed at its end.
"""

from __future__ import annotations

import random
import tempfile
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
EVENTS_A_LIFE = 250
BODY_CHARACTERS = 3_000
LONGEST_LIFE_S = 1.0
# The database itself is written once the write-ahead log has filled.
DATABASE_EVENTS_A_LIFE = 1_500
DATABASE_LONGEST_LIFE_S = 6.0
# The log is read whole at the end of a store's lives: a new store now and then keeps that, and the database, small.
LIVES_A_STORE = 42


def run(lives: int, shim: Path, seed: int = 1) -> tuple[dict[str, object], list[str]]:
    """Figures for the report, and every promise that was broken."""
    chance = random.Random(seed)
    reached = dict.fromkeys(POINTS, 0)
    broken: list[str] = []
    webhooks = sends = ended = 0
    names = list(POINTS)
    for first in range(0, lives, LIVES_A_STORE):
        with World() as world, tempfile.TemporaryDirectory() as folder:
            marker = Path(folder) / "reached"
            acknowledged: list[str] = []
            told: dict[str, Outcome | None] = {}
            for life in range(first, min(first + LIVES_A_STORE, lives)):
                point = names[life % len(names)]
                with world.variables(
                    LD_PRELOAD=str(shim),
                    FAULT_POINT=point,
                    FAULT_COUNT=str(1 + chance.randrange(POINTS[point])),
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
            events = read_log(world.client)
            broken += broken_webhooks(acknowledged, events)
            broken += broken_sends(told, taken_by_aulm(world.simulator))
            webhooks += len(set(acknowledged))
            sends += len(told)
    if lives >= 2 * len(POINTS):
        broken += [f"no life reached {point}" for point, times in reached.items() if times == 0]
    figures: dict[str, object] = {"lives": lives, "ended by the fault": ended, "webhooks": webhooks, "sends": sends}
    return {**figures, **reached}, broken


def _live(world: World, life: int, long: bool, told: dict[str, Outcome | None]) -> None:
    """Load until the gateway ends, or for a while."""
    blast = {"concurrency": 8, "retry": True, "retry_delay_ms": 10, "keep_ids": True, "peers": 20}
    count = DATABASE_EVENTS_A_LIFE if long else EVENTS_A_LIFE
    world.simulator.control("POST", "blast", {**blast, "count": count, "body_characters": BODY_CHARACTERS})
    senders = Senders(world.client, threads=4, prefix=f"life-{life}", timeout_s=1.0)
    world.gateway.await_end(DATABASE_LONGEST_LIFE_S if long else LONGEST_LIFE_S)
    senders.stop()
    told.update(senders.told)
