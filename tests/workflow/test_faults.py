"""What can go wrong under a run, done to real runs: how each ends, what it loses, and that the next is right.

`pytest -s tests/workflow/test_faults.py` prints the table that docs/runs.md has.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

import phinb
from phinb.config import Config
from phinb.types import Edit, PassFinished, Progress, RunFinished
from phinb.workflow.contents import hash_file
from phinb.workflow.failures import find_code
from phinb.workflow.inputs import read_inputs
from phinb.workflow.process import find_worker, wait_until
from phinb.workflow.runner import Run, launch
from phinb.workflow.store import RunFolder
from tests.workflow.conftest import MakeConfig
from tests.workflow.faults import Row, documented_faults, results_of, start_of, step_of, wait_for
from tests.workflow.nursery import CLOCK, Nursery

pytestmark = pytest.mark.slow

STEPS = 60
LONGER = {
    "passes.lora.training_args.max_steps": STEPS,
    "passes.lora.training_args.save_strategy": "steps",
    "passes.lora.training_args.save_steps": 5,
}
Note = Callable[[str, str, str], None]


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    rows: list[Row] = []
    yield rows
    widths = [max(len(getattr(row, name)) for row in rows) if rows else 0 for name in ("fault", "status")]
    print("\n\nfault".ljust(widths[0] + 4), "status".ljust(widths[1] + 2), "lost", sep="")
    for row in rows:
        print(row.fault.ljust(widths[0] + 2), row.status.ljust(widths[1] + 2), row.lost, sep="")


@pytest.fixture
def note(table: list[Row]) -> Note:
    """Put a line into the table; it must be the one that the documentation has."""

    def add(fault: str, status: str, lost: str) -> None:
        table.append(Row(fault, status, lost))
        assert documented_faults().get(fault) == Row(fault, status, lost)

    return add


@pytest.fixture
def config(make_config: MakeConfig, empty_cache: Path) -> Config:
    return make_config(LONGER)


@pytest.fixture(scope="module")
def expected(nursery: Nursery, phinb_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run of the same configuration makes that nothing happens to."""
    return {}


def undisturbed(expected: dict[str, str], config: Config) -> dict[str, str]:
    """The results of an undisturbed run, made once."""
    if not expected:
        run = finished(launch(config, fresh=True))
        expected |= results_of(run)
    return expected


def finished(run: Run) -> Run:
    state = run.wait(timeout=300)
    assert state.status == "succeeded", f"{state.message} {state.cause}\n{run.log_tail()}"
    return run


def worker_of(run: Run) -> psutil.Process:
    worker = find_worker(RunFolder(run.folder))
    assert worker is not None
    return worker


def cause_of(run: Run) -> str:
    """The code of the known failure that the run gives as its cause."""
    state = run.wait(timeout=120)
    assert state.status == "failed", state
    assert state.remedy
    return find_code(state.cause)


# ---------------------------------------------------------------------------------------------------- processes


def test_killed_in_every_pass_a_run_comes_out_as_if_nothing_had_been(
    quick: None, config: Config, expected: dict[str, str], note: Note
) -> None:
    run = launch(config)
    worker_of(run).kill()
    assert run.wait(timeout=20).status == "failed"
    note("kill -9 while preparing", run.state.status, "nothing")
    run.resume()
    moments = {"lora": (step_of(12), "steps since the last checkpoint")}
    moments |= {name: (start_of(name, attempt), "the pass") for name, attempt in (("merge", 2), ("int4", 3))}
    done: list[str] = []
    for attempt, (name, (moment, lost)) in enumerate(moments.items(), 1):
        wait_for(run, moment)
        worker_of(run).kill()
        state = run.wait(timeout=20)
        assert state.status == "failed"
        assert state.cause
        assert [state.passes[earlier].status for earlier in done] == ["done"] * len(done)
        assert [event.type for event in run.events()].count("worker_lost") == attempt + 1
        note(f"kill -9 in {name}", state.status, lost)
        done.append(name)
        run.resume()
    state = finished(run).state
    assert [item.reused for item in state.passes.values()] == [True, True, False]
    resumed = [getattr(event, "resumed_from", None) for event in run.events() if event.type == "attempt_started"]
    assert resumed[1] >= 10
    logged = [metric.step for metric in state.metrics if "loss" in metric.values]
    assert logged == list(range(1, STEPS + 1)), "the loss curve goes on without a gap or a step twice"
    assert results_of(run) == undisturbed(expected, config)


