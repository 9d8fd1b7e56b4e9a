"""Which accelerators this machine has, asked of its own tools: neither torch nor a driver's library is loaded."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from phinb.config.starting.facts import Machine

# Execution providers that need an accelerator, by the device that they stand for in an Olive system.
GPU_PROVIDERS = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")


def list_gpus() -> list[str]:
    """`name, memory` of each NVIDIA GPU that nvidia-smi names; empty where there is none."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def may_have_gpu() -> bool:
    """False only where it is known that there is none: other makers' GPUs show up as a driver or on Windows, macOS."""
    return bool(list_gpus()) or sys.platform in ("win32", "darwin") or shutil.which("rocminfo") is not None


def memory_total() -> int:
    """Bytes that a run here can have at most: the machine's memory, or the limit of the container that we are in."""
    import psutil

    return min(int(psutil.virtual_memory().total), *(limit for limit, _ in _container_memory()), 1 << 62)


def memory_free() -> int:
    """Bytes that a run could take now without another program having to give any back."""
    import psutil

    return min(int(psutil.virtual_memory().available), *(limit - used for limit, used in _container_memory()), 1 << 62)


def _container_memory() -> list[tuple[int, int]]:
    """(limit, used) in bytes of the container (cgroup 2, then 1); empty where there is none or no limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        root = Path("/sys/fs/cgroup")
        try:
            return [(int((root / limit).read_text()), int((root / used).read_text()))]
        except (OSError, ValueError):  # "max": no limit
            continue
    return []


def look_at_machine() -> Machine:
    """What a run can use here, for whoever writes a first configuration; memory is this machine's whole."""
    import psutil

    gpus = list_gpus()
    return Machine(
        gpus=tuple(gpus),
        gpu_bytes=_memory_of(gpus[0]) if gpus else None,
        memory_bytes=psutil.virtual_memory().total,
        bf16=has_bf16(),
        cuda_runtime=_is_installed("onnxruntime-gpu"),
    )


def _memory_of(gpu: str) -> int | None:
    """Bytes, from nvidia-smi's `NVIDIA T4, 15360 MiB`."""
    size, _, unit = gpu.rpartition(",")[2].strip().partition(" ")
    return int(size) * 2**20 if size.isdigit() and unit == "MiB" else None


def has_bf16() -> bool:
    """Whether the processor says that it has bfloat16 instructions; False where it cannot be asked."""
    return any(flag in _cpu_info() for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def read_processor() -> str:
    """The processor's name and, where the system tells them, its kinds of instructions."""
    told = ("model name", "Model", "flags", "Features")
    lines = {line for line in _cpu_info().splitlines() if line.startswith(told)}
    return "\n".join(sorted(lines)) or platform.processor() or platform.machine()


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
