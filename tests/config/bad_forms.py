"""Forms of a configuration that are wrong, each by one mistake: small changes to the valid one of conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.config.forms import (
    LATENCY,
    QUALITY,
    SEARCH,
    SIZE,
    SPEED,
    Bend,
    lora,
    put,
    rows,
    system,
    text_of,
    training,
    whole,
    with_search,
)


@dataclass(frozen=True)
class Bad:
    """`at`: the error's line holds this text. `own`: Olive reads it whole, and fails or trains nonsense later.

    `void`: neither Olive nor what it calls ever complains; it only does not do what is written (OWN_RULES of
    test_differential.py says why it is an error).
    """

    bend: Bend
    code: str
    at: str
    own: bool = False
    void: bool = False


def drop(pick: Callable[[dict[str, Any]], dict[str, Any]], key: str) -> Bend:
    return lambda config: pick(config).pop(key) and None


def measure(config: dict[str, Any], evaluator: dict[str, Any]) -> None:
    """Train, and measure before and after."""
    config["passes"].pop("int4")
    config["evaluator"] = evaluator


def without(evaluator: dict[str, Any], key: str) -> dict[str, Any]:
    metrics = [{name: value for name, value in metric.items() if name != key} for metric in evaluator["metrics"]]
    return {**evaluator, "metrics": metrics}


BAD: dict[str, Bad] = {
    "unknown key on top": Bad(put(whole, passez={}), "unknown_key", "passez"),
    "unknown parameter": Bad(put(lora, rank=8), "unknown_key", '"rank"'),
    "the old lora_r beside r": Bad(put(lora, lora_r=8), "twice_defined", "lora_r"),
    "unknown training argument": Bad(put(training, lerning_rate=1), "unknown_key", "lerning_rate"),
    "fp16 in training": Bad(put(training, fp16=True), "ignored", "fp16"),
    "both warmups": Bad(put(training, warmup_ratio=1.5), "out_of_range", "warmup_ratio"),
    "group_by_length with another sampler": Bad(
        put(training, group_by_length=True, train_sampling_strategy="random"), "unknown_key", "group_by_length"
    ),
    "unknown text parameter": Bad(put(text_of, max_len=8), "unknown_key", "max_len"),
    "unknown loading option": Bad(lambda c: rows(c)["load_dataset_config"].update(colour=1), "unknown_key", "colour"),
    "unknown data loader option": Bad(
        lambda c: rows(c).update(dataloader_config={"bach_size": 1}), "unknown_key", "bach_size"
    ),
    "unknown model key": Bad(lambda c: c["input_model"].update(modelpath="x"), "unknown_key", "modelpath"),
    "unknown system key": Bad(put(system, acelerators=[]), "unknown_key", "acelerators"),
    "unknown accelerator key": Bad(
        put(system, accelerators=[{"device": "cpu", "ep": 1}]), "unknown_key", '"ep"', own=True
    ),
    "no type": Bad(drop(lora, "type"), "missing_key", '"lora"'),
    "unknown pass": Bad(put(lora, type="LorA2"), "unknown_type", "LorA2"),
    "unknown model type": Bad(lambda c: c["input_model"].update(type="HugModel"), "unknown_type", "HugModel"),
    "unknown container": Bad(put(rows, type="HuggingContainer"), "unknown_type", "HuggingContainer"),
    "unknown system type": Bad(put(system, type="Local"), "unknown_type", '"Local"'),
    "unknown component": Bad(lambda c: text_of(c).update(type="text_gen"), "unknown_type", "text_gen"),
    "no model": Bad(drop(whole, "input_model"), "missing_key", "{"),
    "no model path": Bad(lambda c: c["input_model"].pop("model_path") and None, "missing_key", "input_model"),
    "no training data": Bad(drop(lora, "train_data_config"), "missing_key", '"lora"'),
    "no precision": Bad(lambda c: c["passes"]["int4"].pop("precision") and None, "missing_key", '"int4"'),
    "no data name": Bad(
        lambda c: rows(c)["load_dataset_config"].pop("data_name") and None, "missing_key", "load_dataset"
    ),
    "no name": Bad(drop(rows, "name"), "missing_key", "{"),
    "r is text": Bad(put(lora, r="eight"), "wrong_type", '"r"'),
    "r is negative": Bad(put(lora, r=-4), "out_of_range", '"r"', own=True),
    "r is half": Bad(put(lora, r=8.5), "wrong_type", '"r"'),
    "alpha below 1": Bad(put(lora, alpha=0), "out_of_range", '"alpha"', own=True),
    "dropout of 1": Bad(put(lora, lora_dropout=1.0), "out_of_range", "lora_dropout", own=True),
    "bfloat17": Bad(put(lora, torch_dtype="bfloat17"), "bad_choice", "bfloat17", own=True),
    "modules to save": Bad(put(lora, modules_to_save=["lm_head"]), "wrong_type", "modules_to_save"),
    "several values without a search": Bad(put(lora, r=[4, 8]), "wrong_type", '"r"'),
    "searchable without a search": Bad(put(lora, r="SEARCHABLE_VALUES"), "contradiction", "SEARCHABLE"),
    "learning rate fast": Bad(put(training, learning_rate="fast"), "wrong_type", "learning_rate"),
    "learning rate 0": Bad(put(training, learning_rate=0), "out_of_range", "learning_rate", own=True),
    "steps as text": Bad(put(training, max_steps="ten"), "wrong_type", "max_steps", own=True),
    "no steps": Bad(put(training, max_steps=0), "out_of_range", "max_steps", own=True),
    "batch of 0": Bad(put(training, per_device_train_batch_size=0), "out_of_range", "per_device", own=True),
    "unknown scheduler": Bad(put(training, lr_scheduler_type="cosin"), "bad_choice", "cosin"),
    "unknown sampling": Bad(
        put(training, train_sampling_strategy="longest"), "bad_choice", "longest", own=True, void=True
    ),
    "int5": Bad(lambda c: c["passes"]["int4"].update(precision="int5"), "bad_choice", "int5"),
    "int16 in ModelBuilder": Bad(lambda c: c["passes"]["int4"].update(precision="int16"), "bad_choice", "int16"),
    "fp16 on a CPU": Bad(lambda c: c["passes"]["int4"].update(precision="fp16"), "precision", "fp16"),
    "block size 48": Bad(lambda c: c["passes"]["int4"].update(int4_block_size=48), "bad_choice", "48"),
    "unknown strategy": Bad(put(text_of, strategy="lines"), "bad_choice", '"lines"'),
    "length as text": Bad(put(text_of, max_seq_len="long"), "wrong_type", "max_seq_len"),
    "length 0": Bad(put(text_of, max_seq_len=0), "out_of_range", "max_seq_len", own=True),
    "padding and dropping": Bad(
        put(text_of, pad_to_max_len=True, drop_short_sequences=True), "contradiction", "drop_short"
    ),
    "padding without a mask": Bad(
        put(text_of, pad_to_max_len=True, use_attention_mask=False), "contradiction", "use_attention_mask"
    ),
    "random without a number": Bad(put(text_of, strategy="join-random", random_seed=1), "missing_key", "join-random"),
    "sliding without a stride": Bad(
        put(text_of, strategy="join-sliding-window"), "missing_key", "join-sliding", own=True
    ),
    "padding on top": Bad(put(text_of, padding_side="top"), "bad_choice", '"top"'),
    "a name with a dash and a twin": Bad(
        lambda c: c["data_configs"].append({**rows(c), "name": "a b"}), "bad_name", "a b"
    ),
    "the same name twice": Bad(lambda c: c["data_configs"].append({**rows(c)}), "duplicate_name", '"name"'),
    "unknown data config": Bad(put(lora, train_data_config="trian"), "unknown_reference", "trian"),
    "unknown target": Bad(put(whole, target="local"), "unknown_reference", '"local"'),
    "unknown host of a pass": Bad(put(lora, host="here"), "unknown_reference", '"here"'),
    "unknown evaluator": Bad(put(whole, evaluator="quality"), "unknown_reference", "quality"),
    "two accelerators": Bad(
        put(system, accelerators=[{"device": "cpu"}, {"device": "gpu"}]), "too_many", '"accelerators"'
    ),
    "no such provider": Bad(
        put(system, accelerators=[{"device": "cpu", "execution_providers": ["CPU"]}]), "bad_choice", '"CPU"'
    ),
    "a search without an evaluator": Bad(put(whole, search_strategy=SEARCH), "contradiction", "search_strategy"),
    "unknown sampler": Bad(
        lambda c: (with_search(c), c.update(search_strategy={"execution_order": "joint", "sampler": "best"}))[1],
        "bad_choice",
        '"best"',
    ),
    "unknown metric": Bad(
        lambda c: c.update(evaluators={"e": {"metrics": [{"name": "m", "type": "speed"}]}}), "unknown_type", '"speed"'
    ),
    "unknown sub type": Bad(
        lambda c: c.update(evaluators={"e": {"metrics": [{**LATENCY, "sub_types": [{"name": "mean"}]}]}}),
        "bad_choice",
        '"mean"',
    ),
    "merge first": Bad(
        lambda c: c.update(passes={"merge": c["passes"]["merge"], "int4": c["passes"]["int4"]}),
        "pass_order",
        "MergeAdapter",
        own=True,
    ),
    "train after building": Bad(
        lambda c: c.update(passes={"int4": c["passes"]["int4"], "lora": lora(c)}), "pass_order", '"LoRA"', own=True
    ),
    "literal braces": Bad(put(text_of, text_template='{"a": {phrase}}'), "bad_template", "text_template", own=True),
    "an attribute": Bad(put(text_of, text_template="{phrase.text}"), "bad_template", "text_template", own=True),
    "a split without data": Bad(put(training, eval_strategy="steps"), "ignored", "eval_strategy", own=True, void=True),
    "a quantized model without its method": Bad(
        lambda c: c["input_model"].update(load_kwargs={"quantization_config": {"load_in_4bit": True}}),
        "contradiction",
        "quantization_config",
    ),
    "a log level of 9": Bad(put(whole, log_severity_level=9), "out_of_range", "log_severity_level", own=True),
    "a flag as text": Bad(put(whole, clean_cache="maybe"), "wrong_type", "clean_cache"),
    "an unknown phinb key": Bad(put(whole, phinb={"evalsplit": 0.1}), "unknown_key", "evalsplit", own=True, void=True),
    "a split of 1.5": Bad(put(whole, phinb={"eval_split": 1.5}), "out_of_range", "eval_split", own=True, void=True),
    "null for r": Bad(put(lora, r=None), "wrong_type", '"r"', own=True),
    "a learning rate of 5": Bad(put(training, learning_rate=5), "out_of_range", "learning_rate", own=True, void=True),
    "a beta without a point": Bad(put(training, adam_beta2=0), "wrong_type", "adam_beta2", own=True),
    "half a saving step": Bad(put(training, save_steps=1.5), "out_of_range", "save_steps"),
    "the best model without evaluation": Bad(
        put(training, load_best_model_at_end=True), "contradiction", "load_best_model_at_end"
    ),
    "a schedule without what it needs": Bad(
        put(training, lr_scheduler_type="warmup_stable_decay"), "missing_key", "lr_scheduler_type", own=True
    ),
    "a schedule that watches nothing": Bad(
        put(training, lr_scheduler_type="reduce_lr_on_plateau"), "contradiction", "lr_scheduler_type"
    ),
    "one step of warming up": Bad(
        put(training, max_steps=1, warmup_steps=1, lr_scheduler_type="linear"),
        "contradiction",
        "warmup_steps",
        own=True,
    ),
    "an unknown tracker": Bad(put(training, report_to="mlflw"), "bad_choice", "mlflw", own=True),
    "prefetching without workers": Bad(
        put(training, dataloader_prefetch_factor=2), "contradiction", "dataloader_prefetch_factor"
    ),
    "optimizer options in words": Bad(put(training, optim_args="fast"), "bad_value", "optim_args", own=True),
    "an inner key of checkpointing": Bad(
        put(training, gradient_checkpointing=True, gradient_checkpointing_kwargs={"reentrant": False}),
        "unknown_key",
        "reentrant",
        own=True,
    ),
    "a distributed backend": Bad(put(training, ddp_backend="gloo"), "contradiction", "ddp_backend"),
    "int8 in ModelBuilder": Bad(lambda c: c["passes"]["int4"].update(precision="int8"), "bad_choice", "int8", own=True),
    "fp32 with CUDA": Bad(
        lambda c: (
            system(c).update(accelerators=[{"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}]),
            c["passes"]["int4"].update(precision="fp32"),
        )[1],
        "precision",
        "fp32",
        own=True,
    ),
    "an unknown builder option": Bad(
        lambda c: c["passes"]["int4"].update(extra_options={"block": 32}), "unknown_key", '"block"', own=True
    ),
    "a quoted builder option": Bad(
        lambda c: c["passes"]["int4"].update(extra_options={"use_qdq": "true"}), "wrong_type", "use_qdq", own=True
    ),
    "an unknown search option": Bad(
        lambda c: c["passes"]["int4"].update(search={"max_len": 64}), "unknown_key", "max_len", own=True
    ),
    "an unknown int4 algorithm": Bad(
        lambda c: c["passes"]["int4"].update(int4_algo_config="gptq"), "bad_choice", "gptq", own=True
    ),
    "operators that nothing quantizes": Bad(
        lambda c: c["passes"]["int4"].update(int4_op_types_to_quantize=["Gemm"]), "bad_choice", "Gemm", own=True
    ),
    "ONNX before quantizing PyTorch": Bad(
        lambda c: c["passes"].update(rtn={"type": "Rtn"}), "pass_order", '"Rtn"', own=True
    ),
    "quantizing ONNX that is none yet": Bad(
        lambda c: c.update(passes={"quant": {"type": "OnnxDynamicQuantization"}}), "pass_order", "OnnxDynamic", own=True
    ),
    "DoRA built without a merge": Bad(
        lambda c: (lora(c).update(type="DoRA"), c["passes"].pop("merge"))[1], "pass_order", '"ModelBuilder"', own=True
    ),
    "metadata only of no ONNX": Bad(
        lambda c: c["passes"]["int4"].update(metadata_only=True), "pass_order", '"ModelBuilder"', own=True
    ),
    "passes that are null": Bad(lambda c: c.update(passes=None, evaluator=SPEED), "wrong_type", "passes"),
    "data configs that are null": Bad(
        lambda c: c.update(data_configs=None, passes={"int4": c["passes"]["int4"]}), "wrong_type", "data_configs"
    ),
    "an option of a schedule that is text": Bad(
        put(training, lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": "0.1"}),
        "wrong_type",
        "min_lr_rate",
        own=True,
    ),
    "an evaluator in place that names no data": Bad(
        lambda c: measure(c, {**SPEED, "metrics": [{**LATENCY, "data_config": "trian"}]}), "unknown_reference", "trian"
    ),
    "an evaluator in a pass that names data": Bad(
        lambda c: c["passes"]["merge"].update(evaluator=SPEED), "olive_fails", '"data_config"'
    ),
    "an evaluator without a type": Bad(
        lambda c: c.update(evaluators={"size": {"metrics": [SIZE]}}, evaluator="size"),
        "olive_fails",
        '"size"',
        own=True,
    ),
    "an evaluator of a pass without a type": Bad(
        lambda c: c["passes"]["int4"].update(evaluator={"metrics": [SIZE]}), "olive_fails", '"evaluator"', own=True
    ),
    "an evaluator whose metrics are misspelt": Bad(
        lambda c: measure(c, {"type": "PyTorchEvaluator", "metrcs": [LATENCY]}), "unknown_key", "metrcs", own=True
    ),
    "an evaluator without metrics": Bad(
        lambda c: measure(c, {"type": "PyTorchEvaluator"}), "missing_key", '"evaluator"', own=True
    ),
    "tasks without a task": Bad(
        lambda c: measure(c, {"type": "LMEvaluator", "batch_size": 2}), "missing_key", '"evaluator"', own=True
    ),
    "an unknown option of lm-eval": Bad(
        lambda c: measure(c, {"type": "LMEvaluator", "tasks": ["a"], "limits": 2}), "unknown_key", "limits", own=True
    ),
    "a latency of nothing": Bad(lambda c: measure(c, without(SPEED, "data_config")), "missing_key", "{", own=True),
    "a latency without sub types": Bad(lambda c: measure(c, without(SPEED, "sub_types")), "missing_key", "{", own=True),
    "a latency of what ModelBuilder makes": Bad(
        lambda c: c.update(evaluator={**SPEED, "type": "OnnxEvaluator"}, evaluate_input_model=False),
        "olive_fails",
        '"OnnxEvaluator"',
        own=True,
    ),
    "the input model measured as ONNX": Bad(
        lambda c: (
            c.update(passes={"convert": {"type": "OnnxConversion"}}),
            c.update(evaluator={**SPEED, "type": "OnnxEvaluator"}),
        )[1],
        "contradiction",
        '"OnnxEvaluator"',
        own=True,
    ),
    "ONNX measured as PyTorch": Bad(
        lambda c: c.update(passes={"convert": {"type": "OnnxConversion"}}, evaluator=QUALITY),
        "contradiction",
        '"PyTorchEvaluator"',
        own=True,
    ),
    "an evaluator that a pass names": Bad(
        lambda c: (
            c.update(evaluators={"speed": {"metrics": [LATENCY]}}),
            c["passes"]["int4"].update(evaluator="speed"),
        )[1],
        "olive_fails",
        '"speed"',
    ),
    "a custom metric": Bad(
        lambda c: c.update(
            evaluators={"own": {"metrics": [{"name": "own", "type": "custom", "sub_types": [{"name": "a"}]}]}}
        ),
        "olive_fails",
        '"custom"',
    ),
    "a formatting function": Bad(
        put(text_of, text_formatting_func="make", user_script="a.py"), "olive_fails", "text_formatting_func"
    ),
    "a goal that is none": Bad(
        lambda c: c.update(
            evaluators={
                "e": {"metrics": [{**LATENCY, "sub_types": [{"name": "avg", "goal": {"type": "best", "value": 1}}]}]}
            }
        ),
        "bad_choice",
        '"best"',
    ),
    "a container in another case": Bad(
        put(rows, type="huggingfacecontainer"), "bad_case", "huggingfacecontainer", own=True
    ),
    "a split that the file has not": Bad(
        lambda c: rows(c)["load_dataset_config"].update(split="validation"), "unknown_split", "validation", own=True
    ),
    "half a split": Bad(
        lambda c: rows(c)["load_dataset_config"].update(split="train[10%"), "bad_split", "train[10%", own=True
    ),
    "no files": Bad(
        lambda c: rows(c)["load_dataset_config"].update(data_files=[]), "wrong_type", "data_files", own=True
    ),
    "an option that JSON lost": Bad(
        lambda c: rows(c)["load_dataset_config"].update(newlines_in_values=True), "gone", "newlines_in_values"
    ),
    "the name that load_dataset has": Bad(
        lambda c: rows(c)["load_dataset_config"].update(name="split"), "unknown_key", '"name": "split"'
    ),
    "a stride beyond the length": Bad(
        put(text_of, strategy="join-sliding-window", stride=65), "contradiction", "stride", own=True
    ),
    "a data config of nothing": Bad(lambda c: rows(c).pop("load_dataset_config") and None, "missing_key", "{"),
    "an unknown task": Bad(
        lambda c: c["input_model"].update(task="text-genration"), "unknown_task", "text-genration", own=True
    ),
    "a task without adapters": Bad(
        lambda c: c["input_model"].update(task="fill-mask"), "wrong_task", "fill-mask", own=True
    ),
    "an unknown dtype": Bad(
        lambda c: c["input_model"].update(load_kwargs={"torch_dtype": "float17"}), "bad_choice", "float17", own=True
    ),
    "an unknown key of bitsandbytes": Bad(
        lambda c: c["input_model"].update(
            load_kwargs={"quantization_method": "bitsandbytes", "quantization_config": {"load_4bit": True}}
        ),
        "unknown_key",
        "load_4bit",
    ),
    "a Python environment without a path": Bad(
        lambda c: c["systems"].update(other={"type": "PythonEnvironment"}), "missing_key", '"other"'
    ),
    "a Docker system without its file": Bad(
        lambda c: c["systems"].update(other={"type": "Docker", "build_context_path": "d"}), "missing_key", '"other"'
    ),
    "an NPU without a provider": Bad(put(system, accelerators=[{"device": "npu"}]), "missing_key", "{", own=True),
    "a provider of two devices": Bad(
        put(system, accelerators=[{"execution_providers": ["DmlExecutionProvider"]}]), "missing_key", "{", own=True
    ),
    "a provider of another device": Bad(
        put(system, accelerators=[{"device": "cpu", "execution_providers": ["CUDAExecutionProvider"]}]),
        "contradiction",
        "CUDAExecutionProvider",
        own=True,
    ),
    "group size of GPTQ": Bad(
        lambda c: c.update(passes={"q": {"type": "Gptq", "group_size": 0}}), "bad_choice", "group_size"
    ),
    "an int32 quantization": Bad(
        lambda c: c.update(
            passes={"convert": {"type": "OnnxConversion"}, "q": {"type": "OnnxQuantization", "precision": "int32"}}
        ),
        "bad_choice",
        "int32",
    ),
    "fixed shapes without names": Bad(
        lambda c: c.update(passes={"convert": {"type": "OnnxConversion"}, "fix": {"type": "DynamicToFixedShape"}}),
        "missing_key",
        '"fix"',
    ),
    "a null to be searched": Bad(lambda c: (with_search(c), lora(c).update(r=[8, None]))[1], "wrong_type", "null"),
    "a word of FSDP": Bad(put(training, fsdp="full"), "bad_choice", '"full"'),
    "a file list for Docker": Bad(
        put(whole, packaging_config={"type": "Dockerfile", "requirements_file": ["a.txt"]}),
        "wrong_type",
        "requirements_file",
    ),
}
