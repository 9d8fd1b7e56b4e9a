"""Checks of the passes: types, parameters, search values, and an order that can work."""

from __future__ import annotations

from phinb.config.checks.building import check_building
from phinb.config.checks.engine import check_reference
from phinb.config.checks.findings import Findings, sentence
from phinb.config.checks.order import FlowModel, check_order
from phinb.config.checks.pass_rules import check_pass_rules
from phinb.config.checks.rules import ADAPTER, NOT_NULL, PASS_CHOICES
from phinb.config.checks.search import check_alternatives
from phinb.config.checks.training import check_training
from phinb.config.document import Node
from phinb.config.schema import Group, Parameter
from phinb.config.search import DEFAULT, SEARCHABLE, holds_candidates, searches
from phinb.config.sections import ADAPTER_PASSES, PassEntry, metrics_of, passes, text
from phinb.config.upgrades.passes import GONE_PASSES
from phinb.config.value_types import fits, show
from phinb.types import Edit, Fix

_ENTRY_KEYS = ("type", "host", "evaluator")
_SPECIAL_VALUES = (DEFAULT, SEARCHABLE)


def check_passes(findings: Findings) -> FlowModel | None:
    """Every pass, then what they are in their order: the model that they make, None where nobody can tell."""
    section = findings.root.get("passes")
    if section is None:
        return None
    if section.value is None:
        findings.add("wrong_type", section, '"passes" is null: Olive fails on it.', "Remove it, or name the passes.")
        return None
    if not section.is_mapping:
        hint = 'Write {"lora": {"type": "LoRA", ...}, "merge": {"type": "MergeAdapterWeights"}}.'
        findings.add("wrong_type", section, '"passes" must be a mapping of names to passes.', hint)
        return None
    for name, node in section.items():
        if not node.is_mapping and not (node.is_list and all(entry.is_mapping for entry in node.entries())):
            findings.add("wrong_type", node, f'The pass "{name}" must be a mapping.', 'With at least a "type".')
        if node.is_list:
            check_alternatives(findings, name, node)
    for entry in passes(findings.root):
        _check_pass(findings, entry)
    return check_order(findings) if section.value else None


def _check_pass(findings: Findings, entry: PassEntry) -> None:
    node, schema = entry.node, findings.schema
    kind = node.get("type")
    if kind is None:
        findings.missing(
            "missing_key", node, f'The pass "{entry.name}" has no "type".', 'For example "LoRA".', ("type",)
        )
        return
    name = schema.pass_name(entry.type)
    if name is None:
        message = f"Olive knows no pass {show(kind.plain())}."
        remedy = GONE_PASSES.get(entry.type.rpartition(".")[2].lower())
        if remedy is not None:
            findings.add("gone", kind, f"The pass {show(kind.plain())} is gone from Olive.", remedy)
            return
        findings.unknown_name("unknown_type", kind, message, schema.passes)
        return
    if name in ("LoHa", "LoKr"):
        for key in ("lora_dropout", "ephemeral_gpu_offload"):  # declared, and never handed on (get_peft_model)
            idle = node.get(key)
            if idle is not None:
                fix = Fix("Remove it", (Edit("remove", idle.path),))
                message = f"{key} has no effect: Olive does not hand it on for {name}."
                hint = "Use rank_dropout or module_dropout." if key == "lora_dropout" else "Remove it."
                findings.add("no_effect", idle, message, hint, severity="warning", at="key", fix=fix)
    for key in ("host", "evaluator"):
        reference = node.get(key)
        if reference is not None and not _fails_by_name(findings, reference, key):
            check_reference(findings, reference, key)
    where = f'the pass "{entry.name}" ({name})'
    group = schema.pass_group(name)
    _check_parameters(findings, node, group, where)
    if name in ADAPTER_PASSES:
        _check_task(findings, entry)
        check_training(findings, entry, name)
    if name == "ModelBuilder":
        check_building(findings, entry)
    check_pass_rules(findings, entry, name)


def _fails_by_name(findings: Findings, node: Node, key: str) -> bool:
    """Olive 0.13 reads the evaluator of a pass before it looks names up: its own, and those of data configs in it."""
    reason = findings.schema.defect("pass_evaluator")
    if key != "evaluator" or not reason:
        return False
    hint = "Name it on the outermost level instead: it measures what the last pass makes."
    for metric in metrics_of(node):
        data = metric.get("data_config")
        if data is not None and isinstance(data.value, str):
            message = f"The installed Olive fails on a data config that an evaluator in a pass names ({reason})."
            findings.add("olive_fails", data, message, hint)
    if not isinstance(node.value, str):
        return False
    findings.add("olive_fails", node, f"The installed Olive fails on an evaluator that a pass names ({reason}).", hint)
    return True


