"""`phinb.azure`: what is checked of a job description, of addresses, and what a target says in the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phinb.config import load_config
from phinb.config.azure_section import AZURE, TARGET, azure_target
from phinb.config.checks.placeholders import is_placeholder
from phinb.types import Problem

SUBSCRIPTION = "01234567-89ab-cdef-0123-456789abcdef"
WORKSPACE = {"subscription_id": SUBSCRIPTION, "resource_group": "group", "workspace_name": "work"}
GOOD = {
    **WORKSPACE,
    "keyvault": "vault",
    "hf_token": True,
    "identity": "managed",
    "tags": {"team": "bench"},
    "targets": {
        "cluster": {
            "compute": "gpu-cluster",
            "instance_count": 2,
            "environment": {"image": "mcr.microsoft.com/azureml/base:1", "conda_file": "conda.yaml"},
        },
        "arc": {
            "compute": "k8s",
            "namespace": "ml",
            "instance_type": "gpu",
            "environment": {"name": "e", "version": "3"},
        },
    },
    "target": "arc",
    "register": [{"name": "phi-tones", "kind": "model", "mlflow": True}],
}


def problems(plain: dict[str, Any], azure: Any) -> list[Problem]:
    return list(load_config(json.dumps({**plain, "phinb": {"azure": azure}}, indent=2)).problems)


def test_a_whole_job_description_is_ok_and_olive_gets_nothing_of_it(plain: dict[str, Any]) -> None:
    config = load_config({**plain, "phinb": {"azure": GOOD}})
    assert config.problems == ()
    assert config.changes == ()
    assert config.to_olive() == plain
    assert config.phinb["azure"] == GOOD


@pytest.mark.parametrize(
    ("azure", "code", "word"),
    [
        ({"compute": "c", "comput": "d"}, "unknown_key", "comput"),
        ({"compute": 3}, "wrong_type", "compute"),
        ("gpu-cluster", "wrong_type", "azure"),
        ({"instance_count": 0}, "out_of_range", "instance_count"),
        ({"identity": "me"}, "bad_choice", "identity"),
        ({"subscription_id": SUBSCRIPTION}, "missing_key", "resource_group"),
        ({**WORKSPACE, "subscription_id": "my_subscription_id"}, "bad_value", "my_subscription_id"),
        ({"config_file": "config.json", "workspace_name": "work"}, "ignored", "workspace_name"),
        ({"targets": {"a": {"compute": "c"}}, "target": "b"}, "unknown_reference", "b"),
        ({"targets": {"a": {"comput": "c"}}}, "unknown_key", "comput"),
        ({"targets": {"a": 3}}, "wrong_type", "a"),
        ({"environment": {"conda_file": "conda.yaml"}}, "missing_key", "image"),
        ({"environment": {"dockerfile": "Dockerfile"}}, "missing_key", "build_context"),
        ({"environment": {"image": "i", "label": "latest"}}, "missing_key", "name"),
        ({"environment": {"image": "i", "conda": "c"}}, "unknown_key", "conda"),
        ({"register": [{"kind": "model"}]}, "missing_key", "name"),
        ({"register": [{"name": "m", "kind": "endpoint"}]}, "bad_choice", "endpoint"),
    ],
)
def test_what_is_wrong_in_a_job_description(plain: dict[str, Any], azure: Any, code: str, word: str) -> None:
    found = [problem for problem in problems(plain, azure) if problem.severity == "error"]
    assert [problem.code for problem in found] == [code]
    assert word in found[0].message
    assert found[0].line is not None


def test_a_deployment_is_kept_and_not_made(plain: dict[str, Any]) -> None:
    found = problems(plain, {"deployment": {"model_package": {}}})
    assert [(problem.severity, problem.code) for problem in found] == [("warning", "not_carried_out")]


@pytest.mark.parametrize(
    "address",
    [
        "azureml://datastores/workspaceblobstore/paths/train/data.json",
        f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/g/workspaces/w/datastores/d/paths/p.json",
        f"azureml://subscriptions/{SUBSCRIPTION}/resourceGroups/g/workspaces/w/models/m/versions/1",
        "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/11",
        "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/labels/latest",
        "azureml://jobs/j/outputs/default/paths/model",
        "azureml:phi-tones:1",
        "azureml:phi-tones@latest",
        "abfss://lake@account.dfs.core.windows.net/rows.json",
    ],
)
def test_addresses_in_azure_are_taken_as_they_are(plain: dict[str, Any], address: str) -> None:
    plain["input_model"]["model_path"] = address
    plain["data_configs"][0]["load_dataset_config"]["data_files"] = address
    config = load_config(plain)
    assert config.problems == ()
    assert config.to_olive()["input_model"]["model_path"] == address


@pytest.mark.parametrize(
    "address",
    [
        "azureml://datastore/workspaceblobstore/paths/data.json",
        "azureml://datastores/workspaceblobstore/data.json",
        "azureml://registries/azureml/models/Phi-3-mini-4k-instruct",
        "azureml:phi-tones",
    ],
)
def test_a_bad_address_is_an_error_before_the_job_fails_on_it(plain: dict[str, Any], address: str) -> None:
    plain["input_model"]["model_path"] = address
    found = [problem for problem in load_config(plain).problems if problem.severity == "error"]
    assert [(problem.code, problem.path) for problem in found] == [("bad_address", "input_model.model_path")]


def test_a_target_takes_from_the_section_what_it_does_not_say() -> None:
    arc = azure_target(GOOD)
    assert list(arc) == [*TARGET.parameters]
    assert (arc["compute"], arc["namespace"], arc["instance_count"]) == ("k8s", "ml", 1)
    assert arc["hf_token"] is True
    assert azure_target(GOOD, "cluster")["instance_count"] == 2
    assert azure_target({"targets": GOOD["targets"]})["compute"] == "gpu-cluster"  # the first
    assert azure_target({"compute": "c"})["compute"] == "c"
    assert azure_target({})["compute"] is None
    with pytest.raises(KeyError):
        azure_target(GOOD, "none")


def test_the_keys_explain_themselves() -> None:
    assert all(parameter.help.rstrip().endswith(".") for parameter in AZURE.parameters.values())


@pytest.mark.parametrize(
    "text",
    [
        "Your Azure Subscrition ID",
        "Your Azure AI Studio / Azure Machine Learning Service Compute Name",
        "您的 Azure ML 計算叢集",
        "REPLACE_WITH_KEYVAULT_NAME",
        "CHANGE_ME",
        "<subscription_id>",
        "<my_keyvault_name>",
        "<place_holder>",
        "<your-workspace>",
        "<YOUR WORKSPACE NAME>",
        "<workspace>",
        "your-resource-group",
        "YOUR_HF_TOKEN",
        "[Your model]",
        "{your_id}",
        "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        "azureml://datastores/<your datastore>/paths/a.json",
        "data/<your file>.json",
        "https://<your-account>.blob.core.windows.net/rows",
    ],
)
def test_spellings_of_placeholders(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "phinb://demo",
        "microsoft/Phi-3-mini-4k-instruct",
        "models/your-model",
        "youri/model",
        "yours",
        "<|user|>",
        "<pad>",
        "<s>",
        "fill-mask",
        "my_resource_group",
        "replacement",
        "changes.json",
        "gpu-cluster",
        "https://example.org/a/b",
        "azureml://datastores/workspaceblobstore/paths/my data.json",
    ],
)
def test_names_that_are_none(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize("key", ["text_template", "joiner"])
def test_free_text_is_never_a_placeholder(plain: dict[str, Any], key: str) -> None:
    section = plain["data_configs"][0]["pre_process_data_config"]
    section[key] = "Your answer: {phrase}" if key == "text_template" else "<end_of_turn>"
    assert [problem for problem in load_config(plain).problems if problem.code == "placeholder"] == []
