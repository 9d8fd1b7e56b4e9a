"""python -m phinb.workflow.worker FOLDER: the process in which Olive runs.

It reads what is asked from the run's folder, writes events.jsonl, and leaves by os._exit once everything is
flushed (Olive's telemetry would hold the process for seconds at a normal exit, even when turned off).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from phinb.config import Config
from phinb.errors import PhinbError
from phinb.models.references import hash_model, resolve_model
from phinb.types import AttemptStarted, Preparing, RunFinished
from phinb.workflow import reuse
from phinb.workflow.checkpoints import last_checkpoint, place_checkpoints
from phinb.workflow.failures import explain
from phinb.workflow.printed import Reader, Tee
from phinb.workflow.process import remember_worker
from phinb.workflow.reporter import Control, Reporter, measure_resources
from phinb.workflow.runner import read_config
from phinb.workflow.store import RunFolder, RunRecord, write_atomically

DEFAULT_SEED = 42


@dataclass
class Job:
    """What the worker is about to run: Olive's dict, completed, and what phinb does beside it."""

    olive: dict[str, Any]
    cache: Path
    base_model: Path
    layers: int | None
    eval_split: float | None
    seed: int
    resumed_from: int | None
    pass_types: dict[str, str]


def main(folder_path: str) -> int:
    """Run the folder's configuration; returns the exit code. Never raises: what goes wrong is an event."""
    folder = RunFolder(Path(folder_path))
    began = time.time()
    reporter = Reporter(folder)
    remember_worker(folder, os.getpid())
    control = Control(reporter, on_cancel=lambda: _leave_cancelled(reporter, began))
    try:
        record = folder.record
        config = read_config(folder)
        control.start()
        status, message = _run(record, config, reporter, control)
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
    reporter.emit(RunFinished(status=status, seconds=time.time() - began, message=message))
    return 0 if status in ("succeeded", "stopped") else 1


def _run(record: RunRecord, config: Config, reporter: Reporter, control: Control) -> tuple[Any, str]:
    """(status, message) of the whole run."""
    seed = int(config.phinb.get("seed") or DEFAULT_SEED)
    attempt = reporter.folder.read_state().attempt + 1
    versions = {"python": sys.version.split()[0], **reuse.installed_versions()}

    step = last_checkpoint(reporter.folder.path / "olive.json") if attempt > 1 and not record.fresh else None
    reporter.emit(AttemptStarted(attempt=attempt, pid=os.getpid(), versions=versions, seed=seed, resumed_from=step))
    job = prepare(record, config, reporter, seed)
    if job.resumed_from:
        reporter.notice("info", "resumed", f"Training goes on from the checkpoint of step {job.resumed_from}.")
    # One run at a time in a cache folder: a second one of the same inputs waits, and then finds the results.
    lock = _wait_for(job.cache, reporter)
    try:
        return _run_olive(record, job, reporter, control)
    finally:
        lock.release()


def prepare(record: RunRecord, config: Config, reporter: Reporter, seed: int) -> Job:
    """Resolve the model, hash what the results depend on, and complete the dict that Olive gets.

    Raises ConfigError for a configuration with errors and PhinbError for a model that is not there.
    """
    base = Path(record.base)

    def told(what: str, done: float | None, total: float | None) -> None:
        reporter.emit(Preparing(what=what, done=done, total=total))

    olive = config.to_olive()
    olive["passes"] = {name: value for name, value in olive["passes"].items() if name in record.passes}
    told("model", None, None)
    reference = str(olive["input_model"]["model_path"])
    model = Path(resolve_model(reference, folder=base, progress=told))
    olive["input_model"]["model_path"] = str(model)
    told("hashing model and data", None, None)
    key = reuse.hash_inputs(olive, config.phinb, base, hash_model(model) if model.is_dir() else reference, seed)
    cache = reuse.cache_folder(key)
    cache.mkdir(parents=True, exist_ok=True)
    if olive.pop("clean_cache", False) or record.fresh:
        shutil.rmtree(cache / "checkpoints", ignore_errors=True)
    olive["cache_dir"] = str(cache)
    olive.setdefault("output_dir", str(reporter.folder.path / "output"))
    resumed_from = place_checkpoints(olive, cache / "checkpoints", fresh=record.fresh)
    write_atomically(reporter.folder.path / "olive.json", json.dumps(olive, indent=1))
    eval_split = config.phinb.get("eval_split")
    return Job(
        olive=olive,
        cache=cache,
        base_model=model,
        layers=_count_layers(model),
        eval_split=float(eval_split) if eval_split is not None else None,
        seed=seed,
        resumed_from=resumed_from,
        pass_types={name: kind if isinstance(kind, str) else kind[0] for name, kind in config.passes.items()},
    )


def _run_olive(record: RunRecord, job: Job, reporter: Reporter, control: Control) -> tuple[Any, str]:
    reporter.emit(Preparing(what="loading Olive", done=None, total=None))
    from phinb.workflow.hooks import Watch, install

    watch: Watch

    def on_printed(done: float, total: float | None, unit: str) -> None:
        # Training tells its steps itself; what it prints besides (weights being loaded) would jump about in its bar.
        if watch.current and not watch.is_training:
            reporter.progress(watch.current, done, total, unit)

    reader = Reader(on_printed)
    reader.layers = job.layers
    sys.stdout, sys.stderr = Tee(sys.stdout, reader.read), Tee(sys.stderr, reader.read)
    watch = Watch(
        reporter,
        control,
        pass_types=job.pass_types,
        seed=job.seed,
        base_model=job.base_model,
        eval_split=job.eval_split,
        forced=_forced(record),
        precisions=_precisions(job.olive),
    )
    install(watch)
    import olive.workflows

    output = olive.workflows.run(job.olive)
    if watch.cut_short:
        watch.drop_entries()
    elif not watch.failed:
        shutil.rmtree(job.cache / "checkpoints", ignore_errors=True)
    if watch.failed or not output.has_output_model():
        state = reporter.folder.read_state()
        return "failed", state.message or "Olive produced no model and gave no reason; the log may tell."
    _drop_copy(job.olive, reporter.folder)
    if watch.cut_short:
        return "stopped", "Training was stopped early; what was trained is kept."
    return "succeeded", ""


def _forced(record: RunRecord) -> tuple[str, ...]:
    if record.fresh:
        return record.passes
    return record.passes[record.passes.index(record.from_pass) :] if record.from_pass else ()


def _precisions(olive: dict[str, Any]) -> dict[str, str]:
    found = {}
    for name, value in olive["passes"].items():
        body = value[0] if isinstance(value, list) else value
        precision = body.get("precision", (body.get("config") or {}).get("precision"))
        if isinstance(precision, str):
            found[name] = precision
    return found


def _wait_for(cache: Path, reporter: Reporter) -> FileLock:
    """Take the cache folder's lock; says once what is waited for. Cancelling works meanwhile (another thread)."""
    lock = FileLock(cache.with_name(cache.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        reporter.emit(Preparing(what="waiting for another run of the same configuration", done=None, total=None))
        lock.acquire()
    return lock


def _count_layers(model: Path) -> int | None:
    try:
        return int(json.loads((model / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _drop_copy(olive: dict[str, Any], folder: RunFolder) -> None:
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
    """Called in the control thread: end at once, children first, with the last word said."""
    for child in psutil.Process().children(recursive=True):
        child.kill()
    reporter.emit(RunFinished(status="cancelled", seconds=time.time() - began, message="Cancelled by the user."))
    _leave(130)


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main(sys.argv[1]))
