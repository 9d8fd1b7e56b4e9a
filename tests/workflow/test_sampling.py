"""Samples while training: they come when asked for, and looking changes nothing; tokens a second are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import phinb
from phinb.data.recipe import Recipe
from phinb.types import RunState
from phinb.workflow.runner import Run
from phinb.workflow.sampling import Sampler, find_recipe
from phinb.workflow.throughput import Throughput
from tests.workflow.conftest import MakeConfig

PROMPT = "### Text: I cannot wait\n### The tone is:\n"


@pytest.mark.parametrize(
    ("every", "first", "total", "due"),
    [
        (4, 0, 10, [0, 4, 8, 10]),
        (None, 0, 30, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]),
        (None, 0, 3, [0, 1, 2, 3]),
        (4, 7, 10, [7, 8, 10]),  # resumed: where it goes on from is shown, too
    ],
)
def test_when_a_sample_is_due(every: int | None, first: int, total: int, due: list[int]) -> None:
    sampler = Sampler([], every, 8, Recipe(), None, lambda *_: None)
    seen = []
    for step in range(first, total + 1):
        if sampler.is_due(step, total):
            sampler._last = step
            seen.append(step)
    assert seen == due


def test_tokens_a_second_are_those_of_the_steps_alone() -> None:
    now = 0.0
    throughput = Throughput(clock=lambda: now)
    throughput.begin_step(1000)  # resumed: what an earlier attempt went through is not counted
    now = 2.0
    throughput.end_step()
    now = 50.0  # evaluation
    throughput.begin_step(1300)
    now = 51.0
    throughput.end_step()
    assert throughput.take(1600) == pytest.approx(200)
    assert throughput.take(1600) is None
    assert Throughput().take(0) is None


@pytest.mark.parametrize(
    ("key", "value"), [("samples_every", 0), ("samples_every", 2.5), ("samples_tokens", 0), ("samples", "one")]
)
def test_what_cannot_be_asked_for_is_a_problem(make_config: MakeConfig, key: str, value: object) -> None:
    config = make_config({f"phinb.{key}": value})
    assert not config.ok
    assert [problem.path for problem in config.problems if problem.severity == "error"] == [f"phinb.{key}"]


def test_prompts_are_tokenised_as_the_rows_of_the_alternative_that_trains() -> None:
    olive = {
        "data_configs": [
            {"name": "plain", "pre_process_data_config": {"text_template": "{phrase}"}},
            {"name": "chat", "pre_process_data_config": {"chat_template": True}},
        ],
        "passes": {
            "lora": [{"type": "LoRA", "train_data_config": name} for name in ("plain", "chat")],
            "more": {"type": "LoRA", "train_data_config": "chat"},
        },
    }
    assert find_recipe(olive, "lora", 0).text_template == "{phrase}"
    assert find_recipe(olive, "lora", 1).chat_template
    assert find_recipe(olive, "more").chat_template


def state_of(run: Run) -> RunState:
    state = run.wait(timeout=300)
    assert state.status == "succeeded", f"{state.message}\n{run.log_tail()}"
    return state


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_run_with_samples_has_the_weights_of_one_without(make_config: MakeConfig, empty_cache: Path) -> None:
    dropout = {"passes.lora.lora_dropout": 0.1}  # the random numbers count in every step
    asked = {"phinb.samples": [PROMPT, "héllo 🙂"], "phinb.samples_every": 2, "phinb.samples_tokens": 5}
    with_samples = phinb.start(make_config(dropout | asked), until="lora", fresh=True)
    state = state_of(with_samples)
    assert [(sample.step, sample.prompt) for sample in state.samples] == [
        (step, prompt) for step in (0, 2, 4, 6) for prompt in (PROMPT, "héllo 🙂")
    ]
    assert all(sample.pass_name == "lora" for sample in state.samples)
    assert any(sample.text for sample in state.samples)
    assert [notice.code for notice in state.notices].count("sampled") == 1
    rates = [metric.values["tokens_per_s"] for metric in state.metrics if "loss" in metric.values]
    assert len(rates) == 6
    assert all(rate > 0 for rate in rates)
    assert not any("num_input_tokens_seen" in metric.values for metric in state.metrics)
    without = phinb.start(make_config(dropout), until="lora", fresh=True)
    assert state_of(without).samples == ()
    first, second = (
        load_file(Path(run.variants["adapter"].path) / "adapter_model.safetensors") for run in (with_samples, without)
    )
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    # Samples are only looked at: asking for others is no reason to train again.
    again = state_of(phinb.start(make_config(dropout | {"phinb.samples": ["other"]}), until="lora"))
    assert again.passes["lora"].reused
