"""Why workers wait passively: training-like work beside a busy neighbour, and alone, with and without it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

REPEATS = 3
WORK = """
import time, torch
torch.manual_seed(0)
block = lambda: torch.nn.Sequential(torch.nn.Linear(576, 1536), torch.nn.SiLU(), torch.nn.Linear(1536, 576))
model = torch.nn.Sequential(*[block() for _ in range(8)])
x = torch.randn(360, 576)
model(x).sum().backward()
began = time.perf_counter()
for _ in range(8):
    model(x).sum().backward()
print(time.perf_counter() - began)
"""
SPIN = "while True: pass"


def measure() -> str:
    """Seconds of the same work under both policies, interleaved; the ratio tells what passive waiting gains."""
    lines = []
    for what, neighbours in (("alone", 0), ("beside a busy process", os.cpu_count() or 1)):
        with _busy(neighbours):
            pairs = [(_work("ACTIVE"), _work("PASSIVE")) for _ in range(REPEATS)]
        active, passive = median(one for one, _ in pairs), median(other for _, other in pairs)
        ratio = active / passive
        lines.append(f"{what}: active {active:.1f} s, passive {passive:.1f} s, {ratio:.2f} times as fast passively")
    return "\n".join(lines)


def _work(policy: str) -> float:
    environment = dict(os.environ)
    if policy == "PASSIVE":
        environment["OMP_WAIT_POLICY"] = policy
    else:
        # Unset, as a user's shell has it: libgomp then spins for a while.
        environment.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run([sys.executable, "-c", WORK], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextmanager
def _busy(count: int) -> Iterator[None]:
    neighbours = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
