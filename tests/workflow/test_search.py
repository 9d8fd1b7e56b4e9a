"""Olive's own search under phinb: trials are lines, notices and variants; each result is reused for itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phinb.api import compare, start
from phinb.types import MetricLogged, PassFinished, PassStarted
from phinb.workflow.runner import Run
from phinb.workflow.view import describe_run
from tests.workflow.conftest import TINY, MakeConfig, wait_for_step

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick")]

SIZE = {
    "type": "OnnxEvaluator",
    "metrics": [
        {
            "name": "size",
            "type": "size_on_disk",
            "sub_types": [{"name": "bytes", "priority": 1, "higher_is_better": False}],
        }
    ],
}
EVERY = {"execution_order": "joint", "sampler": "sequential"}
AS_IT_IS = dict.fromkeys(("int4_block_size", "int4_is_symmetric", "int4_algo_config"), "DEFAULT_VALUE")
BUILD = {"type": "ModelBuilder", "precision": "int4", **AS_IT_IS}
RANKS: dict[str, Any] = {
    "passes.lora.r": [4, 8],
    "passes.lora.training_args.max_steps": 2,
    "passes.int4": BUILD,
    "search_strategy": EVERY,
    "evaluator": SIZE,
}
OUTPUTS: dict[str, Any] = {
    "passes.lora.training_args.max_steps": 2,
    "passes.int4": [BUILD, {**BUILD, "precision": "fp32"}],
    "search_strategy": EVERY,
    "evaluator": SIZE,
}


def finish(run: Run) -> Run:
    run.wait(300)
    print(run.log_tail(60), *run.state.passes.items(), sep="\n")
    return run


def told(run: Run, code: str) -> list[str]:
    return [notice.message for notice in run.state.notices if notice.code == code]


def finished(run: Run) -> dict[str, tuple[bool, str]]:
    return {e.pass_name: (e.reused, e.reason) for e in run.events() if isinstance(e, PassFinished)}


def test_several_outputs_of_one_configuration(make_config: MakeConfig, empty_cache: Path) -> None:
    """A list of passes: what stands before it runs once, each of its results is a line and a variant of its own."""
    config = make_config(OUTPUTS)
    assert config.ok, config.problems
    run = finish(start(config))
    state = run.state
    assert (state.status, state.message) == ("succeeded", "Olive's best of 2 trials is int4.")
    assert list(state.passes) == ["lora", "merge", "int4/int4", "fp32/int4"]
    assert [line.name for line in describe_run(state).lines] == list(state.passes)
    assert {item.status for item in state.passes.values()} == {"done"}
    assert [e.pass_name for e in run.events() if isinstance(e, PassStarted)] == list(state.passes)
    variants = run.variants
    assert list(variants) == ["base", "adapter", "merged", "int4", "fp32"]
    assert [variants[name].precision for name in ("int4", "fp32")] == ["int4", "fp32"]
    assert variants["fp32"].parameters == {"passes.int4": 2}
    assert variants["fp32"].from_pass == "fp32/int4"
    paths = {Path(variant.path) for name, variant in variants.items() if name != "base"}
    assert len(paths) == 4
    assert all(path.is_relative_to(run.folder / "artefacts") for path in paths)
    assert (Path(variants["fp32"].path) / "genai_config.json").is_file()
    assert [text.partition(":")[0] for text in told(run, "trial")] == ["int4", "fp32"]
    lineage = json.loads((run.folder / "artefacts.json").read_text(encoding="utf-8"))
    assert [entry["made_from"] for entry in lineage] == ["base", "lora", "merge", "merge"]
    frame = compare(run, rows="train").frame
    assert list(frame.index) == ["base", "adapter", "merged", "int4", "fp32"]
    assert frame["accuracy"].notna().all()

    again = finish(start(make_config(OUTPUTS)))
    assert {reused for reused, _ in finished(again).values()} == {True}
    changed = finish(start(make_config({**OUTPUTS, "passes.int4.1.int4_block_size": 64})))
    assert {name: reused for name, (reused, _) in finished(changed).items()} == {
        "lora": True,
        "merge": True,
        "int4/int4": True,
        "fp32/int4": False,
    }


def test_trials_of_a_search(make_config: MakeConfig, empty_cache: Path) -> None:
    run = finish(start(make_config(RANKS)))
    state = run.state
    assert state.status == "succeeded"
    names = [f"trial-{number}/{name}" for number in (1, 2) for name in ("lora", "merge", "int4")]
    assert list(state.passes) == names
    variants = run.variants
    assert list(variants) == ["base", "trial-1", "trial-2"]
    assert [variants[name].parameters for name in ("trial-1", "trial-2")] == [
        {"passes.lora.r": 4},
        {"passes.lora.r": 8},
    ]
    first, second = told(run, "trial")
    assert first.startswith("Trial 1 (lora.r 4): size-bytes ")
    assert second.startswith("Trial 2 (lora.r 8): size-bytes ")
    # What one trial logged does not give way to what the next one logs at the same step.
    losses = [m.pass_name for m in state.metrics if "loss" in m.values]
    assert set(losses) == {"trial-1/lora", "trial-2/lora"}
    measured = [e for e in run.events() if isinstance(e, MetricLogged) and "size-bytes" in e.values]
    assert [e.pass_name for e in measured] == ["trial-1/int4", "trial-2/int4"]
    for number, rank in ((1, 4), (2, 8)):
        adapter = run.folder / "artefacts" / f"trial-{number}" / "lora" / "adapter" / "adapter_config.json"
        assert json.loads(adapter.read_text(encoding="utf-8"))["r"] == rank
    assert not list(empty_cache.glob("*/checkpoints/*")), "checkpoints of a search that succeeded are left"

    # An ordinary run with a trial's settings takes its results, and the search takes those of ordinary runs.
    single = {key: value for key, value in RANKS.items() if key not in ("search_strategy", "evaluator")}
    alone = finish(start(make_config({**single, "passes.lora.r": 8})))
    assert [reused for reused, _ in finished(alone).values()] == [True] * 3
    more = finish(start(make_config({**RANKS, "passes.lora.r": [8, 16]})))
    assert [reused for reused, _ in finished(more).values()] == [True] * 3 + [False] * 3


def test_a_trial_that_fails_is_told_and_the_search_goes_on(make_config: MakeConfig, empty_cache: Path) -> None:
    """Two ways to train, of which the first names a module that the model has not."""
    lora = {**TINY["passes"]["lora"], "training_args": {"max_steps": 2}}
    changes = {
        **RANKS,
        "passes.lora": [{**lora, "target_modules": ["nowhere"]}, {**lora, "target_modules": ["o_proj"]}],
    }
    del changes["passes.lora.r"], changes["passes.lora.training_args.max_steps"]
    run = finish(start(make_config(changes)))
    state = run.state
    assert state.status == "succeeded", state.message
    assert {name: item.status for name, item in state.passes.items()} == {
        "lora-1/lora": "failed",
        "lora-1/merge": "waiting",
        "lora-1/int4": "waiting",
        "lora-2/lora": "done",
        "lora-2/merge": "done",
        "lora-2/int4": "done",
    }
    assert list(run.variants) == ["base", "lora-2"]
    (failed,) = told(run, "trial_failed")
    assert failed.startswith("lora-1 failed: ")
    assert "nowhere" in failed
    assert "target_modules" in state.passes["lora-1/lora"].cause


def test_pass_by_pass_a_trial_may_fail_too(make_config: MakeConfig, empty_cache: Path) -> None:
    lora = {**TINY["passes"]["lora"], "training_args": {"max_steps": 2}}
    changes: dict[str, Any] = {
        "passes": {"lora": [{**lora, "r": 4, "target_modules": [name]} for name in ("nowhere", "o_proj")]},
        "search_strategy": {**EVERY, "execution_order": "pass-by-pass"},
        "evaluator": SIZE,
    }
    config = make_config({**changes, "passes.merge": {"type": "MergeAdapterWeights"}})
    run = finish(start(config))
    assert run.state.status == "succeeded", run.state.message
    assert {name: item.status for name, item in run.state.passes.items()} == {
        "trial-1/lora": "failed",
        "trial-2/lora": "done",
        "trial-3/merge": "done",
    }
    assert list(run.variants) == ["base", "trial-2", "trial-3"]


def test_a_failure_that_all_trials_share_ends_the_search(make_config: MakeConfig, empty_cache: Path) -> None:
    run = finish(start(make_config({**OUTPUTS, "passes.lora.target_modules": ["nowhere"]})))
    assert run.state.status == "failed"
    assert "nowhere" in run.state.message
    assert [e.pass_name for e in run.events() if isinstance(e, PassStarted)] == ["lora"]
    assert list(run.variants) == []


def test_pass_by_pass_goes_on_from_the_best(make_config: MakeConfig, empty_cache: Path) -> None:
    config = make_config({**RANKS, "search_strategy": {**EVERY, "execution_order": "pass-by-pass"}})
    run = finish(start(config))
    assert run.state.status == "succeeded"
    assert config.search is not None
    print(list(run.state.passes), told(run, "trial"), config.search.most)
    assert list(run.state.passes) == ["trial-1/lora", "trial-2/lora", "trial-3/merge", "trial-4/int4"]
    assert config.search.most == 4
    assert run.variants["trial-4"].parameters == {"passes.lora.r": 4}


def test_stop_ends_the_search_and_keeps_its_trials(make_config: MakeConfig, empty_cache: Path) -> None:
    config = make_config({**RANKS, "passes.lora.training_args.max_steps": 400})
    run = start(config)
    wait_for_step(run, 3)
    run.stop()
    finish(run)
    assert run.state.status == "stopped"
    assert list(run.variants) == ["base", "trial-1"]
    assert "trial-2/lora" not in run.state.passes


def test_a_cancelled_search_goes_on_where_it_was(make_config: MakeConfig, empty_cache: Path) -> None:
    changes = {**RANKS, "passes.lora.training_args.max_steps": 60, "passes.lora.training_args.save_steps": 5}
    run = start(make_config({**changes, "passes.lora.training_args.save_strategy": "steps"}))
    for event in run.events(follow=True):
        if isinstance(event, MetricLogged) and event.pass_name == "trial-2/lora" and event.step >= 10:
            break
    run.cancel()
    assert run.state.status == "cancelled"
    finish(run.resume())
    assert run.state.status == "succeeded"
    assert [reused for reused, _ in finished(run).values()] == [True] * 3 + [False] * 3
    second = [e.step for e in run.events() if isinstance(e, MetricLogged) and e.pass_name == "trial-2/lora"]
    assert second.count(1) == 1, "the second trial's training began anew"


def test_an_onnx_model_can_be_measured_after_its_pass(make_config: MakeConfig, empty_cache: Path) -> None:
    """Without a search, made anew and from the cache: onnx refuses weights with several hard links."""
    for _ in range(2):
        run = finish(start(make_config({"passes.int4": BUILD, "evaluator": SIZE})))
        assert run.state.status == "succeeded", run.state.message
        assert (run.folder / "output" / "metrics.json").is_file()


def test_tpe_tries_values_by_what_the_model_makes_of_rows(make_config: MakeConfig, empty_cache: Path) -> None:
    """An evaluator that runs the model; each merged model is measured, and the better one is named."""
    perplexity = {
        "name": "perplexity",
        "type": "accuracy",
        "sub_types": [{"name": "perplexity", "priority": 1, "higher_is_better": False}],
        "data_config": "train",
    }
    changes: dict[str, Any] = {
        "passes.lora.r": "SEARCHABLE_VALUES",
        "passes.lora.training_args.max_steps": 2,
        "passes.int4": None,
        "data_configs.0.pre_process_data_config.pad_to_max_len": True,
        "evaluator": {"type": "PyTorchEvaluator", "metrics": [perplexity]},
        "evaluate_input_model": False,
        "search_strategy": {"execution_order": "joint", "sampler": "tpe", "max_samples": 2, "seed": 0},
    }
    run = finish(start(make_config(changes)))
    state = run.state
    assert state.status == "succeeded", state.message
    assert {item.status for item in state.passes.values()} == {"done"}, "what the evaluator loads is no pass's progress"
    values = {m.pass_name: m.values["perplexity"] for m in state.metrics if "perplexity" in m.values}
    assert list(values) == ["trial-1/merge", "trial-2/merge"]
    best = min(values, key=lambda name: values[name]).partition("/")[0]
    assert told(run, "best_trial") == [f"Olive's best of 2 trials is {best}."]
    ranks = [variant.parameters["passes.lora.r"] for name, variant in run.variants.items() if name != "base"]
    assert len(set(ranks)) == 2
    assert set(ranks) <= {16, 32, 64}
    assert {variant.kind for name, variant in run.variants.items() if name != "base"} == {"merged"}


def test_an_adapter_is_measured_by_its_latency(make_config: MakeConfig, empty_cache: Path) -> None:
    """A search of LoRA alone; its goal is one that no adapter meets, so that Olive chooses none."""
    part = {"name": "avg", "priority": 1, "goal": {"type": "percent-min-improvement", "value": 99.999}}
    latency = {"name": "latency", "type": "latency", "sub_types": [part], "data_config": "train"}
    changes: dict[str, Any] = {
        "passes": {"lora": {**TINY["passes"]["lora"], "r": [4, 8], "training_args": {"max_steps": 2}}},
        "evaluator": {"type": "PyTorchEvaluator", "metrics": [latency]},
        "evaluate_input_model": False,
        "search_strategy": EVERY,
    }
    run = finish(start(make_config(changes)))
    assert run.state.status == "failed"
    assert run.state.message == "Olive chose none of the 2 trials: none met the goals of its metrics."
    assert [variant.kind for variant in run.variants.values()] == ["base", "adapter", "adapter"]
    assert all("latency-avg" in text for text in told(run, "trial"))
