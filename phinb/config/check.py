"""Every problem that the text alone shows, each at its line, root causes only.

The rule behind the rules: whatever the installed Olive would ignore, refuse or stumble over later is an error here;
what runs but is likely not meant is a warning. What only files, data, the hub and devices can tell is not checked
here (phinb.workflow.preflight).
"""

from __future__ import annotations

import re
from typing import Any

from phinb.config.azure_forms import TOP_LEVEL, add_azure
from phinb.config.check_data import check_data_configs, check_references_to_data
from phinb.config.check_engine import check_engine, check_systems
from phinb.config.check_evaluators import check_evaluators
from phinb.config.check_model import check_model
from phinb.config.check_passes import check_passes
from phinb.config.document import Node
from phinb.config.findings import Findings
from phinb.config.phinb_section import PHINB
from phinb.config.rules import PHINB as PHINB_BOUNDS
from phinb.config.schema import Schema
from phinb.config.value_types import show
from phinb.types import Problem

_PLACEHOLDER = re.compile(r"^\s*(?:<\s*your\b.*>|<[A-Z][A-Z _-]+>|your\s+\S.*|\[your\b.*\])\s*$", re.IGNORECASE)
_SECRETS = {
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{20,}\b"),
    "an Azure storage key": re.compile(r"\bAccountKey=[A-Za-z0-9+/=]{20,}"),
    "an Azure shared access signature": re.compile(r"[?&]sig=[A-Za-z0-9%+/=]{20,}"),
}

NOT_CARRIED_OUT: dict[str, tuple[Any, ...]] = {
    "samples": ([],),
    "trackers": ([],),
    "azure": (None,),
}
"""Keys that have their place but no effect yet, with the values that ask for none: all else is an error."""


def check(root: Node, schema: Schema) -> tuple[Problem, ...]:
    """The problems of an upgraded tree, in the order of the sections."""
    findings = Findings(root, schema)
    if schema.mismatch:
        shipped = schema.versions["olive-ai"]
        message = f"Checked against Olive {shipped}, which is not the installed version: {schema.mismatch}."
        findings.problems.append(Problem("warning", "other_version", message))
    check_outermost(findings)
    check_texts(findings, root)
    check_model(findings)
    check_systems(findings)
    check_data_configs(findings)
    check_evaluators(findings)
    check_engine(findings)
    check_passes(findings)
    check_references_to_data(findings)
    check_phinb(findings)
    check_overridden(findings)
    return tuple(findings.problems)


def check_overridden(findings: Findings) -> None:
    """What phinb decides itself, so that it is not taken for the user's."""
    node = findings.root.get("cache_dir")
    if node is not None and node.value is not None:
        message = "phinb keeps a cache of its own, named by the contents of model and data: cache_dir has no effect."
        findings.add("overridden", node, message, "It may stay.", severity="info")


def check_outermost(findings: Findings) -> None:
    """Unknown keys of the outermost level (Olive refuses them), and the parts without which nothing runs."""
    root, schema = findings.root, findings.schema
    allowed = [*schema.root.names, *schema.engine.names, "phinb"]
    for key, node in root.items():
        if key in TOP_LEVEL:
            add_azure(findings, node, f'"{key}"')
        elif key == "auto_optimizer_config":
            message = "The auto optimizer is gone from Olive; it would refuse this key."
            findings.add("gone", node, message, "Name the passes yourself; remove this key.", at="key")
        elif key not in allowed:
            findings.unknown_key(key, node, allowed, "a configuration")
    if root.get("input_model") is None:
        hint = 'Add "input_model": {"type": "HfModel", "model_path": "phinb://demo"}, or your own model.'
        findings.missing("missing_key", root, 'There is no "input_model".', hint)
    passes = root.get("passes")
    if (passes is None or not passes.value) and root.get("evaluator") is None:
        hint = 'Add "passes", e.g. {"int4": {"type": "ModelBuilder", "precision": "int4"}}.'
        findings.missing(
            "missing_key", passes or root, 'There is nothing to do: no "passes", and no "evaluator".', hint
        )
    identifier = root.get("workflow_id")
    if identifier is not None:
        findings.value(identifier, schema.root.parameters["workflow_id"], "the configuration", coerces=True)


def check_texts(findings: Findings, node: Node) -> None:
    """Placeholders that were never filled in, and secrets in clear text, wherever they stand."""
    for _, member in node.items():
        check_texts(findings, member)
    for entry in node.entries():
        check_texts(findings, entry)
    if not isinstance(node.value, str):
        return
    if _PLACEHOLDER.match(node.value):
        message = f"{show(node.value)} is a placeholder."
        findings.add("placeholder", node, message, "Put your own value in its place.")
    for name, pattern in _SECRETS.items():
        if pattern.search(node.value):
            message = f"This is {name} in clear text: whoever gets the notebook or its output gets it too."
            hint = "Take it out and declare it invalid where it was made. Log in with `hf auth login`, or set HF_TOKEN."
            findings.add("secret", node, message, hint)


def check_phinb(findings: Findings) -> None:
    """phinb's own section."""
    node = findings.root.get("phinb")
    if node is None:
        return
    if not node.is_mapping:
        findings.add("wrong_type", node, '"phinb" must be a mapping.', f"It takes {', '.join(PHINB.names)}.")
        return
    findings.group(node, PHINB, "the phinb section", bounds=PHINB_BOUNDS)
    for key, idle in NOT_CARRIED_OUT.items():
        entry = node.get(key)
        if entry is not None and entry.plain() not in idle:
            message = f'This version of phinb does not carry out "{key}": {show(entry.plain())} yet.'
            findings.add("not_carried_out", entry, message, f'Leave "{key}" out.')
    labels = node.get("labels")
    if labels is not None and labels.is_list and len(set(map(str, labels.plain()))) < len(labels.entries()):
        findings.add("duplicate_label", labels, "A label stands twice.", "Name each answer once.")
