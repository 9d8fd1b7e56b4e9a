"""What the GPUs are doing that this process works on. Asks torch where it is loaded and at work; nothing is loaded."""

from __future__ import annotations

import sys
from typing import Any


def measure_gpus() -> tuple[dict[str, Any], ...]:
    """{index, name, used_bytes, total_bytes, percent} of each CUDA device that this process holds memory on.

    `used_bytes` is the device's, other programs included; `percent` is None where nvidia-ml-py is not installed.
    Devices without memory of ours are left alone: asking would take some hundred megabytes of each.
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        if cuda is None or not cuda.is_available() or not cuda.is_initialized():
            return ()
        return tuple(_measure(cuda, index) for index in range(cuda.device_count()) if cuda.memory_reserved(index))
    except (AttributeError, RuntimeError, AssertionError):
        return ()  # torch is only half loaded yet, or the driver refuses: nothing is known


def _measure(cuda: Any, index: int) -> dict[str, Any]:
    free, total = cuda.mem_get_info(index)
    try:
        percent: int | None = int(cuda.utilization(index))
    except Exception:  # of any class: the driver's library is optional, and has errors of its own
        percent = None
    name = str(cuda.get_device_name(index))
    return {"index": index, "name": name, "used_bytes": total - free, "total_bytes": total, "percent": percent}
