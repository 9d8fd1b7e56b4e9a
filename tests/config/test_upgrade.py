"""Yesterday's forms become today's, every change is told, and nothing is lost or changed twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, load_config
from phinb.types import Change

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"


def errors(config: Config) -> list[str]:
    return [f"{problem.code} {problem.path}" for problem in config.problems if problem.severity == "error"]


def change(config: Config, key: str) -> Change:
    """The one change whose path ends in `key`."""
    found = [change for change in config.changes if change.path.rpartition(".")[2] == key]
    assert len(found) == 1, [change.path for change in config.changes]
    return found[0]


@pytest.fixture(scope="module")
def tutorial() -> Config:
    return load_config(SAMPLES / "tutorial_2024.json")


def test_the_tutorial_upgrades_without_an_error(tutorial: Config) -> None:
    assert errors(tutorial) == []
    effective = tutorial.effective()
    assert effective["passes.lora.r"].value == 64
    assert effective["passes.lora.alpha"].value == 64
    assert effective["passes.lora.alpha"].origin == "upgrade"
    assert effective["passes.lora.alpha"].note == "upgrade of lora_alpha"
    assert effective["phinb.eval_split"].value == 0.3
    assert effective["passes.lora.training_args.train_sampling_strategy"].value == "group_by_length"
    assert effective["passes.lora.training_args.eval_strategy"].value == "steps"
    assert effective["data_configs.dataset_default_train.pre_process_data_config.max_seq_len"].value == 2048
    assert effective["data_configs.dataset_default_train.pre_process_data_config.strategy"].value == "join"
    assert effective["input_model.load_kwargs.trust_remote_code"].value is True


def test_the_upgraded_tutorial_is_todays_tutorial(tutorial: Config) -> None:
    """But for the component types, which today's file writes out and which are the defaults."""
    today = json.loads((SAMPLES / "tutorial_today.json").read_text(encoding="utf-8"))
    upgraded = json.loads(tutorial.dumps("json"))
    for config in today["data_configs"]:
        config["load_dataset_config"].pop("type", None)
        config["pre_process_data_config"].pop("type", None)
    assert upgraded == today
    theirs = load_config(SAMPLES / "tutorial_today.json").effective()
    ours = tutorial.effective()
    assert {path: value.value for path, value in ours.items()} == {path: value.value for path, value in theirs.items()}


def test_every_change_of_the_tutorial_is_told_at_its_line(tutorial: Config) -> None:
    lines = tutorial.text.splitlines()
    for key in (
        "lora_r",
        "lora_alpha",
        "double_quant",
        "eval_dataset_size",
        "evaluation_strategy",
        "group_by_length",
        "corpus_strategy",
        "source_max_len",
        "dataset_type",
        "execution_providers",
        "hf_config",
    ):
        told = change(tutorial, key)
        assert told.line is not None
        assert f'"{key}"' in lines[told.line - 1]
        assert told.before is not None
        assert len(told.why) > 10
    assert change(tutorial, "double_quant").after is None
    assert change(tutorial, "lora_alpha").after == {"alpha": 64}
    diff = tutorial.diff()
    assert '-                "lora_alpha": 64,' in diff
    assert '+            "alpha": 64,' in diff


def test_problems_of_the_tutorial_stand_in_the_users_form(tutorial: Config) -> None:
    told = next(problem for problem in tutorial.problems if "eval_steps" in problem.path)
    assert told.path == "passes.lora.config.training_args.eval_steps"
    assert told.line is not None
    assert '"eval_steps": 187' in tutorial.text.splitlines()[told.line - 1]


def test_an_upgraded_configuration_upgrades_to_itself(tutorial: Config) -> None:
    for format_ in ("json", "yaml"):
        again = load_config(tutorial.dumps(format_))  # type: ignore[arg-type]
        assert again.changes == ()
        assert again.to_olive() == tutorial.to_olive()


