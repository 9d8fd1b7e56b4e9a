"""Checks of the order of the passes: what each takes, and what those before it give.

Which kinds of model a pass takes and gives stands in the schema (the annotations of its `_run_for_config`). Adapters
are followed beside them: whose is not merged yet, and what a pass does with it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from phinb.config.checks.findings import Findings
from phinb.config.document import Node
from phinb.config.schema import Schema
from phinb.config.sections import ADAPTER_PASSES, PassEntry, passes, text

_SPOKEN = {
    "HfModel": "a Hugging Face model",
    "PyTorchModel": "a PyTorch model",
    "ONNXModel": "an ONNX model",
    "CompositeModel": "a model of several ONNX parts",
    "DiffusersModel": "a diffusion model",
}


@dataclass
class FlowModel:
    """What the model is at this point of the flow.

    kinds: what it may be; empty where nobody can tell. maker: who made it so, and the type of that pass. adapter: whose
    adapter is not merged yet ("" for nobody), and the type of pass that trained it. stages: what each pass has made.
    """

    kinds: frozenset[str] = frozenset()
    maker: str = "the input model"
    maker_type: str = ""
    adapter: str = ""
    adapter_type: str = ""
    stages: tuple[FlowModel, ...] = ()


def check_order(findings: Findings) -> FlowModel | None:
    """Follow the model through the passes: what comes out at the end. None where a mistake leaves no guess."""
    model = first_model(findings)
    section = findings.root.get("passes")
    if section is not None and any(not node.is_mapping and not node.is_list for _, node in section.items()):
        return None  # told as a wrong type; what it should have been nobody knows
    before = len(findings.problems)
    for entry in passes(findings.root):
        if entry.at:
            continue  # alternatives stand at one place in the order
        name = findings.schema.pass_name(entry.type)
        if name is None or not _takes(findings, entry, name, model):
            return None
        if name in ADAPTER_PASSES:
            _train(findings, entry, name, model)
        elif name == "MergeAdapterWeights":
            _merge(findings, entry, model)
        elif name == "ModelBuilder":
            _build(findings, entry, model)
        if any(problem.code == "pass_order" for problem in findings.problems[before:]):
            return None  # one thing in the wrong place is one mistake
        _pass_on(findings.schema, entry, name, model)
        model.stages = (*model.stages, replace(model, maker=entry.name, maker_type=name, stages=()))
    return model


def first_model(findings: Findings) -> FlowModel:
    """The input model. One that is missing, or of no known type, is told elsewhere: it may be anything here."""
    given = findings.root.get("input_model")
    group = findings.schema.input_model(text(given.get("type"))) if given is not None else None
    model = FlowModel(frozenset() if group is None else frozenset((group.name,)))
    adapter = given.get("adapter_path") if given is not None else None
    if adapter is not None and adapter.value is not None:
        model.adapter = "the input model"
    return model


def _wrong(findings: Findings, entry: PassEntry, message: str, hint: str) -> None:
    findings.add("pass_order", entry.node.get("type") or entry.node, message, hint, at="key")


def _takes(findings: Findings, entry: PassEntry, name: str, model: FlowModel) -> bool:
    """Whether the pass can be given this model at all."""
    takes = set(findings.schema.pass_fact(name, "takes") or ())
    kinds = set(model.kinds)
    if "CompositeModel" in kinds and not findings.schema.pass_fact(name, "takes_parts"):
        kinds.add("ONNXModel")  # Olive hands its parts in, one by one
    if name == "ModelBuilder":
        takes = {"ONNXModel"} if _is_true(entry.node.get("metadata_only")) else {"HfModel"}
        kinds = set(model.kinds)
    if not takes or not kinds or kinds & takes:
        return True
    wanted, given = speak(takes), speak(set(model.kinds))
    message = f'"{entry.name}" ({name}) takes {wanted}, but from {quote(model.maker)} comes {given}.'
    _wrong(findings, entry, message, _advise(findings, entry, name, model))
    return False


def _advise(findings: Findings, entry: PassEntry, name: str, model: FlowModel) -> str:
    if model.maker == "the input model":
        if name == "ModelBuilder" and "HfModel" in model.kinds:
            return "metadata_only is for an ONNX model that exists already; remove it to build the model."
        before = 'put a pass that makes ONNX before it, e.g. {"type": "OnnxConversion"}'
        return (
            f"Remove it, or {before}."
            if "ONNXModel" in (findings.schema.pass_fact(name, "takes") or ())
            else ("Remove it, or take another input model.")
        )
    if name == "ModelBuilder" and "ONNXModel" in model.kinds:
        return "Build once: remove one of the two."
    if name in (*ADAPTER_PASSES, "MergeAdapterWeights"):
        return f"Put it before {quote(model.maker)}: what is ONNX already can be neither trained nor merged."
    return f"Put it before {quote(model.maker)}, or remove it."


def _train(findings: Findings, entry: PassEntry, name: str, model: FlowModel) -> None:
    if model.adapter:
        message = f'"{entry.name}" trains an adapter, but the one of {quote(model.adapter)} is not merged yet.'
        _wrong(findings, entry, message, "Put a MergeAdapterWeights pass between them.")
    model.adapter, model.adapter_type = entry.name, name


def _merge(findings: Findings, entry: PassEntry, model: FlowModel) -> None:
    if not model.adapter:
        message = f'"{entry.name}" merges an adapter, but no pass before it makes one.'
        _wrong(findings, entry, message, "Put a LoRA or QLoRA pass before it, or remove it.")
    if model.adapter_type == "QLoRA":
        _tell_of_qlora(findings, entry, model.adapter)
    model.adapter, model.adapter_type = "", ""


QLORA_MERGED = (
    "the adapter was trained on weights rounded to 4 bits, and is merged into the weights as they were before: the "
    "merged model is not quite the one that was trained"
)
"""Measured with Olive 0.13 and onnxruntime-genai 0.14.1. On phinb://demo (15 steps of 8 rows, 30 unseen rows) the
merged model is 0.23 nats a token (KL divergence) from the trained one, and the int4 model built of it 0.56; with
LoRA it is 0.00 and 0.44. On the random phinb://tiny nf4 costs nothing, and all of it is below 0.0003."""


