"""A configuration for Azure that is started here: what lies there is named, at its line, before the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.config import Config, load_config
from phinb.errors import ConfigError
from phinb.types import Problem
from phinb.workflow.preflight import preflight
from tests.workflow.conftest import TINY

DATASTORE = {"type": "azureml_datastore", "datastore_name": "workspaceblobstore", "relative_path": "rows/train.json"}
CLIENT = {
    "subscription_id": "01234567-89ab-cdef-0123-456789abcdef",
    "resource_group": "group",
    "workspace_name": "work",
}


def given(folder: Path, **changes: Any) -> Config:
    made = json.loads(json.dumps(TINY))
    (folder / "train.jsonl").write_text('{"phrase": "Rain again.", "tone": "sadness"}\n' * 4, encoding="utf-8")
    for path, value in changes.items():
        place = made
        *parents, last = path.split("__")
        for key in parents:
            place = place[int(key)] if key.isdigit() else place[key]
        place[last] = value
    return load_config(json.dumps(made, indent=2), folder=folder)


def one(config: Config, code: str) -> tuple[Problem, str]:
    """The one problem of that code, and the line of the text that it stands at."""
    found = [problem for problem in preflight(config).problems if problem.code == code]
    assert len(found) == 1, found
    return found[0], config.text.splitlines()[(found[0].line or 1) - 1]


def test_data_in_a_datastore_cannot_be_read_here(tmp_path: Path) -> None:
    config = given(tmp_path, data_configs__0__load_dataset_config__data_files=DATASTORE)
    assert config.ok
    problem, line = one(config, "in_azure")
    assert problem.severity == "error"
    assert "azureml://datastores/workspaceblobstore/paths/rows/train.json" in problem.message
    assert '"data_files"' in line
    assert not any(problem.code.startswith("data_missing") for problem in preflight(config).problems)
    with pytest.raises(ConfigError, match="cannot be read on this machine"):
        phinb.start(config)


def test_data_in_azure_by_split_and_an_eval_config_are_found_too(tmp_path: Path) -> None:
    files = {"train": "train.jsonl", "test": [DATASTORE]}
    config = given(tmp_path, data_configs__0__load_dataset_config__data_files=files)
    assert one(config, "in_azure")[0].path == "data_configs.train.load_dataset_config.data_files"


def test_a_model_of_a_registry_cannot_be_loaded_here(tmp_path: Path) -> None:
    model = {"type": "azureml_registry_model", "registry_name": "azureml", "name": "Phi-3", "version": "1"}
    config = given(tmp_path, input_model__model_path=model)
    problem, line = one(config, "in_azure")
    assert "azureml://registries/azureml/models/Phi-3/versions/1" in problem.message
    assert '"model_path"' in line


def test_a_compute_in_azure_is_warned_of_and_the_run_may_take_place_here(tmp_path: Path) -> None:
    systems = {"aml": {"type": "AzureML", "config": {"accelerators": ["cpu"], "aml_compute": "cpu-cluster"}}}
    config = given(tmp_path, azureml_client=CLIENT, systems=systems, host="aml", target="aml")
    found = preflight(config)
    problem, line = one(config, "azure_compute")
    assert found.ok
    assert problem.severity == "warning"
    assert "cpu-cluster" in problem.message
    assert 'on="azure"' in problem.hint
    assert "azureml_client" in line or "aml" in line


def test_a_configuration_that_names_no_azure_hears_nothing_of_it(tmp_path: Path) -> None:
    assert not any("azure" in problem.code for problem in preflight(given(tmp_path)).problems)
