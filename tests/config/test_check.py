"""Rules that the table of test_against_olive.py does not hold: warnings, hints, placeholders, secrets, Azure, YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phinb.config import load_config
from phinb.config.check_template import check_template
from phinb.config.document import Node
from phinb.config.findings import Findings, nearest
from phinb.config.rules import Bounds
from phinb.config.schema import load_schema
from phinb.types import Problem


def told(source: dict[str, Any] | str, code: str) -> Problem:
    """The one problem of that code."""
    found = [problem for problem in load_config(source).problems if problem.code == code]
    assert len(found) == 1, load_config(source).problems
    return found[0]


def errors(source: dict[str, Any] | str) -> list[str]:
    return [problem.code for problem in load_config(source).problems if problem.severity == "error"]


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("lora_dropot", "lora_dropout"),
        ("target_module", "target_modules"),
        ("Alpha", "alpha"),
        ("trainingargs", "training_args"),
    ],
)
def test_an_unknown_key_gets_the_nearest_known_one(plain: dict[str, Any], key: str, near: str) -> None:
    plain["passes"]["lora"].pop(near, None)
    plain["passes"]["lora"][key] = 1
    problem = told(plain, "unknown_key")
    assert problem.hint == f'Did you mean "{near}"?'
    assert problem.fix is not None
    assert (problem.fix.edits[0].kind, problem.fix.edits[0].value) == ("rename", near)


def test_a_key_that_is_like_none_gets_the_list(plain: dict[str, Any]) -> None:
    plain["passes"]["merge"]["zzz"] = 1
    problem = told(plain, "unknown_key")
    assert "zzz" in problem.message
    assert problem.fix is not None
    assert problem.fix.edits[0].kind == "remove"
    assert nearest("zzz", ["alpha", "r"]) is None


@pytest.mark.parametrize(
    "value",
    ["Your Azure Subscrition ID", "<your model folder>", "<YOUR-MODEL>", "your own path", "[Your name]"],
)
def test_placeholders_are_named_as_such(plain: dict[str, Any], value: str) -> None:
    plain["input_model"]["model_path"] = value
    problem = told(plain, "placeholder")
    assert problem.severity == "error"
    assert value in problem.message


@pytest.mark.parametrize("value", ["youri/model", "<|user|>", "yours", "models/your-model"])
def test_what_is_no_placeholder(plain: dict[str, Any], value: str) -> None:
    plain["input_model"]["model_path"] = value
    assert errors(plain) == []


@pytest.mark.parametrize("where", ["load_kwargs", "phinb"])
def test_a_token_in_clear_text_is_an_error(plain: dict[str, Any], where: str) -> None:
    token = "hf_" + "aB3" * 11
    if where == "load_kwargs":
        plain["input_model"]["load_kwargs"] = {"extra_args": {"token": token}}
    else:
        plain["phinb"] = {"samples": [f"curl -H {token}"]}
    problem = told(plain, "secret")
    assert problem.severity == "error"
    assert token not in problem.message + problem.hint


AZURE_DATA = {
    "type": "azureml_datastore",
    "config": {
        "azureml_client": {"subscription_id": "Your Azure Subscrition ID"},
        "datastore_name": "workspaceblobstore",
    },
}


def test_azure_forms_are_named_and_nothing_else_about_them(plain: dict[str, Any]) -> None:
    plain["data_configs"][0]["load_dataset_config"]["data_files"] = AZURE_DATA
    plain["systems"]["aml"] = {
        "type": "AzureML",
        "config": {"accelerators": ["gpu"], "hf_token": True, "aml_compute": "Your compute"},
    }
    plain.update(host="aml", azureml_client={"workspace_name": "mine"})
    text = json.dumps(plain, indent=2)
    problems = [problem for problem in load_config(text).problems if problem.severity == "error"]
    lines = text.splitlines()
    assert sorted((problem.code, lines[(problem.line or 1) - 1].split('"')[1]) for problem in problems) == [
        ("azure", "aml"),
        ("azure", "azureml_client"),
        ("azure", "data_files"),
        ("placeholder", "aml_compute"),
        ("placeholder", "subscription_id"),
    ]
    assert all(
        "phinb cannot carry this to Azure ML yet" in problem.message for problem in problems if problem.code == "azure"
    )


def test_steps_and_epochs_that_contradict_are_warned_of(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["eval_data_config"] = "train"
    plain["passes"]["lora"]["training_args"].update(num_train_epochs=3, eval_steps=187, eval_strategy="steps")
    config = load_config(plain)
    assert config.ok
    assert [(problem.severity, problem.path.rpartition(".")[2]) for problem in config.problems] == [
        ("warning", "max_steps"),
        ("warning", "eval_steps"),
    ]


def test_a_quoted_number_is_a_warning_where_olive_turns_it_and_an_error_where_not(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["r"] = "8"
    problem = told(plain, "coerced")
    assert problem.severity == "warning"
    assert problem.fix is not None
    assert problem.fix.edits[0].value == 8
    plain["passes"]["lora"]["r"] = 8
    plain["passes"]["lora"]["training_args"]["max_steps"] = "10"
    assert errors(plain) == ["wrong_type"]


def test_trust_remote_code_says_what_it_allows(plain: dict[str, Any]) -> None:
    plain["input_model"]["load_kwargs"] = {"trust_remote_code": True}
    problem = told(plain, "trust_remote_code")
    assert problem.severity == "warning"
    assert "Python" in problem.message


def test_files_and_models_that_are_not_there_are_not_looked_for(plain: dict[str, Any]) -> None:
    plain["input_model"]["model_path"] = "nowhere/at/all"
    plain["data_configs"][0]["load_dataset_config"]["data_files"] = ["no.jsonl", "nor.jsonl"]
    assert load_config(plain).problems == ()


def test_two_adapters_without_a_merge_between(plain: dict[str, Any]) -> None:
    lora = plain["passes"]["lora"]
    plain["passes"] = {"one": lora, "two": {**lora}}
    assert errors(plain) == ["pass_order"]
    plain["passes"] = {"one": lora, "merge": {"type": "MergeAdapterWeights"}, "two": {**lora}}
    assert errors(plain) == []


def test_an_adapter_may_come_with_the_model(plain: dict[str, Any]) -> None:
    plain["input_model"]["adapter_path"] = "adapter"
    plain["passes"].pop("lora")
    assert errors(plain) == []


def test_the_same_problem_in_yaml_stands_at_its_line(valid: str) -> None:
    text = load_config(valid).dumps("yaml").replace("lora_dropout: 0.05", "lora_dropout: 1.5")
    problem = told(text, "out_of_range")
    assert problem.line is not None
    assert text.splitlines()[problem.line - 1].strip() == "lora_dropout: 1.5"
    assert problem.column == text.splitlines()[problem.line - 1].index("1.5") + 1


def test_all_problems_at_once(valid: str) -> None:
    text = valid.replace('"r": 8', '"r": -1').replace('"precision": "int4"', '"precision": "int5"')
    text = text.replace('"max_seq_len"', '"max_seq_length"').replace(
        '"train_data_config": "train"', '"train_data_config": "trai"'
    )
    assert sorted(errors(text)) == ["bad_choice", "out_of_range", "unknown_key", "unknown_reference"]


@pytest.mark.parametrize(
    ("template", "good"),
    [
        ("### Text: {phrase}\n### The tone is:\n{tone}", True),
        ("<|user|>\n{Question}<|end|>\n{Best Answer}", True),
        ("{{literal}} {phrase!r} {number:.2f}", True),
        ("{phrase", False),
        ("phrase}", False),
        ("{} {}", False),
        ("{0}", False),
        ("{row[0]}", False),
        ("{row.text}", False),
        ('{"text": "{phrase}"}', False),
        ("no column at all", False),
    ],
)
def test_templates(template: str, good: bool) -> None:
    """What is called good can be filled by str.format with a row that has the columns; the rest cannot, or is empty."""
    findings = Findings(Node({}), load_schema())
    check_template(findings, Node({"text_template": Node(template)}))
    assert (not findings.problems) is good
    row = {"phrase": "p", "tone": "t", "Question": "q", "Best Answer": "a", "number": 1.0}
    if good:
        assert template.format(**row)


def test_bounds_admit_what_their_words_say() -> None:
    share = Bounds(0, 1, open_high=True)
    assert [share.admits(value) for value in (0, 0.5, 1, -0.1)] == [True, True, False, False]
    assert str(share) == "at least 0 and less than 1"
    assert Bounds(1, special=(-1,)).admits(-1)
    assert not Bounds(1).admits(float("nan"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("samples", ["Hello"]), ("trackers", ["mlflow"]), ("azure", {"compute": "gpu"})],
)
def test_what_has_no_effect_yet_is_an_error_and_not_silence(plain: dict[str, Any], key: str, value: object) -> None:
    problem = told({**plain, "phinb": {key: value}}, "not_carried_out")
    assert problem.severity == "error"
    assert problem.path == f"phinb.{key}"
