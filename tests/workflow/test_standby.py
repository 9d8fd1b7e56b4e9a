"""The worker that waits: which run it takes, that it is one, and when it goes. Real Olive is imported in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import phinb
from phinb.workflow.process import wait_until
from phinb.workflow.standby import IDLE_S, describe_standby, dismiss_standby, find_standby, keep_standby
from tests.workflow.conftest import MakeConfig
from tests.workflow.test_run import LONG, assert_equal_weights, finished

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def standby(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PHINB_STANDBY", "1")
    yield
    monkeypatch.setenv("PHINB_STANDBY", "0")  # a worker that is still at it must not leave a successor
    dismiss_standby()


def wait_until_ready() -> int:
    """The process that waits, once it is ready."""
    assert wait_until(lambda: (found := find_standby()) is not None and found.ready, 60)
    found = find_standby()
    assert found is not None
    return found.pid


def waiting_note(home: Path) -> Path:
    return next((home / "standby").glob("*/waiting.json"))


def test_a_run_is_taken_by_it_comes_out_the_same_and_leaves_a_successor(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = finished(phinb.start(make_config(), until="lora", fresh=True))
    keep_standby()
    pid = wait_until_ready()
    monkeypatch.setenv("PROBE", "set after it began to wait")
    run = phinb.start(make_config(), until="lora", fresh=True)
    finished(run)
    assert run.state.pid == pid
    assert_equal_weights(cold, run)
    assert "Olive" in run.log_tail(400) or "olive" in run.log_tail(400)
    assert wait_until(lambda: find_standby() is not None, 20)
    second = wait_until_ready()
    assert second != pid
    again = finished(phinb.start(make_config(), until="lora"))
    assert again.state.pid == second
    assert again.state.passes["lora"].reused


def test_one_waits_however_many_ask_and_none_where_it_is_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = "import phinb; found = phinb.keep_standby(); print(found.pid if found else '')"
    asking = [subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate(timeout=60)[0].strip() for process in asking}
    found = find_standby()
    assert found is not None
    assert answers == {str(found.pid)}
    assert "waits for the next run" in describe_standby(found)
    assert dismiss_standby()
    assert wait_until(lambda: not psutil.pid_exists(found.pid), 5)
    assert not dismiss_standby()
    monkeypatch.setenv("PHINB_STANDBY", "0")
    assert keep_standby() is None
    assert "PHINB_STANDBY" in describe_standby(None)


def test_it_takes_no_run_that_a_worker_of_its_own_would_run_otherwise(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = keep_standby()
    assert found is not None
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = phinb.start(make_config(), until="lora")
    assert finished(run).state.pid != found.pid
    replaced = keep_standby()
    assert replaced is not None
    assert replaced.pid != found.pid
    assert not psutil.pid_exists(found.pid) or psutil.Process(found.pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_one_is_not_waited_for(make_config: MakeConfig) -> None:
    found = keep_standby()
    assert found is not None
    psutil.Process(found.pid).kill()
    run = finished(phinb.start(make_config(), until="lora"))
    assert run.state.pid != found.pid


def test_a_run_can_be_cancelled_while_its_worker_still_imports(make_config: MakeConfig) -> None:
    found = keep_standby()
    assert found is not None
    run = phinb.start(make_config(LONG))
    run.cancel()
    assert run.state.status == "cancelled"
    assert not psutil.pid_exists(found.pid) or psutil.Process(found.pid).status() == psutil.STATUS_ZOMBIE
    assert find_standby() is None


def test_it_leaves_when_nobody_needs_it(phinb_home: Path) -> None:
    keep_standby()
    pid = wait_until_ready()
    long_ago = time.time() - IDLE_S - 1
    os.utime(waiting_note(phinb_home), (long_ago, long_ago))
    assert wait_until(lambda: find_standby() is None, 20)
    assert wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5)
