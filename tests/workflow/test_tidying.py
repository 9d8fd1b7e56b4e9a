"""What runs take on the disk, and their deletion: what goes, what stays, and that the figures are the file system's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

import phinb
from phinb.errors import PhinbError
from phinb.types import Queued, RunFinished
from phinb.workflow import store, tidying
from phinb.workflow.disk import Tally
from phinb.workflow.run_list import HEAD, describe_deletion, describe_usage, list_runs
from phinb.workflow.runner import Run, open_run, runs
from phinb.workflow.store import RunRecord
from phinb.workflow.tidying import read_age
from tests.golden.replay import Replay
from tests.workflow.conftest import MakeConfig

SIZE = 1 << 20

MakeRun = Callable[..., Run]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any run."""
    monkeypatch.setenv("PHINB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def make_run(home: Path) -> MakeRun:
    """make_run(name, results, cache="k1", status=..., days=0): an ended run with links into the cache for artefacts."""
    count = 0

    def make(
        name: str, results: tuple[str, ...] = (), cache: str = "k1", status: str = "succeeded", days: float = 0
    ) -> Run:
        nonlocal count
        count += 1
        now = time.time() - days * 86400
        run_id = f"r-20260101-00000{count}-abcd"
        record = RunRecord(run_id, name, now, ("lora",), cwd=str(home), base=str(home))
        place = home / "cache" / "olive" / cache
        texts = {"olive.json": json.dumps({"cache_dir": str(place)})}
        folder = store.create(record, {"config.json": "{}", "upgraded.json": "{}", **texts})
        folder.append(Queued(run_id, name, ("lora",), "here", time=now))
        for result in results:
            entry = place / "default_workflow" / "runs" / result
            weights = entry / "models" / "weights.bin"
            if not weights.exists():
                weights.parent.mkdir(parents=True)
                weights.write_bytes(os.urandom(SIZE))
                (entry.parent.parent / "evaluations").mkdir(exist_ok=True)
                (entry.parent.parent / "evaluations" / f"{result}.json").write_text("{}", encoding="utf-8")
            (folder.artefacts / result).mkdir()
            (folder.artefacts / result / "weights.bin").hardlink_to(weights)
            folder.note_result(f"{cache}/default_workflow/runs/{result}")
        folder.append(RunFinished(status, 1.0, "", time=now))  # type: ignore[arg-type]
        return Run(folder)

    return make


def entries(home: Path, cache: str = "k1") -> set[str]:
    return {path.name for path in (home / "cache" / "olive" / cache / "default_workflow" / "runs").glob("*")}


def in_megabytes(size: float) -> float:
    """Whole ones: the small files beside the weights take a few blocks."""
    return size // SIZE


def test_a_file_with_several_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "one").write_bytes(os.urandom(SIZE))
    (tmp_path / "a" / "two").hardlink_to(tmp_path / "a" / "one")
    assert in_megabytes(Tally().add(tmp_path).bytes) == 1
    (tmp_path / "b" / "three").hardlink_to(tmp_path / "a" / "one")
    assert Tally().add(tmp_path / "a").freed_bytes == 0, "its third name keeps it"
    assert in_megabytes(Tally().add(tmp_path).freed_bytes) == 1
    (tmp_path / "b" / "link").symlink_to(tmp_path / "a" / "one")
    assert in_megabytes(Tally().add(tmp_path).bytes) == 1


