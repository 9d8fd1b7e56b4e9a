"""What a measurement was taken on: the machine, its libraries, its memory, and what else it was doing."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "onnxruntime-genai",
    "onnxruntime-genai-cuda",
    "onnxruntime-genai-directml",
)


def describe_machine() -> dict[str, Any]:
    """System, processor, cores (physical), hardware threads and memory in bytes. No name of host or user."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": psutil.cpu_count(logical=False),
        "hardware_threads": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def describe_versions() -> dict[str, str]:
    """The versions of the installed libraries that do the work, without importing them."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def has_card() -> bool:
    """Whether PyTorch may run on a graphics card here; asked without loading it."""
    return Path("/proc/driver/nvidia/version").exists()


BUSY_SHARE = 0.15
"""From this share of the processor taken by other programs on, speeds are said to be disturbed."""


class NeighbourWatch:
    """How much of the whole processor other programs used since this was made.

    pids: processes that are no other programs, beside this one.
    """

    def __init__(self, pids: Sequence[int] = ()) -> None:
        self._pids = (None, *pids)
        self._began = self._used()

    def read(self) -> float | None:
        """A share from 0 to 1; None where no time has passed."""
        return share_of(*self.seconds())

    def seconds(self) -> tuple[float, float]:
        """(processor seconds that there were in all, those that others used)"""
        now = self._used()
        total, busy, own = (after - before for before, after in zip(self._began, now, strict=True))
        return total, busy - own

    def _used(self) -> tuple[float, float, float]:
        """(all, busy, own) processor seconds so far"""
        import psutil

        times = psutil.cpu_times()._asdict()
        # Linux counts a guest's time in user's, too; waiting for the disk is no work.
        total = sum(value for name, value in times.items() if not name.startswith("guest"))
        own = 0.0
        for pid in self._pids:
            with suppress(psutil.Error):
                mine = psutil.Process(pid).cpu_times()
                own += mine.user + mine.system
        return total, total - times["idle"] - times.get("iowait", 0.0), own


def share_of(total: float, others: float) -> float | None:
    """What others took of the processor, from 0 to 1; None where no time has passed."""
    return max(0.0, min(1.0, others / total)) if total > 0 else None


def describe_busy(share: float) -> str:
    return f"Other programs took {100 * share:.0f} % of the processor while speed was measured: the real one is higher."


def peak_memory_bytes() -> int | None:
    """Peak resident bytes of this process so far; None where the system does not tell."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage is no use on Linux: its maximum survives exec, and a child would report its parent's memory.
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
