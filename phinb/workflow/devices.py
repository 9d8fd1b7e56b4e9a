"""Which accelerators this machine has, asked of its own tools: neither torch nor a driver's library is loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys

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
