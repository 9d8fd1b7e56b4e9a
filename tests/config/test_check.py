"""Rules that the table of test_against_olive.py does not hold: warnings, hints, placeholders, secrets, Azure, YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phinb.config import load_config
from phinb.config.checks.findings import Findings, nearest
from phinb.config.checks.rules import Bounds
from phinb.config.checks.template import check_template
from phinb.config.document import Node
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


def test_azure_forms_are_understood_and_what_is_not_complete_is_named(plain: dict[str, Any]) -> None:
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
        ("azure", "data_files"),  # there is no path in it
        ("missing_key", "azureml_client"),  # a workspace has three names
        ("placeholder", "aml_compute"),
        ("placeholder", "subscription_id"),
    ]


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
        ('{ "text": "{phrase}"}', False),
        ("{ phrase.text }", False),
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


@pytest.mark.parametrize("name", [" phrase ", "phrase ", " ", " 7"])
def test_a_column_may_have_blanks_at_its_ends(name: str) -> None:
    """As str.format has it. Only the rows tell whether it is a slip: it is a warning."""
    findings = Findings(Node({}), load_schema())
    check_template(findings, Node({"text_template": Node(f"{{{name}}}!")}))
    assert f"{{{name}}}!".format(**{name: "joy"}) == "joy!"
    assert [(one.severity, one.code) for one in findings.problems] == [("warning", "blank_in_name")]
    assert "unless the column is called so" in findings.problems[0].hint


def test_bounds_admit_what_their_words_say() -> None:
    share = Bounds(0, 1, open_high=True)
    assert [share.admits(value) for value in (0, 0.5, 1, -0.1)] == [True, True, False, False]
    assert str(share) == "at least 0 and less than 1"
    assert Bounds(1, special=(-1,)).admits(-1)
    assert not Bounds(1).admits(float("nan"))


def test_trackers_are_the_three_and_no_others(plain: dict[str, Any]) -> None:
    trackers = ["mlflow", "tensorboard", "wandb"]
    before = load_config(json.dumps(plain)).problems
    assert len(load_config(json.dumps({**plain, "phinb": {"trackers": trackers}})).problems) == len(before)
    problem = told({**plain, "phinb": {"trackers": ["mlflow", "wandbb"]}}, "wrong_type")
    assert (problem.severity, problem.path) == ("error", "phinb.trackers")


@pytest.mark.parametrize(
    ("report", "twice"), [("mlflow", 1), (["wandb", "mlflow"], 1), ("all", 1), ("wandb", 0), ("none", 0), (None, 0)]
)
def test_a_tracker_that_the_trainer_tells_as_well_is_told(plain: dict[str, Any], report: object, twice: int) -> None:
    plain["passes"]["lora"]["training_args"]["report_to"] = report
    plain["phinb"] = {"trackers": ["mlflow", "tensorboard"]}
    found = [problem for problem in load_config(json.dumps(plain)).problems if problem.code == "tracked_twice"]
    assert len(found) == twice
    assert all(problem.severity == "warning" and "training_args.report_to" in problem.path for problem in found)


SECRETS = {
    "hf": ("token", "hf_" + "aB3" * 11),
    "storage": ("note", "DefaultEndpointsProtocol=https;AccountKey=" + "Ab1+" * 20 + "=="),
    "sas": ("url", "https://x.blob.core.windows.net/c/d?sv=2024&sig=" + "aZ9%2B" * 8),
    "entra": ("note", "aB1" + "8Q~" + "a1B2" * 8),
    "github": ("note", "ghp_" + "a1B2" * 9),
    "by its key": ("hf_token", "swordfish"),
    "an api key": ("wandb_api_key", "0123456789abcdef"),
    "a password": ("password", "swordfish"),
}


@pytest.mark.parametrize(("key", "secret"), SECRETS.values(), ids=list(SECRETS))
def test_a_secret_is_told_once_and_never_repeated(plain: dict[str, Any], key: str, secret: str) -> None:
    plain["systems"]["local_system"][key] = secret  # an unknown key, or one of another type, on top of it
    problems = load_config(json.dumps(plain, indent=1)).problems
    assert [problem.code for problem in problems].count("secret") == 1
    for problem in problems:
        assert secret not in f"{problem.message} {problem.hint} {problem.fix}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token", True),
        ("hf_token", "true"),
        ("api_key", "${WANDB_API_KEY}"),
        ("password", "<your password>"),
        ("eos_token", "<|end|>"),
        ("key", "phrase"),
        ("note", "hf_transfer"),
    ],
)
def test_what_is_no_secret(plain: dict[str, Any], key: str, value: object) -> None:
    plain["systems"]["local_system"][key] = value
    assert "secret" not in errors(plain)


def test_a_wrong_value_does_not_show_the_secret_in_it(plain: dict[str, Any]) -> None:
    secret = "hf_" + "aB3" * 11
    plain["passes"]["lora"]["r"] = [secret]
    assert all(secret not in f"{problem.message} {problem.fix}" for problem in load_config(plain).problems)


def test_qlora_merged_says_what_today_s_olive_makes_of_it(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"].update(type="QLoRA")
    problem = told(plain, "qlora_merge")
    assert problem.severity == "warning"
    assert problem.path == "passes.merge.type"
    assert "not quite" in problem.message
    plain["passes"].pop("merge")
    assert told(plain, "unmerged").path == "passes.int4.type"


def test_a_warm_up_without_effect_is_warned_of(plain: dict[str, Any]) -> None:
    """Olive's default schedule is constant, where transformers' is linear."""
    plain["passes"]["lora"]["training_args"]["warmup_steps"] = 3
    problem = told(plain, "no_effect")
    assert problem.severity == "warning"
    assert "Olive's default" in problem.message
    plain["passes"]["lora"]["training_args"].update(lr_scheduler_type="linear", warmup_steps=20)
    assert told(plain, "contradiction").path.endswith("warmup_steps")


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"precision": "fp32", "int4_block_size": 64}, "int4_block_size"),
        ({"precision": "int4", "enable_cuda_graph": True}, "enable_cuda_graph"),
        ({"precision": "int4", "use_cuda_bf16": True}, "use_cuda_bf16"),
    ],
)
def test_builder_options_without_effect(plain: dict[str, Any], parameters: dict[str, Any], key: str) -> None:
    plain["passes"]["int4"].update(parameters)
    assert told(plain, "no_effect").path == f"passes.int4.{key}"
    assert load_config(plain).ok


def test_a_provider_that_the_builder_does_not_know(plain: dict[str, Any]) -> None:
    accelerator = {"device": "npu", "execution_providers": ["QNNExecutionProvider"]}
    plain["systems"]["local_system"]["accelerators"] = [accelerator]
    problem = told(plain, "contradiction")
    assert problem.severity == "warning"
    assert "for a CPU" in problem.message


def test_code_of_the_model_runs_in_the_builder_all_the_same(plain: dict[str, Any]) -> None:
    plain["input_model"]["load_kwargs"] = {"trust_remote_code": False}
    assert "hf_remote" in told(plain, "trust_remote_code").hint
    plain["passes"]["int4"]["extra_options"] = {"hf_remote": False}
    assert load_config(plain).problems == ()


def test_loftq_on_a_cpu_is_warned_of(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["type"] = "LoftQ"
    assert "CUDA" in told(plain, "precision").message
    plain["host"] = {"type": "LocalSystem", "accelerators": [{"device": "gpu"}]}
    assert "precision" not in [problem.code for problem in load_config(plain).problems]


def test_the_last_task_chooses_the_component_as_in_olive(plain: dict[str, Any]) -> None:
    """The section after the model gets the model's task, and that one decides."""
    plain["data_configs"][0]["pre_process_data_config"]["task"] = "ner"
    assert load_config(plain).ok


