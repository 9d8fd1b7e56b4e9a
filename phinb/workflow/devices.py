"""Which accelerators this machine has, asked of its own tools: neither torch nor a driver's library is loaded."""

from __future__ import annotations

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


def look_at_machine() -> Machine:
    """What a run can use here, for whoever writes a first configuration; memory is this machine's whole."""
    import psutil

    gpus = list_gpus()
    return Machine(
        gpus=tuple(gpus),
        gpu_bytes=_memory_of(gpus[0]) if gpus else None,
        memory_bytes=psutil.virtual_memory().total,
        bf16=_has_bf16(),
        cuda_runtime=_is_installed("onnxruntime-gpu"),
    )


def _memory_of(gpu: str) -> int | None:
    """Bytes, from nvidia-smi's `NVIDIA T4, 15360 MiB`."""
    size, _, unit = gpu.rpartition(",")[2].strip().partition(" ")
    return int(size) * 2**20 if size.isdigit() and unit == "MiB" else None


def _has_bf16() -> bool:
    """Whether the processor says that it has bfloat16 instructions; False where it cannot be asked."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
