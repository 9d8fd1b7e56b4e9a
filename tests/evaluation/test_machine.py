"""Peak memory is this process's own, and a busy neighbour is seen."""

from __future__ import annotations

import subprocess
import sys
import time

from phinb.evaluation.machine import NeighbourWatch, describe_machine, describe_versions, peak_memory_bytes

# The parent holds 300 MB while it starts the child: the child must not report that as its own.
PARENT = """
import subprocess, sys
held = bytearray(300_000_000)
held[::4096] = b"x" * len(held[::4096])
code = "from phinb.evaluation.machine import peak_memory_bytes; print(peak_memory_bytes())"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
"""
BURN = "import time\nend = time.time() + 3\nwhile time.time() < end: pass"


def test_peak_memory_is_not_the_parents() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, check=True)
    assert 5_000_000 < int(done.stdout) < 150_000_000


def test_peak_memory_remembers_what_was_given_back() -> None:
    before = peak_memory_bytes()
    held = bytearray(80_000_000)
    held[::4096] = b"x" * len(held[::4096])
    del held
    after = peak_memory_bytes()
    assert before is not None
    assert after is not None
    assert after >= 80_000_000


def test_a_busy_neighbour_is_seen_and_oneself_is_not() -> None:
    watch = NeighbourWatch()
    child = subprocess.Popen([sys.executable, "-c", BURN])
    time.sleep(1.5)
    share = watch.read()
    child.kill()
    child.wait()
    cores = describe_machine()["hardware_threads"]
    assert share is not None
    # On a machine that is full already, the child gets its part of a core only.
    assert share > 0.3 / cores
    assert share <= 1


def test_machine_and_versions_name_no_host_and_no_user() -> None:
    machine = describe_machine()
    assert machine["hardware_threads"] >= 1
    assert machine["processor"]
    assert set(machine) == {"system", "processor", "cores", "hardware_threads", "memory_bytes"}
    assert describe_versions()["torch"].startswith("2.")
