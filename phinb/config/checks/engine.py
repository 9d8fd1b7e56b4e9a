"""Checks of the systems and of the engine's keys on the outermost level."""

from __future__ import annotations

import re

from phinb.config.azure_forms import add_azure, is_azure
from phinb.config.checks.evaluators import check_evaluator
from phinb.config.checks.findings import Findings, sentence
from phinb.config.checks.rules import ENGINE
from phinb.config.checks.search import check_search
from phinb.config.document import Node
from phinb.config.schema import group_of
from phinb.config.sections import text
from phinb.config.value_types import show

_REFERENCES = {"host": "systems", "target": "systems", "evaluator": "evaluators"}
_MEMORY = re.compile(r"\d+|\s*\d+\s*[KMGT]B", re.IGNORECASE)
"""AcceleratorSpec.str_to_int_memory."""

_SPECIAL = ("search_strategy", "packaging_config", *_REFERENCES)


def check_systems(findings: Findings) -> None:
    """Each system's type, accelerators and execution providers."""
    section = findings.root.get("systems")
    if section is None or section.value is None:
        return
    if not section.is_mapping:
        hint = 'Write {"local_system": {"type": "LocalSystem"}}.'
        findings.add("wrong_type", section, '"systems" must be a mapping of names to systems.', hint)
        return
    for name, node in section.items():
        check_system(findings, node, f'the system "{name}"')


def check_system(findings: Findings, node: Node, where: str) -> None:
    if not node.is_mapping:
        findings.add("wrong_type", node, f"{sentence(where)} must be a mapping.", 'At least {"type": "LocalSystem"}.')
        return
    kind = node.get("type")
    if is_azure(node):
        add_azure(findings, node, f"a system of type {text(kind)}")
        return
    group = findings.schema.system(text(kind))
    if kind is None:
        findings.missing(
            "missing_key", node, f'{sentence(where)} has no "type".', 'Add "type": "LocalSystem".', ("type",)
        )
        return
    if group is None:
        message = f"Olive knows no system type {show(kind.plain())}."
        findings.unknown_name("unknown_type", kind, message, findings.schema.systems)
        return
    findings.group(node, group, where, also=["type"])
    path = node.get("python_environment_path")
    if group.name == "PythonEnvironment" and (path is None or path.value is None):
        hint = 'Add "python_environment_path": the folder that python is in, e.g. /home/me/venv/bin.'
        findings.missing(
            "missing_key", node, f"{sentence(where)} names no Python environment.", hint, ("python_environment_path",)
        )
    accelerators = node.get("accelerators")
    for entry in accelerators.entries() if accelerators else ():
        _check_accelerator(findings, entry, where)
    if accelerators is not None and len(accelerators.entries()) > 1:
        hint = "Keep the one to build for; write a second system, or a second configuration, for the other."
        findings.add("too_many", accelerators, "Olive takes one accelerator a system.", hint)


def _check_accelerator(findings: Findings, node: Node, where: str) -> None:
    if not node.is_mapping:
        return  # told as a wrong type
    providers = findings.schema.data["providers"]
    device, listed = node.get("device"), node.get("execution_providers")
    if (device is None or device.value is None) and (listed is None or not listed.value):
        hint = 'Write {"device": "cpu"}, or {"device": "gpu", "execution_providers": ["CUDAExecutionProvider"]}.'
        findings.missing(
            "missing_key",
            node,
            f"An accelerator of {where} names neither a device nor a provider.",
            hint,
            ("device", "execution_providers"),
        )
    able = list(providers["by_device"])  # for any other device that it names Olive has no provider, and fails
    if device is not None and isinstance(device.value, str) and device.value.lower() not in able:
        findings.unknown_name("bad_choice", device, f"Olive can build for no device {show(device.value)}.", able)
        return
    given = [] if listed is None else listed.entries() if listed.is_list else [listed]
    given = [entry for entry in given if entry.value is not None]
    for entry in given:
        name = entry if not entry.is_list or not entry.entries() else entry.entries()[0]
        if isinstance(name.value, str) and name.value not in providers["all"]:
            message = f"Olive knows no execution provider {show(name.value)}."
            findings.unknown_name("bad_choice", name, message, providers["all"])
        elif isinstance(name.value, str):
            _check_provider_fits(findings, name, text(device).lower())
            if device is None or device.value is None:
                _check_provider_alone(findings, node, name)
    if text(device).lower() == "npu" and not given:
        able = providers["by_device"]["npu"]
        hint = f'Add "execution_providers": one of {", ".join(able)}.'
        findings.missing(
            "missing_key", node, "For an NPU Olive knows no provider of its own accord.", hint, ("execution_providers",)
        )
    memory = node.get("memory")
    if memory is not None and isinstance(memory.value, str) and not _MEMORY.fullmatch(memory.value):
        message = f"{show(memory.value)} is no size of memory."
        findings.add("bad_value", memory, message, 'Write bytes, or a whole number with its unit, as "16GB".')
    if listed is not None and len(given) > 1:
        hint = "Keep the one to build for."
        findings.add("too_many", listed, "Olive takes one execution provider an accelerator.", hint)


