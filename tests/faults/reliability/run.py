"""What the gateway promises, while what it stands on breaks. Prints a report and fails where a promise was broken.

usage: run.py [--short] [--only NAME] [--json FILE]    (./dev reliability runs the long form: about an hour and a half)
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import kills
import load
import shuffles
import upstream

Result = tuple[dict[str, object], list[str]]

BINARIES = Path(os.environ["AULM_GATEWAY_BIN"])
SHIM = BINARIES / "libfault_shim.so"


def program(name: str, *arguments: str, **variables: int) -> Result:
    """A test program in its long form, as variables say. What it prints is kept for when it fails."""
    environment = {**os.environ, **{key: str(value) for key, value in variables.items()}}
    ran = subprocess.run(
        [BINARIES / name, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    figures: dict[str, object] = {key.removeprefix("AULM_GATEWAY_").lower(): value for key, value in variables.items()}
    return figures, [] if ran.returncode == 0 else ran.stdout.splitlines()[-20:]


# By name: the long form and the short one, which is in ./dev test.
RUNS: dict[str, tuple[Callable[[], Result], Callable[[], Result]]] = {
    "kills at named points": (lambda: kills.run(2_000, SHIM), lambda: kills.run(len(kills.POINTS), SHIM)),
    "connection to aulm broken at every byte": (lambda: upstream.run(1), lambda: upstream.run(40)),
    "duplicates and shuffles": (lambda: shuffles.run(50), lambda: shuffles.run(3)),
    "no memory": (lambda: kills.without_memory(600, SHIM), lambda: kills.without_memory(10, SHIM)),
    "overload": (lambda: load.overload(300, SHIM, load.GOODPUT), lambda: load.overload(5, SHIM)),
    "steady webhooks": (lambda: load.steady(600, 5_000), lambda: load.steady(5, 500)),
    "soak": (lambda: load.soak(3600), lambda: load.soak(10)),
}
# Those whose short form is a test program of its own.
PROGRAMS: dict[str, Callable[[], Result]] = {
    "kills under webhooks": lambda: program("crash_test", AULM_GATEWAY_KILLS=300),
    "kills under sends": lambda: program("send_model_test", AULM_GATEWAY_KILLS=100, AULM_GATEWAY_SENDS=20_000),
    "kills under acknowledging": lambda: program("subscription_crash_test", AULM_GATEWAY_KILLS=100),
    "loss of power": lambda: program("power_loss_test", AULM_GATEWAY_POWER_LOSSES=1_000),
    "every call to the disk fails once": lambda: program("storage_test", "--gtest_filter=*FailureSweep*"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--short", action="store_true", help="less of each, some minutes in all")
    parser.add_argument("--only", choices=[*PROGRAMS, *RUNS], help="this run alone")
    parser.add_argument("--json", type=Path, help="the report as JSON besides")
    options = parser.parse_args()
    report = []
    runs = {name: short if options.short else long for name, (long, short) in RUNS.items()}
    if not options.short:
        runs = {**PROGRAMS, **runs}
    for name, run in runs.items():
        if options.only not in (None, name):
            continue
        begun = time.monotonic()
        print(f"== {name}", flush=True)
        figures, broken = run()
        seconds = round(time.monotonic() - begun)
        for key, value in figures.items():
            print(f"   {key:32} {value}")
        for each in broken[:20]:
            print(f"   BROKEN: {each}")
        print(f"   {'broken promises':32} {len(broken)}, in {seconds} s", flush=True)
        report.append({"run": name, "figures": figures, "broken": broken, "seconds": seconds})
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if any(each["broken"] for each in report) else 0


if __name__ == "__main__":
    sys.exit(main())