@pytest.mark.parametrize(
    ("given", "key", "now"),
    [
        ({"lora_r": 4}, "lora_r", {"r": 4}),
        ({"lora_alpha": 32}, "lora_alpha", {"alpha": 32}),
        ({"quant_type": "nf4"}, "quant_type", None),
        ({"use_ort_trainer": False}, "use_ort_trainer", None),
        ({"disable_search": True}, "disable_search", None),
        ({"output_name": "adapter"}, "output_name", None),
    ],
)
def test_parameters_of_the_lora_pass(plain: dict[str, Any], given: dict[str, Any], key: str, now: Any) -> None:
    for name in ("r", "alpha"):
        plain["passes"]["lora"].pop(name)
    plain["passes"]["lora"].update(given)
    config = load_config(plain)
    assert errors(config) == []
    assert change(config, key).after == now
    upgraded = config.to_olive()["passes"]["lora"]
    assert key not in upgraded
    assert all(upgraded[name] == value for name, value in (now or {}).items())


@pytest.mark.parametrize(
    ("given", "now"),
    [
        ({"evaluation_strategy": "no"}, {"eval_strategy": "no"}),
        ({"group_by_length": True}, {"train_sampling_strategy": "group_by_length"}),
        ({"group_by_length": False}, None),
        ({"warmup_ratio": 0.05}, {"warmup_steps": 0.05}),
        ({"no_cuda": True}, {"use_cpu": True}),
    ],
)
def test_training_arguments(plain: dict[str, Any], given: dict[str, Any], now: dict[str, Any] | None) -> None:
    plain["passes"]["lora"]["training_args"].update(given)
    config = load_config(plain)
    assert errors(config) == []
    assert change(config, next(iter(given))).after == now
    arguments = config.to_olive()["passes"]["lora"]["training_args"]
    assert not set(given) & set(arguments)
    assert (now or {}).items() <= arguments.items()


