"""Yesterday's passes -> today's: their types, and the parameters of adapter training. Rules of upgrade.py."""

from __future__ import annotations

from collections.abc import Mapping

from phinb.config.document import Node
from phinb.config.sections import ADAPTER_PASSES, passes
from phinb.config.upgrades.rewrite import Rewrite

_TYPES = {
    "ortperftuning": "OrtSessionParamsTuning",
    "sessionparamstuning": "OrtSessionParamsTuning",
    "ortsessionparamstuner": "OrtSessionParamsTuning",
    "genaimodelexporter": "ModelBuilder",
    "incquantizer": "IncQuantization",
    "onnxmodeloptimizer": "OnnxPeepholeOptimizer",
    "onnxiofloat16tofloat32": "OnnxIODataTypeConverter",
    "optimummodelconversion": "OptimumConversion",
}
"""Renamed pass types, by the old name in lower case (olive_config.json of 0.5.2 to 0.13)."""

_QUALCOMM = "Qualcomm's SNPE is no longer supported; the Qairt and QNN passes build for the same devices."
_VITIS = "Write QuarkQuantization for a model on AMD's NPU, or OnnxStaticQuantization."

GONE_PASSES: Mapping[str, str] = {
    "appendprepostprocessingops": "Put the steps before and after the model into the program that runs it.",
    "insertbeamsearch": "ModelBuilder makes a model that onnxruntime-genai searches with; its parameter is search.",
    "moeexpertsdistributor": "Olive no longer distributes experts; ModelBuilder takes a mixture of experts as it is.",
    "poweroftwomethod": _VITIS,
    "vitisaiquantization": _VITIS,
    "vitisqdqquantizer": _VITIS,
    "vitisqopquantizer": _VITIS,
    "pytorchtensorparallel": "Olive no longer splits a model over processes; build it for one device.",
    "quantizationawaretraining": "Train an adapter (LoRA, QLoRA) and quantize it afterwards: Gptq, ModelBuilder.",
    "snpeconversion": _QUALCOMM,
    "snpequantization": _QUALCOMM,
    "snpetoonnxconversion": _QUALCOMM,
    "torchtrtconversion": "Convert to ONNX (OnnxConversion), and name TensorrtExecutionProvider as the provider.",
}
"""Pass types of Olive 0.5 to 0.11 that 0.13 has no more, in lower case, and what to do; checks/passes.py tells it."""

_QUANTIZATION = ("double_quant", "quant_type", "compute_dtype", "save_quant_config")

_OLD_TRAINER = {
    "use_ort_trainer": "Olive trains with transformers only.",
    "ortmodule_onnx_opset_version": "It belonged to the ONNX Runtime trainer, which Olive no longer uses.",
}


def rename_types(rewrite: Rewrite) -> None:
    """Pass types with a new name: OrtPerfTuning, GenAIModelExporter, OnnxModelOptimizer, ..."""
    for entry in passes(rewrite.root):
        new = _TYPES.get(entry.type.rpartition(".")[2].lower())
        known = rewrite.schema.pass_name(entry.type) is not None
        if new is not None and not known and rewrite.schema.pass_name(new) is not None:
            rewrite.replace(entry.node, "type", {"type": new}, f"The pass {entry.type} is called {new} now.")


def _adapter_passes(rewrite: Rewrite) -> list[tuple[Node, str]]:
    """The passes that train an adapter, with Olive's own name of their type."""
    found = [(entry.node, rewrite.schema.pass_name(entry.type)) for entry in passes(rewrite.root)]
    return [(node, name) for node, name in found if name in ADAPTER_PASSES]


def rename_lora_parameters(rewrite: Rewrite) -> None:
    """lora_r and lora_alpha -> r and alpha."""
    for node, name in _adapter_passes(rewrite):
        known = rewrite.schema.pass_group(name).parameters
        for old, new in (("lora_r", "r"), ("lora_alpha", "alpha")):
            if old not in known and new in known:
                why = f"{old} is now {new}; Olive would ignore it and train with its default {known[new].default}."
                rewrite.rename(node, old, new, why)


def drop_adapter_quantization(rewrite: Rewrite) -> None:
    """double_quant, quant_type, ... on a pass that does not quantize its base model."""
    for node, name in _adapter_passes(rewrite):
        known = rewrite.schema.pass_group(name).parameters
        for key in _QUANTIZATION:
            if key not in known:
                why = f"{name} does not quantize the base model, so {key} had no effect; QLoRA has it."
                rewrite.remove(node, key, why)


def drop_old_trainer(rewrite: Rewrite) -> None:
    """use_ort_trainer and its option: there is one trainer now."""
    for node, name in _adapter_passes(rewrite):
        known = rewrite.schema.pass_group(name).parameters
        for key, why in _OLD_TRAINER.items():
            if key not in known:
                rewrite.remove(node, key, why)


def drop_bias(rewrite: Rewrite) -> None:
    """bias of an adapter: "none" is the only way now."""
    for node, name in _adapter_passes(rewrite):
        given = node.get("bias")
        if given is None or "bias" in rewrite.schema.pass_group(name).parameters:
            continue
        if given.value in ("none", None):
            rewrite.remove(node, "bias", "Olive trains no biases; none was the default.")
        else:
            hint = "Remove it. modules_to_save trains whole modules, if that was the intent."
            rewrite.problem("no_place", given, f"Olive no longer trains biases (bias: {given.plain()!r}).", hint)
            node.value.pop("bias")


def keep_eval_split(rewrite: Rewrite) -> None:
    """eval_dataset_size -> phinb.eval_split: Olive has dropped the split, phinb makes it.

    Old Olive split the tokenised sequences with `train_test_split(test_size=..., seed=42)`, shuffled, where no
    eval_data_config was given.
    """
    for holder, _ in _adapter_passes(rewrite):
        node = holder.get("eval_dataset_size")
        if node is None:
            continue
        share = node.value
        given = holder.get("eval_data_config")
        if (given is not None and given.value is not None) or share is None:
            why = "It had no effect beside eval_data_config, or without a value."
            rewrite.remove(holder, "eval_dataset_size", why)
        elif isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            hint = 'Write "phinb": {"eval_split": 0.3} for a share of the sequences, or name an eval_data_config.'
            message = f"eval_dataset_size {node.plain()!r} cannot be kept: phinb splits off a share between 0 and 1."
            rewrite.problem("no_place", node, message, hint)
            holder.value.pop("eval_dataset_size")
        else:
            _set_eval_split(rewrite, holder, node)


def _set_eval_split(rewrite: Rewrite, holder: Node, node: Node) -> None:
    section = rewrite.section("phinb", node)
    given = section.get("eval_split")
    if given is not None and given.value is not None and given.value != node.value:
        message = f"eval_dataset_size {node.value} contradicts phinb.eval_split {given.plain()}."
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
