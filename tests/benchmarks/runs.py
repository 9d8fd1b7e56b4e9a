"""What phinb adds to a run of Olive, on the tiny model: a rerun, a fresh run of three passes, the events.

Wanted: a rerun with nothing changed at most 0.5 s from command to finished; a fresh run at most 1.02 times Olive's own
time in a process that has it loaded, finding, hashing and checking what it needs told apart; events and views at
most 1 % of a run of 10,000 steps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from phinb.workflow.standby import dismiss_standby, find_standby, keep_standby

RERUNS, OLIVE_RERUNS, PAIRS = 7, 3, 7
STEPS, MANY_STEPS = 150, 10_000

OLIVE = """
import json, os, shutil, sys, time
import datasets, peft, transformers.trainer, olive.workflows
from olive.passes.pytorch.lora import LoRA
print("ready", flush=True)
config = json.loads(sys.stdin.readline())
for key in ("cache_dir", "output_dir"):
    shutil.rmtree(config[key], ignore_errors=True)
began = time.perf_counter()
assert olive.workflows.run(config).has_output_model()
print("seconds", time.perf_counter() - began, flush=True)
os._exit(0)
"""


def measure() -> str:
    """A line for each figure; what is compared is measured in turn."""
    with tempfile.TemporaryDirectory() as name:
        before = {key: os.environ.get(key) for key in ("PHINB_HOME", "PHINB_STANDBY")}
        os.environ |= {"PHINB_HOME": str(Path(name) / "home"), "PHINB_STANDBY": "1"}
        try:
            return "\n".join([_time_reruns(Path(name)), _time_fresh(Path(name)), _time_events()])
        finally:
            os.environ["PHINB_STANDBY"] = "0"
            dismiss_standby()
            for key, value in before.items():
                os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)


def _time_reruns(folder: Path) -> str:
    config = _make_config(folder, STEPS)
    import phinb

    run = phinb.run(config)
    olive = folder / "olive.json"
    olive.write_text((run.folder / "olive.json").read_text(encoding="utf-8"), encoding="utf-8")
    ours = [_time_run(config, fresh=False).total for _ in range(RERUNS)]
    command = [str(Path(sys.executable).with_name("olive")), "run", "--config", str(olive)]
    theirs = [_time(lambda: _call(command, folder)) for _ in range(OLIVE_RERUNS)]
    ratio = median(theirs) / median(ours)
    return (
        f"rerun with nothing changed: {median(ours):.2f} s ({min(ours):.2f} to {max(ours):.2f}) from command to "
        f"finished; `olive run` on the same {median(theirs):.1f} s, {ratio:.0f} times as long"
    )


def _time_fresh(folder: Path) -> str:
    """Interleaved pairs, each run the first of a process that has Olive loaded; phinb's smoke tests are told apart."""
    import phinb

    config = _make_config(folder, STEPS)
    given = json.loads((phinb.run(config).folder / "olive.json").read_text(encoding="utf-8"))
    given |= {"cache_dir": str(folder / "olive-cache"), "output_dir": str(folder / "olive-output")}
    given["passes"]["lora"]["training_args"].pop("output_dir", None)
    pairs = [(_time_olive(given, folder), _time_run(config, fresh=True)) for _ in range(PAIRS)]
    theirs, ours = median(one for one, _ in pairs), median(run.passes for _, run in pairs)
    ratio = median(run.passes / one for one, run in pairs)
    beside, checks, whole = (median(getattr(run, key) for _, run in pairs) for key in ("preparing", "checks", "total"))
    return (
        f"fresh run of three passes, {STEPS} steps: Olive {theirs:.2f} s, phinb {ours:.2f} s, ratio {ratio:.3f}; "
        f"finding and hashing {beside:.2f} s, smoke tests {checks:.2f} s, from command to finished {whole:.2f} s"
    )


