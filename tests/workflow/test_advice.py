"""What is advised, that it can be written into the configuration, and that nothing of it changes what is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.config import Config
from phinb.errors import ConfigError
from phinb.models.references import resolve_model
from phinb.models.shape import ModelShape, read_shape
from phinb.types import Edit
from phinb.workflow import advice as advice_module
from phinb.workflow.advice import Advice, advise, apply_advice, total_gain
from phinb.workflow.machine_speed import find_speed
from phinb.workflow.memory import adapter_parameters
from phinb.workflow.preflight import preflight
from phinb.workflow.step_probe import name_pass
from phinb.workflow.training_load import TrainingLoad, find_passes, read_loads
from tests.workflow.conftest import MakeConfig

ARGUMENTS = "passes.lora.training_args."
PADS = "data_configs.0.pre_process_data_config.pad_to_max_len"
SPEED = {"float32": 3e-3, "float32+checkpointing": 4e-3, "bfloat16": 2.1e-3, "bfloat16+checkpointing": 2.8e-3}
PLENTY = 10**12


@pytest.fixture
def shape(phinb_home: Path) -> ModelShape:
    folder = resolve_model("phinb://tiny")
    assert isinstance(folder, Path)
    found = read_shape(folder)
    assert found is not None
    return found


@pytest.fixture
def with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice_module, "has_bf16", lambda: True)


def read(config: Config) -> tuple[TrainingLoad, ...]:
    return tuple(read_loads(config, preflight(config, within_s=60).previews, "phi3"))


def ask(config: Config, shape: ModelShape, memory: int = PLENTY, speed: Any = SPEED) -> dict[str, Advice]:
    found = advise(config, read(config), shape, speed, memory_bytes=memory)
    return {one.code: one for one in found if one.code != "threads"}


def test_all_that_can_be_gained_is_named_and_can_be_written(
    make_config: MakeConfig, shape: ModelShape, with_bf16: None
) -> None:
    """The order of passes, rows, steps, batch and rate stay as they are; nothing is advised twice."""
    config = make_config({PADS: True, f"{ARGUMENTS}gradient_checkpointing": True})
    found = ask(config, shape)
    assert list(found) == ["bfloat16", "padding", "grouping", "checkpointing"]
    assert found["bfloat16"].gain == pytest.approx(0.3)
    assert found["checkpointing"].gain == pytest.approx(0.25)
    assert all(0.03 <= (one.gain or 0) < 1 and one.fix for one in found.values())
    assert total_gain(tuple(found.values())) < 1

    changed, done = apply_advice(config, tuple(found.values()))
    assert (changed.ok, len(done)) == (True, 4)
    differing = {
        path for path, entry in changed.effective().items() if config.effective().get(path, entry).value != entry.value
    }
    assert differing == {
        "passes.lora.torch_dtype",
        f"{ARGUMENTS}gradient_checkpointing",
        "data_configs.train.pre_process_data_config.pad_to_max_len",
    }
    assert changed.effective()[f"{ARGUMENTS}train_sampling_strategy"].value == "group_by_length"
    assert ask(changed, shape) == {}


def test_grouping_is_expected_to_gain_what_the_padding_says(make_config: MakeConfig, shape: ModelShape) -> None:
    config = make_config({PADS: False})
    padding = preflight(config).previews[0].stats.padding
    expected = 1 - (1 - padding["random"]) / (1 - padding["grouped"])
    assert ask(config, shape)["grouping"].gain == pytest.approx(expected)


def timed(load: TrainingLoad) -> dict[str, float]:
    """SPEED, and the passes that accumulation is about: 0.3 s for a batch, 0.5 s for all of a step's at once."""
    now, then = map(name_pass, find_passes(load))
    return {**SPEED, now: 0.3, then: 0.5, "optimizer": 1e-6}


