"""Folders that are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phinb.folders import build_folder, cache, home, runs

BUILD_SLOWLY = """
import sys, time
from pathlib import Path
from phinb.folders import build_folder

def build(part):
    with open(sys.argv[2], "a") as calls:
        calls.write("built\\n")
    (part / "half").write_text("")
    time.sleep(float(sys.argv[3]))
    (part / "whole").write_text("")

build_folder(Path(sys.argv[1]), build)
"""


def test_phinb_home_holds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path))
    assert (home(), runs(), cache()) == (tmp_path, tmp_path / "runs", tmp_path / "cache")


def test_without_phinb_home_data_and_cache_are_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHINB_HOME", raising=False)
    assert "phinb" in home().name.lower()
    assert runs().parent == home()
    assert home() not in cache().parents


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def build(part: Path) -> None:
        (part / "half").write_text("")
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        build_folder(tmp_path / "model", build)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []


def test_a_folder_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert build_folder(tmp_path / "model", lambda part: pytest.fail("built again")) == tmp_path / "model"


def test_a_killed_build_is_not_taken_for_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    process = start(target, tmp_path / "calls", seconds=60)
    wait_for(tmp_path, ".model.*.part/half")
    process.kill()
    process.wait()
    assert not target.exists()
    build_folder(target, lambda part: (part / "whole").write_text("") and None)
    assert [file.name for file in target.iterdir()] == ["whole"]
    assert list(tmp_path.glob("*.part")) == []


def test_two_processes_build_once(tmp_path: Path) -> None:
    target = tmp_path / "model"
    both = [start(target, tmp_path / "calls", seconds=1) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "calls").read_text().splitlines() == ["built"]
    assert (target / "whole").exists()


def start(target: Path, calls: Path, seconds: float) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", BUILD_SLOWLY, str(target), str(calls), str(seconds)]
    return subprocess.Popen(command, env=environment)


def wait_for(folder: Path, pattern: str) -> None:
    deadline = time.monotonic() + 20
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"{pattern} did not appear"
        time.sleep(0.02)
