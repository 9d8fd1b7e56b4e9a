"""Yesterday's parameters of quantization and conversion passes -> today's. Rules of upgrade.py.

Each looks first whether the installed pass takes the old parameter. Sources: the `_default_config` of each pass in
Olive 0.5.2, 0.6.2, 0.8.0, 0.9.2 and 0.13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phinb.config.document import Node
from phinb.config.schema import Parameter
from phinb.config.sections import passes
from phinb.config.upgrades.rewrite import Rewrite

_RENAMED: Mapping[str, Mapping[str, str]] = {
    "AutoAWQQuantizer": {"w_bit": "bits"},
    "OnnxBnb4Quantization": {"quant_type": "precision"},
    "OnnxConversion": {"use_device": "device"},
    "OnnxDynamicQuantization": {"WeightSymmetric": "weight_symmetric", "ActivationSymmetric": "activation_symmetric"},
    "OnnxQuantization": {
        "WeightSymmetric": "weight_symmetric",
        "ActivationSymmetric": "activation_symmetric",
        "prepare_qnn_config": "prepare_qdq_config",
    },
    "OnnxStaticQuantization": {
        "WeightSymmetric": "weight_symmetric",
        "ActivationSymmetric": "activation_symmetric",
        "prepare_qnn_config": "prepare_qdq_config",
    },
}
"""Parameters by pass: the old name and the new one."""

_TYPES = {
    "QInt4": "int4",
    "QUInt4": "uint4",
    "QInt8": "int8",
    "QUInt8": "uint8",
    "QInt16": "int16",
    "QUInt16": "uint16",
}
"""ONNX Runtime's names of integer types, and Olive's precisions (quant_type_from_precision)."""

_OPTIONS = ("EnableSubgraph", "ForceQuantizeNoInputCheck", "MatMulConstBOnly", "extra.Sigmoid.nnapi")
"""Parameters that go to ONNX Runtime by extra_options now."""

_FEEDING = ("data_dir", "batch_size", "dataloader_func_kwargs")

_NBITS = "onnxmatmul4quantizer"
_NBITS_ALGORITHMS = {
    "": "OnnxBlockWiseRtnQuantization",
    "default": "OnnxBlockWiseRtnQuantization",
    "rtn": "OnnxBlockWiseRtnQuantization",
    "hqq": "OnnxHqqQuantization",
}
_NBITS_BLOCK = 32
"""The old pass's default block; today's passes take 128."""


def _passes(rewrite: Rewrite) -> Iterator[tuple[Node, str, Mapping[str, Parameter]]]:
    """Every pass that the installed Olive knows: node, name, parameters."""
    for entry in passes(rewrite.root):
        name = rewrite.schema.pass_name(entry.type)
        if name is not None:
            yield entry.node, name, rewrite.schema.pass_group(name).parameters


def replace_matmul_quantizer(rewrite: Rewrite) -> None:
    """OnnxMatMul4Quantizer (until 0.8) -> the pass of its algorithm, with the old block size."""
    for entry in passes(rewrite.root):
        node = entry.node
        if entry.type.rpartition(".")[2].lower() != _NBITS or rewrite.schema.pass_name(entry.type) is not None:
            continue
        algorithm = node.get("algorithm")
        name = "" if algorithm is None or algorithm.value is None else str(algorithm.plain())
        new = _NBITS_ALGORITHMS.get(name.lower())
        if new is None:
            hint = "Quantize before the conversion: Gptq, then ModelBuilder or OnnxConversion."
            message = f"Olive no longer quantizes ONNX models with the algorithm {name}."
            rewrite.problem("no_place", algorithm or node, message, hint)
            new = _NBITS_ALGORITHMS[""]
        before = node.plain()
        known = rewrite.schema.pass_group(new).parameters
        node.value.pop("algorithm", None)
        node.value["type"] = rewrite.made(new, node.value["type"], "type")
        if node.get("block_size") is None:
            node.value["block_size"] = rewrite.made(_NBITS_BLOCK, node.value["type"], "the old default")
        _drop_matmul_details(rewrite, node, known)
        why = f"The pass was divided by its algorithms; this one is {new}. Its default block was {_NBITS_BLOCK}."
        rewrite.record(node, before, node.plain(), why)


def _drop_matmul_details(rewrite: Rewrite, node: Node, known: Mapping[str, Parameter]) -> None:
    """What the divided passes no longer take: out where it said what is done anyway, else a problem."""
    axes = node.get("quant_axes")
    axis = axes.get("MatMul") if axes is not None else None
    if axis is not None and "axis" in known:
        node.value["axis"] = axis
        node.value.pop("quant_axes")
    for key in ("quant_axes", "op_types_to_quantize", "weight_only_quant_configs", "is_symmetric", "data_config"):
        given = node.get(key)
        if given is None or key in known:
            continue
        node.value.pop(key)
        if given.value is not None and given.plain() not in (["MatMul"], {}, []):
            hint = "Remove it; nodes_to_exclude and nodes_to_include choose what is quantized."
            rewrite.problem("no_place", given, f'The pass no longer takes "{key}".', hint)


def rename_parameters(rewrite: Rewrite) -> None:
    """w_bit -> bits, quant_type -> precision, WeightSymmetric -> weight_symmetric, ..."""
    for node, name, known in _passes(rewrite):
        for old, new in _RENAMED.get(name, {}).items():
            if old not in known and new in known:
                rewrite.rename(node, old, new, f"{name} calls it {new} now; Olive would ignore {old}.")


def spell_integer_types(rewrite: Rewrite) -> None:
    """weight_type: "QInt8" -> precision: "int8"; activation_type in the same words."""
    for node, name, known in _passes(rewrite):
        if not name.startswith(("OnnxQuantization", "OnnxStatic", "OnnxDynamic", "Vitis", "Inc")):
            continue
        if "weight_type" not in known and "precision" in known:
            rewrite.rename(node, "weight_type", "precision", f"{name} calls the weights' type precision now.")
        for key in ("precision", "activation_type"):
            given = node.get(key)
            new = _spelled(given.plain()) if given is not None and key in known else None
            if given is not None and new != given.plain() and new is not None:
                rewrite.replace(node, key, {key: new}, "Olive has words of its own for integer types now.")


def _spelled(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelled(entry) for entry in value]
    return _TYPES.get(value, value) if isinstance(value, str) else value


def nest_extra_options(rewrite: Rewrite) -> None:
    """EnableSubgraph, MatMulConstBOnly, ... -> extra_options, which goes to ONNX Runtime as it is."""
    for node, _, known in _passes(rewrite):
        for key in _OPTIONS:
            given = node.get(key)
            if given is None or key in known or "extra_options" not in known:
                continue
            holder = node.get("extra_options")
            if holder is None or holder.value is None:
                holder = node.value["extra_options"] = rewrite.made({}, given, key)
            if not holder.is_mapping:
                continue
            node.value.pop(key)
            name = key.removeprefix("extra.")
            given.origin, given.note = "upgrade", f"upgrade of {key}"
            holder.value[name] = given  # an own parameter went before extra_options
            after = {"extra_options": {name: given.plain()}}
            rewrite.record(given, {key: given.plain()}, after, "It goes to ONNX Runtime by extra_options now.")


def drop_pass_feeding(rewrite: Rewrite) -> None:
    """dataloader_func and what belonged to it (until 0.6): a pass takes its data from a data config."""
    for node, _, known in _passes(rewrite):
        loader = node.get("dataloader_func")
        if loader is not None and "dataloader_func" not in known:
            if loader.value is None:
                rewrite.remove(node, "dataloader_func", "It was empty.")
            else:
                hint = "Register it with @Registry.register_dataset in a user_script of a data config, and name that "
                hint += 'as "data_config" of the pass.'
                message = 'A pass no longer takes a function of yours as "dataloader_func"; data_dir, batch_size and '
                rewrite.problem("no_place", loader, f"{message}its arguments go with it.", hint)
                for key in ("dataloader_func", *_FEEDING):
                    if key not in known:
                        node.value.pop(key, None)
        for key in _FEEDING:
            if key not in known:
                rewrite.remove(node, key, "Only a dataloader_func used it; the data config has its own.")


def drop_gone_parameters(rewrite: Rewrite) -> None:
    """Parameters that changed nothing, or are always so now."""
    gone = {
        ("AutoAWQQuantizer", "pack_model_for_onnx_conversion"): "The conversion packs the model by itself.",
        ("OnnxConversion", "merge_components"): "The conversion exports one merged model.",
    }
    for node, name, known in _passes(rewrite):
        for (owner, key), why in gone.items():
            if name == owner and key not in known:
                rewrite.remove(node, key, why)