def test_batches_that_are_summed_up_are_taken_at_once(make_config: MakeConfig, shape: ModelShape) -> None:
    accumulated = {f"{ARGUMENTS}per_device_train_batch_size": 1, f"{ARGUMENTS}gradient_accumulation_steps": 4}
    config = make_config({**accumulated, PADS: False})
    load = read(config)[0]
    speed = timed(load)
    found = ask(config, shape, speed=speed)["accumulation"]
    assert found.fix is not None
    effective = config.edit(*found.fix.edits).effective()
    assert effective[f"{ARGUMENTS}per_device_train_batch_size"].value == 4
    assert effective[f"{ARGUMENTS}gradient_accumulation_steps"].value == 1
    assert load.mean_width is not None
    assert load.merged_random is not None
    assert load.mean_width < load.merged_random, "four together are as wide as the longest"
    step = 1e-6 * adapter_parameters(shape, load)
    assert found.gain == pytest.approx(1 - (0.5 + step) / (4 * 0.3 + step), rel=1e-6)
    assert "grouping" in ask(config, shape, speed=speed), "what is left of padding then"
    assert "accumulation" not in ask(config, shape, speed=SPEED), "it was not measured"
    assert "accumulation" not in ask(config, shape, speed=speed, memory=700_000_000)
    assert "accumulation" not in ask(make_config({PADS: False}), shape, speed=speed)


def test_passes_to_be_timed_are_those_of_the_load(make_config: MakeConfig) -> None:
    accumulated = {f"{ARGUMENTS}per_device_train_batch_size": 1, f"{ARGUMENTS}gradient_accumulation_steps": 4}
    load = read(make_config({**accumulated, PADS: False}))[0]
    (own, together), (alone,) = find_passes(load), find_passes(read(make_config({PADS: False}))[0])
    assert (own[:2], together[:2], alone[0]) == (("float32", 1), ("float32", 4), "float32")
    assert own[2] <= together[2]


@pytest.mark.slow
def test_at_once_or_summed_up_the_same_is_learnt_but_for_the_weight_of_a_batch(
    make_config: MakeConfig, quick: None, tmp_path: Path
) -> None:
    """Of rows of one length nothing differs. Without dropout, whose draws depend on the shape of a batch."""
    text = '{"phrase": "I love you so much", "tone": "joy"}\n{"phrase": "I fear you so much", "tone": "fear"}\n'

    def train(batch: int, accumulation: int, rows: str) -> list[float]:
        arguments = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
        config = make_config({**{f"{ARGUMENTS}{key}": value for key, value in arguments.items()}, PADS: False})
        config = config.edit(Edit("set", "passes.lora.lora_dropout", 0.0))
        if rows:
            (tmp_path / "train.jsonl").write_text(rows, encoding="utf-8")
        run = phinb.run(config, until="lora")
        assert run.state.status == "succeeded", run.log_tail()
        return [metric.values["loss"] for metric in run.state.metrics if "loss" in metric.values]

    assert train(1, 4, text * 20) == pytest.approx(train(4, 1, text * 20), rel=1e-4)
    assert train(1, 4, "") == pytest.approx(train(4, 1, ""), rel=1e-2)


def test_a_batch_of_one_has_nothing_to_group(make_config: MakeConfig, shape: ModelShape) -> None:
    assert "grouping" not in ask(make_config({PADS: False, f"{ARGUMENTS}per_device_train_batch_size": 1}), shape)


def test_bfloat16_is_advised_only_where_measuring_agrees(
    make_config: MakeConfig, shape: ModelShape, with_bf16: None
) -> None:
    slow = {**SPEED, "bfloat16": 2.95e-3}
    assert "bfloat16" not in ask(make_config(), shape, speed=slow)
    unmeasured = ask(make_config(), shape, speed=None)["bfloat16"]
    assert (unmeasured.fix, unmeasured.gain) == (None, None)
    assert "could not be measured" in unmeasured.why


