"""Sweeps of real runs of the tiny model, driven in this process where runs begin at once, and in their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

import phinb
from phinb.api import measure_trial
from phinb.errors import PhinbError
from phinb.plots.figures import figure
from phinb.workflow import sweep as sweep_module
from phinb.workflow import sweep_driver
from phinb.workflow.process import find_worker, remember_worker, wait_until
from phinb.workflow.store import RunFolder
from phinb.workflow.sweep import Sweep
from phinb.workflow.sweep_driver import Driver
from phinb.workflow.sweep_store import SweepRecord
from phinb.workflow.sweep_view import describe_sweep, describe_sweep_buttons
from phinb.workflow.trackers.process import describe_subject
from tests.workflow.conftest import MakeConfig

pytestmark = pytest.mark.slow

STEPS = "passes.lora.training_args.max_steps"


@pytest.fixture
def here(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep is driven by a thread of this process, whose runs begin at once; a process that sleeps stands for it."""

    start_driver(monkeypatch, measure_trial)


def start_driver(monkeypatch: pytest.MonkeyPatch, measure: sweep_driver.Measure) -> None:
    def start(folder: RunFolder) -> None:
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        remember_worker(folder, sleeper.pid)

        def drive() -> None:
            try:
                Driver(folder, measure).drive()
            finally:
                sleeper.kill()
                sleeper.wait()

        threading.Thread(target=drive, daemon=True).start()

    monkeypatch.setattr(sweep_module, "_start", start)


def sweep(config: Any, space: Mapping[str, Any], **options: Any) -> Sweep:
    return phinb.sweep(config, space, until="lora", objective="loss", **options)


def test_each_setting_is_an_ordinary_run_with_each_seed(here: None, make_config: MakeConfig) -> None:
    swept = sweep(make_config(), {"passes.lora.r": [2, 4]}, repeats=2)
    assert swept.wait(60).status == "succeeded", swept.log_tail()
    frame = swept.frame
    assert frame[["r", "seed"]].to_numpy().tolist() == [[2, 42], [2, 43], [4, 42], [4, 43]]
    assert set(frame["status"]) == {"done"}
    assert len(set(frame["loss"])) == 4, "another setting or seed is another training"
    for trial in swept.trials:
        run = swept.run(trial)
        assert run.id in [known.id for known in phinb.runs()]
        assert run.config.effective()["passes.lora.r"].value == trial.values["passes.lora.r"]
        assert run.config.phinb["seed"] == trial.seed
        losses = [metric.values["loss"] for metric in run.state.metrics if "loss" in metric.values]
        assert trial.metrics["loss"] == losses[-1]
    best = min(swept.settings, key=lambda one: one.mean or 0.0)
    assert swept.best == best
    assert swept.best_config().effective()["passes.lora.r"].value == best.values["passes.lora.r"]
    assert "Tukey" in " ".join(swept.sentences())
    drawn = figure(swept, "parallel")
    assert len(drawn.data) == 4
    assert phinb.open_sweep("small").id == swept.id
    assert phinb.open_sweep(swept.id[-4:]).id == swept.id
    assert phinb.sweeps()[0].id == swept.id


def test_a_sampler_ends_where_all_is_tried(here: None, make_config: MakeConfig) -> None:
    swept = sweep(make_config({STEPS: 2}), {"passes.lora.r": [2, 4]}, sampler="random", trials=20)
    assert swept.wait(60).status == "succeeded"
    assert swept.record.trials == 2
    assert sorted(swept.frame["r"]) == [2, 4]


def test_a_sampler_draws_within_its_range(here: None, make_config: MakeConfig) -> None:
    space = {"passes.lora.training_args.learning_rate": "1e-5..1e-2", "passes.lora.r": "2..8"}
    swept = sweep(make_config({STEPS: 2}), space, sampler="random", trials=3)
    assert swept.wait(60).status == "succeeded"
    rates = swept.frame["learning_rate"]
    assert len(set(rates)) == 3
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    assert all(isinstance(rank, int) and 2 <= rank <= 8 for rank in swept.frame["r"].tolist())


def test_what_fails_is_one_trials_and_the_others_go_on(here: None, make_config: MakeConfig) -> None:
    """Batches larger than memory are refused at the start; a figure that cannot be had is told."""
    swept = sweep(
        make_config({"passes.lora.torch_dtype": "float32"}), {"passes.lora.torch_dtype": ["float32", "float16"]}
    )
    state = swept.wait(60)
    assert next(trial.status for trial in state.trials) == "done"
    evaluated = phinb.sweep(make_config(), {"passes.lora.r": [2]}, until="lora", objective="eval_loss")
    state = evaluated.wait(60)
    assert (state.status, state.trials[0].status) == ("failed", "failed")
    assert "logged no eval_loss" in state.trials[0].message
    assert state.note == "No trial came to a figure."


