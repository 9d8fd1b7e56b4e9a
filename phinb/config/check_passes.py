"""Checks of the passes: types, parameters, search values, and an order that can work."""

from __future__ import annotations

from phinb.config.check_engine import check_reference
from phinb.config.check_order import check_order
from phinb.config.check_training import check_training
from phinb.config.document import Node
from phinb.config.findings import Findings, sentence
from phinb.config.rules import ADAPTER, MODEL_BUILDER_PRECISIONS, PASS_CHOICES
from phinb.config.schema import Group, Parameter
from phinb.config.sections import ADAPTER_PASSES, PassEntry, members, passes, text
from phinb.config.value_types import fits, show
from phinb.types import Edit, Fix

_ENTRY_KEYS = ("type", "host", "evaluator")
_SPECIAL_VALUES = ("DEFAULT_VALUE", "SEARCHABLE_VALUES")


def check_passes(findings: Findings) -> None:
    """Every pass, then what they are in their order."""
    section = findings.root.get("passes")
    if section is None or section.value is None:
        return
    if not section.is_mapping:
        hint = 'Write {"lora": {"type": "LoRA", ...}, "merge": {"type": "MergeAdapterWeights"}}.'
        findings.add("wrong_type", section, '"passes" must be a mapping of names to passes.', hint)
        return
    for name, node in section.items():
        if not node.is_mapping and not (node.is_list and all(entry.is_mapping for entry in node.entries())):
            findings.add("wrong_type", node, f'The pass "{name}" must be a mapping.', 'With at least a "type".')
        if node.is_list:
            _check_alternatives(findings, name, node)
    for entry in passes(findings.root):
        _check_pass(findings, entry)
    check_order(findings)


def searches(findings: Findings) -> bool:
    """Whether Olive searches: only then are lists and SEARCHABLE_VALUES values to choose from."""
    strategy = findings.root.get("search_strategy")
    return strategy is not None and bool(strategy.value)


def _check_alternatives(findings: Findings, name: str, node: Node) -> None:
    if not node.entries():
        findings.add("wrong_type", node, f'The pass "{name}" is an empty list.', "Remove it.")
    if len(node.entries()) > 1 and not searches(findings):
        hint = "Keep one of them, or add a search_strategy and an evaluator."
        second = node.entries()[1]
        message = f'Without a search Olive runs only the first of the alternatives under "{name}".'
        findings.add("ignored", second, message, hint)


def _check_pass(findings: Findings, entry: PassEntry) -> None:
    node, schema = entry.node, findings.schema
    kind = node.get("type")
    if kind is None:
        findings.missing("missing_key", node, f'The pass "{entry.name}" has no "type".', 'For example "LoRA".')
        return
    name = schema.pass_name(entry.type)
    if name is None:
        message = f"Olive knows no pass {show(kind.plain())}."
        findings.unknown_name("unknown_type", kind, message, schema.passes)
        return
    for key in ("host", "evaluator"):
        reference = node.get(key)
        if reference is not None:
            check_reference(findings, reference, key)
    where = f'the pass "{entry.name}" ({name})'
    group = schema.pass_group(name)
    _check_parameters(findings, node, group, where)
    if name in ADAPTER_PASSES:
        check_training(findings, entry, name)
    if name == "ModelBuilder":
        _check_model_builder(findings, node)


def _check_parameters(findings: Findings, node: Node, group: Group, where: str) -> None:
    allowed = [*group.names, *_ENTRY_KEYS]
    for key, member in node.items():
        parameter = group.parameters.get(key)
        if key in _ENTRY_KEYS:
            continue
        if parameter is None:
            findings.unknown_key(key, member, allowed, where, open_=group.open)
        elif not key.endswith("data_config") and key != "training_args":
            _check_parameter(findings, member, parameter, group, where)
    for name, parameter in group.parameters.items():
        given = node.get(name)
        if parameter.required and (given is None or (given.value is None and name.endswith("data_config"))):
            hint = f'Add "{name}". {parameter.help}'.strip()
            findings.missing("missing_key", node, f'{sentence(where)} needs "{name}".', hint)


