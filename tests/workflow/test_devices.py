"""What the machine says of itself, asked of a real program by the name of nvidia-smi."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from phinb.workflow.devices import list_gpus, look_at_machine


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_gpu_is_known_by_name_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Tesla T4, 15360 MiB'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    machine = look_at_machine()
    assert machine.gpus == ("Tesla T4, 15360 MiB",)
    assert machine.gpu_bytes == 15360 * 2**20
    program.write_text("#!/bin/sh\necho 'no devices were found'; exit 6\n", encoding="utf-8")
    assert list_gpus() == []
    assert look_at_machine().gpu_bytes is None


def test_the_memory_is_the_machines() -> None:
    assert look_at_machine().memory_bytes == psutil.virtual_memory().total
