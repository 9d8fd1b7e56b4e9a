"""Every problem that the text alone shows, each at its line, root causes only.

The rule behind the rules: whatever the installed Olive would ignore, refuse or stumble over later is an error here;
what runs but is likely not meant is a warning. What only files, data, the hub and devices can tell is not checked
here (phinb.workflow.preflight).
"""

from __future__ import annotations

from phinb.config.azure_forms import TOP_LEVEL, add_azure
from phinb.config.checks.azure import check_address, check_azure
from phinb.config.checks.data import check_data_configs, check_references_to_data
from phinb.config.checks.engine import check_engine, check_systems
from phinb.config.checks.evaluation import check_evaluation
from phinb.config.checks.evaluators import check_evaluators
from phinb.config.checks.findings import Findings
from phinb.config.checks.model import check_model
from phinb.config.checks.passes import check_passes
from phinb.config.checks.placeholders import find_texts, is_placeholder
from phinb.config.checks.root_causes import root_causes
from phinb.config.checks.rules import PHINB as PHINB_BOUNDS
from phinb.config.checks.secrets import check_secrets, without_secrets
from phinb.config.checks.trackers import check_trackers
from phinb.config.document import Node
from phinb.config.phinb_section import PHINB
from phinb.config.schema import Schema
from phinb.config.value_types import show
from phinb.types import Problem


def check(root: Node, schema: Schema) -> tuple[Problem, ...]:
    """The problems of an upgraded tree, in the order of the sections."""
    findings = Findings(root, schema)
    if schema.mismatch:
        shipped = schema.versions["olive-ai"]
        message = f"Checked against Olive {shipped}, which is not the installed version: {schema.mismatch}."
        findings.problems.append(Problem("warning", "other_version", message))
    check_outermost(findings)
    secrets = check_secrets(findings)
    check_texts(findings)
    check_model(findings)
    check_systems(findings)
    check_data_configs(findings)
    check_evaluators(findings)
    check_engine(findings)
    check_evaluation(findings, check_passes(findings))
    check_references_to_data(findings)
    check_phinb(findings)
    check_overridden(findings)
    check_names(findings)
    return tuple(without_secrets(root_causes(findings), secrets))


def check_overridden(findings: Findings) -> None:
    """What phinb decides itself, so that it is not taken for the user's."""
    node = findings.root.get("cache_dir")
    if node is not None and node.value is not None:
        message = "phinb keeps a cache of its own, named by the contents of model and data: cache_dir has no effect."
        findings.add("overridden", node, message, "It may stay.", severity="info")


def check_names(findings: Findings) -> None:
    """Names with a dot: Olive takes them, and a dotted path cannot tell "a.b" from "b" in "a"."""
    for section in ("passes", "systems", "evaluators"):
        for name, node in (findings.root.get(section) or Node({})).items():
            if "." in name:
                message = f'The name "{name}" holds a dot, which in a path stands between names.'
                hint = f'Write "{name.replace(".", "_")}", here and where it is named; phinb may refuse edits.'
                findings.add("dotted_name", node, message, hint, severity="warning", at="key")


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
            findings.unknown_key(key, root, allowed, "a configuration")
    if root.get("input_model") is None:
        hint = 'Add "input_model": {"type": "HfModel", "model_path": "phinb://demo"}, or your own model.'
        findings.missing("missing_key", root, 'There is no "input_model".', hint, ("input_model",))
    passes, evaluator = root.get("passes"), root.get("evaluator")
    if (passes is None or not passes.value) and (evaluator is None or evaluator.value is None):
        hint = 'Add "passes", e.g. {"int4": {"type": "ModelBuilder", "precision": "int4"}}.'
        message = 'There is nothing to do: no "passes", and no "evaluator".'
        if findings.missing("missing_key", passes or root, message, hint):
            findings.absent(root, "passes", "evaluator")
    identifier = root.get("workflow_id")
    if identifier is not None:
        findings.value(identifier, schema.root.parameters["workflow_id"], "the configuration", coerces=True)


def check_texts(findings: Findings) -> None:
    """Placeholders that were never filled in, and addresses in Azure, wherever they stand."""
    for node, counts in find_texts(findings.root):
        if counts and is_placeholder(node.value):
            message = f"{show(node.value)} is a placeholder."
            findings.add("placeholder", node, message, "Put your own value in its place.")
        check_address(findings, node)


def check_phinb(findings: Findings) -> None:
    """phinb's own section."""
    node = findings.root.get("phinb")
    if node is None:
        return
    if not node.is_mapping:
        findings.add("wrong_type", node, '"phinb" must be a mapping.', f"It takes {', '.join(PHINB.names)}.")
        return
    findings.group(node, PHINB, "the phinb section", bounds=PHINB_BOUNDS)
    check_trackers(findings, node)
    azure = node.get("azure")
    if azure is not None and azure.is_mapping:
        check_azure(findings, azure)
    labels = node.get("labels")
    if labels is not None and labels.is_list and len(set(map(str, labels.plain()))) < len(labels.entries()):
        findings.add("duplicate_label", labels, "A label stands twice.", "Name each answer once.")
