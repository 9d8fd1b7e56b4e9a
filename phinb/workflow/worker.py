"""python -m phinb.workflow.worker FOLDER: the process in which Olive runs.

It reads what is asked from the run's folder, writes events.jsonl, and leaves by os._exit once everything is
flushed (Olive's telemetry would hold the process for seconds at a normal exit, even when turned off).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

import psutil

from phinb.errors import PhinbError
from phinb.types import AttemptStarted, Preparing, RunFinished, WorkerLost
from phinb.workflow.cache_lock import CacheLock, lock_run
from phinb.workflow.checkpoints import drop_checkpoints
from phinb.workflow.evaluation_only import clear_evaluations, report_evaluation
from phinb.workflow.failures import explain
from phinb.workflow.inputs import write_inputs
from phinb.workflow.job import Job, Told, place, prepare
from phinb.workflow.printed import Reader, Tee
from phinb.workflow.process import UNWRITABLE, remember_worker
from phinb.workflow.release import settle_imports
from phinb.workflow.reporter import Control, Reporter, measure_resources
from phinb.workflow.runner import read_config
from phinb.workflow.store import RunFolder
from phinb.workflow.trackers.tracking import Tracking
from phinb.workflow.watch import RUN_AGAIN, Watch

SETTLE_S = 3.0
"""How long a worker tries to write its last words."""

EXIT_GONE = 2


def main(folder_path: str) -> int:
    """Run the folder's configuration; returns the exit code. What goes wrong is an event, not an exception."""
    folder = RunFolder(Path(folder_path))
    began = time.monotonic()
    reporter = Reporter(folder)
    with contextlib.suppress(OSError):
        remember_worker(folder, os.getpid())
    tracking = Tracking(reporter)
    control = Control(
        reporter,
        on_cancel=lambda: _leave_cancelled(reporter, tracking, began),
        on_signal=lambda number: _leave_signalled(reporter, tracking, number),
        on_gone=lambda: _leave(EXIT_GONE),
    )
    try:
        control.start()
        status, message = _run(reporter, control, tracking)
    except PhinbError as error:
        reporter.notice("error", "cannot_start", error.message, error.hint)
        status, message = "failed", error.message
    except Exception as error:
        traceback.print_exc()
        code, cause, remedy = explain("".join(traceback.format_exception(error)))
        if code != "unknown":
            reporter.notice("error", code, cause, remedy)
        status, message = "failed", cause or f"{type(error).__name__}: {error}"
    reporter.emit(measure_resources())
    # Before the run is told to be over, so that whoever has waited for it finds all of it there.
    tracking.finish(RunFinished(status=status, seconds=time.monotonic() - began, message=message))
    control.end()
    reporter.emit(RunFinished(status=status, seconds=time.monotonic() - began, message=message))
    if not reporter.settle(SETTLE_S):
        return UNWRITABLE
    return 0 if status in ("succeeded", "stopped") else 1


def _run(reporter: Reporter, control: Control, tracking: Tracking) -> tuple[Any, str]:
    """(status, message) of the whole run."""
    folder = reporter.folder
    record = folder.record
    attempt = folder.read_state().attempt + 1

    def told(what: str, done: float | None = None, total: float | None = None) -> None:
        reporter.emit(Preparing(what=what, done=done, total=total))

    config = read_config(folder)
    while True:
        job = prepare(record, config, attempt, told)
        lock = _lock_cache(job, told)
        # It may have waited for hours: what was hashed then is not what would be read now.
        if not (job.inputs.changed_data() or job.inputs.changed_sources()):
            break
        lock.release()
    try:
        step = place(job, folder, Path(record.base))
        versions, seed = dict(job.inputs.versions), job.seed
        reporter.emit(AttemptStarted(attempt=attempt, pid=os.getpid(), versions=versions, seed=seed, resumed_from=step))
        tracking.start(job.phinb["trackers"])
        told("loading Olive")
        return _run_olive(job, reporter, control)
    finally:
        lock.release()


def _lock_cache(job: Job, told: Told) -> CacheLock:
    def wait() -> None:
        told("waiting for another run on the same model and data", None, None)

    return lock_run(job.cache, job.olive, alone=job.search is not None, on_wait=wait)