def test_asked_to_end_by_a_signal_it_says_so_leaves_no_process_and_goes_on_later(
    quick: None, config: Config, expected: dict[str, str], note: Note
) -> None:
    run = launch(config)
    for attempt, number in enumerate((signal.SIGTERM, signal.SIGINT), 1):
        wait_for(run, step_of(12 * attempt, attempt))
        worker = worker_of(run)
        family = [worker, *worker.children(recursive=True)]
        worker.send_signal(number)
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive
        state = run.wait(timeout=5)
        assert state.status == "failed"
        assert number.name in state.cause
        assert list(run.events())[-1].type == "worker_lost"
        note(f"{number.name} to the worker", state.status, "steps since the last checkpoint")
        run.resume()
    assert results_of(finished(run)) == undisturbed(expected, config)


def test_the_kernel_is_killed_and_the_run_goes_on(make_config: MakeConfig, empty_cache: Path, note: Note) -> None:
    config = make_config({**LONGER, "passes.lora.training_args.max_steps": 400})
    file = config.folder / "small.json"
    file.write_text(config.dumps("json"), encoding="utf-8")
    code = "import sys, time, phinb; print(phinb.start(phinb.load_config(sys.argv[1]), until='lora').id, flush=True)"
    kernel = subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(600)", str(file)], stdout=subprocess.PIPE, text=True
    )
    assert kernel.stdout is not None
    run = phinb.open_run(kernel.stdout.readline().strip())
    wait_for(run, step_of(3))
    kernel.kill()
    kernel.wait()
    assert not run.state.ended
    again = phinb.open_run("small")
    assert again.id == run.id
    assert finished(again).state.attempt == 1
    note("kill -9 and restart of the kernel", again.state.status, "nothing")


# --------------------------------------------------------------------------------------------- disk and memory


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 40 MB, with phinb's home on it."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", place], check=False).returncode:
        pytest.skip("only root may mount; test_a_file_that_may_not_grow has the limits that anybody may set")
    monkeypatch.setenv("PHINB_HOME", str(place / "home"))
    yield place
    for path in (place / "home" / "runs").glob("r-*"):
        if worker := find_worker(RunFolder(path)):
            worker.kill()
            worker.wait(10)
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path, leave: int) -> Path:
    """A file that leaves so many bytes, or what a worker that writes meanwhile has left of them."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        for _ in range(100):
            with contextlib.suppress(OSError):  # the worker was quicker
                os.posix_fallocate(file.fileno(), 0, max(4096, shutil.disk_usage(disk).free - leave))
                return ballast
    raise AssertionError("the disk could not be filled")


def test_the_disk_fills_up_and_every_run_says_so_and_goes_on_when_there_is_room(
    quick: None, make_config: MakeConfig, small_disk: Path, expected: dict[str, str], note: Note
) -> None:
    config = make_config(LONGER)
    run = launch(config)
    wait_for(run, step_of(7))
    ballast = fill(small_disk, 0)
    assert cause_of(run) in ("disk_full", "not_written")
    assert run.state.passes["lora"].status == "failed"
    note("the disk fills up in training", run.state.status, "steps since the last checkpoint")
    ballast.unlink()
    wait_for(run.resume(), step_of(7, attempt=2))
    ballast = fill(small_disk, 1_600_000)
    assert cause_of(run) == "disk_full"
    assert [item.status for item in run.state.passes.values()] == ["done", "failed", "waiting"]
    note("the disk fills up in merge", run.state.status, "the pass")
    ballast.unlink()
    assert finished(run.resume()).state.passes["lora"].reused
    assert results_of(run) == undisturbed(expected, config)


def test_events_that_find_no_room_are_written_when_there_is_some(
    quick: None, make_config: MakeConfig, small_disk: Path, note: Note
) -> None:
    run = launch(
        make_config({"passes.lora.training_args.max_steps": 400, "passes.lora.training_args.save_strategy": "no"}),
        until="lora",
    )
    wait_for(run, step_of(5))
    (run.folder / ".reserve").unlink()
    ballast = fill(small_disk, 0)
    size = run._folder.events_path.stat().st_size
    wait_until(lambda: run._folder.events_path.stat().st_size - size > 5000, 2.0)
    stuck = len([event for event in run.events() if event.type == "metric"])
    time.sleep(1.0)
    assert len([event for event in run.events() if event.type == "metric"]) == stuck, "the disk was not full"
    ballast.unlink()
    state = finished(run).state
    assert [event.seq for event in run.events()] == list(range(state.last_seq + 1))
    logged = [metric.step for metric in state.metrics if "loss" in metric.values]
    assert logged == list(range(1, 401))
    times = [event.time for event in run.events() if event.type == "metric"]
    assert times == sorted(times)
    note("the disk fills up under the events", state.status, "nothing")


def test_a_file_that_may_not_grow(quick: None, config: Config, expected: dict[str, str], note: Note) -> None:
    run = launch(config)
    wait_for(run, step_of(7))
    worker_of(run).rlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    assert cause_of(run) in ("file_too_large", "not_written")
    note("a limit on the size of files", run.state.status, "steps since the last checkpoint")
    assert results_of(finished(run.resume())) == undisturbed(expected, config)


def test_memory_runs_out(quick: None, config: Config, expected: dict[str, str], note: Note) -> None:
    run = launch(config)
    wait_for(run, step_of(7))
    worker = worker_of(run)
    limit = worker.memory_info().vms
    worker.rlimit(resource.RLIMIT_AS, (limit, limit))
    assert cause_of(run) == "out_of_memory"
    note("a limit on memory is hit", run.state.status, "steps since the last checkpoint")
    assert results_of(finished(run.resume())) == undisturbed(expected, config)


# ------------------------------------------------------------------------------------------- time and neighbours


def test_the_clock_is_set_back(
    quick: None,
    make_config: MakeConfig,
    empty_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    note: Note,
) -> None:
    """As the worker sees it: libfaketime does it for a whole process, but hung torch's threads now and then."""
    offset = tmp_path / "offset"
    offset.write_text("0", encoding="utf-8")
    monkeypatch.setenv(CLOCK, str(offset))
    run = launch(make_config({**LONGER, "passes.lora.training_args.max_steps": 300}))
    wait_for(run, step_of(5))
    offset.write_text("-3600", encoding="utf-8")
    state = finished(run).state
    events = list(run.events())
    assert min(event.time for event in events) < events[0].time - 3000, "the clock was not set back"
    assert [event.seq for event in events] == list(range(len(events)))
    seconds = [event.seconds for event in events if isinstance(event, PassFinished | RunFinished)]
    assert all(0 <= value < 600 for value in seconds)
    assert all(0 <= event.eta_s < 600 for event in events if isinstance(event, Progress) and event.eta_s is not None)
    logged = [metric.step for metric in state.metrics if "loss" in metric.values]
    assert logged == list(range(1, 301))
    note("the clock is set back", state.status, "nothing")


