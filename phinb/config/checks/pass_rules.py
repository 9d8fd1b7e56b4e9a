"""What some passes demand of their parameters together: their own `validate_config`, in Olive 0.13.

A pass whose validation says no is dropped in a run ("Invalid config, pruned"), and there is no output. The rules for
training passes and ModelBuilder stand in files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from phinb.config.checks.building import find_target
from phinb.config.checks.findings import Findings, number_of
from phinb.config.document import Node
from phinb.config.schema import Group
from phinb.config.sections import PassEntry
from phinb.config.value_types import show


class Given:
    """The parameters of one pass: as given, else by default."""

    def __init__(self, findings: Findings, node: Node, group: Group) -> None:
        self.findings = findings
        self.node = node
        self._group = group

    def value(self, key: str) -> Any:
        member = self.node.get(key)
        if member is not None and member.value != "DEFAULT_VALUE":
            return member.plain()
        return self._group.parameters[key].default if key in self._group.parameters else None

    def wrong(self, key: str, message: str, hint: str) -> None:
        """An error at the value of a key; where it is not given, at the pass."""
        member = self.node.get(key)
        if member is None:
            self.findings.missing("missing_key", self.node, message, hint, (key,))
        else:
            self.findings.add("bad_choice", member, message, hint)

    def one_of(self, key: str, allowed: tuple[Any, ...]) -> None:
        member = self.node.get(key)
        if member is None or member.value in ("DEFAULT_VALUE", "SEARCHABLE_VALUES"):
            return
        if isinstance(member.value, str | int) and member.value not in allowed:
            self.findings.choice(member, key, allowed)


Rule = Callable[[Given], None]


def check_pass_rules(findings: Findings, entry: PassEntry, name: str) -> None:
    """The rules of one pass; nothing for a pass that has none."""
    rule = RULES.get(name)
    if rule is not None:
        rule(Given(findings, entry.node, findings.schema.pass_group(name)))


def _group_size(given: Given) -> None:
    size = number_of(given.node.get("group_size"))
    if size is not None and size <= 0 and size != -1:
        given.wrong("group_size", f'"group_size" is {show(size)}: it must be above 0, or -1 for a whole row.', "")


def _autoclip(given: Given) -> None:
    _group_size(given)
    given.one_of("bits", (2, 4, 8))


def _gptq(given: Given) -> None:
    _group_size(given)
    if given.value("desc_act") is True and given.value("group_size") != -1:
        message = "desc_act works with whole rows only, and group_size is not -1: Olive would drop the pass."
        given.wrong("desc_act", message, 'Add "group_size": -1, or remove desc_act.')


def _mixed_precision(given: Given) -> None:
    algorithm, ratio = str(given.value("algorithm") or ""), given.value("ratio")
    if algorithm.startswith("k_quant"):
        return
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1:
        given.wrong("ratio", f'With the algorithm {algorithm}, "ratio" must be between 0 and 1.', 'Add "ratio": 0.5.')


def _split(given: Given) -> None:
    if given.value("num_splits") is None and given.value("cost_model") is None:
        given.wrong("num_splits", 'CaptureSplitInfo needs "num_splits" or "cost_model".', 'Add "num_splits": 2.')


def _annotations(given: Given) -> None:
    found = given.value("layer_annotations")
    if "layer_annotations" in dict(given.node.items()):
        good = (
            isinstance(found, Mapping)
            and found
            and all(
                isinstance(names, list) and names and all(isinstance(name, str) and name for name in names)
                for names in found.values()
            )
        )
        if not good:
            message = '"layer_annotations" must name, for each annotation, a list of layers.'
            given.wrong("layer_annotations", message, 'As in {"attention": ["self_attn"]}.')


def _quantization(given: Given) -> None:
    given.one_of("precision", _INTEGERS)
    if given.value("quant_mode") == "static":
        given.one_of("activation_type", _INTEGERS)


_INTEGERS = ("int4", "uint4", "int8", "uint8", "int16", "uint16")


def _bnb(given: Given) -> None:
    given.one_of("precision", ("fp4", "nf4", None))


def _aimet(given: Given) -> None:
    given.one_of("precision", ("int4", "int8", "int16"))
    given.one_of("activation_type", ("uint8", "uint16", "fp16"))
    given.one_of("quant_scheme", ("min_max", "tf_enhanced"))


def _optimum(given: Given) -> None:
    if given.value("fp16") is True and given.value("device") != "cuda":
        given.wrong("fp16", "fp16 needs the device cuda: Olive would drop the pass.", 'Add "device": "cuda".')


def _transformers(given: Given) -> None:
    """OrtTransformersOptimization."""
    _, provider = find_target(given.findings)
    if given.value("float16") is True and provider in ("CPUExecutionProvider", "TensorrtExecutionProvider"):
        given.wrong("float16", f"float16 is not for {provider}: Olive would drop the pass.", "Remove it.")
    if given.value("use_gqa") is True and given.value("float16") is not True:
        given.wrong("use_gqa", "use_gqa needs float16: Olive would drop the pass.", 'Add "float16": true.')
    if given.value("use_gpu") is True and provider == "CPUExecutionProvider":
        given.wrong("use_gpu", "use_gpu, and the target is a CPU: Olive would drop the pass.", "Remove it.")
    level = given.value("opt_level")
    if given.value("only_onnxruntime") is True and not (isinstance(level, int) and level > 0):
        message = "only_onnxruntime needs an opt_level above 0: Olive would drop the pass."
        given.wrong("only_onnxruntime", message, 'Add "opt_level": 1.')


def _session(given: Given) -> None:
    """OrtSessionParamsTuning: it tunes for the target's provider only, and cannot bind what is not on a GPU."""
    _, target = find_target(given.findings)
    provider = given.value("providers_list")
    if provider == "CUDAExecutionProvider" and given.value("io_bind") is not True:
        given.wrong("providers_list", "With CUDAExecutionProvider io_bind must be on.", 'Add "io_bind": true.')
    elif provider == "CPUExecutionProvider" and given.value("io_bind") is True:
        given.wrong("io_bind", "io_bind is not for CPUExecutionProvider: Olive would drop the pass.", "Remove it.")
    elif provider != target and given.value("force_evaluate_other_eps") is not True:
        message = f"It would tune for {provider}, and the target is {target}: Olive would drop the pass."
        given.wrong("providers_list", message, f'Write "providers_list": "{target}".')


