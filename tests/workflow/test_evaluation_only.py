"""A run without passes: what Olive's evaluator measures is told, and what it cannot measure fails with the reason."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from phinb.api import compare, start
from phinb.config import load_config
from phinb.workflow.runner import Run
from tests.workflow.conftest import TINY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick")]

PERPLEXITY = {
    "name": "perplexity",
    "type": "accuracy",
    "sub_types": [{"name": "perplexity", "higher_is_better": False}],
    "data_config": "test",
}


def evaluate(folder: Path, sample_data: Path, *, pad: bool) -> Run:
    rows = (sample_data / "emotion_test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "train.jsonl").write_text("".join(rows[:20]), encoding="utf-8")
    tree: dict[str, Any] = deepcopy(TINY)
    del tree["passes"]
    tree["data_configs"][0]["name"] = "test"
    tree["data_configs"][0]["pre_process_data_config"]["pad_to_max_len"] = pad
    tree["evaluators"] = {"quality": {"type": "PyTorchEvaluator", "metrics": [PERPLEXITY]}}
    tree["evaluator"] = "quality"
    run = start(load_config(json.dumps(tree), name="evaluate", folder=folder))
    run.wait()
    return run


def test_what_was_measured_is_a_metric_a_notice_and_a_base(tmp_path: Path, sample_data: Path) -> None:
    run = evaluate(tmp_path, sample_data, pad=True)
    state = run.state
    assert (state.status, dict(state.passes)) == ("succeeded", {})
    (metric,) = state.metrics
    assert (metric.pass_name, metric.step, list(metric.values)) == ("", 0, ["perplexity"])
    told = next(notice for notice in state.notices if notice.code == "evaluated")
    assert f"perplexity {metric.values['perplexity']:.4g}" in told.message
    assert list(run.variants) == ["base"]
    assert list(compare(run).frame.index) == ["base"]


def test_what_olive_cannot_measure_fails_with_its_reason(tmp_path: Path, sample_data: Path) -> None:
    """Rows of different lengths: Olive logs an error, returns as if all were well, and leaves no figures."""
    run = evaluate(tmp_path, sample_data, pad=False)
    assert run.state.status == "failed"
    assert "Sizes of tensors must match" in run.state.message
