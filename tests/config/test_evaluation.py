"""What checks/evaluation.py says of evaluators, tried with the installed Olive on phinb://tiny."""

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
from tests.config.forms import LATENCY, SIZE

PROGRAM = """
import json, os, sys
os.environ.update(OLIVE_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1")
import olive.workflows
said = {}
for name, config in json.load(sys.stdin).items():
    try:
        olive.workflows.run(config)
        files = [os.path.join(name, file) for file in ("input_model_metrics.json", "metrics.json")]
        measured = any(map(os.path.exists, files))
        said[name] = "" if measured else "nothing was measured"
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
open("said.json", "w").write(json.dumps(said))
os._exit(0)
"""
BUILD = {"int4": {"type": "ModelBuilder", "precision": "int4"}}
TORCH, ONNX = {"type": "PyTorchEvaluator"}, {"type": "OnnxEvaluator"}
PERPLEXITY = {
    "name": "perplexity",
    "type": "accuracy",
    "sub_types": [{"name": "perplexity", "priority": 1, "higher_is_better": False}],
    "data_config": "train",
}
CASES: dict[str, dict[str, Any]] = {
    "base": {"evaluator": {**TORCH, "metrics": [LATENCY]}},
    "size": {"evaluator": {**ONNX, "metrics": [SIZE]}, "passes": BUILD},
    "untyped": {"evaluator": {"metrics": [SIZE]}},
    "untyped_in_pass": {"passes": {"int4": {**BUILD["int4"], "evaluator": {"metrics": [SIZE]}}}},
    "input_as_onnx": {"evaluator": {**ONNX, "metrics": [LATENCY]}},
    "built": {"evaluator": {**ONNX, "metrics": [LATENCY]}, "passes": BUILD, "evaluate_input_model": False},
    "built_as_pytorch": {"evaluator": {**TORCH, "metrics": [LATENCY]}, "passes": BUILD, "evaluate_input_model": False},
    "no_data": {"evaluator": {**TORCH, "metrics": [{**LATENCY, "data_config": None}]}},
    "no_sub_types": {"evaluator": {**TORCH, "metrics": [{**LATENCY, "sub_types": []}]}},
    "no_metrics": {"evaluator": TORCH, "passes": BUILD},
}
WORK = {"base", "size", "no_metrics"}
"""Those that Olive runs to its end; of the last it says nothing, and nothing is measured."""


def config_of(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "json", "data_files": str(folder / "rows.jsonl"), "split": "train"},
        "pre_process_data_config": {
            "text_template": "{text}",
            "strategy": "line-by-line",
            "max_seq_len": 16,
            "pad_to_max_len": True,
        },
    }
    model = {"type": "HfModel", "model_path": str(make_tiny(folder / "tiny"))}
    return {"input_model": model, "data_configs": [data], **case}


@pytest.mark.slow
def test_what_is_an_error_here_fails_there(tmp_path: Path) -> None:
    rows = [json.dumps({"text": "never mind " * (1 + number)}) for number in range(4)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    configs = {name: config_of(case, tmp_path) for name, case in CASES.items()}
    given = json.dumps(
        {name: {**config, "output_dir": name, "cache_dir": f"cache-{name}"} for name, config in configs.items()}
    )
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, input=given, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads((tmp_path / "said.json").read_text(encoding="utf-8"))
    assert {name for name, failure in said.items() if not failure} == WORK, said
    ok = {name for name, config in configs.items() if load_config(config).ok}
    assert ok == {"base", "size"}


def test_the_remedies_lead_to_an_evaluation_that_works(tmp_path: Path) -> None:
    """What has a remedy has none left to tell when it was carried out; the type is the one for what is measured."""
    base = load_config(config_of({"evaluator": {"metrics": [LATENCY]}}, tmp_path))
    mended, done = apply_fixes(base)
    assert [problem.code for problem in done] == ["olive_fails"]
    assert mended.ok
    assert mended.to_olive()["evaluator"]["type"] == "PyTorchEvaluator"
    both = load_config(config_of({"evaluator": {"metrics": [SIZE]}, "passes": BUILD}, tmp_path))
    mended, _ = apply_fixes(both)
    assert mended.to_olive()["evaluator"]["type"] == "OnnxEvaluator"
    convert = {"passes": {"convert": {"type": "OnnxConversion"}}, "evaluator": {**ONNX, "metrics": [LATENCY]}}
    mended, _ = apply_fixes(load_config(config_of(convert, tmp_path)))
    assert mended.ok
    assert mended.to_olive()["evaluate_input_model"] is False


def test_rows_of_unlike_lengths_have_no_accuracy(tmp_path: Path) -> None:
    config = config_of({"evaluator": {**TORCH, "metrics": [PERPLEXITY]}}, tmp_path)
    assert load_config(config).problems == ()
    config["data_configs"][0]["pre_process_data_config"]["pad_to_max_len"] = False
    (problem,) = load_config(config).problems
    assert (problem.severity, problem.path.rpartition(".")[2]) == ("warning", "pad_to_max_len")
    mended, _ = apply_fixes(load_config(config))
    assert mended.problems == ()
