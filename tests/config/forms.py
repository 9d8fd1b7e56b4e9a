"""Forms of a configuration that Olive takes whole: small changes ("bends") to the valid one of conftest.py.

test_against_olive.py holds phinb and Olive to each of them; mutations.py takes them as points to start from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bend = Callable[[dict[str, Any]], None]


def lora(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["passes"]["lora"]
    return found


def rows(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["data_configs"][0]
    return found


def text_of(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rows(config)["pre_process_data_config"]
    return found


def put(pick: Callable[[dict[str, Any]], dict[str, Any]], **values: Any) -> Bend:
    return lambda config: pick(config).update(values)


def whole(config: dict[str, Any]) -> dict[str, Any]:
    return config


def training(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = lora(config)["training_args"]
    return found


def system(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["systems"]["local_system"]
    return found


def pass_of(kind: str, **parameters: Any) -> Bend:
    def bend(config: dict[str, Any]) -> None:
        config["passes"] = {"only": {"type": kind, **parameters}}

    return bend


def nested(config: dict[str, Any]) -> None:
    """The same in the older form, one level deeper."""
    for entry in config["passes"].values():
        entry["config"] = {key: entry.pop(key) for key in list(entry) if key != "type"}
    model = config["input_model"]
    model["config"] = {key: model.pop(key) for key in list(model) if key != "type"}
    section = rows(config)["load_dataset_config"]
    section["params"] = {key: section.pop(key) for key in list(section)}
    config["engine"] = {key: config.pop(key) for key in ("target", "output_dir")}


LATENCY = {"name": "speed", "type": "latency", "sub_types": [{"name": "avg", "priority": 1}], "data_config": "train"}
SIZE = {"name": "size", "type": "size_on_disk", "sub_types": [{"name": "bytes", "priority": 1}]}
QUALITY = {
    "type": "PyTorchEvaluator",
    "metrics": [
        {
            "name": "accuracy",
            "type": "accuracy",
            "data_config": "train",
            "sub_types": [
                {
                    "name": "accuracy_score",
                    "priority": 1,
                    "goal": {"type": "max-degradation", "value": 0.01},
                    "metric_config": {"task": "multiclass", "num_classes": 4},
                },
                {"name": "f1_score", "priority": -1, "metric_config": {"num_classes": 4}},
            ],
        },
        {"name": "size", "type": "size_on_disk", "sub_types": [{"name": "bytes", "priority": 2}]},
        {
            "name": "latency",
            "type": "latency",
            "data_config": "train",
            "user_config": {"io_bind": False},
            "sub_types": [{"name": "p90", "priority": 3, "metric_config": {"warmup_num": 2, "repeat_test_num": 5}}],
        },
    ],
}
SPEED = {"type": "PyTorchEvaluator", "metrics": [LATENCY]}
SEARCH = {"execution_order": "joint", "sampler": "tpe", "max_samples": 3, "seed": 0}


def with_search(config: dict[str, Any]) -> None:
    config["evaluators"] = {"size": {"type": "OnnxEvaluator", "metrics": [SIZE]}}
    config.update(evaluator="size", search_strategy=SEARCH)
    lora(config).update(r=[4, 8])


VALID: dict[str, Bend] = {
    "as it is": lambda config: None,
    "the nested form": nested,
    "QLoRA": lambda config: lora(config).update(
        type="QLoRA", quant_type="nf4", double_quant=True, compute_dtype="float32"
    ),
    "DoRA": put(lora, type="DoRA"),
    "LoHa": put(lora, type="LoHa", rank_dropout=0.1, init_weights=True),
    "LoftQ": put(lora, type="LoftQ", loftq_iter=2),
    "a type in lower case": put(lora, type="lora"),
    "target modules": put(lora, target_modules=["qkv_proj", "o_proj"], device_map=None),
    "training arguments of transformers": put(
        training,
        train_sampling_strategy="group_by_length",
        warmup_steps=0.1,
        adam_beta2=0.999,
        max_grad_norm=0.3,
        lr_scheduler_type="cosine",
        optim="adamw_torch",
        save_strategy="steps",
        save_steps=5,
        logging_steps=1,
        seed=1,
        data_seed=2,
        gradient_accumulation_steps=2,
        report_to=["none"],
        dataloader_num_workers=0,
    ),
    "extra_args": lambda config: training(config).update(extra_args={"weight_decay": 0.01}),
    "sliding window": put(text_of, strategy="join-sliding-window", stride=16),
    "random lines": put(text_of, strategy="line-by-line-random", max_samples=10, random_seed=1),
    "join without mask": put(text_of, strategy="join", use_attention_mask=False),
    "text columns": lambda config: (text_of(config).pop("text_template"), text_of(config).update(text_cols=["a", "b"]))[
        1
    ],
    "chat template": lambda config: (text_of(config).pop("text_template"), text_of(config).update(chat_template=True))[
        1
    ],
    "csv with options": lambda config: rows(config)["load_dataset_config"].update(
        data_name="csv", sep=";", encoding="utf-8"
    ),
    "loading options": lambda config: rows(config)["load_dataset_config"].update(
        num_proc=2, col_filters={"tone": "joy"}
    ),
    "data loader": lambda config: rows(config).update(dataloader_config={"batch_size": 4, "shuffle": True}),
    "ModelBuilder alone": pass_of(
        "ModelBuilder", precision="fp32", include_hidden_states=True, extra_options={"hf_remote": False}
    ),
    "ModelBuilder int4 options": pass_of(
        "ModelBuilder", precision="int4", int4_accuracy_level=4, int4_algo_config="rtn", search={"max_length": 100}
    ),
    "a GPU and fp16": lambda config: (
        system(config).update(accelerators=[{"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}]),
        config["passes"]["int4"].update(precision="fp16"),
    )[1],
    "other passes": lambda config: config.update(
        passes={"convert": {"type": "OnnxConversion", "target_opset": 17}, "quant": {"type": "OnnxDynamicQuantization"}}
    ),
    "a search": with_search,
    "what is built is measured alone": lambda config: (
        config.update(passes={"convert": {"type": "OnnxConversion"}}, evaluate_input_model=False),
        config.update(evaluator={"type": "OnnxEvaluator", "metrics": [LATENCY]}),
    )[1],
    "only a metric": lambda config: config.update(passes={}, evaluators={"speed": SPEED}, evaluator="speed"),
    "engine keys": put(whole, log_severity_level=2, clean_cache=True, evaluate_input_model=False, cache_dir="cache"),
    "loading the model": lambda config: config["input_model"].update(
        load_kwargs={"torch_dtype": "float32", "attn_implementation": "eager", "trust_remote_code": False}
    ),
    "phinb's section": put(whole, phinb={"eval_split": 0.1, "loss_on": "all", "labels": ["a", "b"], "seed": 7}),
    "a list of one pass": lambda config: config["passes"].update(merge=[{"type": "MergeAdapterWeights"}]),
    "LoKr": put(lora, type="LoKr", rank_dropout=0.1, decompose_factor=4, r=4),
    "a host of its own": lambda config: config.update(
        host={"type": "LocalSystem", "accelerators": [{"device": "cpu"}]}, target={"type": "LocalSystem"}
    ),
    "a Python environment": lambda config: config["systems"].update(
        other={
            "type": "PythonEnvironment",
            "python_environment_path": "environment/bin",
            "environment_variables": {"OMP_NUM_THREADS": "2"},
            "prepend_to_path": ["tools"],
            "accelerators": [{"device": "cpu", "memory": "4GB"}],
        }
    ),
    "a Docker host": lambda config: config.update(
        host={
            "type": "Docker",
            "dockerfile": "Dockerfile",
            "build_context_path": "docker",
            "image_name": "bench",
            "build_args": {"a": "1"},
            "run_params": {"network": "none"},
        }
    ),
    "an NPU": lambda config: system(config).update(
        accelerators=[{"device": "npu", "execution_providers": ["QNNExecutionProvider"]}]
    ),
    "a provider alone": lambda config: (
        system(config).update(accelerators=[{"execution_providers": ["CUDAExecutionProvider"]}]),
        config["passes"]["int4"].update(precision="bf16"),
    )[1],
    "accuracy and size": lambda config: (
        config["passes"].pop("int4"),
        config.update(evaluators={"quality": QUALITY}, evaluator="quality"),
    )[1],
    "an evaluator in place": lambda config: (
        config["passes"].pop("int4"),
        config.update(evaluator={"type": "PyTorchEvaluator", "type_args": {}, "metrics": [LATENCY]}),
    )[1],
    "an evaluator that nothing names": lambda config: config.update(evaluators={"speed": {"metrics": [LATENCY]}}),
    "tasks of lm-eval": lambda config: config.update(
        evaluators={"tasks": {"type": "LMEvaluator", "tasks": ["arc_easy"], "batch_size": 2}}, evaluator="tasks"
    ),
    "searchable values": lambda config: (with_search(config), lora(config).update(r="SEARCHABLE_VALUES"))[1],
    "alternatives in a search": lambda config: (
        with_search(config),
        lora(config).update(r=8),
        config["passes"].update(
            int4=[
                {"type": "ModelBuilder", "precision": "int4", "int4_block_size": [32, 64]},
                {
                    "type": "ModelBuilder",
                    "precision": "fp32",
                    "evaluator": {"type": "OnnxEvaluator", "metrics": [SIZE]},
                },
            ]
        ),
        config.update(search_strategy={"execution_order": "pass-by-pass", "sampler": "sequential"}),
    )[3],
    "a script of one's own": lambda config: rows(config).update(
        type="HuggingfaceContainer",
        user_script="user_script.py",
        script_dir="scripts",
        pre_process_data_config={"type": "mask_prompt", "max_seq_len": 64},
    ),
    "files by split": lambda config: rows(config)["load_dataset_config"].update(
        data_files={"train": ["a.jsonl", "b.jsonl"], "validation": "c.jsonl"}, split="train[:80%]+validation"
    ),
    "a dataset of the hub": lambda config: rows(config).update(
        load_dataset_config={
            "data_name": "dair-ai/emotion",
            "subset": "split",
            "split": "train",
            "download_mode": "reuse_cache_if_exists",
            "revision": "main",
        }
    ),
    "parquet": lambda config: rows(config)["load_dataset_config"].update(
        data_name="parquet", columns=["phrase", "tone"]
    ),
    "evaluation while training": lambda config: (
        config["data_configs"].append({**rows(config), "name": "test"}),
        lora(config).update(eval_data_config="test"),
        training(config).update(
            eval_strategy="steps",
            eval_steps=5,
            save_steps=5,
            load_best_model_at_end=True,
            metric_for_best_model="eval_loss",
            greater_is_better=False,
            eval_on_start=True,
        ),
    )[2],
    "a schedule with its options": put(
        training,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=2,
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        accelerator_config={"split_batches": False},
        optim_args="betas=0.9",
        neftune_noise_alpha=5,
        label_smoothing_factor=0.1,
        report_to="none",
    ),
    "epochs": lambda config: (
        training(config).pop("max_steps"),
        training(config).update(num_train_epochs=0.5, logging_strategy="epoch", save_strategy="epoch"),
    )[1],
    "a model that is ONNX": lambda config: config.update(
        input_model={"type": "ONNXModel", "model_path": "model.onnx"},
        data_configs=[],
        passes={
            "opt": {"type": "OnnxPeepholeOptimizer"},
            "quant": {"type": "OnnxDynamicQuantization", "precision": "uint8", "per_channel": True},
        },
    ),
    "a model by a function": lambda config: config.update(
        input_model={
            "type": "PyTorchModel",
            "model_loader": "load",
            "model_script": "user_script.py",
            "io_config": {"input_names": ["x"], "output_names": ["y"], "input_shapes": [[1, 3]]},
        },
        data_configs=[],
        passes={"convert": {"type": "OnnxConversion", "target_opset": 17, "device": "cpu"}},
    ),
    "quantized before it is built": lambda config: config.update(
        data_configs=[],
        passes={
            "rtn": {"type": "Rtn", "bits": 4, "group_size": 32},
            "build": {"type": "ModelBuilder", "precision": "int4"},
        },
    ),
    "GPTQ": lambda config: config.update(
        passes={
            "gptq": {"type": "Gptq", "bits": 4, "group_size": 128, "data_config": "train"},
            "build": {"type": "ModelBuilder", "precision": "int4"},
        }
    ),
    "fixed shapes": lambda config: config.update(
        data_configs=[],
        passes={
            "convert": {"type": "OnnxConversion"},
            "fix": {"type": "DynamicToFixedShape", "dim_param": ["batch_size"], "dim_value": [1]},
            "opt": {"type": "OrtTransformersOptimization", "opt_level": 1, "model_type": "gpt2"},
        },
    ),
    "a package": put(
        whole,
        packaging_config={"type": "Zipfile", "name": "model"},
        cache_config={"cache_dir": "cache", "clean_cache": False},
    ),
    "a package for Docker": put(
        whole, packaging_config=[{"type": "Dockerfile", "requirements_file": "requirements.txt"}], workflow_id="mine"
    ),
    "quantized when it is loaded": lambda config: config["input_model"].update(
        load_kwargs={"quantization_method": "bitsandbytes", "quantization_config": {"load_in_4bit": True}}
    ),
    "an adapter that is there": lambda config: (
        config["input_model"].update(adapter_path="adapter"),
        config["passes"].pop("lora"),
    )[1],
}