def test_a_processor_without_bfloat16_is_told_so(
    make_config: MakeConfig, shape: ModelShape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice_module, "has_bf16", lambda: False)
    told = ask(make_config(), shape)["bfloat16"]
    assert (told.fix, told.gain) == (None, None)
    assert "no bfloat16" in told.why
    # Olive's own default, which such a processor only imitates.
    slow = {**SPEED, "bfloat16": 9e-3}
    other = ask(make_config({"passes.lora.torch_dtype": "bfloat16"}), shape, speed=slow)["float32"]
    assert other.gain == pytest.approx(2 / 3)
    assert other.fix is not None


def test_checkpointing_stays_where_memory_is_short(make_config: MakeConfig, shape: ModelShape) -> None:
    config = make_config({f"{ARGUMENTS}gradient_checkpointing": True})
    assert "checkpointing" in ask(config, shape)
    assert "checkpointing" not in ask(config, shape, memory=900_000_000)


def test_short_memory_is_met_by_parts_of_the_same_batch(
    make_config: MakeConfig, shape: ModelShape, tmp_path: Path
) -> None:
    config = make_config({f"{ARGUMENTS}per_device_train_batch_size": 512, PADS: False})
    rows = tmp_path / "train.jsonl"
    rows.write_text(rows.read_text(encoding="utf-8") * 10, encoding="utf-8")
    found = ask(config, shape, memory=900_000_000)["memory"]
    assert found.fix is not None
    effective = config.edit(*found.fix.edits).effective()
    size = effective[f"{ARGUMENTS}per_device_train_batch_size"].value
    assert size * effective[f"{ARGUMENTS}gradient_accumulation_steps"].value == 512
    assert "memory" not in ask(config.edit(*found.fix.edits), shape, memory=900_000_000)


def test_threads_that_are_kept_from_working(
    make_config: MakeConfig, shape: ModelShape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice_module.psutil, "cpu_count", lambda logical=True: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    config = make_config()
    codes = [one.code for one in advise(config, read(config), shape, SPEED, memory_bytes=PLENTY)]
    assert codes.count("threads") == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert "threads" not in [one.code for one in advise(config, read(config), shape, SPEED, memory_bytes=PLENTY)]


def test_what_does_not_train_has_no_advice(make_config: MakeConfig) -> None:
    assert phinb.advise(make_config({"passes": {"int4": {"type": "ModelBuilder", "precision": "int4"}}})) == ()


def test_a_broken_configuration_is_not_advised_on(make_config: MakeConfig) -> None:
    with pytest.raises(ConfigError):
        phinb.advise(make_config({"passes.lora.r": -1}))


def test_advice_comes_with_the_preflight(make_config: MakeConfig) -> None:
    config = make_config({PADS: False})
    found = preflight(config)
    assert "grouping" in [one.code for one in found.advice]
    changed, done = phinb.apply_advice(config, found.advice)
    assert "grouping" in [one.code for one in done]
    assert changed.effective()[f"{ARGUMENTS}train_sampling_strategy"].value == "group_by_length"


@pytest.mark.slow
def test_the_machine_is_measured_once(shape: ModelShape, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was measured beside other programs is kept to itself, and not asked for again at once."""
    monkeypatch.setenv("PHINB_HOME", str(tmp_path))
    assert find_speed(shape, measure=False) is None
    passes = [("float32", 1, 16), ("float32", 4, 16)]
    first = find_speed(shape, measure=True, passes=passes)
    (path,) = (tmp_path / "cache" / "speed").glob("*.json")
    changed = path.stat().st_mtime_ns
    assert find_speed(shape, measure=True, passes=passes) == first
    assert find_speed(shape, measure=False, passes=passes[:1]) is None, "that was not asked for"
    assert path.stat().st_mtime_ns == changed
    if first is not None:
        assert {"float32", "bfloat16", "float32+checkpointing", "bfloat16+checkpointing"} <= first.keys()
        assert all(first[kind] > 0 for kind in first if kind != "busy")
        own, together = map(name_pass, passes)
        assert first[own] < first[name_pass(passes[0], checkpointing=True)]
        assert first[together] < 4 * first[own], "the weights are read once"