def _run_olive(job: Job, reporter: Reporter, control: Control) -> tuple[Any, str]:
    from phinb.workflow.hooks import install

    watch = Watch(job, reporter, control)

    def on_printed(done: float, total: float | None, unit: str) -> None:
        # Training tells its steps itself; what it prints besides (weights being loaded) would jump about in its bar.
        if watch.current and not watch.is_training:
            reporter.progress(watch.current, done, total, unit)

    reader = Reader(on_printed)
    reader.layers = job.layers
    sys.stdout, sys.stderr = Tee(sys.stdout, reader.read), Tee(sys.stderr, reader.read)
    listener = install(watch)
    import olive.workflows

    settle_imports()
    clear_evaluations(job)
    try:
        # Olive takes the dict apart while it reads it.
        output = olive.workflows.run(deepcopy(job.olive))
    except Exception:
        if not watch.failure:
            raise
        traceback.print_exc()
        return "failed", watch.failure
    finally:
        if watch.cut_short:
            watch.drop_entries()
    _note_changed_inputs(job, reporter)
    if not job.olive["passes"]:
        reporter.folder.write_variants(watch.variants)
        return report_evaluation(job, reporter, "\n".join(listener.errors))
    if watch.search is not None:
        status, message = watch.search.judge(output, watch.failure, cut_short=watch.cut_short)
    else:
        status, message = _judge(output, watch)
    if status != "failed":
        _drop_copy(reporter.folder)
    if status == "succeeded":
        drop_checkpoints(job.olive)
        if watch.search is not None:
            watch.search.drop_checkpoints()
    return status, message


def _judge(output: Any, watch: Watch) -> tuple[Any, str]:
    """(status, message) of a run without a search, which ends at the first pass that fails."""
    if watch.failure or not output.has_output_model():
        return "failed", watch.failure or "Olive produced no model and gave no reason; the log may tell."
    if watch.cut_short:
        return "stopped", "Training was stopped early; what was trained is kept."
    return "succeeded", ""


def _note_changed_inputs(job: Job, reporter: Reporter) -> None:
    """Say what was written to while the run went on, and note it: the run is of what was hashed at its beginning."""
    changed = (*job.inputs.changed_data(), *job.inputs.changed_sources())
    if not changed:
        return
    write_inputs(reporter.folder, job.inputs, changed)
    hashes = {content.name: content.sha256[:12] for content in (*job.inputs.data, *job.inputs.scripts)}
    told = ", ".join(f"{name} (SHA-256 {hashes[name]}…)" if name in hashes else name for name in changed)
    text = f"Changed while the run went on: {told}. What was made is of the content with these hashes."
    reporter.notice("warning", "inputs_changed", text, RUN_AGAIN)


def _drop_copy(folder: RunFolder) -> None:
    """Olive copies the last model to output_dir; where that is the run's folder, artefacts/ has it already."""
    output = folder.path / "output"
    if not output.is_dir():
        return
    for path in output.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix not in (".json", ".txt"):
            path.unlink(missing_ok=True)


def _leave_cancelled(reporter: Reporter, tracking: Tracking, began: float) -> None:
    """Called in the control thread: the last word first, then the children, then this process, at once."""
    seconds = time.monotonic() - began
    last = RunFinished(status="cancelled", seconds=seconds, message="Cancelled by the user.")
    reporter.emit(last)
    _leave(130, spared=tracking.leave(last))


def _leave_signalled(reporter: Reporter, tracking: Tracking, number: int) -> None:
    name = signal.Signals(number).name
    cause = f"It was asked to end by signal {number} ({name}), as a machine that shuts down or `kill` does."
    last = WorkerLost(signal=number, exit_code=None, cause=cause)
    reporter.emit(last)
    _leave(128 + number, spared=tracking.leave(last))


def _leave(code: int, spared: Collection[int] = ()) -> None:
    """spared: children that end by themselves, and theirs."""
    for child in psutil.Process().children():
        if child.pid not in spared:
            with contextlib.suppress(psutil.Error):
                for member in (*child.children(recursive=True), child):
                    member.kill()
    leave(code)


def leave(code: int) -> None:
    """End this process now: Olive's telemetry would hold a normal exit for seconds."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        exit_code = main(sys.argv[1])
    except BaseException:
        # Not even the events could be written (a full disk): whoever looks at the run reads the log's tail.
        traceback.print_exc()
        exit_code = 1
    leave(exit_code)
