"""Yesterday's passes and training arguments -> today's. Rules of upgrade.py."""

from __future__ import annotations

from phinb.config.document import Node
from phinb.config.rewrite import Rewrite
from phinb.config.sections import ADAPTER_PASSES, passes, text

_TYPES = {
    "ortperftuning": "OrtSessionParamsTuning",
    "sessionparamstuning": "OrtSessionParamsTuning",
    "genaimodelexporter": "ModelBuilder",
    "ortsessionparamstuner": "OrtSessionParamsTuning",
    "incquantizer": "IncQuantization",
}
"""Renamed pass types, by the old name in lower case."""

_QUANTIZATION = ("double_quant", "quant_type", "compute_dtype", "save_quant_config")

_GONE = {
    "use_ort_trainer": "Olive trains with transformers only.",
    "ortmodule_onnx_opset_version": "It belonged to the ONNX Runtime trainer, which Olive no longer uses.",
}

_TRAINING_RENAMED = {
    "evaluation_strategy": "eval_strategy",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "no_cuda": "use_cpu",
    "fp16_backend": "half_precision_backend",
}
"""Arguments that transformers has renamed; applied where it no longer takes the old and takes the new."""


def rename_types(rewrite: Rewrite) -> None:
    """Pass types with a new name: OrtPerfTuning, GenAIModelExporter, ..."""
    for entry in passes(rewrite.root):
        new = _TYPES.get(entry.type.lower())
        known = rewrite.schema.pass_name(entry.type) is not None
        if new is not None and not known and rewrite.schema.pass_name(new) is not None:
            rewrite.replace(entry.node, "type", {"type": new}, f"The pass {entry.type} is called {new} now.")


def upgrade_adapter(rewrite: Rewrite) -> None:
    """lora_r and lora_alpha -> r and alpha; quantization parameters that LoRA does not have; the old trainer's."""
    for entry in passes(rewrite.root):
        name = rewrite.schema.pass_name(entry.type)
        if name not in ADAPTER_PASSES:
            continue
        known = rewrite.schema.pass_group(name).parameters
        for old, new in (("lora_r", "r"), ("lora_alpha", "alpha")):
            if old not in known:
                why = f"{old} is now {new}; Olive would ignore it and train with its default {known[new].default}."
                rewrite.rename(entry.node, old, new, why)
        for key in _QUANTIZATION:
            if key not in known and entry.node.get(key) is not None:
                why = f"{name} does not quantize the base model, so {key} had no effect; QLoRA has it."
                rewrite.remove(entry.node, key, why)
        for key, why in _GONE.items():
            if key not in known:
                rewrite.remove(entry.node, key, why)


def keep_eval_split(rewrite: Rewrite) -> None:
    """eval_dataset_size -> phinb.eval_split: Olive has dropped the split, phinb makes it.

    Old Olive split the tokenised sequences with `train_test_split(test_size=..., seed=42)`, shuffled, where no
    eval_data_config was given.
    """
    for entry in passes(rewrite.root):
        node = entry.node.get("eval_dataset_size")
        if node is None or rewrite.schema.pass_name(entry.type) not in ADAPTER_PASSES:
            continue
        share = node.value
        if entry.node.get("eval_data_config") is not None or share is None:
            rewrite.remove(
                entry.node, "eval_dataset_size", "It had no effect beside eval_data_config, or without a value."
            )
        elif isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            hint = 'Write "phinb": {"eval_split": 0.3} for a share of the sequences, or name an eval_data_config.'
            message = f"eval_dataset_size {share!r} cannot be kept: phinb splits off a share between 0 and 1."
            rewrite.problem("no_place", node, message, hint)
            entry.node.value.pop("eval_dataset_size")
        else:
            _set_eval_split(rewrite, entry.node, node)


def _set_eval_split(rewrite: Rewrite, holder: Node, node: Node) -> None:
    section = rewrite.section("phinb", node)
    given = section.get("eval_split")
    if given is not None and given.value != node.value:
        message = f"eval_dataset_size {node.value} contradicts phinb.eval_split {given.value}."
        rewrite.problem("contradiction", node, message, "One split is made for all passes: keep one of the two.")
        holder.value.pop("eval_dataset_size")
        return
    if section.is_mapping:
        section.value["eval_split"] = rewrite.made(node.value, node, "eval_dataset_size")
    holder.value.pop("eval_dataset_size")
    why = (
        "Olive no longer splits off evaluation data; phinb does, as Olive did: tokenised sequences, shuffled, seed 42."
    )
    rewrite.record(node, {"eval_dataset_size": node.value}, {"phinb": {"eval_split": node.value}}, why)


def upgrade_training_args(rewrite: Rewrite) -> None:
    """Training arguments that transformers has renamed, or takes in another form."""
    taken = rewrite.schema.data["training_args"]["transformers"]
    for entry in passes(rewrite.root):
        arguments = entry.node.get("training_args")
        if arguments is None or not arguments.is_mapping:
            continue
        for old, new in _TRAINING_RENAMED.items():
            if old not in taken and new in taken:
                rewrite.rename(arguments, old, new, f"transformers calls it {new} now; {old} would be ignored.")
        if "group_by_length" not in taken and "train_sampling_strategy" in taken:
            _group_by_length(rewrite, arguments)
        if "warmup_ratio" not in taken:
            _warmup_ratio(rewrite, arguments)


def _group_by_length(rewrite: Rewrite, arguments: Node) -> None:
    node = arguments.get("group_by_length")
    if node is None:
        return
    if node.value is True and arguments.get("train_sampling_strategy") is None:
        new = {"train_sampling_strategy": "group_by_length"}
        rewrite.replace(
            arguments, "group_by_length", new, "It is now a sampling strategy; transformers would ignore it."
        )
    elif node.value in (False, None):
        rewrite.remove(arguments, "group_by_length", "Not grouping is the default.")


def _warmup_ratio(rewrite: Rewrite, arguments: Node) -> None:
    """transformers 5 reads a warmup_steps below 1 as a share of all steps (TrainingArguments.get_warmup_steps)."""
    node = arguments.get("warmup_ratio")
    if node is None:
        return
    ratio = node.value
    if arguments.get("warmup_steps") is not None or ratio is None:
        rewrite.remove(arguments, "warmup_ratio", "warmup_steps stands beside it and has always come first.")
    elif isinstance(ratio, int | float) and not isinstance(ratio, bool) and 0 <= ratio < 1:
        why = "transformers takes a share of the steps as warmup_steps below 1; warmup_ratio would be ignored."
        rewrite.replace(arguments, "warmup_ratio", {"warmup_steps": ratio}, why)
    else:
        hint = "Write warmup_steps: a number of steps, or a share of them between 0 and 1."
        rewrite.problem(
            "out_of_range", node, f"warmup_ratio {text(node) or ratio!r} is no share between 0 and 1.", hint
        )
        arguments.value.pop("warmup_ratio")
