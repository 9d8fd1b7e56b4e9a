"""Workers that begin at once: forked from one process that has Olive imported, as many as a test wants.

phinb's own standby has one worker waiting and imports anew for the next; tests that start thirty runs cannot wait for
that. What a forked worker runs is `worker.main`, as always.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from phinb.workflow.process import worker_environment
from phinb.workflow.standby import Order

CLOCK = "PHINB_TEST_CLOCK"
"""Names the file that shifts a worker's clock."""


class Nursery:
    """A process with Olive imported. `start` has the signature of process.start_worker."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=worker_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "ready"

    def start(
        self, module: str, arguments: list[str], *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> int:
        assert module == "phinb.workflow.worker"
        order = [arguments[0], str(cwd), str(log), dict(environment or worker_environment())]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def tend() -> None:
    """Fork a worker for each line of standard input; print its pid."""
    from phinb.workflow.standby_worker import become_worker, load_olive

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    load_olive()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        order = Order(*json.loads(line))
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            become_worker(order)
            if clock := order.environment.get(CLOCK):
                shift_clock(Path(clock))
            _work(order)
        print(pid, file=answers, flush=True)


def shift_clock(offset: Path) -> None:
    """From now on time.time() is off by the seconds that a file holds."""
    true_time = time.time
    time.time = lambda: true_time() + float(offset.read_text(encoding="utf-8"))


def _work(order: Order) -> None:
    from phinb.workflow.worker import leave, main

    code = 1
    try:
        code = main(order.folder)
    finally:
        leave(code)


if __name__ == "__main__":
    tend()
