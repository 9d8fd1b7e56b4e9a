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
from copy import deepcopy
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from phinb.errors import PhinbError
from phinb.types import AttemptStarted, Preparing, RunFinished, WorkerLost
from phinb.workflow.checkpoints import drop_checkpoints
from phinb.workflow.evaluation_only import clear_evaluations, report_evaluation
from phinb.workflow.failures import explain
from phinb.workflow.inputs import write_inputs
from phinb.workflow.job import Job, Told, place, prepare
from phinb.workflow.printed import Reader, Tee
from phinb.workflow.process import UNWRITABLE, remember_worker
from phinb.workflow.reporter import Control, Reporter, measure_resources
from phinb.workflow.runner import read_config
from phinb.workflow.store import RunFolder
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
    control = Control(
        reporter,
        on_cancel=lambda: _leave_cancelled(reporter, began),
        on_signal=lambda number: _leave_signalled(reporter, number),
        on_gone=lambda: _leave(EXIT_GONE),
    )
    try:
        control.start()
        status, message = _run(reporter, control)
    except PhinbError as error:
        reporter.notice("error", "cannot_start", error.message, error.hint)
        status, message = "failed", error.message
    except Exception as error:
        traceback.print_exc()
        code, cause, remedy = explain("".join(traceback.format_exception(error)))
        if code != "unknown":
            reporter.notice("error", code, cause, remedy)
        status, message = "failed", cause or f"{type(error).__name__}: {error}"
    control.end()
    reporter.emit(measure_resources())
    reporter.emit(RunFinished(status=status, seconds=time.monotonic() - began, message=message))
    if not reporter.settle(SETTLE_S):
        return UNWRITABLE
    return 0 if status in ("succeeded", "stopped") else 1


def _run(reporter: Reporter, control: Control) -> tuple[Any, str]:
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
        told("loading Olive")
        return _run_olive(job, reporter, control)
    finally:
        lock.release()


def _lock_cache(job: Job, told: Told) -> FileLock:
    """One run at a time in a cache folder: a second one of the same inputs waits, and then finds the results."""
    job.cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.cache.with_name(job.cache.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        told("waiting for another run on the same model and data", None, None)
        lock.acquire()
    return lock


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
    if watch.failure or not output.has_output_model():
        return "failed", watch.failure or "Olive produced no model and gave no reason; the log may tell."
    _drop_copy(reporter.folder)
    if watch.cut_short:
        return "stopped", "Training was stopped early; what was trained is kept."
    drop_checkpoints(job.olive)
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


def _leave_cancelled(reporter: Reporter, began: float) -> None:
    """Called in the control thread: the last word first, then the children, then this process, at once."""
    seconds = time.monotonic() - began
    reporter.emit(RunFinished(status="cancelled", seconds=seconds, message="Cancelled by the user."))
    _leave(130)


def _leave_signalled(reporter: Reporter, number: int) -> None:
    name = signal.Signals(number).name
    cause = f"It was asked to end by signal {number} ({name}), as a machine that shuts down or `kill` does."
    reporter.emit(WorkerLost(signal=number, exit_code=None, cause=cause))
    _leave(128 + number)


def _leave(code: int) -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
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
