"""Checks of ModelBuilder: what its target can run, and the options that the builder and the runtime take."""

from __future__ import annotations

from phinb.config.checks.findings import Findings
from phinb.config.checks.rules import (
    BUILDER_FLAGS,
    BUILDER_NUMBERS,
    BUILDER_SEARCH,
    BUILDER_TEXTS,
    INT4_ALGORITHMS,
    INT4_OPERATORS,
    KNOWN_TO_BUILDER,
    MODEL_BUILDER_PRECISIONS,
    build_precisions,
)
from phinb.config.document import Node
from phinb.config.schema import Parameter
from phinb.config.search import DEFAULT, SEARCHABLE
from phinb.config.sections import PassEntry, members, text
from phinb.config.value_types import fits
from phinb.types import Edit, Fix

_SEARCH_TYPES = {
    **dict.fromkeys(BUILDER_SEARCH["flags"], "bool"),
    **dict.fromkeys(BUILDER_SEARCH["numbers"], "float"),
}
_OPTION_TYPES = {
    **dict.fromkeys(BUILDER_FLAGS, "bool"),
    **dict.fromkeys(BUILDER_NUMBERS, "int"),
    **dict.fromkeys(BUILDER_TEXTS, "str"),
}


def check_building(findings: Findings, entry: PassEntry) -> None:
    """`entry` is a ModelBuilder."""
    node = entry.node
    _check_precision(findings, node)
    _check_options(findings, node.get("search"), "search", _SEARCH_TYPES, "the runtime refuses to load the model")
    _check_options(findings, node.get("extra_options"), "extra_options", _OPTION_TYPES, "the builder would ignore it")
    algorithm = node.get("int4_algo_config")
    if algorithm is not None and isinstance(algorithm.value, str) and algorithm.value not in _SPECIAL:
        findings.choice(algorithm, "int4_algo_config", INT4_ALGORITHMS)
    operators = node.get("int4_op_types_to_quantize")
    for operator in operators.entries() if operators is not None and text(node.get("precision")) == "int4" else ():
        if isinstance(operator.value, str):
            findings.choice(operator, "int4_op_types_to_quantize", INT4_OPERATORS)
    _check_idle(findings, node)
    _check_trust(findings, node)
    for key, what in (("exclude_embeds", "input_ids"), ("exclude_lm_head", "logits")):
        member = node.get(key)
        if member is not None and member.value is True:
            message = f"Without {what} the model cannot generate: phinb.compare and phinb.chat will not run it."
            findings.warn("cannot_generate", member, message, "Leave it out, unless another program completes it.")


_SPECIAL = (DEFAULT, SEARCHABLE)


def _check_precision(findings: Findings, node: Node) -> None:
    precision = node.get("precision")
    if precision is None or not isinstance(precision.value, str):
        return
    known = findings.schema.pass_group("ModelBuilder").parameters["precision"]
    if fits(precision.value, known.type) == "no":
        return  # told as a bad choice
    if precision.value not in MODEL_BUILDER_PRECISIONS:
        findings.choice(precision, "precision", MODEL_BUILDER_PRECISIONS)
        return
    device, provider = find_target(findings)
    able = build_precisions(device, provider)
    if not able:
        findings.add("precision", precision, f"ModelBuilder cannot build for {provider}.", "Name another provider.")
    elif precision.value not in able:
        listed = " and ".join(able)
        fix = Fix("Write int4", (Edit("set", precision.path, "int4"),))
        message = f"{precision.value} does not run with {provider} on {device}: {_REASONS.get(precision.value, '')}"
        hint = f"For this target: {listed}. What to build for is the system that target names."
        findings.add("precision", precision, message, hint, fix=fix)
    elif provider not in KNOWN_TO_BUILDER:
        message = f"ModelBuilder knows no {provider}: it would build for a CPU."
        hint = f"It builds for {', '.join(KNOWN_TO_BUILDER)}."
        findings.warn("contradiction", precision, message, hint)


_REASONS = {
    "fp16": "Olive would drop the pass.",
    "bf16": "Olive would drop the pass.",
    "fp32": "onnxruntime-genai builds a graph that no runtime loads.",
}


