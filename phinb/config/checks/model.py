"""Checks of `input_model`."""

from __future__ import annotations

from phinb.config.azure_forms import add_azure, is_azure
from phinb.config.checks.findings import Findings
from phinb.config.checks.rules import LOAD_CHOICES
from phinb.config.document import Node
from phinb.config.schema import Group, group_of
from phinb.config.sections import data_configs, text
from phinb.config.value_types import show
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
        findings.absent(model, "type")
        return
    group = findings.schema.input_model(text(kind))
    if group is None:
        message = f'Olive knows no model type "{text(kind)}".'
        findings.unknown_name("unknown_type", kind, message, findings.schema.input_models)
        return
    _check_paths(findings, model)
    if group.name == "HfModel":
        _check_task(findings, model)
    _check_parameters(findings, model, group)
    described = model.get("io_config")
    if described is not None and described.is_mapping:
        _check_shapes(findings, described)
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
        findings.missing("missing_key", model, 'The input model has no "model_path".', hint, ("model_path",))
    named = [model.get(key) for key in ("model_loader", "model_path")]
    if group.name == "PyTorchModel" and all(node is None or node.value is None for node in named):
        hint = 'A Hugging Face model is {"type": "HfModel", "model_path": "..."}.'
        message = 'PyTorchModel needs a "model_loader" function, or a "model_path".'
        findings.missing("missing_key", model, message, hint, ("model_loader", "model_path"))


def _check_task(findings: Findings, model: Node) -> None:
    """transformers loads a model for its task, and knows no other names (check_task)."""
    task = model.get("task")
    known = findings.schema.tasks
    if task is not None and isinstance(task.value, str) and task.value.replace("-with-past", "") not in known:
        message = f"transformers knows no task {show(task.value)}."
        findings.unknown_name("unknown_task", task, message, known)


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


def _check_shapes(findings: Findings, node: Node) -> None:
    """IoConfig: as many shapes as names."""
    for side in ("input", "output"):
        names, shapes = node.get(f"{side}_names"), node.get(f"{side}_shapes")
        if names is None or shapes is None or not names.is_list or not shapes.is_list:
            continue
        if len(names.entries()) != len(shapes.entries()):
            message = f'"{side}_shapes" has {len(shapes.entries())} entries, "{side}_names" {len(names.entries())}.'
            findings.add("contradiction", shapes, message, "Each name has its shape.")


def _check_loading(findings: Findings, node: Node) -> None:
    if node.value is None and not data_configs(findings.root):
        return
    if node.value is None:
        message = '"load_kwargs" is null: Olive looks into it for the data configs, and fails.'
        findings.add("wrong_type", node, message, "Remove it.", fix=Fix("Remove it", (Edit("remove", node.path),)))
        return
    if not node.is_mapping:
        findings.add("wrong_type", node, '"load_kwargs" must be a mapping.', 'For example {"trust_remote_code": true}.')
        return
    group = findings.schema.load_kwargs
    findings.group(node, group, "load_kwargs")
    for key, allowed in LOAD_CHOICES.items():
        member = node.get(key)
        if member is not None and text(member).removeprefix("torch.") not in ("", *allowed):
            findings.choice(member, key, allowed)
    method, config = node.get("quantization_method"), node.get("quantization_config")
    options = findings.schema.data["quantization"].get(text(method))
    if config is not None and config.is_mapping and options is not None:
        findings.group(config, group_of("quantization_config", options), f"a quantization_config of {text(method)}")
    if (method is None or not method.value) != (config is None or not config.value):
        message = '"quantization_method" and "quantization_config" go together: Olive refuses one without the other.'
        findings.add("contradiction", method or config or node, message, "Add the other one, or remove both.", at="key")
    trust = node.get("trust_remote_code")
    if trust is not None and trust.value in (True, 1):
        warn_of_trust(findings, trust, "the model")


def warn_of_trust(findings: Findings, node: Node, whose: str) -> None:
    """What trust_remote_code allows."""
    message = (
        f"trust_remote_code lets Python code that comes with {whose} run on this machine, with all your rights: it "
        "may read your files and tokens, and send them away."
    )
    hint = "Remove it: Phi-3 and newer models need no code of their own. Keep it only for a source that you trust."
    findings.warn("trust_remote_code", node, message, hint, fix=Fix("Remove it", (Edit("remove", node.path),)))
