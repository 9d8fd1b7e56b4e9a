"""Old forms of configurations, each as edits to the small valid one, and what today's form of them is.

One entry a rule and case. A path is dotted, list entries by their number. The tests of the upgrade take them one by
one; the property tests bend them; Olive is asked what it says of the results.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

REMOVE = object()
"""As an edit's value: take the key out. As an expected value: it must not be there."""


@dataclass(frozen=True)
class OldForm:
    """`given`: edits that make the old form. `now`: values of to_olive(), and of phinb's section under `phinb.`"""

    name: str
    given: dict[str, Any]
    now: dict[str, Any] = field(default_factory=dict)
    judged: bool = True
    """Whether Olive can judge it here: not where it would need a package that is not installed."""

    def apply(self, valid: dict[str, Any]) -> dict[str, Any]:
        made = copy.deepcopy(valid)
        for path, value in self.given.items():
            put(made, path, copy.deepcopy(value) if value is not REMOVE else value)
        return made


def put(tree: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        tree = tree[int(key)] if isinstance(tree, list) else tree.setdefault(key, {})
    if value is REMOVE:
        tree.pop(int(last) if isinstance(tree, list) else last, None)
    else:
        tree[int(last) if isinstance(tree, list) else last] = value


def get(tree: Any, path: str) -> Any:
    """What stands at a path; REMOVE where nothing does."""
    for key in path.split("."):
        if isinstance(tree, list):
            tree = tree[int(key)] if int(key) < len(tree) else REMOVE
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return REMOVE
    return tree


LORA, TRAIN, DATA = "passes.lora", "passes.lora.training_args", "data_configs.0"
AML = "systems.aml"
SUBSCRIPTION = "01234567-89ab-cdef-0123-456789abcdef"
CLIENT = {"subscription_id": SUBSCRIPTION, "resource_group": "group", "workspace_name": "work"}
OTHER = {"subscription_id": SUBSCRIPTION, "resource_group": "group", "workspace_name": "other"}
OTHER_PLACE = f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/group/workspaces/other"
DOCKER = {"base_image": "mcr.microsoft.com/azureml/base:1", "conda_file_path": "conda.yaml"}
ENVIRONMENT = {"image": "mcr.microsoft.com/azureml/base:1", "conda_file": "conda.yaml"}
LATENCY = {"name": "latency", "type": "latency", "sub_types": [{"name": "avg", "priority": 1}]}
ONNX = {
    "passes": {"convert": {"type": "OnnxConversion"}, "last": {}},
    "data_configs": [],
}


SIZE = {"name": "size", "type": "size_on_disk", "sub_types": [{"name": "bytes", "priority": 1}]}
SEARCHED = {"evaluators": {"size": {"type": "OnnxEvaluator", "metrics": [SIZE]}}, "evaluator": "size"}


def last(body: dict[str, Any]) -> dict[str, Any]:
    """A flow without training, whose last pass is `body`."""
    return {"passes": {"convert": {"type": "OnnxConversion"}, "last": body}, "data_configs": REMOVE}


def feeding(metric: dict[str, Any]) -> dict[str, Any]:
    """What is built, and that alone, is measured; old Olive knew itself by which evaluator."""
    evaluator = {"type": "OnnxEvaluator", "metrics": [{**LATENCY, **metric}]}
    return {"evaluators": {"speed": evaluator}, "evaluator": "speed", "evaluate_input_model": False}


def resource(kind: str, **inner: Any) -> dict[str, Any]:
    return {"type": kind, "config": inner}


ENGINE_FORMS = [
    OldForm("engine level", {"engine": {"log_severity_level": 0}}, {"log_severity_level": 0, "engine": REMOVE}),
    OldForm("engine is null", {"engine": None}, {"engine": REMOVE}),
    OldForm("schema key", {"$schema": "https://microsoft.github.io/Olive/schema.json"}, {"$schema": REMOVE}),
    OldForm("output name", {"output_name": "x", f"{LORA}.output_name": "y"}, {f"{LORA}.output_name": REMOVE}),
    OldForm("disable search", {f"{LORA}.disable_search": True}, {f"{LORA}.disable_search": REMOVE}),
    OldForm("clean run cache", {f"{LORA}.clean_run_cache": True}, {f"{LORA}.clean_run_cache": REMOVE}),
    OldForm("empty flows", {"pass_flows": None}, {"pass_flows": REMOVE}),
    OldForm("one flow", {"pass_flows": [["lora", "merge"]]}, {"pass_flows": REMOVE, "passes.int4": REMOVE}),
    OldForm(
        "exhaustive search",
        {
            **SEARCHED,
            "search_strategy": {"execution_order": "joint", "search_algorithm": "exhaustive"},
        },
        {"search_strategy": {"execution_order": "joint", "sampler": "sequential"}},
    ),
    OldForm(
        "tpe search",
        {
            **SEARCHED,
            "search_strategy": {
                "execution_order": "joint",
                "search_algorithm": "tpe",
                "search_algorithm_config": {"num_samples": 3, "seed": 0},
                "stop_when_goals_met": True,
            },
        },
        {
            "search_strategy": {
                "execution_order": "joint",
                "sampler": "tpe",
                "max_samples": 3,
                "seed": 0,
                "stop_when_goals_met": True,
            }
        },
    ),
    OldForm(
        "random search with its old default of one sample",
        {**SEARCHED, "search_strategy": {"execution_order": "pass-by-pass", "search_algorithm": "random"}},
        {"search_strategy": {"execution_order": "pass-by-pass", "sampler": "random", "max_samples": 1}},
    ),
    OldForm(
        "search is true",
        {**SEARCHED, "search_strategy": True},
        {"search_strategy": {"execution_order": "joint", "sampler": "sequential"}},
    ),
    OldForm(
        "cloud cache",
        {
            "cloud_cache_config": {
                "account_url": "https://mine.blob.core.windows.net",
                "container_name": "models",
                "upload_to_cloud": False,
            }
        },
        {"cache_config": {"account_name": "mine", "container_name": "models", "update_shared_cache": False}},
    ),
    OldForm(
        "packaging extras",
        {"packaging_config": {"type": "Zipfile", "name": "out", "include_sample_code": False}},
        {"packaging_config": {"type": "Zipfile", "name": "out"}},
    ),
    OldForm("data root", {"data_root": "rows"}, {f"{DATA}.load_dataset_config.data_files": "rows/train.jsonl"}),
    OldForm(
        "data root beside an absolute path",
        {"data_root": "rows", f"{DATA}.load_dataset_config.data_files": ["/a.jsonl", "b.jsonl"]},
        {f"{DATA}.load_dataset_config.data_files": ["/a.jsonl", "rows/b.jsonl"]},
    ),
]

SYSTEM_FORMS = [
    OldForm(
        "accelerators as words",
        {"systems.local_system.config": {"accelerators": ["gpu"]}, "systems.local_system.accelerators": REMOVE},
        {"systems.local_system.accelerators": [{"device": "gpu"}]},
    ),
    OldForm(
        "two providers",
        {
            "systems.local_system.accelerators": [
                {"device": "gpu", "execution_providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
            ]
        },
        {"systems.local_system.accelerators.0.execution_providers": ["CUDAExecutionProvider"]},
    ),
    OldForm(
        "the engine's providers go to a system in place",
        {
            "target": {"type": "LocalSystem", "config": {"accelerators": ["gpu"]}},
            "engine": {"execution_providers": ["CUDAExecutionProvider"]},
        },
        {"target.accelerators": [{"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}]},
    ),
    OldForm(
        "a machine by its name",
        {"systems.surface": {"type": "SurfaceProSystem1796"}},
        {"systems.surface": {"type": "LocalSystem", "accelerators": [{"device": "gpu"}]}},
    ),
    OldForm(
        "isolated ort",
        {
            "systems.other": {
                "type": "IsolatedORT",
                "config": {"python_environment_path": "/", "accelerators": [{"device": "cpu"}]},
            }
        },
        {"systems.other.type": "PythonEnvironment", "systems.other.python_environment_path": "/"},
        judged=False,  # Olive looks for a python at that place
    ),
    OldForm(
        "docker",
        {
            "systems.box": {
                "type": "Docker",
                "config": {
                    "local_docker_config": {"image_name": "o", "build_context_path": "box", "dockerfile": "Dockerfile"},
                    "is_dev": True,
                    "olive_managed_env": False,
                },
            }
        },
        {
            "systems.box": {
                "type": "Docker",
                "image_name": "o",
                "build_context_path": "box",
                "dockerfile": "Dockerfile",
            }
        },
    ),
]

MODEL_FORMS = [
    OldForm(
        "hf_config",
        {
            "input_model": {
                "type": "PyTorchModel",
                "config": {
                    "model_script": "user_script.py",
                    "io_config": "get_io_config",
                    "dummy_inputs_func": "get_inputs",
                    "hf_config": {
                        "model_name": "phinb://tiny",
                        "task": "text-generation",
                        "feature": "causal-lm",
                        "from_pretrained_args": {"trust_remote_code": True, "attn_implementation": "eager"},
                    },
                },
            }
        },
        {
            "input_model": {
                "type": "HfModel",
                "model_path": "phinb://tiny",
                "task": "text-generation",
                "load_kwargs": {"trust_remote_code": True, "attn_implementation": "eager"},
            }
        },
    ),
    OldForm(
        "model_path goes before model_name",
        {
            "input_model": {
                "type": "PyTorchModel",
                "config": {
                    "model_path": "phinb://tiny",
                    "hf_config": {"model_name": "microsoft/phi-2", "task": "text-generation"},
                },
            }
        },
        {"input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"}},
    ),
    OldForm(
        "an adapter and io_config stay",
        {
            "input_model": {
                "type": "PyTorchModel",
                "config": {
                    "adapter_path": "adapter",
                    "io_config": {"input_names": ["input_ids"], "output_names": ["logits"]},
                    "hf_config": {"model_name": "phinb://tiny", "task": "text-generation"},
                },
            },
            LORA: REMOVE,
        },
        {
            "input_model.adapter_path": "adapter",
            "input_model.io_config": {"input_names": ["input_ids"], "output_names": ["logits"]},
        },
    ),
    OldForm(
        "optimum model",
        {
            "input_model": {
                "type": "OptimumModel",
                "config": {"hf_config": {"model_name": "phinb://tiny", "task": "text-generation"}},
            }
        },
        {"input_model.type": "HfModel"},
    ),
    OldForm(
        "a path by its kind",
        {"input_model.model_path": resource("string_name", name="phinb://tiny")},
        {"input_model.model_path": "phinb://tiny"},
    ),
    OldForm(
        "storage kind",
        {"input_model.model_storage_kind": "LocalFolder"},
        {"input_model.model_storage_kind": REMOVE},
    ),
    OldForm(
        "an mlflow folder",
        {"input_model.model_file_format": "PyTorch.MLflow"},
        {"input_model.model_file_format": REMOVE, "phinb.azure": None},
    ),
]

DATA_FORMS = [
    OldForm(
        "data in the model",
        {
            "input_model": {
                "type": "PyTorchModel",
                "config": {
                    "hf_config": {
                        "model_name": "phinb://tiny",
                        "task": "text-classification",
                        "dataset": {
                            "data_name": "json",
                            "data_files": "train.jsonl",
                            "split": "train",
                            "input_cols": ["phrase"],
                            "label_cols": ["tone"],
                            "batch_size": 1,
                        },
                    }
                },
            },
            "passes": {"convert": {"type": "OnnxConversion"}},
            "data_configs": [],
            **feeding({}),
        },
        {
            "input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-classification"},
            "data_configs.0.name": "__input_model_data_config__",
            "data_configs.0.load_dataset_config": {"data_name": "json", "data_files": "train.jsonl", "split": "train"},
            "data_configs.0.pre_process_data_config.label_col": "tone",
            "data_configs.0.dataloader_config": {"batch_size": 1},
            "evaluators.speed.metrics.0.data_config": "__input_model_data_config__",
        },
    ),
    OldForm(
        "data configs by name",
        {"data_configs": {"train": {"type": "HuggingfaceContainer", "params_config": {"data_name": "json"}}}},
        {"data_configs.0.name": "train", "data_configs.0.load_dataset_config": {"data_name": "json"}},
    ),
    OldForm(
        "components",
        {
            DATA: {
                "name": "train",
                "type": "HuggingfaceContainer",
                "components": {
                    "load_dataset": {
                        "name": "l",
                        "params": {"data_name": "json", "data_files": "a.json", "split": "train"},
                    },
                    "pre_process_data": {"name": "p", "params": {"text_template": "{phrase}", "source_max_len": 64}},
                },
            }
        },
        {
            f"{DATA}.load_dataset_config": {"data_name": "json", "data_files": "a.json", "split": "train"},
            f"{DATA}.pre_process_data_config": {"text_template": "{phrase}", "max_seq_len": 64},
            f"{DATA}.components": REMOVE,
        },
    ),
    OldForm("batch size at the top", {f"{DATA}.batch_size": 4}, {f"{DATA}.dataloader_config": {"batch_size": 4}}),
    OldForm(
        "label columns",
        {
            "data_configs": [
                {
                    "name": "train",
                    "type": "HuggingfaceContainer",
                    "params_config": {
                        "task": "text-classification",
                        "data_name": "json",
                        "data_files": "train.jsonl",
                        "split": "train",
                        "input_cols": ["phrase"],
                        "label_cols": ["tone"],
                        "batch_size": 2,
                    },
                }
            ],
            **feeding({"data_config": "train"}),
            "passes": {"convert": {"type": "OnnxConversion"}},
        },
        {f"{DATA}.pre_process_data_config.label_col": "tone", f"{DATA}.dataloader_config": {"batch_size": 2}},
    ),
    OldForm(
        "a data config where it is used",
        {
            f"{LORA}.eval_data_config": {
                "name": "held-out",
                "type": "HuggingfaceContainer",
                "load_dataset_config": {"params": {"data_name": "json", "data_files": "e.jsonl", "split": "train"}},
                "pre_process_data_config": {"params": {"text_template": "{phrase}", "corpus_strategy": "line-by-line"}},
            }
        },
        {
            "data_configs.1.name": "held_out",
            "data_configs.1.load_dataset_config.data_files": "e.jsonl",
            "data_configs.1.pre_process_data_config.strategy": "line-by-line",
            f"{LORA}.eval_data_config": "held_out",
        },
    ),
    OldForm(
        "files by their kind, in splits",
        {
            f"{DATA}.load_dataset_config.data_files": {
                "train": resource("file", path="a.jsonl"),
                "test": [resource("file", path="b.jsonl"), "c.jsonl"],
            }
        },
        {f"{DATA}.load_dataset_config.data_files": {"train": "a.jsonl", "test": ["b.jsonl", "c.jsonl"]}},
    ),
]

METRIC_FORMS = [
    OldForm(
        "random inputs",
        feeding(
            {
                "user_config": {
                    "input_names": ["input_ids"],
                    "input_shapes": [[1, 8]],
                    "input_types": ["int64"],
                    "batch_size": 1,
                    "io_bind": True,
                }
            }
        ),
        {
            "data_configs.1": {
                "name": "latency_data",
                "type": "DummyDataContainer",
                "load_dataset_config": {
                    "input_names": ["input_ids"],
                    "input_shapes": [[1, 8]],
                    "input_types": ["int64"],
                },
            },
            "evaluators.speed.metrics.0.data_config": "latency_data",
            "evaluators.speed.metrics.0.user_config": {"io_bind": True},
        },
    ),
]

PASS_FORMS = [
    OldForm("lora_r", {f"{LORA}.lora_r": 4, f"{LORA}.r": REMOVE}, {f"{LORA}.r": 4, f"{LORA}.lora_r": REMOVE}),
    OldForm("lora_alpha", {f"{LORA}.lora_alpha": 3, f"{LORA}.alpha": REMOVE}, {f"{LORA}.alpha": 3}),
    OldForm("bias none", {f"{LORA}.bias": "none"}, {f"{LORA}.bias": REMOVE}),
    OldForm("old trainer", {f"{LORA}.use_ort_trainer": True}, {f"{LORA}.use_ort_trainer": REMOVE}),
    OldForm("double_quant on LoRA", {f"{LORA}.double_quant": True}, {f"{LORA}.double_quant": REMOVE}),
    OldForm("split", {f"{LORA}.eval_dataset_size": 0.3}, {"phinb.eval_split": 0.3}),
    OldForm("OrtPerfTuning", last({"type": "OrtPerfTuning", "batch_size": 1}), {"passes.last.batch_size": REMOVE}),
    OldForm("GenAIModelExporter", {"passes.int4.type": "GenAIModelExporter"}, {"passes.int4.type": "ModelBuilder"}),
    OldForm("OnnxModelOptimizer", last({"type": "OnnxModelOptimizer"}), {"passes.last.type": "OnnxPeepholeOptimizer"}),
    OldForm(
        "OnnxIOFloat16ToFloat32",
        last({"type": "OnnxIOFloat16ToFloat32", "name_pattern": "logits"}),
        {"passes.last.type": "OnnxIODataTypeConverter"},
    ),
    OldForm(
        "OnnxMatMul4Quantizer",
        last({"type": "OnnxMatMul4Quantizer", "config": {"algorithm": "DEFAULT", "op_types_to_quantize": ["MatMul"]}}),
        {"passes.last": {"type": "OnnxBlockWiseRtnQuantization", "block_size": 32}},
    ),
    OldForm(
        "OnnxMatMul4Quantizer by HQQ",
        last({"type": "OnnxMatMul4Quantizer", "algorithm": "HQQ", "block_size": 64, "quant_axes": {"MatMul": 1}}),
        {"passes.last": {"type": "OnnxHqqQuantization", "block_size": 64, "axis": 1}},
    ),
    OldForm(
        "bitsandbytes for ONNX",
        last({"type": "OnnxBnb4Quantization", "quant_type": "nf4"}),
        {"passes.last.precision": "nf4"},
    ),
    OldForm("w_bit", {"passes": {"awq": {"type": "AutoAWQQuantizer", "w_bit": 4}}}, {"passes.awq.bits": 4}),
    OldForm(
        "dynamic quantization",
        last({"type": "OnnxDynamicQuantization", "weight_type": "QUInt8", "WeightSymmetric": False}),
        {"passes.last": {"type": "OnnxDynamicQuantization", "precision": "uint8", "weight_symmetric": False}},
    ),
    OldForm(
        "static quantization",
        {
            **{key: value for key, value in last({}).items() if key != "data_configs"},
            "passes": {
                "convert": {"type": "OnnxConversion", "use_device": "cpu", "merge_components": True},
                "last": {
                    "type": "OnnxStaticQuantization",
                    "data_config": "train",
                    "weight_type": "QInt8",
                    "activation_type": "QUInt16",
                    "prepare_qnn_config": True,
                    "MatMulConstBOnly": True,
                    "batch_size": 1,
                },
            },
        },
        {
            "passes.convert": {"type": "OnnxConversion", "device": "cpu"},
            "passes.last": {
                "type": "OnnxStaticQuantization",
                "data_config": "train",
                "precision": "int8",
                "activation_type": "uint16",
                "prepare_qdq_config": True,
                "extra_options": {"MatMulConstBOnly": True},
            },
        },
    ),
]

TRAINING_FORMS = [
    OldForm(f"training {next(iter(given))}", {f"{TRAIN}.{key}": value for key, value in given.items()}, now)
    for given, now in (
        ({"evaluation_strategy": "no"}, {f"{TRAIN}.eval_strategy": "no"}),
        ({"no_cuda": True}, {f"{TRAIN}.use_cpu": True}),
        ({"per_gpu_eval_batch_size": 2}, {f"{TRAIN}.per_device_eval_batch_size": 2}),
        ({"group_by_length": True}, {f"{TRAIN}.train_sampling_strategy": "group_by_length"}),
        ({"warmup_ratio": 0.1}, {f"{TRAIN}.warmup_steps": 0.1}),
        ({"adafactor": True}, {f"{TRAIN}.optim": "adafactor"}),
        (
            {"push_to_hub_model_id": "m", "push_to_hub_organization": "o"},
            {f"{TRAIN}.hub_model_id": "o/m", f"{TRAIN}.push_to_hub_organization": REMOVE},
        ),
        ({"include_inputs_for_metrics": True}, {f"{TRAIN}.include_for_metrics": ["inputs"]}),
        ({"split_batches": True}, {f"{TRAIN}.accelerator_config": {"split_batches": True}}),
        ({"fsdp_min_num_params": 0}, {f"{TRAIN}.fsdp_config": {"min_num_params": 0}}),
        ({"fp16_backend": "auto"}, {f"{TRAIN}.fp16_backend": REMOVE}),
        ({"save_safetensors": True}, {f"{TRAIN}.save_safetensors": REMOVE}),
        ({"logging_dir": "logs"}, {f"{TRAIN}.logging_dir": REMOVE}),
        ({"extra_args": {"bf16": False}}, {f"{TRAIN}.bf16": False, f"{TRAIN}.extra_args": REMOVE}),
    )
]

AZURE_FORMS = [
    OldForm(
        "workspace",
        {"azureml_client": {**CLIENT, "keyvault_name": "vault", "read_timeout": 60}},
        {"phinb.azure": {**CLIENT, "keyvault": "vault"}},
    ),
    OldForm(
        "workspace by its file",
        {"engine": {"azureml_client_config": {"aml_config_path": "config.json"}}},
        {"phinb.azure": {"config_file": "config.json"}},
    ),
    OldForm(
        "credential",
        {"azureml_client": {**CLIENT, "default_auth_params": {"exclude_managed_identity_credential": True}}},
        {"phinb.azure.credential": {"exclude_managed_identity_credential": True}},
    ),
    OldForm(
        "one system",
        {
            AML: {
                "type": "AzureML",
                "config": {
                    "accelerators": ["gpu"],
                    "aml_compute": "cluster",
                    "aml_docker_config": DOCKER,
                    "instance_count": 2,
                    "tags": {"team": "bench"},
                    "hf_token": True,
                    "is_dev": True,
                    "olive_managed_env": False,
                    "datastores": "outputs",
                    "resources": {"instance_type": "big", "shm_size": "8g"},
                },
            },
            "host": "aml",
            "target": "aml",
        },
        {
            AML: {"type": "LocalSystem", "accelerators": [{"device": "gpu"}]},
            "phinb.azure": {
                "compute": "cluster",
                "environment": ENVIRONMENT,
                "instance_count": 2,
                "tags": {"team": "bench"},
                "hf_token": True,
                "datastore": "outputs",
                "instance_type": "big",
                "shm_size": "8g",
            },
        },
    ),
    OldForm(
        "two systems, the second is the host",
        {
            AML: {"type": "AzureML", "aml_compute": "cluster", "aml_docker_config": DOCKER},
            "systems.arc": {
                "type": "azureml",
                "aml_compute": "k8s",
                "aml_environment_config": {"name": "mine", "version": "1"},
                "instance_type": "gpu-node",
                "namespace": "ml",
            },
            "host": "arc",
        },
        {
            "phinb.azure": {
                "targets": {
                    "aml": {"compute": "cluster", "environment": ENVIRONMENT},
                    "arc": {
                        "compute": "k8s",
                        "environment": {"name": "mine", "version": "1"},
                        "instance_type": "gpu-node",
                        "namespace": "ml",
                    },
                },
                "target": "arc",
            }
        },
    ),
    OldForm(
        "systems where they are used",
        {
            "engine": {
                "host": {"type": "AzureML", "config": {"aml_compute": "a", "aml_docker_config": DOCKER}},
                "target": {"type": "LocalSystem", "config": {"accelerators": ["cpu"]}},
            },
            "target": REMOVE,
            f"{LORA}.host": {"type": "AzureNDV2System", "config": {"aml_compute": "b"}},
        },
        {
            "host": {"type": "LocalSystem"},
            f"{LORA}.host": {"type": "LocalSystem", "accelerators": [{"device": "gpu"}]},
            "phinb.azure.targets": {
                "host": {"compute": "a", "environment": ENVIRONMENT},
                "lora_host": {"compute": "b"},
            },
            "phinb.azure.target": "host",
        },
    ),
    OldForm(
        "workflow host",
        {
            AML: {"type": "AzureML", "accelerators": [{"device": "gpu"}], "aml_compute": "a"},
            "systems.other": {"type": "AzureML", "aml_compute": "b"},
            "workflow_host": "other",
        },
        {"workflow_host": REMOVE, "phinb.azure.target": "other"},
    ),
    OldForm("workflow host here", {"workflow_host": "local_system"}, {"workflow_host": REMOVE, "phinb.azure": None}),
    OldForm(
        "data in the run's workspace",
        {
            "azureml_client": CLIENT,
            f"{DATA}.load_dataset_config.data_files": resource(
                "azureml_datastore", azureml_client=CLIENT, datastore_name="store", relative_path="a/b.json"
            ),
        },
        {f"{DATA}.load_dataset_config.data_files": "azureml://datastores/store/paths/a/b.json"},
    ),
    OldForm(
        "data in another workspace",
        {
            "azureml_client": CLIENT,
            f"{DATA}.load_dataset_config.data_files": [
                resource("azureml_datastore", azureml_client=OTHER, datastore_name="store", relative_path="/b.json"),
                "c.json",
            ],
        },
        {f"{DATA}.load_dataset_config.data_files": [f"{OTHER_PLACE}/datastores/store/paths/b.json", "c.json"]},
    ),
    OldForm(
        "the only workspace is the data's",
        {
            f"{DATA}.load_dataset_config.data_dir": {
                "type": "azureml_datastore",
                "azureml_client": CLIENT,
                "datastore_name": "store",
                "relative_path": "rows",
            }
        },
        {f"{DATA}.load_dataset_config.data_dir": "azureml://datastores/store/paths/rows", "phinb.azure": CLIENT},
    ),
    OldForm(
        "data by its address",
        {
            f"{DATA}.load_dataset_config.data_files": {
                "train": resource("azureml_datastore", datastore_url="azureml://datastores/store/paths/a.json")
            }
        },
        {f"{DATA}.load_dataset_config.data_files": {"train": "azureml://datastores/store/paths/a.json"}},
    ),
    OldForm(
        "a registered model",
        {"azureml_client": CLIENT, "input_model.model_path": resource("azureml_model", name="phi", version=3)},
        {"input_model.model_path": "azureml:phi:3"},
    ),
    OldForm(
        "a registered model of another workspace",
        {
            "azureml_client": CLIENT,
            "input_model.model_path": resource("azureml_model", azureml_client=OTHER, name="phi", version="3"),
        },
        {"input_model.model_path": f"{OTHER_PLACE}/models/phi/versions/3"},
    ),
    OldForm(
        "a model of a registry",
        {
            "input_model.model_path": {
                "type": "azureml_registry_model",
                "registry_name": "azureml",
                "name": "Phi-3-mini-4k-instruct",
                "version": 7,
            },
            "input_model.model_file_format": "PyTorch.MLflow",
        },
        {
            "input_model.model_path": "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/7",
            "phinb.azure": {"model_type": "mlflow_model"},
        },
    ),
    OldForm(
        "a job's output",
        {
            "azureml_client": CLIENT,
            "input_model.model_path": resource("azureml_job_output", job_id="j", output_name="o", relative_path="m"),
        },
        {"input_model.model_path": "azureml://jobs/j/outputs/o/paths/m"},
    ),
    OldForm(
        "packaging",
        {
            "packaging_config": [
                {"type": "Zipfile"},
                {"type": "AzureMLModels", "name": "m", "config": {"version": 2, "export_in_mlflow_format": True}},
                {"type": "AzureMLData", "name": "d"},
            ]
        },
        {
            "packaging_config": [{"type": "Zipfile"}],
            "phinb.azure.register": [
                {"name": "m", "version": "2", "kind": "model", "mlflow": True},
                {"name": "d", "kind": "data"},
            ],
        },
    ),
    OldForm(
        "deployment",
        {
            "packaging_config": {
                "type": "AzureMLDeployment",
                "config": {"model_name": "m", "deployment_config": {"endpoint_name": "e"}},
            }
        },
        {
            "packaging_config": REMOVE,
            "phinb.azure": {
                "register": [{"name": "m", "kind": "model"}],
                "deployment": {"deployment_config": {"endpoint_name": "e"}},
            },
        },
    ),
]

OLD_FORMS = [
    *ENGINE_FORMS,
    *SYSTEM_FORMS,
    *MODEL_FORMS,
    *DATA_FORMS,
    *METRIC_FORMS,
    *PASS_FORMS,
    *TRAINING_FORMS,
    *AZURE_FORMS,
]