def test_what_a_sparse_file_takes_is_what_it_takes(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(100 * SIZE)
    assert Tally().add(tmp_path).bytes < SIZE


def test_usage_counts_shared_files_once_in_each_figure(make_run: MakeRun, home: Path) -> None:
    first, second = make_run("one", ("lora1", "merge1")), make_run("two", ("lora1",))
    make_run("three", ("lora3",))
    (home / "cache" / "olive" / "k9").mkdir(parents=True)
    (home / "cache" / "olive" / "k9" / "left over").write_bytes(os.urandom(2 * SIZE))
    usage = phinb.disk_usage()
    assert in_megabytes(usage.runs[first.id]) == 2
    assert in_megabytes(usage.runs[second.id]) == 1
    assert in_megabytes(usage.runs_bytes) == 3
    assert in_megabytes(usage.cache_bytes) == 2
    rows = list_runs({run.id: run.state for run in runs()}, usage, time.time())
    assert [row[HEAD.index("configuration")] for row in rows] == ["three", "two", "one"]
    assert rows[2][HEAD.index("disk")] == "2 MB"
    assert describe_usage(usage) == "3 runs: 3 MB, and 2 MB more in Olive's cache"


def test_a_deleted_run_takes_only_its_own_results_along(make_run: MakeRun, home: Path) -> None:
    first, second = make_run("one", ("shared", "own")), make_run("two", ("shared", "other"))
    told = phinb.delete_runs(first, dry_run=True)
    assert (told.runs, told.results, told.carried_out) == ((first.id,), 1, False)
    assert first.folder.is_dir()
    assert entries(home) == {"shared", "own", "other"}
    done = phinb.delete_runs(first.id)
    assert in_megabytes(done.freed_bytes) == 1
    assert done.freed_bytes == told.freed_bytes
    assert done.carried_out
    assert entries(home) == {"shared", "other"}
    assert not (home / "cache" / "olive" / "k1" / "default_workflow" / "evaluations" / "own.json").exists()
    assert [run.id for run in phinb.runs()] == [second.id]
    assert list((home / "runs").iterdir()) == [second.folder]
    assert (second.folder / "artefacts" / "shared" / "weights.bin").stat().st_size == SIZE
    phinb.delete_runs(second)
    assert not (home / "cache" / "olive" / "k1").exists()


def test_the_newest_are_kept_and_the_young_ones(make_run: MakeRun) -> None:
    old, middle, young = make_run("a", days=40), make_run("b", days=20), make_run("c")
    assert phinb.delete_runs(keep=2, dry_run=True).runs == (old.id,)
    assert phinb.delete_runs(older="30d", dry_run=True).runs == (old.id,)
    assert phinb.delete_runs(older="1w", dry_run=True).runs == (middle.id, old.id)
    assert phinb.delete_runs(keep=2, older="1w", dry_run=True).runs == (old.id,)
    assert phinb.delete_runs(young, older="30d").runs == (young.id, old.id)
    assert [run.id for run in phinb.runs()] == [middle.id]
    assert phinb.delete_runs(keep=0).runs == (middle.id,)


@pytest.mark.parametrize("age", ["30", "d", "-1d", "30 days", "", "1e3h"])
def test_what_is_no_age_is_said(home: Path, age: str) -> None:
    with pytest.raises(PhinbError, match="is no age"):
        read_age(age)


def test_nothing_asked_for_is_an_error_and_not_everything(make_run: MakeRun) -> None:
    make_run("one")
    with pytest.raises(PhinbError, match="not said which"):
        phinb.delete_runs()
    with pytest.raises(PhinbError, match="There is no run"):
        phinb.delete_runs("r-nowhere")
    assert len(phinb.runs()) == 1


@pytest.fixture
def living(home: Path) -> Iterator[Replay]:
    run = Replay("success")
    run.play(9)
    yield run
    run.end()


def test_a_run_that_goes_on_stays_and_says_why(living: Replay, home: Path) -> None:
    run = open_run(living.run_id)
    done = phinb.delete_runs(run)
    assert done.runs == ()
    assert done.kept == {run.id: "it is running; stop or cancel it first"}
    assert "stays: it is running" in describe_deletion(done, "")[0].title
    assert phinb.delete_runs(keep=0).runs == ()
    assert run.folder.is_dir()


def test_while_a_run_has_not_said_what_it_uses_no_result_goes(living: Replay, make_run: MakeRun, home: Path) -> None:
    ended = make_run("one", ("own",))
    assert phinb.delete_runs(ended).results == 0
    assert not ended.folder.exists()
    assert entries(home) == {"own"}


def test_a_cache_that_a_worker_holds_is_left_alone(make_run: MakeRun, home: Path) -> None:
    ended = make_run("one", ("own",))
    with FileLock(home / "cache" / "olive" / "k1.lock"):
        assert phinb.delete_runs(ended).results == 0
    assert entries(home) == {"own"}
    assert phinb.delete_runs(cache=True).results == 1
    assert not (home / "cache" / "olive" / "k1").exists()


def test_checkpoints_stay_while_a_run_may_be_resumed(make_run: MakeRun, home: Path) -> None:
    cancelled, done = make_run("one", status="cancelled"), make_run("two", ("own",))
    checkpoint = home / "cache" / "olive" / "k1" / "checkpoints" / "lora-1234" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    phinb.delete_runs(cache=True)
    assert checkpoint.is_dir()
    phinb.delete_runs(cancelled)
    assert not checkpoint.exists()
    assert entries(home) == {"own"}
    assert done.folder.is_dir()


def test_of_a_run_that_did_not_note_its_results_all_stay(make_run: MakeRun, home: Path) -> None:
    older, newer = make_run("one", ("first",)), make_run("two", ("second",))
    (older.folder / "results.json").unlink()
    assert phinb.delete_runs(newer).results == 0
    assert entries(home) == {"first", "second"}


def test_a_folder_elsewhere_is_not_ours_to_delete(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("one")
    copy = tmp_path / "copy"
    run.folder.rename(copy)
    done = phinb.delete_runs(copy)
    assert "not among your runs" in next(iter(done.kept.values()))
    assert copy.is_dir()


def test_a_run_that_is_resumed_in_the_same_moment_stays(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("one", status="cancelled")
    reason = tidying._reason_to_keep

    def resume_then(one: Run) -> str:
        kept = reason(one)
        store.RunFolder(one.folder).append(Queued(one.id, one.name, ("lora",), "here"))
        return kept

    monkeypatch.setattr(tidying, "_reason_to_keep", resume_then)
    done = phinb.delete_runs(run)
    assert done.runs == ()
    assert "resumed" in done.kept[run.id]
    assert run.folder.is_dir()


def test_what_an_interrupted_deletion_left_goes_with_the_next(make_run: MakeRun, home: Path) -> None:
    run = make_run("one")
    left = run.folder.rename(home / "runs" / f"{tidying.GONE}{run.id}-beef")
    assert phinb.runs() == []
    phinb.delete_runs(cache=True)
    assert not left.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_after_a_deletion_real_runs_reuse_what_is_left_and_make_the_rest_anew(
    make_config: MakeConfig, empty_cache: Path
) -> None:
    def run(rank: int) -> Run:
        started = phinb.start(make_config({"passes.lora.r": rank}), until="lora")
        assert started.wait(timeout=300).status == "succeeded", started.log_tail()
        return started

    first, second = run(8), run(4)
    weights = (Path(second.variants["adapter"].path) / "adapter_model.safetensors").read_bytes()
    done = phinb.delete_runs(first)
    assert done.results == 1
    assert run(4).state.passes["lora"].reused
    assert not run(8).state.passes["lora"].reused
    assert (Path(second.variants["adapter"].path) / "adapter_model.safetensors").read_bytes() == weights