def test_runs_that_start_at_once_do_not_disturb_each_other(
    quick: None, make_config: MakeConfig, empty_cache: Path, expected: dict[str, str], note: Note
) -> None:
    other = make_config({**LONGER, "passes.lora.r": 4})
    config = make_config(LONGER)
    code = "import sys, phinb; from phinb.workflow.runner import launch; run = launch(phinb.load_config(sys.argv[1]));"
    file = config.folder / "small.json"
    file.write_text(config.dumps("json"), encoding="utf-8")
    second = subprocess.Popen(
        [sys.executable, "-c", f"{code} print(run.id); run.wait()", str(file)], stdout=subprocess.PIPE, text=True
    )
    runs = [launch(config), launch(other)]
    assert second.stdout is not None
    runs.append(phinb.open_run(second.stdout.readline().strip()))
    for run in runs:
        finished(run)
    second.wait(20)
    assert results_of(runs[0]) == results_of(runs[2]) == undisturbed(expected, config)
    assert results_of(runs[1])["adapter"] != results_of(runs[0])["adapter"]
    waited = [any("waiting for another run" in getattr(one, "what", "") for one in run.events()) for run in runs]
    assert not waited[1], "it shares no result with them"
    assert waited[0] or waited[2]
    reused = [[item.reused for item in run.state.passes.values()] for run in (runs[0], runs[2])]
    assert sorted(reused) == [[False] * 3, [True] * 3], "one of the two made it, the other took it"
    note("the same run twice at once", runs[2].state.status, "nothing")
    note("another run at the same time", runs[1].state.status, "nothing")


# --------------------------------------------------------------------------------------------- data and artefacts