def _check_options(findings: Findings, node: Node | None, name: str, types: dict[str, str], otherwise: str) -> None:
    """The keys of a mapping that Olive hands on unseen."""
    if node is None:
        return
    for key, member in node.items():
        if key not in types:
            what = f"{name} of ModelBuilder ({otherwise})"
            findings.unknown_key(key, node, sorted(types), what)
        else:
            findings.value(member, Parameter(key, types[key]), name, coerces=False)


def _check_trust(findings: Findings, node: Node) -> None:
    """The builder loads the model again, and trusts its code unless hf_remote is false (create_model)."""
    model = findings.root.get("input_model")
    loading = model.get("load_kwargs") if model is not None else None
    trust = loading.get("trust_remote_code") if loading is not None else None
    options = node.get("extra_options")
    remote = options.get("hf_remote") if options is not None else None
    if trust is not None and trust.value is False and (remote is None or remote.value is not False):
        message = "ModelBuilder runs code that comes with the model all the same: trust_remote_code does not reach it."
        hint = 'Add "extra_options": {"hf_remote": false}.'
        place = f"{options.path}.hf_remote" if options is not None else f"{node.path}.extra_options"
        value = False if options is not None else {"hf_remote": False}
        fix = Fix("Trust no code here either", (Edit("set", place, value),))
        findings.add("trust_remote_code", node.get("type") or node, message, hint, severity="warning", fix=fix)


def _check_idle(findings: Findings, node: Node) -> None:
    """Options of one precision or provider have no effect with another."""
    precision = text(node.get("precision"))
    _, provider = find_target(findings)
    for key, member in node.items():
        if member.value is None or member.value is False or member.value == DEFAULT:
            continue  # the last keeps a search from trying values of it
        if key.startswith("int4_") and precision in MODEL_BUILDER_PRECISIONS and precision != "int4":
            _idle(findings, member, f"{key} has no effect with the precision {precision}.")
        elif key in _OF_PROVIDERS and not any(name in provider for name in _OF_PROVIDERS[key]):
            _idle(findings, member, f"{key} has no effect with {provider}.")


_OF_PROVIDERS = {
    "use_cuda_bf16": ("CUDA", "RTX"),
    "enable_cuda_graph": ("CUDA", "RTX"),
    "use_webgpu_fp32": ("WebGpu",),
}


def _idle(findings: Findings, node: Node, message: str) -> None:
    fix = Fix("Remove it", (Edit("remove", node.path),))
    findings.add("no_effect", node, message, "Remove it.", severity="warning", at="key", fix=fix)


def find_device(findings: Findings, host: Node | None) -> str:
    """The device that a pass itself runs on: of its own host, the engine's, or the target; "" where none is named."""
    for reference in (host, findings.root.get("host"), findings.root.get("target")):
        if reference is not None and reference.value is not None:
            accelerator = _accelerator(findings, reference)
            return text(accelerator.get("device")).lower() if accelerator is not None else ""
    return ""


def _accelerator(findings: Findings, reference: Node | None) -> Node | None:
    """The accelerator of a system that is named, or defined in place."""
    system = dict(members(findings.root, "systems")).get(text(reference)) if text(reference) else reference
    accelerators = system.get("accelerators") if system is not None else None
    return next(iter(accelerators.entries()), None) if accelerators is not None else None


def find_target(findings: Findings) -> tuple[str, str]:
    """Device and execution provider that Olive builds for (accelerator_creator.py); a CPU where nothing is named."""
    first = _accelerator(findings, findings.root.get("target"))
    device = text(first.get("device")).lower() if first is not None else ""
    providers = first.get("execution_providers") if first is not None else None
    listed = [] if providers is None else providers.entries() if providers.is_list else [providers]
    named = [name for entry in listed if (name := text(entry) or text(next(iter(entry.entries()), None)))]
    if named:
        by_device = findings.schema.data["providers"]["by_device"]
        device = device or next((key for key in ("gpu", "npu") if named[0] in by_device[key]), "cpu")
        return device, named[0]
    device = device or "cpu"
    return device, "CUDAExecutionProvider" if device == "gpu" else "CPUExecutionProvider"
