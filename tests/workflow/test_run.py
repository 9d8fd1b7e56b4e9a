"""Runs of real Olive on the tiny model: what they make, tell, keep and reuse, and how they end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

import phinb
from phinb.errors import ConfigError
from phinb.workflow.process import find_worker
from phinb.workflow.runner import Run, launch
from phinb.workflow.store import RunFolder
from tests.workflow.conftest import MakeConfig, wait_for_step

pytestmark = pytest.mark.slow

LONG = {"passes.lora.training_args.max_steps": 4000}


@pytest.fixture(autouse=True)
def quick_unless_cold(request: pytest.FixtureRequest) -> None:
    """A worker that is to be missed must be a child of this process, which alone learns by which signal it ended."""
    if "cold" not in request.keywords:
        request.getfixturevalue("quick")


def adapter_weights(run: Run) -> dict[str, np.ndarray[Any, Any]]:
    return load_file(Path(run.variants["adapter"].path) / "adapter_model.safetensors")


def assert_equal_weights(one: Run, other: Run) -> None:
    first, second = adapter_weights(one), adapter_weights(other)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert any(np.abs(value).max() > 0 for name, value in first.items() if "lora_B" in name)


def finished(run: Run) -> Run:
    state = run.wait(timeout=300)
    assert state.status == "succeeded", f"{state.message}\n{run.log_tail()}"
    return run


@pytest.mark.cold
def test_a_run_tells_its_story_and_makes_four_variants(make_config: MakeConfig, empty_cache: Path) -> None:
    run = finished(phinb.start(make_config()))
    types = [event.type for event in run.events()]
    assert types[0] == "queued"
    assert types[-1] == "run_finished"
    assert [event.seq for event in run.events()] == list(range(len(types)))
    state = run.state
    assert list(state.passes) == ["lora", "merge", "int4"]
    assert [item.pass_type for item in state.passes.values()] == ["LoRA", "MergeAdapterWeights", "ModelBuilder"]
    assert (state.passes["lora"].done, state.passes["lora"].total) == (6, 6)
    assert state.passes["merge"].unit
    assert state.passes["int4"].done
    losses = [metric.values["loss"] for metric in state.metrics if "loss" in metric.values]
    assert len(losses) == 6
    assert state.seed == 42
    assert state.versions["olive-ai"]
    variants = run.variants
    assert {name: variant.kind for name, variant in variants.items()} == {
        "base": "base",
        "adapter": "adapter",
        "merged": "merged",
        "int4": "onnx",
    }
    assert (Path(variants["adapter"].path) / "adapter_config.json").is_file()
    assert (Path(variants["merged"].path) / "config.json").is_file()
    assert (Path(variants["int4"].path) / "genai_config.json").is_file()
    for variant in list(variants.values())[1:]:
        assert Path(variant.path).is_relative_to(run.folder / "artefacts")


def test_the_same_configuration_gives_the_same_weights(make_config: MakeConfig) -> None:
    first = finished(phinb.start(make_config(), until="lora", fresh=True))
    second = finished(phinb.start(make_config(), until="lora", fresh=True))
    assert not second.state.passes["lora"].reused
    assert_equal_weights(first, second)


def test_nothing_changed_is_reused_and_one_changed_row_is_not(
    make_config: MakeConfig, tmp_path: Path, empty_cache: Path
) -> None:
    first = finished(phinb.start(make_config()))
    again = finished(phinb.start(make_config()))
    assert all(item.reused for item in again.state.passes.values())
    assert first.id in again.state.passes["lora"].reason
    other_precision = finished(phinb.start(make_config({"passes.int4.precision": "fp32"})))
    assert [item.reused for item in other_precision.state.passes.values()] == [True, True, False]
    assert "fp32" in other_precision.variants
    data = tmp_path / "train.jsonl"
    data.write_text(data.read_text(encoding="utf-8").replace("joy", "fear", 1), encoding="utf-8")
    changed = finished(phinb.start(make_config(), until="lora"))
    assert not changed.state.passes["lora"].reused


def test_a_damaged_artefact_in_the_cache_is_made_anew(make_config: MakeConfig, empty_cache: Path) -> None:
    finished(phinb.start(make_config(), until="lora"))
    weights = next(empty_cache.rglob("adapter_model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    again = finished(phinb.start(make_config(), until="lora"))
    item = again.state.passes["lora"]
    assert not item.reused
    assert "damaged" in item.reason
    assert adapter_weights(again)


def test_stop_keeps_what_is_trained_and_still_merges_and_quantizes(make_config: MakeConfig, empty_cache: Path) -> None:
    run = phinb.start(make_config(LONG))
    wait_for_step(run, 3)
    run.stop()
    state = run.wait(timeout=120)
    assert state.status == "stopped", f"{state.message}\n{run.log_tail()}"
    steps = max(metric.step for metric in state.metrics)
    assert 3 <= steps < 4000
    assert set(run.variants) == {"base", "adapter", "merged", "int4"}
    # What was cut short must not be taken for the whole training by a later run.
    later = launch(make_config(LONG), until="lora")
    wait_for_step(later, steps + 1)
    assert not later.state.passes["lora"].reused
    later.cancel()


def test_what_was_cut_short_is_not_taken_for_whole_even_if_the_run_is_cancelled_then(
    make_config: MakeConfig, empty_cache: Path
) -> None:
    run = phinb.start(make_config(LONG))
    wait_for_step(run, 2)
    run.stop()
    for event in run.events(follow=True):
        if event.type == "pass_finished":
            run.cancel()
            break
    later = launch(make_config(LONG), until="lora")
    wait_for_step(later, max(metric.step for metric in run.state.metrics) + 1)
    assert not later.state.passes["lora"].reused
    later.cancel()


def test_cancel_ends_it_within_two_seconds_and_resume_goes_on_to_the_same_weights(
    make_config: MakeConfig, empty_cache: Path
) -> None:
    steps = {"passes.lora.training_args.max_steps": 60, "passes.lora.training_args.save_steps": 5}
    steps["passes.lora.training_args.save_strategy"] = "steps"
    run = phinb.start(make_config(steps), until="lora")
    wait_for_step(run, 12)
    worker = find_worker(RunFolder(run.folder))
    assert worker is not None
    family = [worker, *worker.children(recursive=True)]
    began = time.monotonic()
    run.cancel()
    assert time.monotonic() - began < 2.0
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert run.state.status == "cancelled"
    assert list(run.variants) in ([], ["base"])
    resumed = finished(run.resume())
    starts = [event for event in resumed.events() if event.type == "attempt_started"]
    assert [getattr(event, "attempt", 0) for event in starts] == [1, 2]
    step = getattr(starts[1], "resumed_from", None)
    assert step is not None
    assert step >= 10
    logged = [metric.step for metric in resumed.state.metrics if "loss" in metric.values]
    assert logged == list(range(1, 61)), "the loss curve goes on without a gap or a step twice"
    assert_equal_weights(resumed, finished(phinb.start(make_config(steps), until="lora", fresh=True)))


@pytest.mark.cold
def test_a_worker_that_is_killed_is_missed_and_the_next_run_is_right(
    make_config: MakeConfig, empty_cache: Path
) -> None:
    run = phinb.start(make_config(LONG))
    wait_for_step(run, 2)
    os.kill(run.state.pid or 0, getattr(signal, "SIGKILL", signal.SIGTERM))
    state = run.wait(timeout=10)
    assert state.status == "failed"
    assert "signal 9" in state.cause
    assert [event.type for event in run.events()].count("worker_lost") == 1
    assert phinb.open_run(run.id).state.status == "failed"
    assert set(finished(phinb.start(make_config())).variants) == {"base", "adapter", "merged", "int4"}


def test_a_pass_that_fails_says_why_and_is_not_remembered(make_config: MakeConfig) -> None:
    run = phinb.start(make_config({"passes.lora.target_modules": ["q_proj_of_another"]}))
    state = run.wait(timeout=120)
    assert state.status == "failed"
    assert "target_modules" in state.cause
    assert state.remedy
    assert state.passes["lora"].status == "failed"
    assert state.passes["merge"].status == "waiting"
    again = phinb.start(make_config({"passes.lora.target_modules": ["q_proj_of_another"]})).wait(timeout=120)
    assert again.passes["lora"].error == state.passes["lora"].error != ""


def test_the_tutorial_of_2024_trains_with_what_it_says(sample_data: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_data, tmp_path / "sample_data")
    text = (sample_data / "tutorial_2024.json").read_text(encoding="utf-8")
    text = text.replace("model-cache/microsoft/phi-3-mini", "phinb://tiny")
    text = text.replace('"gpu"', '"cpu"').replace("CUDAExecutionProvider", "CPUExecutionProvider")
    config = phinb.load_config(text, name="tutorial", folder=tmp_path / "sample_data")
    values = config.effective()
    assert values["passes.lora.r"].value == 64
    assert values["passes.lora.alpha"].value == 64
    assert values["phinb.eval_split"].value == 0.3
    run = finished(phinb.start(config, until="lora"))
    adapter = json.loads((Path(run.variants["adapter"].path) / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["r"], adapter["lora_alpha"]) == (64, 64)
    stats = phinb.preview(config).stats
    held = -(-stats.sequences * 3 // 10)
    said = [notice.message for notice in run.state.notices if notice.code == "sequences"]
    assert said == [f"{stats.sequences - held} training sequences, {held} held out for evaluation."]


def test_a_loss_on_the_completion_is_what_the_preview_shows(make_config: MakeConfig) -> None:
    config = make_config({"phinb": {"loss_on": "completion"}})
    stats = phinb.preview(config).stats
    assert 0 < stats.trained_tokens < stats.tokens / 3
    run = finished(phinb.start(config, until="lora"))
    said = [notice.message for notice in run.state.notices if notice.code == "loss_on"]
    assert said == [
        f"The loss is on the completion: {stats.trained_tokens:,} of {stats.tokens:,} tokens are trained on."
    ]
    whole = finished(phinb.start(make_config(), until="lora"))
    first = {metric.step: metric.values["loss"] for metric in run.state.metrics if "loss" in metric.values}[1]
    other = {metric.step: metric.values["loss"] for metric in whole.state.metrics if "loss" in metric.values}[1]
    assert first != other


def test_what_cannot_start_is_said_before_anything_is_written(
    make_config: MakeConfig, tmp_path: Path, phinb_home: Path
) -> None:
    before = set((phinb_home / "runs").glob("*"))
    with pytest.raises(ConfigError, match="lora_dropuot"):
        phinb.start(make_config({"passes.lora.lora_dropuot": 0.1}))
    with pytest.raises(ConfigError, match="no/such/model"):
        phinb.start(make_config({"input_model.model_path": "./no/such/model"}))
    with pytest.raises(ConfigError, match=r"missing\.jsonl"):
        phinb.start(make_config({"data_configs.0.load_dataset_config.data_files": "missing.jsonl"}))
    with pytest.raises(ConfigError, match="phrose"):
        phinb.start(make_config({"data_configs.0.pre_process_data_config.text_template": "{phrose} {tone}"}))
    (tmp_path / "train.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="is empty"):
        phinb.start(make_config())
    (tmp_path / "train.jsonl").write_bytes('{"phrase": "Olá", "tone": "joy"}\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        phinb.start(make_config())
    assert set((phinb_home / "runs").glob("*")) == before