def _tell_of_qlora(findings: Findings, entry: PassEntry, trained: str) -> None:
    """The tutorial says that QLoRA cannot be merged and built to int4. Today's Olive does it; say what that means."""
    message = f'Merging "{trained}" works, the 2024 tutorials notwithstanding, but {QLORA_MERGED}.'
    hint = "Compare the stages after the run (phinb.compare). LoRA merges exactly, with more memory."
    node = entry.node.get("type") or entry.node
    findings.add("qlora_merge", node, message, hint, severity="warning", at="key")


def _build(findings: Findings, entry: PassEntry, model: FlowModel) -> None:
    """ModelBuilder puts an unmerged LoRA adapter beside each weight; it knows no other kind of adapter.

    Measured on phinb://tiny in int4, KL divergence from the trained model: LoRA merged 0.0002, not merged 0.0084. A
    DoRA adapter that is not merged is 0.014 away even in fp32 (LoRA: 0.0000): its magnitudes are left out. LoHa and
    LoKr raise.
    """
    if not model.adapter:
        return
    if model.adapter_type in ("DoRA", "LoHa", "LoKr"):
        what = "leaves DoRA's magnitudes out" if model.adapter_type == "DoRA" else f"fails on a {model.adapter_type}"
        message = f'"{entry.name}" cannot build the adapter of "{model.adapter}" in: ModelBuilder {what}.'
        _wrong(findings, entry, message, "Put a MergeAdapterWeights pass between them.")
    elif text(entry.node.get("precision")) == "int4":
        message = (
            f'The adapter of {quote(model.adapter)} is not merged: "{entry.name}" rounds its small matrices to int4 '
            "as well, and comes out farther from the trained model than it would from a merged one."
        )
        node = entry.node.get("type") or entry.node
        hint = "Put a MergeAdapterWeights pass between them."
        findings.add("unmerged", node, message, hint, severity="warning", at="key")
    model.adapter, model.adapter_type = "", ""


def _pass_on(schema: Schema, entry: PassEntry, name: str, model: FlowModel) -> None:
    """What comes out of the pass: the kinds that it gives, or what it was given where it keeps that."""
    gives = frozenset(schema.pass_fact(name, "gives") or ())
    takes = frozenset(schema.pass_fact(name, "takes") or ())
    if not gives:
        model.kinds, model.maker, model.maker_type = frozenset(), entry.name, name
    elif gives != model.kinds:
        kept = model.kinds & gives if takes == gives and len(gives) > 1 else frozenset()  # each kind to its own
        model.kinds = kept or gives
        if not kept:
            model.maker, model.maker_type = entry.name, name


def _is_true(node: Node | None) -> bool:
    return node is not None and node.value is True


def speak(kinds: Collection[str]) -> str:
    return " or ".join(_SPOKEN.get(kind, f"{kind}") for kind in sorted(kinds))


def quote(name: str) -> str:
    return name if name == "the input model" else f'"{name}"'