def _time_events() -> str:
    """The worker's and a watching kernel's work on the events of a long training, without the training."""
    from phinb.types import MetricLogged, Queued
    from phinb.workflow import store
    from phinb.workflow.reporter import Reporter
    from phinb.workflow.runner import Run

    record = store.RunRecord("r-bench", "bench", time.time(), ("lora",), str(Path.cwd()), str(Path.cwd()))
    reporter = Reporter(store.create(record, {}))
    reporter.emit(Queued(run_id="r-bench", name="bench", passes=("lora",), host=record.host))
    began = time.perf_counter()
    for step in range(1, MANY_STEPS + 1):
        reporter.progress("lora", step, MANY_STEPS, "steps")
        if step % 10 == 0:  # transformers logs every tenth step unless told otherwise
            reporter.emit(MetricLogged(pass_name="lora", step=step, values={"loss": 1 / step, "learning_rate": 1e-4}))
    written = time.perf_counter() - began
    began = time.perf_counter()
    assert Run(reporter.folder).state.passes["lora"].done == MANY_STEPS
    read = time.perf_counter() - began
    size = reporter.folder.events_path.stat().st_size
    return (
        f"events of {MANY_STEPS:,} steps: {written:.2f} s to write ({1e6 * written / MANY_STEPS:.0f} µs a step), "
        f"{read:.2f} s to read, {size / 1000:.0f} kB; 1 % of a step that takes {100e3 * written / MANY_STEPS:.0f} ms"
    )


@dataclass(frozen=True)
class Timed:
    """Seconds: from command to finished; finding and hashing; looking at what the passes made; Olive's work."""

    total: float
    preparing: float
    checks: float
    passes: float


def _time_run(config: Any, *, fresh: bool) -> Timed:
    """One run, with a worker that waits."""
    import phinb

    keep_standby()
    while (found := find_standby()) is None or not found.ready:
        time.sleep(0.05)
    began = time.perf_counter()
    run = phinb.start(config, fresh=fresh)
    while not run.state.ended:
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    events = list(run.events())
    assert run.state.status == "succeeded", run.log_tail()
    at = {event.type: event.time for event in reversed(events)}
    loading = next(event.time for event in events if getattr(event, "what", "") == "loading Olive")
    began_at = {event.pass_name: event.time for event in events if event.type == "pass_started"}
    ended = [event for event in events if event.type == "pass_finished"]
    checks = sum(event.time - began_at[event.pass_name] - event.seconds for event in ended)
    return Timed(seconds, loading - at["preparing"], checks, at["run_finished"] - loading - checks)


def _make_config(folder: Path, steps: int) -> Any:
    import phinb
    from tests.workflow.conftest import TINY

    sample = Path(__file__).resolve().parents[2] / "sample_data" / "emotion_train.jsonl"
    (folder / "train.jsonl").write_bytes(sample.read_bytes())
    tree = json.loads(json.dumps(TINY))
    tree["passes"]["lora"]["training_args"] |= {"max_steps": steps, "logging_steps": 10}
    return phinb.load_config(json.dumps(tree), name="bench", folder=folder)


def _time_olive(config: dict[str, Any], folder: Path) -> float:
    """Olive's own time on a configuration, in a new process that has loaded it."""
    olive = subprocess.Popen(
        [sys.executable, "-c", OLIVE],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OLIVE_DISABLE_TELEMETRY": "1", "OMP_WAIT_POLICY": "PASSIVE"},
    )
    try:
        _await_word(olive, "ready")
        assert olive.stdin is not None
        olive.stdin.write(json.dumps(config) + "\n")
        olive.stdin.flush()
        return float(_await_word(olive, "seconds").split()[1])
    finally:
        olive.kill()
        olive.wait()


def _await_word(olive: subprocess.Popen[str], word: str) -> str:
    """The next line that begins with it; Olive prints its own log to the same place."""
    assert olive.stdout is not None
    for line in olive.stdout:
        if line.startswith(word):
            return line
    raise RuntimeError("Olive's process ended")


def _call(command: list[str], folder: Path) -> None:
    environment = os.environ | {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)


def _time(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
