"""python -m phinb.workflow.standby_worker TOKEN: imports Olive, waits for an order, and becomes that run's worker.

What it imports is what every run imports; nothing here touches a device, reads data or draws a random number.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from importlib import import_module

from phinb.workflow.release import settle_imports
from phinb.workflow.standby import Order, keep_standby, may_leave, note_ready, take_order
from phinb.workflow.worker import leave, main

LOADED = ("datasets", "peft", "transformers.trainer", "olive.workflows", "olive.passes.pytorch.lora")

POLL_S = 0.02
"""Between two looks for an order; 50 looks a second took 0.3 % of a core."""

LOOK_ROUND_S = 5.0
"""Between two looks whether it is still of use."""


def load_olive() -> None:
    """Import what every training run imports (4 to 5 s at first)."""
    for name in LOADED:
        import_module(name)
    settle_imports()


def wait_for_order(token: str) -> Order | None:
    """The order, or None where it is time to leave."""
    looked = time.monotonic()
    while True:
        if (order := take_order(token)) is not None:
            return order
        if time.monotonic() - looked > LOOK_ROUND_S:
            if may_leave(token):
                return None
            looked = time.monotonic()
        time.sleep(POLL_S)


def become_worker(order: Order) -> None:
    """From now on this process is as one that was started for the run: folder, environment, and where it prints."""
    os.chdir(order.cwd)
    os.environ.clear()
    os.environ.update(order.environment)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    os.close(log)


def wait_and_run(token: str) -> int:
    """Wait, run, and leave a successor behind; returns the run's exit code."""
    load_olive()
    note_ready(token)
    order = wait_for_order(token)
    if order is None:
        return 0
    become_worker(order)
    code = main(order.folder)
    # Only now: while a run goes on, its memory and its cores are its own. Libraries have set variables meanwhile.
    keep_standby(order.environment)
    return code


if __name__ == "__main__":
    try:
        exit_code = wait_and_run(sys.argv[1])
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    leave(exit_code)