def test_double_quant_stays_where_it_means_something(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"].update(type="QLoRA", double_quant=True)
    config = load_config(plain)
    assert config.changes == ()
    assert config.to_olive()["passes"]["lora"]["double_quant"] is True


@pytest.mark.parametrize("share", [50, 1, 0, "a third", True])
def test_a_split_that_cannot_be_kept_is_an_error(plain: dict[str, Any], share: Any) -> None:
    plain["passes"]["lora"]["eval_dataset_size"] = share
    assert errors(load_config(plain)) == ["no_place passes.lora.eval_dataset_size"]


def test_a_split_beside_evaluation_data_had_no_effect(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"].update(eval_dataset_size=0.3, eval_data_config="train")
    config = load_config(plain)
    assert errors(config) == []
    assert config.phinb["eval_split"] is None


def test_a_corpus_without_a_strategy_was_read_line_by_line(plain: dict[str, Any]) -> None:
    section = plain["data_configs"][0]["pre_process_data_config"]
    section.pop("strategy")
    section["dataset_type"] = "corpus"
    config = load_config(plain)
    assert config.to_olive()["data_configs"][0]["pre_process_data_config"]["strategy"] == "line-by-line"
    assert config.problems == ()
    section["dataset_type"] = "pair"
    assert errors(load_config(plain)) == ["no_place data_configs.0.pre_process_data_config.dataset_type"]


def test_params_config_and_component_kwargs_go_to_their_sections(plain: dict[str, Any]) -> None:
    plain["data_configs"] = [
        {
            "name": "train",
            "type": "HuggingfaceContainer",
            "params_config": {
                "data_name": "json",
                "data_files": "train.jsonl",
                "split": "train",
                "batch_size": 4,
                "component_kwargs": {
                    "pre_process_data": {"corpus_strategy": "line-by-line", "source_max_len": 64, "text_cols": ["a"]}
                },
            },
        }
    ]
    config = load_config(plain)
    assert errors(config) == []
    data = config.to_olive()["data_configs"][0]
    assert data["load_dataset_config"] == {"data_name": "json", "data_files": "train.jsonl", "split": "train"}
    assert data["pre_process_data_config"] == {"strategy": "line-by-line", "max_seq_len": 64, "text_cols": ["a"]}
    assert data["dataloader_config"] == {"batch_size": 4}
    assert "params_config" not in data


def test_components_of_a_data_config(plain: dict[str, Any]) -> None:
    data = plain["data_configs"][0]
    load, text = data.pop("load_dataset_config"), data.pop("pre_process_data_config")
    data["components"] = {
        "load_dataset": {"name": "x", "type": "huggingface_dataset", "params": load},
        "pre_process_data": {"params": text},
    }
    config = load_config(plain)
    assert errors(config) == []
    upgraded = config.to_olive()["data_configs"][0]
    assert upgraded["load_dataset_config"] == {"type": "huggingface_dataset", **load}
    assert upgraded["pre_process_data_config"] == text


def test_data_configs_as_a_mapping_and_names_with_dashes(plain: dict[str, Any]) -> None:
    data = plain["data_configs"][0]
    data.pop("name")
    plain["data_configs"] = {"train-set": data}
    plain["passes"]["lora"]["train_data_config"] = "train-set"
    config = load_config(plain)
    assert errors(config) == []
    olive = config.to_olive()
    assert [data["name"] for data in olive["data_configs"]] == ["train_set"]
    assert olive["passes"]["lora"]["train_data_config"] == "train_set"


@pytest.mark.parametrize(
    ("old", "new"), [("OrtPerfTuning", "OrtSessionParamsTuning"), ("GenAIModelExporter", "ModelBuilder")]
)
def test_renamed_passes(plain: dict[str, Any], old: str, new: str) -> None:
    plain["passes"] = {"last": {"type": old, **({"precision": "int4"} if new == "ModelBuilder" else {})}}
    plain.pop("data_configs")
    config = load_config(plain)
    assert errors(config) == []
    assert config.passes["last"] == new


def test_execution_providers_without_a_system(plain: dict[str, Any]) -> None:
    plain.pop("systems")
    plain.pop("target")
    plain["engine"] = {"execution_providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
    config = load_config(plain)
    assert errors(config) == []
    olive = config.to_olive()
    assert olive["host"] == olive["target"] == "local_system"
    accelerator = {"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}
    assert olive["systems"] == {"local_system": {"type": "LocalSystem", "accelerators": [accelerator]}}


def test_accelerators_as_words(plain: dict[str, Any]) -> None:
    plain["systems"]["local_system"]["accelerators"] = ["cpu"]
    config = load_config(plain)
    assert errors(config) == []
    assert config.to_olive()["systems"]["local_system"]["accelerators"] == [{"device": "cpu"}]


def test_one_flow_of_passes_orders_them_and_several_are_told(plain: dict[str, Any]) -> None:
    plain["passes"] = {"int4": plain["passes"]["int4"], "lora": plain["passes"]["lora"]}
    plain["pass_flows"] = [["lora", "int4"]]
    config = load_config(plain)
    assert errors(config) == []
    assert list(config.passes) == ["lora", "int4"]
    plain["pass_flows"] = [["lora"], ["int4"]]
    assert "no_place pass_flows" in errors(load_config(plain))


def test_a_model_from_the_azure_registry_keeps_its_path_and_is_named(plain: dict[str, Any]) -> None:
    plain["input_model"] = {
        "type": "PyTorchModel",
        "config": {
            "model_path": {"type": "azureml_registry_model", "config": {"name": "Phi-3-mini-4k-instruct"}},
            "model_file_format": "PyTorch.MLflow",
            "hf_config": {
                "model_name": "microsoft/Phi-3-mini-4k-instruct",
                "task": "text-generation",
                "from_pretrained_args": {"trust_remote_code": True},
            },
        },
    }
    config = load_config(json.dumps(plain, indent=2))
    assert errors(config) == ["azure input_model.config.model_path"]
    assert change(config, "model_file_format").after is None


def test_what_stands_on_two_levels_is_told(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["config"] = {"r": 32}
    config = load_config(json.dumps(plain, indent=2))
    assert errors(config) == ["twice_defined passes.lora.r"]
    assert config.effective()["passes.lora.r"].value == 32  # what Olive would take


def test_nothing_is_dropped_unsaid(tutorial: Config) -> None:
    """Every scalar of the tutorial is in the upgraded form, or in the `before` of a change that removes it."""

    def scalars(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [scalar for member in value.values() for scalar in scalars(member)]
        if isinstance(value, list):
            return [scalar for entry in value for scalar in scalars(entry)]
        return [value]

    left = scalars(json.loads(tutorial.dumps("json")))
    removed = scalars([change.before for change in tutorial.changes if change.after is None])
    removed += [scalar for told in tutorial.changes if told.path.endswith(".type") for scalar in scalars(told.before)]
    removed.append(True)  # group_by_length: true became a word
    assert not [scalar for scalar in scalars(json.loads(tutorial.text)) if scalar not in left + removed]