def _check_provider_fits(findings: Findings, provider: Node, device: str) -> None:
    known = findings.schema.data["providers"]["by_device"].get(device)
    if known is not None and provider.value != "CPUExecutionProvider" and provider.value not in known:
        message = (
            f"{provider.value} does not run on the device {device}; Olive would take CPUExecutionProvider instead."
        )
        findings.add("contradiction", provider, message, f"On {device}: {', '.join(known)}.")


def _check_provider_alone(findings: Findings, accelerator: Node, provider: Node) -> None:
    """Olive infers the device from the provider (AcceleratorLookup), and fails where there are several."""
    by_device = findings.schema.data["providers"]["by_device"]
    devices = [device for device, known in by_device.items() if provider.value in known]
    if provider.value in ("CPUExecutionProvider", "QNNExecutionProvider") or len(devices) == 1:
        return
    message = f"{provider.value} runs on {' and '.join(devices)}: Olive cannot tell which is meant."
    findings.missing("missing_key", accelerator, message, f'Add "device": "{devices[0]}".')


def check_engine(findings: Findings) -> None:
    """The engine's keys: their values, and the names of systems and evaluators."""
    root, group = findings.root, findings.schema.engine
    for key, parameter in group.parameters.items():
        node = root.get(key)
        if node is not None and key not in _SPECIAL:
            findings.value(node, parameter, "the engine", coerces=True, bounds=ENGINE.get(key))
    for key in _REFERENCES:
        node = root.get(key)
        if node is not None:
            check_reference(findings, node, key)
    _check_packaging(findings, root.get("packaging_config"))
    check_search(findings, root.get("search_strategy"))


def check_reference(findings: Findings, node: Node, key: str) -> None:
    """A host, target or evaluator: the name of one that is defined, or a definition in place."""
    section = _REFERENCES[key]
    if node.value is None:
        return
    if node.is_mapping:
        if section == "systems":
            check_system(findings, node, f'the {key}"s system'.replace('"', "'"))
        else:
            check_evaluator(findings, node, "the evaluator")
        return
    if not isinstance(node.value, str):
        what = "a system" if section == "systems" else "an evaluator"
        findings.add("wrong_type", node, f'"{key}" must be the name of {what}.', f"They are defined under {section}.")
        return
    defined = findings.root.get(section)
    names = [name for name, _ in defined.items()] if defined is not None else []
    if node.value not in names:
        message = f'"{key}" names "{node.value}", which is not under {section}.'
        findings.unknown_reference(node, message, names, section)


def _check_packaging(findings: Findings, node: Node | None) -> None:
    for entry in [] if node is None else node.entries() if node.is_list else [node]:
        if not entry.is_mapping:
            if entry.value is not None:
                findings.add("wrong_type", entry, '"packaging_config" must be a mapping.', 'As in {"type": "Zipfile"}.')
            continue
        if is_azure(entry):
            add_azure(findings, entry, f"packaging of type {text(entry.get('type'))}")
            continue
        group = findings.schema.group("PackagingConfig")
        kind = (text(entry.get("type")) or str(group.parameters["type"].default)).lower()
        options = findings.schema.data["packaging"].get(kind, {"parameters": {}})
        inner = group_of("packaging_config", options)
        findings.group(entry, group, "packaging_config", also=[*inner.names, "config"])
        for key, member in entry.items():
            if key in inner.parameters:
                findings.value(member, inner.parameters[key], "packaging_config", coerces=True)
