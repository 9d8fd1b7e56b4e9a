"""Checks of the data configs: their names and containers, and the references to them."""

from __future__ import annotations

import re

from phinb.config.checks.components import check_components, lacks_container, reads_nothing
from phinb.config.checks.findings import Findings
from phinb.config.checks.text_generation import check_text_generation
from phinb.config.document import Node
from phinb.config.sections import (
    COMPONENTS,
    data_configs,
    evaluators,
    metrics_of,
    passes,
    text,
)
from phinb.config.value_types import show
from phinb.types import Edit, Fix

_NAME = re.compile(r"[A-Za-z0-9_]+")

EVALUATION_NAMES = ("eval", "test", "validation")
"""A data config of such a name is what a comparison measures on where nothing else is said."""


def check_data_configs(findings: Findings) -> None:
    """Every data config, and that no name stands twice."""
    section = findings.root.get("data_configs")
    if section is None:
        return
    if section.value is None:
        fix = Fix("Remove it", (Edit("remove", section.path),))
        findings.add("wrong_type", section, '"data_configs" is null: Olive fails on it.', "Remove it.", fix=fix)
        return
    if not section.is_list:
        hint = 'Write [{"name": "train", "type": "HuggingfaceContainer", ...}].'
        findings.add("wrong_type", section, '"data_configs" must be a list.', hint)
        return
    seen: dict[str, Node] = {}
    for entry in section.entries():
        if not entry.is_mapping:
            findings.add("wrong_type", entry, "A data config must be a mapping.", 'With "name" and "type".')
            continue
        name = entry.get("name")
        if name is not None and text(name) in seen:
            message = f'The name "{text(name)}" is taken by the data config in line {seen[text(name)].line}.'
            findings.add("duplicate_name", name, message, "Each data config has a name of its own.")
        elif name is not None:
            seen[text(name)] = name
        _check_data_config(findings, entry)


def _check_data_config(findings: Findings, node: Node) -> None:
    name = node.get("name")
    where = f'the data config "{text(name)}"' if text(name) else "a data config"
    if name is not None and isinstance(name.value, str) and not _NAME.fullmatch(name.value):
        message = f"The name {show(name.value)} may hold letters, digits and _ only."
        fixed = re.sub(r"\W", "_", name.value, flags=re.ASCII) or "train"
        findings.add(
            "bad_name",
            name,
            message,
            f'For example "{fixed}".',
            fix=Fix(f"Write {fixed}", (Edit("set", name.path, fixed),)),
        )
    findings.group(node, findings.schema.data_section, where, also=["type", *COMPONENTS])
    kind = node.get("type")
    container = text(kind) or "DataContainer"
    own_script = bool(text(node.get("user_script")))
    if kind is not None and kind.value is not None and findings.schema.container(container) is None and not own_script:
        message = f"Olive knows no data container {show(kind.plain())}."
        findings.unknown_name("unknown_type", kind, message, findings.schema.containers)
        return
    _check_spelling(findings, kind, container)
    if not lacks_container(findings, node, where) and not reads_nothing(findings, node, where):
        check_components(findings, node, where)
        check_text_generation(findings, node)


def _check_spelling(findings: Findings, kind: Node | None, container: str) -> None:
    """Olive finds a container in any case, but fills in the model's name only where it is spelt HuggingfaceContainer.

    RunConfig.validate_data_configs_with_hf_model compares the text; without the name there is no tokenizer.
    """
    known = findings.schema.container(container)
    if kind is None or known is None or container == known["name"] or known["name"] != "HuggingfaceContainer":
        return
    message = f"Spelt {show(container)}, the data config gets neither the model's name nor its task from Olive."
    fix = Fix(f"Write {known['name']}", (Edit("set", kind.path, known["name"]),))
    findings.add("bad_case", kind, message, f'Write "{known["name"]}".', fix=fix)


def check_references_to_data(findings: Findings) -> None:
    """Names of data configs in passes and metrics, and data configs that nothing uses."""
    names = {text(config.get("name")): config for config in data_configs(findings.root)}
    used: set[str] = set()
    holders = [entry.node for entry in passes(findings.root)]
    for evaluator in evaluators(findings.root):
        holders += metrics_of(evaluator)
    for holder in holders:
        for key, node in holder.items():
            if key.endswith("data_config") and node.value is not None:
                used.add(text(node))
                _check_reference(findings, node, key, list(names))
    for name, config in names.items():
        if name and name not in (*used, *EVALUATION_NAMES) and config.get("name") is not None:
            message = f'Nothing uses the data config "{name}".'
            findings.add(
                "unused", config.get("name") or config, message, "phinb.compare may still name it.", severity="info"
            )


def _check_reference(findings: Findings, node: Node, key: str, names: list[str]) -> None:
    if node.is_mapping:
        hint = "Put it under data_configs, and write its name here."
        findings.add("wrong_type", node, f'"{key}" holds a data config; Olive takes its name.', hint)
    elif not isinstance(node.value, str):
        findings.add("wrong_type", node, f'"{key}" must be the name of a data config, not {show(node.plain())}.')
    elif node.value not in names and "" not in names:  # a config without a name may be the one that is meant
        message = f'"{key}" names "{node.value}", which is not under data_configs.'
        findings.unknown_reference(node, message, names, "data_configs")
