"""What a search chooses among, what its checks tell, and that Olive does as they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.config import load_config
from phinb.config.fixes import apply_fixes
from phinb.models.tiny import make_tiny
from phinb.types import Problem
from tests.config.forms import LATENCY, SIZE, lora

JOINT = {"execution_order": "joint", "sampler": "sequential"}
EVALUATOR = {"type": "OnnxEvaluator", "metrics": [SIZE]}
BUILD = {"type": "ModelBuilder", "precision": "int4"}


def evaluator_of(goal: dict[str, Any]) -> dict[str, Any]:
    part = {"name": "bytes", "priority": 1, "higher_is_better": False, "goal": goal}
    return {"type": "OnnxEvaluator", "metrics": [{**SIZE, "sub_types": [part]}]}


@pytest.fixture
def searched(plain: dict[str, Any]) -> dict[str, Any]:
    plain.update(search_strategy=dict(JOINT), evaluator=EVALUATOR)
    return plain


def told(source: dict[str, Any], code: str) -> Problem:
    found = [problem for problem in load_config(json.dumps(source, indent=1)).problems if problem.code == code]
    assert len(found) == 1, load_config(source).problems
    return found[0]


def test_what_olive_searches_of_its_own_accord_is_counted_and_told(searched: dict[str, Any]) -> None:
    """ModelBuilder has 3 block sizes, 2 symmetries and 4 algorithms to try, and a LoRA without r has 3 ranks."""
    lora(searched).update(r=[4, 8])
    config = load_config(searched)
    assert config.ok
    assert config.search is not None
    assert (config.search.combinations, config.search.most) == (48, 48)
    assert config.search.varying == ("lora", "int4")
    problem = told(searched, "search")
    assert (problem.severity, problem.path) == ("info", "search_strategy")
    assert "at most 48 trials of 48 combinations of: lora.r (2 values), int4." in problem.message
    effective = config.effective()
    assert effective["passes.lora.r"].value == [4, 8]
    assert effective["passes.int4.int4_block_size"].value == [32, 64, 128]
    assert effective["passes.int4.int4_block_size"].origin == "olive"
    assert "searched" in effective["passes.int4.int4_block_size"].note
    mended = config.edit(*problem.fix.edits) if problem.fix else config
    assert mended.search is not None
    assert (mended.search.combinations, mended.search.unasked) == (2, ())
    assert mended.effective()["passes.int4.int4_block_size"].value is None


@pytest.mark.parametrize(
    ("strategy", "most"),
    [
        ({}, 48),
        ({"sampler": "random", "max_samples": 5}, 5),
        ({"max_iter": 2}, 3),
        ({"execution_order": "pass-by-pass"}, 2 + 1 + 1 * 24),
        ({"execution_order": "pass-by-pass", "max_samples": 2}, 2 + 1 + 1 * 2),
    ],
)
def test_how_many_trials_there_are_at_most(searched: dict[str, Any], strategy: dict[str, Any], most: int) -> None:
    lora(searched).update(r=[4, 8])
    searched["search_strategy"].update(strategy)
    config = load_config(searched)
    assert config.search is not None
    assert config.search.most == most


def test_outputs_are_called_by_their_precision_or_by_number(searched: dict[str, Any]) -> None:
    kept = {f"int4_{key}": "DEFAULT_VALUE" for key in ("block_size", "is_symmetric", "algo_config")}
    lora(searched).update(r=8)
    one, other = {**BUILD, **kept}, {**BUILD, **kept, "precision": "fp32"}

    def labels(*alternatives: dict[str, Any]) -> tuple[str, ...]:
        searched["passes"]["int4"] = list(alternatives)
        search = load_config(searched).search
        return search.labels if search is not None else ()

    assert labels(one, other) == ("int4", "fp32")
    assert labels(one, {**one, "int4_block_size": 64}) == ("int4-1", "int4-2")
    assert labels(one, {**other, "int4_block_size": [32, 64]}) == ()
    lora(searched).update(r=[8, 16])
    assert labels(one, other) == ()


def test_a_list_of_passes_without_a_search_has_a_remedy_that_makes_all(plain: dict[str, Any]) -> None:
    plain["passes"]["int4"] = [BUILD, {**BUILD, "precision": "fp32"}]
    assert told(plain, "ignored").severity == "error"
    mended, done = apply_fixes(load_config(json.dumps(plain, indent=1)))
    assert [problem.code for problem in done] == ["ignored"]
    assert mended.ok, mended.problems
    assert mended.search is not None
    assert (mended.search.labels, mended.search.most) == (("int4", "fp32"), 2)


def test_the_values_of_a_search_are_judged_at_their_line(searched: dict[str, Any]) -> None:
    lora(searched).update(r=[8, -4])
    assert told(searched, "out_of_range").path == "passes.lora.r.1"
    lora(searched).update(r=8, alpha=[16, 32])
    problem = told(searched, "wrong_type")
    assert (problem.path, "Olive tries several values of r only" in problem.hint) == ("passes.lora.alpha", True)


def test_tpe_takes_no_alternative_but_the_first_in_this_olive(searched: dict[str, Any]) -> None:
    searched["search_strategy"]["sampler"] = "tpe"
    assert load_config(searched).ok
    searched["passes"]["int4"] = [BUILD, {**BUILD, "precision": "fp32"}]
    problem = told(searched, "olive_fails")
    assert problem.path == "search_strategy.sampler"
    mended, _ = apply_fixes(load_config(json.dumps(searched, indent=1)))
    assert mended.ok
    assert mended.to_olive()["search_strategy"]["sampler"] == "random"


def test_what_has_no_effect_in_a_search_is_told(searched: dict[str, Any]) -> None:
    searched["search_strategy"].update(include_pass_params=False)
    assert told(searched, "olive_fails").path == "search_strategy.include_pass_params"
    mended, _ = apply_fixes(load_config(json.dumps(searched, indent=1)))
    assert mended.ok
    searched["search_strategy"] = {**JOINT, "execution_order": "pass-by-pass", "max_iter": 3}
    problem = told(searched, "no_effect")
    assert (problem.severity, problem.path) == ("warning", "search_strategy.max_iter")
    searched["search_strategy"] = {**JOINT, "output_model_num": 2}
    assert told(searched, "no_effect").path == "search_strategy.output_model_num"
    searched["search_strategy"] = dict(JOINT)
    searched["evaluator"] = evaluator_of({"type": "threshold", "value": 1})
    assert told(searched, "no_effect").path == "evaluator.metrics.0.sub_types.0.goal"
    searched["evaluator"] = evaluator_of({"type": "max-degradation", "value": 1})
    lora(searched).update(r=8)
    searched["passes"].pop("int4")
    (problem,) = load_config(searched).problems
    assert (problem.code, problem.severity) == ("no_choice", "info")


PROGRAM = """
import json, os, sys
os.environ.update(OLIVE_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1")
import olive.workflows
said = {}
for name, config in json.load(sys.stdin).items():
    try:
        output = olive.workflows.run(config)
        nodes = json.load(open(os.path.join(name, "footprint.json"))).values()
        made = sum(bool(node["parent_model_id"] and node["metrics"]) for node in nodes)
        said[name] = [made, output.has_output_model()]
    except Exception as error:
        said[name] = str(error)
open("said.json", "w").write(json.dumps(said))
os._exit(0)
"""
KEPT = {f"int4_{key}": "DEFAULT_VALUE" for key in ("block_size", "is_symmetric", "algo_config")}
TWO = [{**BUILD, **KEPT}, {**BUILD, **KEPT, "precision": "fp32"}]


def test_pass_by_pass_every_model_is_measured(searched: dict[str, Any]) -> None:
    """OnnxEvaluator runs what comes out at the end, and would fail on what comes out in between."""
    lora(searched).update(r=[4, 8])
    searched["passes"].pop("int4")
    searched["passes"]["convert"] = {"type": "OnnxConversion"}
    latency = {**LATENCY, "data_config": searched["data_configs"][0]["name"]}
    searched.update(evaluate_input_model=False, evaluator={"type": "OnnxEvaluator", "metrics": [latency]})
    assert load_config(searched).ok, load_config(searched).problems
    searched["search_strategy"]["execution_order"] = "pass-by-pass"
    problem = told(searched, "contradiction")
    assert problem.path == "evaluator.type"
    assert 'from "lora" comes a Hugging Face model' in problem.message


@pytest.mark.slow
def test_what_is_said_of_a_search_is_what_olive_does(tmp_path: Path) -> None:
    """Plain Olive: what phinb calls an error fails there, and what it says has no effect has none."""
    model = {"type": "HfModel", "model_path": str(make_tiny(tmp_path / "tiny"))}
    cases: dict[str, dict[str, Any]] = {
        "alternatives": {"passes": {"int4": TWO}},
        "lost_samples": {"passes": {"int4": TWO}, "search_strategy": {**JOINT, "max_samples": 1}},
        "rounds": {
            "passes": {"int4": [*TWO, {**TWO[0], "int4_block_size": 64}]},
            "search_strategy": {**JOINT, "max_iter": 1},
        },
        "parameters": {
            "passes": {"int4": {**BUILD, **KEPT, "int4_block_size": [32, 64]}},
            "search_strategy": {**JOINT, "include_pass_params": False},
        },
        "unasked": {"passes": {"int4": BUILD}, "search_strategy": {**JOINT, "include_pass_params": False}},
        "threshold": {"passes": {"int4": TWO}, "evaluator": evaluator_of({"type": "threshold", "value": 1})},
        "no_goal_met": {"passes": {"int4": TWO}, "evaluator": evaluator_of({"type": "min-improvement", "value": 1e12})},
    }
    whole = {
        name: {"input_model": model, "search_strategy": JOINT, "evaluator": EVALUATOR, **case}
        for name, case in cases.items()
    }
    given = {name: {**config, "output_dir": name, "cache_dir": f"cache-{name}"} for name, config in whole.items()}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command,
        input=json.dumps(given),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads((tmp_path / "said.json").read_text(encoding="utf-8"))
    assert said.pop("unasked") == "Search point is not in the search space."
    assert said == {
        "alternatives": [2, True],
        "lost_samples": [2, True],
        "rounds": [2, True],
        "parameters": [2, True],
        "threshold": [2, True],
        "no_goal_met": [2, False],
    }
    configs = {name: load_config(config) for name, config in whole.items()}
    assert [name for name, config in configs.items() if not config.ok] == ["unasked"]
    most = {name: config.search.most for name, config in configs.items() if config.search is not None}
    assert most.pop("unasked") == 24
    assert most.pop("lost_samples") == 1  # under phinb: mends.py
    assert set(most.values()) == {2}
