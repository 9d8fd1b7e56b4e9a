"""What is said of the data before a run, at the lines that it is about, and what the remedies do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.config import Config, load_config
from phinb.errors import ConfigError
from phinb.models.references import is_made
from phinb.types import Problem
from phinb.workflow.preflight import preflight
from tests.workflow.conftest import TINY, MakeConfig


def line_of(config: Config, problem: Problem) -> str:
    assert problem.line is not None, problem
    return config.text.splitlines()[problem.line - 1].strip()


def find(config: Config, code: str) -> Problem:
    found = [problem for problem in preflight(config).problems if problem.code == code]
    assert len(found) == 1, [problem.code for problem in preflight(config).problems]
    return found[0]


def at(path: str) -> str:
    return f"data_configs.0.pre_process_data_config.{path}"


SPLIT = "data_configs.0.load_dataset_config.split"
TRAINING = "passes.lora.training_args."
GOOD: dict[str, Any] = {at("pad_to_max_len"): False, f"{TRAINING}max_steps": 60}
"""Each row is seen twice, and batches are no wider than they need be."""


def test_nothing_is_said_of_good_data(make_config: MakeConfig) -> None:
    for section in ({"loss_on": "all"}, {"loss_on": "completion"}):
        config = make_config({**GOOD, "phinb": section})
        assert preflight(config).problems == ()


def test_nothing_is_said_of_the_sample(sample_data: Path) -> None:
    """The tiny model's tokens are shorter than the demo model's, so that a row has more of them."""
    text = (sample_data / "emotion.json").read_text(encoding="utf-8")
    text = text.replace("phinb://demo", "phinb://tiny").replace('"max_seq_len": 80', '"max_seq_len": 160')
    config = load_config(text, folder=sample_data)
    found = preflight(config)
    assert found.problems == config.problems  # nothing but what its text alone shows
    assert [seen.name for seen in found.previews] == ["train", "test"]


@pytest.mark.slow
@pytest.mark.demo_model
def test_nothing_is_said_of_the_sample_as_it_is(sample_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHINB_HOME")
    if not is_made("phinb://demo"):
        pytest.skip("the demo model is not in the user's cache: make demo-model")
    config = load_config(sample_data / "emotion.json")
    found = preflight(config)
    assert found.problems == config.problems
    assert [max(seen.stats.lengths) <= 80 for seen in found.previews] == [True, True]


@pytest.mark.parametrize(
    ("changes", "code", "severity", "line"),
    [
        (
            {at("strategy"): "join", at("max_seq_len"): 4000, SPLIT: "train[:9]"},
            "no_sequences",
            "error",
            '"max_seq_len": 4000',
        ),
        ({"phinb": {"loss_on": "completion"}, at("max_seq_len"): 12}, "nothing_trained", "error", '"max_seq_len": 12'),
        ({at("add_special_tokens"): False}, "no_end_of_sequence", "warning", '"add_special_tokens": false'),
        ({at("max_seq_len"): 70}, "truncated_answers", "warning", '"max_seq_len": 70'),
        ({at("text_template"): "{phrase}: {tone}"}, "prompt_differs", "warning", '"text_template": "{phrase}: {tone}"'),
        (
            {f"{TRAINING}per_device_train_batch_size": 64},
            "batch_too_large",
            "warning",
            '"per_device_train_batch_size": 64,',
        ),
        ({f"{TRAINING}max_steps": 3000}, "too_many_steps", "warning", '"max_steps": 3000,'),
        ({f"{TRAINING}max_steps": 6}, "too_few_steps", "info", '"max_steps": 6,'),
        ({at("pad_to_max_len"): True, at("max_seq_len"): 400}, "padding_waste", "info", '"pad_to_max_len": true'),
    ],
)
def test_each_mistake_is_told_at_its_line_and_its_remedy_mends_it(
    make_config: MakeConfig, changes: dict[str, Any], code: str, severity: str, line: str
) -> None:
    config = make_config({**GOOD, **changes})
    problem = find(config, code)
    assert problem.severity == severity
    assert line_of(config, problem).rstrip(",") == line.rstrip(",")
    assert problem.fix is not None
    mended = config.edit(*problem.fix.edits)
    assert mended.ok
    assert code not in [other.code for other in preflight(mended).problems]
    if severity == "error":
        with pytest.raises(ConfigError, match=problem.message[:20]):
            phinb.start(config)


EVALUATION = "data_configs.1.pre_process_data_config.pad_to_max_len"


def with_test_data(make_config: MakeConfig, tmp_path: Path, rows: list[str], **pre_process: Any) -> Config:
    (tmp_path / "test.jsonl").write_text("".join(rows), encoding="utf-8")
    test = json.loads(json.dumps(TINY["data_configs"][0])) | {"name": "test"}
    test["load_dataset_config"]["data_files"] = "test.jsonl"
    test["pre_process_data_config"] |= pre_process
    both = json.loads(json.dumps([TINY["data_configs"][0], test]))
    return make_config({"data_configs": both, "passes.lora.eval_data_config": "test", **GOOD, EVALUATION: False})


def test_rows_of_the_test_data_among_those_of_training(
    make_config: MakeConfig, tmp_path: Path, sample_data: Path
) -> None:
    unseen = (sample_data / "emotion_test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    assert preflight(with_test_data(make_config, tmp_path, unseen)).problems == ()
    seen = (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    config = with_test_data(make_config, tmp_path, [*unseen, *seen[:7]])
    problem = find(config, "rows_leak")
    assert "7 of its rows" in problem.message
    assert problem.line is not None
    assert '"test.jsonl"' in "".join(config.text.splitlines()[problem.line - 1 : problem.line + 3])


def test_test_data_whose_texts_are_made_otherwise(make_config: MakeConfig, tmp_path: Path, sample_data: Path) -> None:
    unseen = (sample_data / "emotion_test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    config = with_test_data(make_config, tmp_path, unseen, text_template="{phrase}\n{tone}")
    problem = find(config, "texts_differ")
    assert line_of(config, problem).startswith('"text_template": "{phrase}\\n{tone}"')
    assert problem.fix is not None
    assert preflight(config.edit(*problem.fix.edits)).problems == ()


def test_a_loss_on_the_completion_that_cannot_be_had(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("", encoding="utf-8")
    own = {"data_configs.0.user_script": "own.py", at("type"): "own_pre_process"}
    config = make_config({**own, "phinb": {"loss_on": "completion"}})
    problem = find(config, "no_answer")
    assert problem.severity == "error"
    assert line_of(config, problem) == '"loss_on": "completion"'


def test_a_tokenizer_that_is_not_here_leaves_the_rows_to_look_at(make_config: MakeConfig) -> None:
    model = {"input_model.model_path": "microsoft/Phi-3-mini-4k-instruct"}
    assert preflight(make_config(model)).previews == ()
    config = make_config({**model, at("text_template"): "{phrose} {tone}"})
    assert line_of(config, find(config, "unknown_field")).startswith('"text_template": "{phrose}')
