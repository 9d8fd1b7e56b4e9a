"""What a Run says of a worker that is gone, without Olive: golden events and a process that can be killed."""

from __future__ import annotations

import psutil
import pytest

import phinb
from phinb.errors import PhinbError
from tests.golden.replay import Replay


def test_a_worker_that_dies_of_a_cancel_is_told_as_cancelled() -> None:
    replay = Replay("success", deaf=True)
    replay.play(9)
    replay.folder.write_control("cancel", "ada")
    replay.end()
    state = phinb.open_run(replay.run_id).state
    assert state.status == "cancelled"
    assert [event.type for event in phinb.open_run(replay.run_id).events()][-2:] == ["stop_requested", "run_finished"]


def test_a_deaf_worker_is_cancelled_all_the_same() -> None:
    replay = Replay("success", deaf=True)
    replay.play(9)
    run = phinb.open_run(replay.run_id)
    run.cancel()
    assert run.state.status == "cancelled"
    assert not psutil.pid_exists(replay.worker.pid)


def test_a_lost_worker_is_noted_once_whoever_looks() -> None:
    replay = Replay("success")
    replay.play(9)
    replay.end()
    views = [phinb.open_run(replay.run_id) for _ in range(3)]
    assert [view.state.status for view in views] == ["failed"] * 3
    assert [event.type for event in views[0].events()].count("worker_lost") == 1


def test_what_has_succeeded_or_still_runs_cannot_be_resumed() -> None:
    replay = Replay("success")
    replay.play(9)
    with pytest.raises(PhinbError, match="still running"):
        phinb.open_run(replay.run_id).resume()
    replay.play_all()
    with pytest.raises(PhinbError, match="succeeded"):
        phinb.open_run(replay.run_id).resume()
    replay.end()