def _check_task(findings: Findings, entry: PassEntry) -> None:
    """An adapter is trained for the model's task (get_peft_task_type_from_task); Olive knows few."""
    model = findings.root.get("input_model")
    task = model.get("task") if model is not None else None
    known = findings.schema.trainable_tasks
    name = text(task).replace("-with-past", "")
    if task is None or not name or name in known or name not in findings.schema.tasks:
        return  # one that nobody knows is told at the model
    if not any(problem.code == "wrong_task" and problem.path == task.path for problem in findings.problems):
        message = f'"{entry.name}" cannot train an adapter for the task {show(task.value)}.'
        findings.add("wrong_task", task, message, f"Olive trains for {', '.join(known)}.")


def _check_parameters(findings: Findings, node: Node, group: Group, where: str) -> None:
    allowed = [*group.names, *_ENTRY_KEYS]
    for key, member in node.items():
        parameter = group.parameters.get(key)
        if key in _ENTRY_KEYS:
            continue
        if parameter is None:
            findings.unknown_key(key, node, allowed, where, open_=group.open)
        elif not key.endswith("data_config") and key != "training_args":
            _check_parameter(findings, member, parameter, group, where)
    for name, parameter in group.parameters.items():
        given = node.get(name)
        if parameter.required and (given is None or (given.value is None and name.endswith("data_config"))):
            hint = f'Add "{name}". {parameter.help}'.strip()
            findings.missing("missing_key", node, f'{sentence(where)} needs "{name}".', hint, (name,))


def _check_parameter(findings: Findings, node: Node, parameter: Parameter, group: Group, where: str) -> None:
    value = node.value
    if value in _SPECIAL_VALUES if isinstance(value, str) else False:
        _check_special(findings, node, parameter)
        return
    if holds_candidates(node, parameter):
        if searches(findings.root):
            for entry in node.entries():
                _check_candidate(findings, entry, parameter, group, where)
            return
        hint = "Write one value, or add a search_strategy and an evaluator; phinb.sweep tries several as well."
        findings.add("wrong_type", node, f'"{parameter.name}" holds several values, and nothing searches.', hint)
        findings.absent(findings.root, "search_strategy")
        return
    if _is_no_choice(findings, node, parameter):
        hint = f"Olive tries several values of {_listed(group)} only; else write a list of passes: [{{...}}, {{...}}]."
        findings.add("wrong_type", node, f'"{parameter.name}" takes one value, and is not searched.', hint)
        return
    trains = group.name in ADAPTER_PASSES
    if trains and value is None and parameter.name in NOT_NULL and parameter.default is not None:
        message = f'"{parameter.name}" is null: Olive would hand that on instead of its default, and fail on it.'
        fix = Fix(f"Remove {parameter.name}", (Edit("remove", node.path),))
        findings.add("wrong_type", node, message, f"Remove it for the default, {show(parameter.default)}.", fix=fix)
        return
    bounds = ADAPTER.get(parameter.name) if trains else None
    before = len(findings.problems)
    findings.value(node, parameter, where, coerces=group.coerces, bounds=bounds)
    choices = PASS_CHOICES.get(parameter.name) if trains else None
    if choices is not None and len(findings.problems) == before:
        findings.choice(node, parameter.name, choices)


def _is_no_choice(findings: Findings, node: Node, parameter: Parameter) -> bool:
    """Whether a search is given several values of a parameter that Olive does not search."""
    if not searches(findings.root) or parameter.search is not None or len(node.entries()) < 2:
        return False
    return fits(node.plain(), parameter.type) == "no" and all(
        fits(entry, parameter.type) != "no" for entry in node.plain()
    )


def _listed(group: Group) -> str:
    return ", ".join(name for name, known in group.parameters.items() if known.search is not None) or "no parameter"


def _check_candidate(findings: Findings, node: Node, parameter: Parameter, group: Group, where: str) -> None:
    """One of the values that a search tries."""
    if node.value is None:
        findings.add("wrong_type", node, f'null is no value to try for "{parameter.name}".', "Remove it.")
        return
    bounds = ADAPTER.get(parameter.name) if group.name in ADAPTER_PASSES else None
    findings.value(node, parameter, where, coerces=True, bounds=bounds)


def _check_special(findings: Findings, node: Node, parameter: Parameter) -> None:
    if parameter.required:
        findings.add("wrong_type", node, f'"{parameter.name}" is required and has no {node.value}.', parameter.help)
    elif node.value == SEARCHABLE and not searches(findings.root):
        hint = "Add a search_strategy and an evaluator, or write one value."
        findings.add("contradiction", node, f'"{parameter.name}" is to be searched, and nothing searches.', hint)
        findings.absent(findings.root, "search_strategy")
    elif node.value == SEARCHABLE and parameter.search is None:
        message = f'Olive has no values to search for "{parameter.name}" and would take its default.'
        findings.add("ignored", node, message, "Write a value.")