def _modelopt(given: Given) -> None:
    given.one_of("precision", ("int4",))
    given.one_of("algorithm", ("awq", "rtn"))
    if given.value("use_random_calibration_data") is not True and not given.value("tokenizer_dir"):
        message = 'It needs the model\'s "tokenizer_dir" to calibrate, or "use_random_calibration_data".'
        given.wrong("tokenizer_dir", message, "Name the folder with the model's tokenizer.")


def _vitis(given: Given) -> None:
    given.one_of("activation_type", _INTEGERS)
    given.one_of("weight_type", _INTEGERS)


def _fixed_shape(given: Given) -> None:
    """DynamicToFixedShape: dimensions by name, or inputs by name, each with as many values."""
    names = {key: given.value(key) for key in ("dim_param", "dim_value", "input_name", "input_shape")}
    sizes = {key: len(value) for key, value in names.items() if isinstance(value, list) and value}
    if not sizes:
        given.wrong("dim_param", 'It needs "dim_param" and "dim_value", or "input_name" and "input_shape".', "")
    elif {"dim_param", "dim_value"} & set(sizes) and {"input_name", "input_shape"} & set(sizes):
        given.wrong("input_name", "Dimensions and inputs shut each other out: name the one or the other.", "")
    values = names["dim_value"] if isinstance(names["dim_value"], list) else []
    if any(isinstance(value, str) or (isinstance(value, int) and value < 0) for value in values):
        given.wrong("dim_value", '"dim_value" must hold whole numbers that are not negative.', "")
    for one, other in (("dim_param", "dim_value"), ("input_name", "input_shape")):
        if sizes.get(one, 0) != sizes.get(other, 0) and (one in sizes or other in sizes):
            given.wrong(one, f'"{one}" and "{other}" must have as many entries as each other.', "")


RULES: Mapping[str, Rule] = {
    "AutoClip": _autoclip,
    "Gptq": _gptq,
    "KQuant": _group_size,
    "SelectiveMixedPrecision": _mixed_precision,
    "CaptureSplitInfo": _split,
    "CaptureLayerAnnotations": _annotations,
    "OnnxQuantization": _quantization,
    "OnnxStaticQuantization": _quantization,
    "OnnxDynamicQuantization": _quantization,
    "OnnxBnb4Quantization": _bnb,
    "AimetQuantization": _aimet,
    "OptimumConversion": _optimum,
    "OrtTransformersOptimization": _transformers,
    "OrtSessionParamsTuning": _session,
    "NVModelOptQuantization": _modelopt,
    "DynamicToFixedShape": _fixed_shape,
    "VitisAIAddMetaData": _vitis,
}