def test_a_provider_that_is_no_list(plain: dict[str, Any]) -> None:
    plain["systems"]["local_system"]["accelerators"] = [{"execution_providers": "CPUExecutionProvider"}]
    assert load_config(plain).problems == ()


def told_at(plain: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in load_config(plain).problems if problem.severity == "error"]


def test_a_key_that_is_misspelt_is_not_missing_as_well(plain: dict[str, Any]) -> None:
    plain["passes"]["int4"] = {"type": "ModelBuilder", "precisino": "int4"}
    plain["data_configs"][0]["load_dataset_config"]["data_nam"] = plain["data_configs"][0]["load_dataset_config"].pop(
        "data_name"
    )
    assert told_at(plain) == [
        ("unknown_key", "data_configs.0.load_dataset_config.data_nam"),
        ("unknown_key", "passes.int4.precisino"),
    ]


def test_a_section_that_is_misspelt_has_no_references_that_lead_nowhere(plain: dict[str, Any]) -> None:
    plain["sistems"] = plain.pop("systems")
    assert told_at(plain) == [("unknown_key", "sistems")]


def test_a_key_that_stands_elsewhere_is_told_where_it_belongs(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["split"] = plain["data_configs"][0]["load_dataset_config"].pop("split")
    problem = told(plain, "unknown_key")
    assert told_at(plain) == [("unknown_key", "passes.lora.split")]
    assert problem.hint == "It is missing in data_configs.0.load_dataset_config."
    assert problem.fix is not None
    mended = load_config(json.dumps(plain)).edit(*problem.fix.edits)
    assert mended.ok


def test_a_section_that_is_not_there_is_told_once(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["eval_data_config"] = "test"
    del plain["data_configs"]
    assert told_at(plain) == [("unknown_reference", "passes.lora.train_data_config")]


def test_one_pass_in_the_wrong_place_is_one_error(plain: dict[str, Any]) -> None:
    lora, merge, int4 = plain["passes"].values()
    plain["passes"] = {"int4": int4, "merge": merge, "lora": lora}
    assert told_at(plain) == [("pass_order", "passes.merge.type")]


def test_a_remedy_never_leads_to_a_name_that_is_taken(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["alpah"] = 3
    problem = told(plain, "unknown_key")
    assert problem.fix is not None
    assert problem.fix.edits[0].kind == "remove"
    plain["passes"]["lora"].pop("alpah")
    plain["passes"]["lora"][""] = 3
    assert told(plain, "unknown_key").fix is None


def test_the_remedy_for_a_missing_strategy_stands_where_olive_reads_it(plain: dict[str, Any]) -> None:
    for rows in ({}, {"pre_process_data_config": None}):
        train = plain["data_configs"][0]
        train.pop("pre_process_data_config", None)
        train.update(rows)
        problem = told(plain, "default_join")
        assert problem.fix is not None
        mended = load_config(plain).edit(*problem.fix.edits)
        assert mended.to_olive()["data_configs"][0]["pre_process_data_config"] == {"strategy": "line-by-line"}
        assert "default_join" not in [problem.code for problem in mended.problems]
    plain["data_configs"][0]["pre_process_data_config"] = "line-by-line"
    assert "default_join" not in [problem.code for problem in load_config(plain).problems]


def test_a_whole_number_with_a_point_is_written_without(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["r"] = 8.0
    problem = told(plain, "coerced")
    assert (problem.hint, problem.fix and problem.fix.edits[0].value) == ("Write a whole number.", 8)
    assert isinstance(load_config(plain).edit(*problem.fix.edits).to_olive()["passes"]["lora"]["r"], int)  # type: ignore[union-attr]
    plain["passes"]["lora"]["r"] = 1e300
    assert told(plain, "coerced").fix is None