def _check_parameter(findings: Findings, node: Node, parameter: Parameter, group: Group, where: str) -> None:
    value = node.value
    if value in _SPECIAL_VALUES if isinstance(value, str) else False:
        _check_special(findings, node, parameter)
        return
    if parameter.search is not None and node.is_list and fits(node.plain(), parameter.type) == "no":
        if searches(findings):
            for entry in node.entries():
                findings.value(entry, parameter, where, coerces=True, bounds=ADAPTER.get(parameter.name))
            return
        hint = "Write one value, or add a search_strategy and an evaluator; phinb.sweep tries several as well."
        findings.add("wrong_type", node, f'"{parameter.name}" holds several values, and nothing searches.', hint)
        return
    bounds = ADAPTER.get(parameter.name) if group.name in ADAPTER_PASSES else None
    before = len(findings.problems)
    findings.value(node, parameter, where, coerces=group.coerces, bounds=bounds)
    choices = PASS_CHOICES.get(parameter.name) if group.name in ADAPTER_PASSES else None
    if choices is not None and len(findings.problems) == before:
        findings.choice(node, parameter.name, choices)


def _check_special(findings: Findings, node: Node, parameter: Parameter) -> None:
    if parameter.required:
        findings.add("wrong_type", node, f'"{parameter.name}" is required and has no {node.value}.', parameter.help)
    elif node.value == "SEARCHABLE_VALUES" and not searches(findings):
        hint = "Add a search_strategy and an evaluator, or write one value."
        findings.add("contradiction", node, f'"{parameter.name}" is to be searched, and nothing searches.', hint)
    elif node.value == "SEARCHABLE_VALUES" and parameter.search is None:
        message = f'Olive has no values to search for "{parameter.name}" and would take its default.'
        findings.add("ignored", node, message, "Write a value.")


def _check_model_builder(findings: Findings, node: Node) -> None:
    """Precisions that ModelBuilder.validate_config refuses: the pass is then pruned, and there is no output."""
    precision = node.get("precision")
    if precision is None or not isinstance(precision.value, str):
        return
    known = findings.schema.pass_group("ModelBuilder").parameters["precision"]
    if fits(precision.value, known.type) == "no":
        return  # told as a bad choice
    if precision.value not in MODEL_BUILDER_PRECISIONS:
        findings.choice(precision, "precision", MODEL_BUILDER_PRECISIONS)
        return
    device, provider = _target(findings)
    if precision.value == "fp16" and (device != "gpu" or provider == "CPUExecutionProvider"):
        message = "fp16 runs on a GPU only, and the target is a CPU: Olive would drop the pass."
    elif precision.value == "bf16" and provider != "CUDAExecutionProvider":
        message = "bf16 runs with CUDAExecutionProvider only: Olive would drop the pass for this target."
    else:
        return
    fix = Fix("Write int4", (Edit("set", precision.path, "int4"),))
    findings.add(
        "precision", precision, message, "int4 and fp32 run everywhere; or name a GPU system as the target.", fix=fix
    )


def _target(findings: Findings) -> tuple[str, str]:
    """Device and execution provider that Olive builds for (accelerator_creator.py); a CPU where nothing is named."""
    target = findings.root.get("target")
    system = dict(members(findings.root, "systems")).get(text(target)) if text(target) else target
    accelerators = system.get("accelerators") if system is not None else None
    first = next(iter(accelerators.entries()), None) if accelerators is not None else None
    device = text(first.get("device")).lower() if first is not None else ""
    providers = first.get("execution_providers") if first is not None else None
    named = (
        [text(entry) or text(next(iter(entry.entries()), None)) for entry in providers.entries()] if providers else []
    )
    if named:
        by_device = findings.schema.data["providers"]["by_device"]
        device = device or next((key for key in ("gpu", "npu") if named[0] in by_device[key]), "cpu")
        return device, named[0]
    device = device or "cpu"
    return device, "CUDAExecutionProvider" if device == "gpu" else "CPUExecutionProvider"
