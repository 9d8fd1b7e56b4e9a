"""Checks of `input_model`."""

from __future__ import annotations

from phinb.config.azure_forms import add_azure, is_azure
from phinb.config.document import Node
from phinb.config.findings import Findings
from phinb.config.schema import Group
from phinb.config.sections import text
from phinb.types import Edit, Fix

_PATH_KEYS = ("model_path", "adapter_path", "test_model_path")


def check_model(findings: Findings) -> None:
    """The model's type, its parameters, where it is, and how it is loaded."""
    model = findings.root.get("input_model")
    if model is None:
        return
    if not model.is_mapping:
        hint = 'Write {"type": "HfModel", "model_path": "..."}.'
        findings.add("wrong_type", model, '"input_model" must be a mapping.', hint)
        return
    kind = model.get("type")
    if kind is None:
        fix = Fix("Add the type HfModel", (Edit("set", f"{model.path}.type", "HfModel"),))
        message = 'The input model has no "type".'
        findings.add("missing_key", model, message, 'A Hugging Face model is "HfModel".', at="key", fix=fix)
        return
    group = findings.schema.input_model(text(kind))
    if group is None:
        message = f'Olive knows no model type "{text(kind)}".'
        findings.unknown_name("unknown_type", kind, message, findings.schema.input_models)
        return
    _check_paths(findings, model)
    _check_parameters(findings, model, group)
    loading = model.get("load_kwargs") if "load_kwargs" in group.parameters else None
    if loading is not None:
        _check_loading(findings, loading)


def _check_parameters(findings: Findings, model: Node, group: Group) -> None:
    """All keys but those with checks of their own; what is required, HfModel's path first."""
    own = [key for key in ("load_kwargs", *_PATH_KEYS) if key in group.parameters]
    findings.group(model, group, f"an input model of type {group.name}", also=["type", *own])
    path = group.parameters.get("model_path")
    if path is not None and model.get("model_path") is None and (path.required or group.name == "ONNXModel"):
        hint = 'Add "model_path": a folder, a name on the Hugging Face hub, or phinb://demo.'
        findings.missing("missing_key", model, 'The input model has no "model_path".', hint)
    if group.name == "PyTorchModel" and model.get("model_loader") is None:
        hint = 'A Hugging Face model is {"type": "HfModel", "model_path": "..."}.'
        findings.missing("missing_key", model, 'PyTorchModel needs a "model_loader" function.', hint)


def _check_paths(findings: Findings, model: Node) -> None:
    for key in _PATH_KEYS:
        node = model.get(key)
        if node is None or node.value is None:
            if node is not None and key == "model_path":
                findings.add("wrong_type", node, '"model_path" is empty.', "Name a folder or a model on the hub.")
            continue
        if node.is_mapping and is_azure(node):
            add_azure(findings, node, f"a model of the kind {text(node.get('type'))}")
        elif node.is_mapping and text(node.get("type")) in ("file", "folder", "string_name"):
            continue
        elif not isinstance(node.value, str) or not node.value.strip():
            message = f'"{key}" must be text: a folder, or a name on the hub.'
            findings.add("wrong_type", node, message, "phinb://demo is the model that phinb brings along.")
        elif node.value.startswith("phinb://") and node.value not in ("phinb://demo", "phinb://tiny"):
            message = f"phinb brings along no model {node.value}."
            findings.unknown_name("unknown_model", node, message, ["phinb://demo", "phinb://tiny"])


def _check_loading(findings: Findings, node: Node) -> None:
    if node.value is None:
        return
    if not node.is_mapping:
        findings.add("wrong_type", node, '"load_kwargs" must be a mapping.', 'For example {"trust_remote_code": true}.')
        return
    group = findings.schema.load_kwargs
    findings.group(node, group, "load_kwargs")
    method, config = node.get("quantization_method"), node.get("quantization_config")
    if (method is None or not method.value) != (config is None or not config.value):
        message = '"quantization_method" and "quantization_config" go together: Olive refuses one without the other.'
        findings.add("contradiction", method or config or node, message, "Add the other one, or remove both.", at="key")
    trust = node.get("trust_remote_code")
    if trust is not None and trust.value is True:
        message = "trust_remote_code runs Python code that comes with the model, with all your rights."
        fix = Fix("Remove it", (Edit("remove", trust.path),))
        findings.warn("trust_remote_code", trust, message, "Phi-3 and newer models no longer need it.", fix=fix)
