"""Checks of the order of the passes: what each needs from those before it."""

from __future__ import annotations

from dataclasses import dataclass

from phinb.config.findings import Findings
from phinb.config.sections import ADAPTER_PASSES, PassEntry, passes, text


@dataclass
class _Model:
    """What the model is at this point: who made it ONNX, and whose adapter is not merged yet ("" for nobody)."""

    onnx: str = ""
    adapter: str = ""


def check_order(findings: Findings) -> None:
    """Follow the model through the passes. A type that is not known makes no guess about the rest."""
    given = findings.root.get("input_model")
    model = _Model()
    if given is not None:
        model.onnx = "the input model" if text(given.get("type")).lower() == "onnxmodel" else ""
        model.adapter = "the input model" if given.get("adapter_path") is not None else ""
    for entry in passes(findings.root):
        if entry.at:
            continue  # alternatives stand at one place in the order
        name = findings.schema.pass_name(entry.type)
        if name is None:
            return
        if name in ADAPTER_PASSES:
            _train(findings, entry, model)
        elif name == "MergeAdapterWeights":
            _merge(findings, entry, model)
        elif name == "ModelBuilder":
            _build(findings, entry, model)
        elif findings.schema.pass_fact(name, "module") == "onnx":
            model.onnx = model.onnx or entry.name


def _wrong(findings: Findings, entry: PassEntry, message: str, hint: str) -> None:
    findings.add("pass_order", entry.node.get("type") or entry.node, message, hint, at="key")


def _train(findings: Findings, entry: PassEntry, model: _Model) -> None:
    if model.onnx:
        message = f'"{entry.name}" trains, but after "{model.onnx}" the model is ONNX, which cannot be trained.'
        _wrong(findings, entry, message, "Put training before the passes that make ONNX.")
    elif model.adapter:
        message = f'"{entry.name}" trains an adapter, but the one of "{model.adapter}" is not merged yet.'
        _wrong(findings, entry, message, "Put a MergeAdapterWeights pass between them.")
    model.adapter = entry.name


def _merge(findings: Findings, entry: PassEntry, model: _Model) -> None:
    if model.onnx:
        message = f'"{entry.name}" merges an adapter, but after "{model.onnx}" the model is ONNX.'
        _wrong(findings, entry, message, "Put it before the passes that make ONNX.")
    elif not model.adapter:
        message = f'"{entry.name}" merges an adapter, but no pass before it makes one.'
        _wrong(findings, entry, message, "Put a LoRA or QLoRA pass before it, or remove it.")
    model.adapter = ""


def _build(findings: Findings, entry: PassEntry, model: _Model) -> None:
    only = entry.node.get("metadata_only")
    if model.onnx and not (only is not None and only.value is True):
        message = f'"{entry.name}" builds ONNX from a Hugging Face model, but after "{model.onnx}" it is ONNX already.'
        _wrong(findings, entry, message, "Build once.")
    model.onnx, model.adapter = entry.name, ""