def test_the_data_change_while_a_run_goes_on(quick: None, config: Config, tmp_path: Path, note: Note) -> None:
    data = tmp_path / "train.jsonl"
    before = data.read_bytes()
    run = launch(config, until="lora")
    wait_for(run, step_of(3))
    data.write_bytes(before + b"".join(before.splitlines(keepends=True)[:3]))
    state = finished(run).state
    told = [notice.message for notice in state.notices if notice.code == "inputs_changed"]
    inputs = read_inputs(RunFolder(run.folder))
    assert inputs is not None
    assert len(told) == 1
    assert inputs.data[0].sha256[:12] in told[0]
    assert json.loads((run.folder / "inputs.json").read_text(encoding="utf-8"))["changed_meanwhile"] == ["train.jsonl"]
    later = finished(launch(config, until="lora"))
    assert later.state.passes["lora"].reason == "data changed: 3 rows added in train.jsonl"
    assert results_of(later) != results_of(run)
    data.write_bytes(before)
    back = finished(launch(config, until="lora"))
    assert back.state.passes["lora"].reused
    assert results_of(back) == results_of(run)
    note("a data file changes while a run goes on", state.status, "nothing")


def test_data_that_change_while_a_run_waits_are_hashed_again(
    quick: None, config: Config, tmp_path: Path, empty_cache: Path
) -> None:
    first = launch(config, until="lora")
    wait_for(first, step_of(1))
    first.cancel()
    lock = FileLock(next(empty_cache.glob("*.lock")))
    with lock:
        run = launch(config, until="lora")
        wait_for(run, lambda event: "waiting" in getattr(event, "what", ""))
        data = tmp_path / "train.jsonl"
        data.write_bytes(data.read_bytes().replace(b"joy", b"fear", 1))
    finished(run)
    inputs = read_inputs(RunFolder(run.folder))
    assert inputs is not None
    assert not inputs.changed_data()
    assert not [notice for notice in run.state.notices if notice.code == "inputs_changed"]


def test_an_artefact_in_the_cache_is_damaged(
    quick: None, config: Config, empty_cache: Path, expected: dict[str, str], note: Note
) -> None:
    first = finished(launch(config))
    weights = next(path for path in empty_cache.rglob("model.safetensors") if "checkpoint" not in str(path))
    assert weights.stat().st_size > 1_000_000
    with weights.open("r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(b"\x00" * 64)
    again = finished(launch(config))
    passes = again.state.passes
    assert [item.reused for item in passes.values()] == [True, False, False]
    assert "damaged" in passes["merge"].reason
    assert first.id in passes["merge"].reason
    assert results_of(again) == undisturbed(expected, config)
    lineage = json.loads((again.folder / "artefacts.json").read_text(encoding="utf-8"))
    assert [(one["artefact"], one["made_from"], one["made_by"]) for one in lineage] == [
        ("lora", "base", first.id),
        ("merge", "lora", again.id),
        ("int4", "merge", again.id),
    ]
    merged = Path(again.variants["merged"].path) / "model.safetensors"
    assert lineage[1]["sha256"]["model.safetensors"] == hash_file(merged)
    note("a file in the cache is damaged", again.state.status, "the pass that made it, and the later ones")


# ------------------------------------------------------------------------------------------------ the run's folder


def make_unwritable(path: Path) -> Callable[[], Any]:
    """Take the right to write a file away, from root too; returns what gives it back."""
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", path], check=True)
        return lambda: subprocess.run(["chattr", "-i", path], check=True)
    path.chmod(0o444)
    return lambda: path.chmod(0o644)


def test_events_cannot_be_written(quick: None, config: Config, expected: dict[str, str], note: Note) -> None:
    run = launch(config)
    wait_for(run, step_of(5))
    worker = worker_of(run)
    give_back = make_unwritable(run._folder.events_path)
    try:
        worker.wait(120)
        state = run.state
        assert state.status == "failed"
        assert "events cannot be written" in run.log_tail(400)
        assert results_of(run) == undisturbed(expected, config)
        assert phinb.open_run(run.id).state.status == "failed"
    finally:
        give_back()
    assert run.state.status == "failed"
    assert list(run.events())[-1].type == "worker_lost"
    note("the events cannot be written", state.status, "the account of the last passes; their results are kept")
    again = finished(launch(config))
    assert all(item.reused for item in again.state.passes.values())


def test_the_folder_of_a_run_is_deleted(quick: None, config: Config, expected: dict[str, str], note: Note) -> None:
    run = launch(config.edit(Edit("set", "passes.lora.training_args.max_steps", 4000)))
    wait_for(run, step_of(5))
    worker = worker_of(run)

    def is_deleted() -> bool:
        shutil.rmtree(run.folder, ignore_errors=True)  # the worker may write while it is being emptied
        return not run.folder.exists()

    assert wait_until(is_deleted, 10)
    worker.wait(20)
    assert not run.folder.exists()
    state = run.state
    assert "deleted" in state.cause
    note("the run's folder is deleted", state.status, "the run; its checkpoints are kept")
    assert results_of(finished(launch(config))) == undisturbed(expected, config)
