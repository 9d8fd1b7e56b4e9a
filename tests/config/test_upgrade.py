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
    last = {"type": old, **({"precision": "int4"} if new == "ModelBuilder" else {})}
    plain["passes"] = {"last": last} if new == "ModelBuilder" else {"convert": {"type": "OnnxConversion"}, "last": last}
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


# -------------------------------------------------------------- what has no equivalent is an error at its line


def told(source: dict[str, Any], code: str, key: str) -> str:
    """The message and hint of the one error; its line holds the key."""
    text = json.dumps(source, indent=2)
    config = load_config(text)
    found = [problem for problem in config.problems if problem.severity == "error"]
    assert [problem.code for problem in found] == [code], [problem.message for problem in found]
    assert f'"{key}"' in text.splitlines()[(found[0].line or 1) - 1]
    assert found[0].hint
    return f"{found[0].message} {found[0].hint}"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"adafactor": True, "optim": "adamw_torch"}, "contradiction"),
        ({"fp16_opt_level": "O2"}, "gone"),
        ({"half_precision_backend": "apex"}, "gone"),
        ({"sharded_ddp": "simple"}, "gone"),
        ({"tokenizer": "mine"}, "gone"),
        ({"logging_dir": "logs", "report_to": "tensorboard"}, "gone"),
        ({"save_safetensors": False}, "gone"),
    ],
)
def test_training_arguments_that_are_gone(plain: dict[str, Any], arguments: dict[str, Any], code: str) -> None:
    plain["passes"]["lora"]["training_args"].update(arguments)
    assert next(iter(arguments)) in told(plain, code, next(iter(arguments)))


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("MoEExpertsDistributor", "ModelBuilder"),
        ("InsertBeamSearch", "ModelBuilder"),
        ("TorchTRTConversion", "TensorrtExecutionProvider"),
        ("VitisAIQuantization", "QuarkQuantization"),
        ("SNPEConversion", "Qairt"),
        ("QuantizationAwareTraining", "LoRA"),
    ],
)
def test_passes_that_are_gone(plain: dict[str, Any], kind: str, word: str) -> None:
    plain["passes"] = {"last": {"type": kind}}
    plain.pop("data_configs")
    assert word in told(plain, "gone", "type")


def test_a_model_type_that_is_renamed(plain: dict[str, Any]) -> None:
    plain["input_model"] = {
        "type": "CompositeOnnxModel",
        "config": {"model_components": [], "model_component_names": []},
    }
    plain["passes"] = {"last": {"type": "OnnxPeepholeOptimizer"}}
    plain.pop("data_configs")
    assert change(load_config(plain), "type").after == {"type": "CompositeModel"}


def test_gptq_of_onnx_models_and_details_of_the_old_quantizer(plain: dict[str, Any]) -> None:
    plain.pop("data_configs")
    plain["passes"] = {
        "convert": {"type": "OnnxConversion"},
        "last": {"type": "OnnxMatMul4Quantizer", "algorithm": "GPTQ"},
    }
    assert "Gptq" in told(plain, "no_place", "algorithm")
    plain["passes"] = {
        "convert": {"type": "OnnxConversion"},
        "last": {"type": "OnnxMatMul4Quantizer", "op_types_to_quantize": ["MatMul", "Gather"]},
    }
    assert "nodes_to_exclude" in told(plain, "no_place", "op_types_to_quantize")


def test_functions_that_fed_passes_and_metrics(plain: dict[str, Any]) -> None:
    plain["evaluators"] = {
        "quality": {
            "type": "PyTorchEvaluator",
            "metrics": [
                {
                    "name": "accuracy",
                    "type": "accuracy",
                    "data_config": "train",
                    "sub_types": [{"name": "accuracy_score", "priority": 1}],
                    "user_config": {"user_script": "s.py", "dataloader_func": "load", "data_dir": "d", "batch_size": 1},
                }
            ],
        }
    }
    plain["evaluator"] = "quality"
    plain["passes"].pop("int4")
    assert "Registry" in told(plain, "no_place", "dataloader_func")
    plain.pop("evaluator"), plain.pop("evaluators"), plain.pop("data_configs")
    plain["passes"] = {
        "convert": {"type": "OnnxConversion"},
        "last": {"type": "OnnxDynamicQuantization", "dataloader_func": "load", "batch_size": 4},
    }
    assert "Registry" in told(plain, "no_place", "dataloader_func")


