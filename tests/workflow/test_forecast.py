"""What a run is expected to take, and that it is near what it takes; a start that will not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.config import Config
from phinb.errors import ConfigError
from phinb.models.references import resolve_model
from phinb.models.shape import read_shape
from phinb.workflow.forecast import Forecast, Subject, forecast
from phinb.workflow.history import read_estimates
from phinb.workflow.memory import adapter_parameters
from phinb.workflow.preflight import preflight
from phinb.workflow.step_probe import name_pass
from phinb.workflow.store import RunFolder
from phinb.workflow.training_load import find_passes, read_loads
from tests.benchmarks.forecast import watch_peaks
from tests.workflow.conftest import MakeConfig

ARGUMENTS = "passes.lora.training_args."
PRE_PROCESS = "data_configs.0.pre_process_data_config."
HUGE: dict[str, Any] = {f"{ARGUMENTS}per_device_train_batch_size": 65536, f"{PRE_PROCESS}max_seq_len": 4000}
"""Batches that no machine of these days can hold: 262 million tokens."""


def test_the_shape_of_a_model_counts_its_parameters(phinb_home: Path) -> None:
    folder = resolve_model("phinb://tiny")
    assert isinstance(folder, Path)
    shape = read_shape(folder)
    assert shape is not None
    on_disk = (folder / "model.safetensors").stat().st_size
    assert 0.99 * on_disk < shape.weight_bytes < on_disk


def test_a_model_of_another_form_has_no_shape(tmp_path: Path) -> None:
    assert read_shape(tmp_path) is None
    for text in ("[]", "{", '{"model_type": "mamba"}', '{"model_type": "phi3", "hidden_size": "wide"}'):
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        assert read_shape(tmp_path) is None


def expect(config: Config, **options: Any) -> Forecast:
    return preflight(config, **options).forecast


def test_each_pass_says_what_it_takes_and_how_that_is_known(make_config: MakeConfig) -> None:
    found = expect(make_config())
    assert [one.name for one in found.passes] == ["lora", "merge", "int4"]
    for one in found.passes:
        assert one.memory_bytes is not None
        assert one.disk_bytes is not None
        assert one.memory_how
        assert one.disk_how
    assert found.memory_bytes == max(one.memory_bytes or 0 for one in found.passes)
    assert found.disk_bytes == sum(one.disk_bytes or 0 for one in found.passes)


def test_what_a_setting_costs_is_in_the_forecast(make_config: MakeConfig) -> None:
    def training(changes: dict[str, Any]) -> int:
        return expect(make_config(changes)).passes[0].memory_bytes or 0

    wide = {f"{ARGUMENTS}per_device_train_batch_size": 64}
    assert training(wide) > training({}) + 50_000_000
    assert training({**wide, f"{ARGUMENTS}gradient_checkpointing": True}) < training(wide)
    assert training({**wide, "passes.lora.torch_dtype": "bfloat16"}) < training(wide)
    assert training({**wide, f"{PRE_PROCESS}pad_to_max_len": True, f"{PRE_PROCESS}max_seq_len": 400}) > training(wide)
    all_rows = {f"{ARGUMENTS}per_device_train_batch_size": 1000}
    assert training(all_rows) == training({f"{ARGUMENTS}per_device_train_batch_size": 2000}), "there are fewer rows"
    fresh = {f"{ARGUMENTS}per_device_eval_batch_size": 512, "passes.lora.eval_data_config": "train"}
    assert training(fresh) > training({})


def test_a_model_that_is_not_here_is_not_guessed_at(make_config: MakeConfig) -> None:
    found = expect(make_config({"input_model.model_path": "microsoft/Phi-3-mini-4k-instruct"}))
    assert (found.memory_bytes, found.disk_bytes, found.seconds) == (None, None, None)
    assert "not on this machine" in found.how


@pytest.fixture
def make_huge(make_config: MakeConfig, tmp_path: Path) -> MakeConfig:
    """A configuration of a batch that no machine holds, and as many rows as it takes."""

    def make(changes: dict[str, Any], name: str = "huge") -> Config:
        config = make_config({**HUGE, **changes}, name=name)
        rows = tmp_path / "train.jsonl"
        rows.write_text(rows.read_text(encoding="utf-8") * (65536 // 60 + 1), encoding="utf-8")
        return config

    return make


def test_a_run_that_cannot_fit_does_not_start(make_huge: MakeConfig) -> None:
    config = make_huge({})
    found = preflight(config)
    problem = next(one for one in found.problems if one.code == "memory_short")
    assert (problem.severity, found.fits, found.may_start_anyway) == ("error", False, True)
    assert "anyway" in problem.hint
    before = len(phinb.runs())
    with pytest.raises(ConfigError, match="takes about"):
        phinb.start(config)
    assert len(phinb.runs()) == before


def test_who_knows_better_starts_it_anyway(make_huge: MakeConfig) -> None:
    run = phinb.start(make_huge({}, name="anyway"), anyway=True)
    run.cancel()
    assert run.state.status == "cancelled"


def test_anyway_does_not_start_what_is_wrong_otherwise(make_huge: MakeConfig) -> None:
    config = make_huge({"data_configs.0.load_dataset_config.data_files": "gone.jsonl"})
    with pytest.raises(ConfigError):
        phinb.start(config, anyway=True)


def test_the_remedy_of_too_little_memory_keeps_the_effective_batch(make_huge: MakeConfig) -> None:
    config = make_huge({})
    problem = next(one for one in preflight(config).problems if one.code == "memory_short")
    assert problem.fix is not None
    effective = config.edit(*problem.fix.edits).effective()
    size = effective[f"{ARGUMENTS}per_device_train_batch_size"].value
    accumulation = effective[f"{ARGUMENTS}gradient_accumulation_steps"].value
    assert size * accumulation == 65536
    assert preflight(config.edit(*problem.fix.edits)).fits


def test_a_start_looks_at_no_more_rows_than_there_is_time_for(
    make_config: MakeConfig, tmp_path: Path, sample_data: Path
) -> None:
    rows = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    config = make_config()
    (tmp_path / "train.jsonl").write_text("".join(rows) * 400, encoding="utf-8")
    found = preflight(config, within_s=0.05)
    stats = found.previews[0].stats
    assert found.ok
    assert not stats.exact
    assert stats.rows < 400 * len(rows)
    assert found.forecast.passes[0].memory_bytes
    assert "seen so far" in found.forecast.how
    codes = {problem.code for problem in found.problems}
    assert not codes & {"exact_duplicates", "duplicates", "too_few_steps"}  # what only all rows tell


@pytest.mark.slow
def test_the_forecast_is_near_what_was_measured(make_config: MakeConfig, empty_cache: Path) -> None:
    """Within a quarter, for wide batches too, in which it is not the libraries that count."""
    changes = {f"{ARGUMENTS}per_device_train_batch_size": 128, f"{PRE_PROCESS}pad_to_max_len": True}
    config = make_config({**changes, f"{ARGUMENTS}max_steps": 8}, name="measured")
    expected = expect(config)
    run = phinb.start(config)
    peaks = watch_peaks(run)
    assert run.state.status == "succeeded", run.log_tail()
    for one in expected.passes:
        assert one.memory_bytes is not None
        assert 1 / 1.25 < one.memory_bytes / peaks[one.name] < 1.25, (one.name, one.memory_bytes, peaks)

    # What it took is known from now on, and a run's folder keeps what was expected of it.
    assert read_estimates(RunFolder(run.folder)).keys() <= {"lora", "merge", "int4"}
    later = expect(config)
    took = run.state.passes
    for one in later.passes:
        assert one.seconds == pytest.approx(took[one.name].seconds, rel=0.3)
        assert run.id in one.time_how
    assert later.seconds == pytest.approx(sum(item.seconds or 0.0 for item in took.values()), rel=0.3)
    twice = expect(make_config({**changes, f"{ARGUMENTS}max_steps": 16}))
    assert (twice.passes[0].seconds or 0) > (later.passes[0].seconds or 0)
    assert json.loads((run.folder / "forecast.json").read_text(encoding="utf-8"))["passes"]["lora"]["memory_bytes"]


@pytest.mark.slow
def test_the_forecast_of_qlora_is_near_what_was_measured(make_config: MakeConfig) -> None:
    changes = {"passes.lora.type": "QLoRA", f"{ARGUMENTS}per_device_train_batch_size": 64}
    config = make_config({**changes, f"{PRE_PROCESS}pad_to_max_len": True}, name="quantized")
    expected = expect(config).passes[0].memory_bytes
    run = phinb.start(config, until="lora")
    peak = watch_peaks(run)["lora"]
    assert run.state.status == "succeeded", run.log_tail()
    assert expected is not None
    assert 1 / 1.25 < expected / peak < 1.25, (expected, peak)


def test_seconds_measured_beside_other_programs_are_not_a_forecast(make_config: MakeConfig, phinb_home: Path) -> None:
    """The kinds of training can still be compared, which is what advice does."""
    config = make_config()
    folder = resolve_model("phinb://tiny")
    assert isinstance(folder, Path)
    shape = read_shape(folder)
    (load,) = read_loads(config, preflight(config, within_s=60).previews, "phi3")
    quiet = {"float32": 1e-3, "bfloat16": 5e-4, "float32+checkpointing": 2e-3, "busy": 0.05, "optimizer": 0.0}
    known, unknown = (
        forecast(Subject(config.to_olive(), "phinb://other", shape, 1, (load,), speed)).passes[0]
        for speed in (quiet, {**quiet, "busy": 0.5})
    )
    assert shape is not None
    assert load.step_tokens is not None
    assert load.steps is not None
    assert known.seconds == pytest.approx(1e-3 * load.step_tokens * load.steps, rel=0.1)
    assert (unknown.seconds, unknown.time_how) == (None, "unknown until the first steps")

    (own,) = find_passes(load)
    timed = {**quiet, name_pass(own): 0.4, "optimizer": 1e-6}
    step = load.accumulation * 0.4 + 1e-6 * adapter_parameters(shape, load)
    exact = forecast(Subject(config.to_olive(), "phinb://other", shape, 1, (load,), timed)).passes[0]
    assert exact.seconds == pytest.approx(step * load.steps)