def test_what_nobody_foresaw_in_a_measurement_is_that_trials(
    quick: None, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring calls much foreign code; the driver outlives all that it raises."""

    def measure(run: phinb.Run, record: SweepRecord) -> dict[str, float]:
        if run.config.effective()["passes.lora.r"].value == 2:
            raise ZeroDivisionError("by a library's own code")
        return measure_trial(run, record)

    start_driver(monkeypatch, measure)
    swept = sweep(make_config({STEPS: 2}), {"passes.lora.r": [2, 4]})
    state = swept.wait(60)
    assert state.status == "succeeded"
    assert [trial.status for trial in state.trials] == ["failed", "done"]
    assert "ZeroDivisionError: by a library's own code" in state.trials[0].message


def test_a_run_whose_folder_is_gone_does_not_keep_a_sweep_from_its_cancelling(
    here: None, make_config: MakeConfig
) -> None:
    swept = sweep(make_config({STEPS: 400}), {"passes.lora.r": [2, 4]}, at_once=2)
    assert wait_until(lambda: all(trial.status == "running" for trial in swept.trials), 30)
    run = swept.run(swept.trials[0])
    run.cancel()
    shutil.rmtree(run.folder)
    swept.cancel()
    state = swept.wait(20)
    assert state.status == "cancelled"
    assert all(trial.status in ("cancelled", "failed") for trial in state.trials)
    assert find_worker(RunFolder(swept.run(swept.trials[1]).folder)) is None


def test_one_bad_folder_hides_no_other_sweep(here: None, make_config: MakeConfig) -> None:
    swept = sweep(make_config({STEPS: 2}), {"passes.lora.r": [2]})
    bad = swept.folder.with_name("s-99999999-999999-ffff")
    bad.mkdir()
    (bad / "sweep.json").write_text('{"sweep_id": "s-9', encoding="utf-8")
    assert phinb.sweeps()[0].id == swept.id
    assert phinb.open_sweep("small").id == swept.id
    assert phinb.open_sweep(swept.id).id == swept.id
    shutil.rmtree(bad)
    swept.wait(60)


def test_trackers_have_the_trials_side_by_side(here: None, make_config: MakeConfig) -> None:
    """Under the name of the configuration that is swept, and not in an experiment each."""
    swept = sweep(make_config({STEPS: 2}), {"passes.lora.r": [2, 4]})
    assert swept.wait(120).status == "succeeded"
    runs = [swept.run(trial) for trial in swept.trials]
    assert [run.name for run in runs] == ["small r=2", "small r=4"]
    assert [describe_subject(RunFolder(run.folder), run.config).name for run in runs] == ["small", "small"]


def test_stop_begins_no_further_run_and_resume_goes_on(here: None, make_config: MakeConfig) -> None:
    swept = sweep(make_config({STEPS: 30}), {"passes.lora.r": [2, 4, 8]})
    assert wait_until(lambda: swept.trials[0].status == "running", 20)
    swept.stop()
    state = swept.wait(30)
    assert state.status == "stopped"
    assert [trial.status for trial in state.trials] == ["done", "waiting", "waiting"]
    swept.resume().wait(60)
    with pytest.raises(PhinbError, match="nothing to resume"):
        swept.resume()
    assert [trial.status for trial in swept.trials] == ["done", "done", "done"]


def test_cancel_ends_its_run_at_once_and_resume_goes_on_with_it(here: None, make_config: MakeConfig) -> None:
    swept = sweep(make_config({STEPS: 400}), {"passes.lora.r": [2, 4]})
    assert wait_until(lambda: swept.trials[0].run_id and swept.run(swept.trials[0]).state.metrics, 30)
    run = swept.run(swept.trials[0])
    thread = threading.Thread(target=swept.cancel)
    thread.start()
    assert wait_until(lambda: swept.state.ended, 10)
    assert swept.state.status == "cancelled"
    assert run.state.status == "cancelled"
    assert find_worker(RunFolder(run.folder)) is None


def test_runs_wait_for_memory(here: None, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        total = available = 1_500_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    swept = sweep(make_config({STEPS: 20}), {"passes.lora.r": [2, 4]}, at_once=2)
    seen = set()
    while not (state := swept.state).ended:
        seen.add((sum(trial.status == "running" for trial in state.trials), state.note))
        time.sleep(0.05)
    assert (1, "the next run waits for memory") in seen
    assert max(count for count, _ in seen) == 1
    assert state.status == "succeeded"


def test_the_view_shows_the_run_that_goes_on_and_the_way_out(here: None, make_config: MakeConfig) -> None:
    swept = sweep(make_config({STEPS: 40}), {"passes.lora.r": [2, 4]})
    assert wait_until(lambda: swept.trials[0].run_id and swept.run(swept.trials[0]).state.metrics, 30)
    trial = swept.trials[0]
    view = describe_sweep(swept.record, swept.state, {trial.run_id: swept.run(trial).state}, time.time())
    first, second = view.lines
    assert (first.name, first.status, second.status) == ("r=2", "running", "waiting")
    assert "steps" in first.text
    assert first.fraction is not None
    assert [button.action for button in describe_sweep_buttons(swept.state)] == ["log", "stop", "cancel"]
    swept.wait(60)
    view = describe_sweep(swept.record, swept.state, {})
    assert [line.status for line in view.lines] == ["done", "done"]
    assert "Best: r=" in view.cards[0].title
    assert [fact.label for fact in view.facts] == ["runs", "in all"]


def test_the_accuracy_is_that_of_the_comparison(here: None, make_config: MakeConfig) -> None:
    tree = make_config().to_olive()
    tree["data_configs"].append({**tree["data_configs"][0], "name": "eval"})
    config = phinb.load_config(tree, folder=make_config().folder)
    swept = phinb.sweep(config, {"passes.lora.r": [2]}, until="lora")
    assert swept.record.objective == "accuracy"
    state = swept.wait(120)
    assert state.status == "succeeded", state.trials
    (trial,) = state.trials
    (summary,) = phinb.compare(swept.run(trial), variants=["adapter"]).summaries
    assert trial.metrics["accuracy"] == summary.accuracy
    assert trial.metrics["n"] == summary.n


def test_a_driver_that_is_killed_is_missed_and_resume_goes_on(make_config: MakeConfig) -> None:
    """In a process of its own, as users have it; the run that it had begun goes on meanwhile."""
    swept = sweep(make_config({STEPS: 60}), {"passes.lora.r": [2, 4]})
    assert wait_until(lambda: bool(swept.trials[0].run_id), 60)
    driver = find_worker(RunFolder(swept.folder))
    assert driver is not None
    driver.kill()
    assert wait_until(lambda: find_worker(RunFolder(swept.folder)) is None, 5)
    state = swept.state
    assert (state.status, state.note) == ("failed", sweep_module.LOST)
    run = swept.run(swept.trials[0])
    swept.resume()
    assert swept.wait(120).status == "succeeded", swept.log_tail()
    assert swept.run(swept.trials[0]).id == run.id
    assert run.state.attempt == 1, "nobody disturbed it"


def test_from_a_terminal(make_config: MakeConfig, tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    file.write_text(make_config({STEPS: 2}).dumps("json"), encoding="utf-8")

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "phinb.cli", "sweep", *words], capture_output=True, text=True)

    refused = command(str(file), "passes.lora.r=2,two")
    assert refused.returncode == 1
    assert "passes.lora.r" in refused.stderr
    done = command(str(file), "passes.lora.r=2", "--objective", "loss", "--until", "lora")
    assert done.returncode == 0, done.stderr
    assert "training loss" in done.stdout
    assert "Best: r=2" in done.stdout
    sweep_id = phinb.open_sweep("small").id
    assert sweep_id in command().stdout
    assert json.loads((phinb.open_sweep(sweep_id).folder / "trials.json").read_text())["status"] == "succeeded"
    assert not [one for one in psutil.process_iter(["cmdline"]) if sweep_id in " ".join(one.info["cmdline"] or [])]


def test_options_that_make_no_sense_are_refused(make_config: MakeConfig) -> None:
    config, space = make_config(), {"passes.lora.r": [2]}
    for options, message in (
        ({"objective": "beauty"}, "beauty"),
        ({"objective": "accuracy"}, "names no evaluation data"),
        ({"repeats": 0}, "count runs"),
        ({"sampler": "tpe"}, "how many settings"),
        ({"sampler": "best"}, "no sampler"),
        ({"until": "lroa"}, "no pass 'lroa'"),
        ({"repeats": 10**12}, "1,000,000,000,000 runs"),
        ({"repeats": -1}, "count runs"),
    ):
        with pytest.raises(PhinbError, match=message):
            phinb.sweep(config, space, **options)