def test_arguments_of_a_metrics_functions(plain: dict[str, Any]) -> None:
    """Olive 0.13 fails on every custom metric, which is told; the arguments stand in their places all the same."""
    inner = {"user_script": "s.py", "evaluate_func": "f", "func_kwargs": {"evaluate_func": {"n": 1}}, "data_dir": "d"}
    metric = {"name": "m", "type": "custom", "sub_types": [{"name": "x"}], "user_config": inner}
    plain["evaluators"] = {"own": {"metrics": [metric]}}
    plain["evaluator"] = "own"
    config = load_config(plain)
    assert change(config, "func_kwargs").after == {"evaluate_func_kwargs": {"n": 1}}
    assert change(config, "data_dir").after is None
    upgraded = json.loads(config.dumps("json"))["evaluators"]["own"]["metrics"][0]["user_config"]
    assert upgraded == {"user_script": "s.py", "evaluate_func": "f", "evaluate_func_kwargs": {"n": 1}}


@pytest.mark.parametrize(
    ("system", "key"),
    [
        ({"type": "AzureML", "config": {"aml_compute": "c", "requirements_file": "r.txt"}}, "requirements_file"),
        ({"type": "AzureML", "config": {"aml_compute": "c", "resources": {"locations": ["eu"]}}}, "locations"),
        ({"type": "AzureML", "config": {"aml_compute": "c", "aml_docker_config": {"image": "i"}}}, "image"),
    ],
)
def test_systems_that_cannot_be_kept(plain: dict[str, Any], system: dict[str, Any], key: str) -> None:
    plain["systems"]["other"] = system
    told(plain, "no_place", key)


def test_an_environment_that_olive_made_is_told_once(plain: dict[str, Any]) -> None:
    inner = {"olive_managed_env": True, "requirements_file": "r.txt"}
    plain["systems"]["other"] = {"type": "PythonEnvironment", "config": inner}
    told(plain, "missing_key", "other")
    assert change(load_config(plain), "olive_managed_env").after is None


def test_a_loader_of_ones_own_beside_hf_config(plain: dict[str, Any]) -> None:
    plain["input_model"] = {
        "type": "PyTorchModel",
        "config": {
            "model_loader": "load",
            "model_script": "s.py",
            "hf_config": {"model_name": "phinb://tiny", "task": "text-generation"},
        },
    }
    assert "PyTorchModel" in told(plain, "no_place", "model_loader")


def test_a_model_class_and_biases_have_no_place(plain: dict[str, Any]) -> None:
    plain["passes"]["lora"]["bias"] = "all"
    assert "modules_to_save" in told(plain, "no_place", "bias")
    plain["passes"]["lora"].pop("bias")
    hf_config = {"model_name": "phinb://tiny", "task": "text-generation", "model_class": "Phi3ForCausalLM"}
    plain["input_model"] = {"type": "PyTorchModel", "config": {"hf_config": hf_config}}
    told(plain, "no_place", "model_class")


def test_two_workspaces_of_one_run_contradict_each_other(plain: dict[str, Any]) -> None:
    workspace = {
        "subscription_id": "01234567-89ab-cdef-0123-456789abcdef",
        "resource_group": "g",
        "workspace_name": "w",
    }
    plain["phinb"] = {"azure": workspace}
    plain["azureml_client"] = {**workspace, "workspace_name": "other"}
    assert "other" in told(plain, "contradiction", "workspace_name")


def test_a_place_in_a_workspace_that_only_a_file_names(plain: dict[str, Any]) -> None:
    plain["azureml_client"] = {"aml_config_path": "config.json"}
    plain["data_configs"][0]["load_dataset_config"]["data_files"] = {
        "type": "azureml_datastore",
        "azureml_client": {"aml_config_path": "other.json"},
        "datastore_name": "store",
        "relative_path": "a.json",
    }
    found = errors(load_config(plain))
    assert "no_place data_configs.0.load_dataset_config.data_files.azureml_client" in found
