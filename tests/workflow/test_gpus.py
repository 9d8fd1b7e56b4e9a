"""What a GPU's line says, and that nothing is asked where there is none. The driver itself is a stand-in."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from phinb.workflow.gpus import measure_gpus


def torch_with(**changes: Any) -> SimpleNamespace:
    def refuse(index: int) -> int:
        raise ModuleNotFoundError("nvidia-ml-py is not installed")

    cuda = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 2,
        "memory_reserved": lambda index: 1000 if index == 1 else 0,
        "mem_get_info": lambda index: (6_800_000_000, 15_800_000_000),
        "get_device_name": lambda index: f"NVIDIA T4 {index}",
        "utilization": refuse,
    }
    return SimpleNamespace(cuda=SimpleNamespace(**cuda | changes))


def test_only_devices_that_hold_something_of_ours_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_with())
    (gpu,) = measure_gpus()
    told = {"index": 1, "name": "NVIDIA T4 1", "used_bytes": 9_000_000_000, "total_bytes": 15_800_000_000}
    assert gpu == told | {"percent": None}
    monkeypatch.setitem(sys.modules, "torch", torch_with(utilization=lambda index: 97))
    assert measure_gpus()[0]["percent"] == 97


@pytest.mark.parametrize("missing", ["is_available", "is_initialized"])
def test_without_a_gpu_at_work_nothing_is_told(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_with(**{missing: lambda: False}))
    assert measure_gpus() == ()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())  # half loaded
    assert measure_gpus() == ()
    monkeypatch.delitem(sys.modules, "torch")
    assert measure_gpus() == ()
