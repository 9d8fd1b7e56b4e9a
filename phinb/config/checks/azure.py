"""Checks of `phinb.azure`, the job description of a run in Azure ML, and of addresses in Azure wherever they stand."""

from __future__ import annotations

import re

from phinb.config.azure_forms import has_slash_in_name, is_address
from phinb.config.azure_section import AZURE, AZURE_BOUNDS, ENVIRONMENT, REGISTRATION, TARGET, WORKSPACE_KEYS
from phinb.config.checks.findings import Findings
from phinb.config.checks.placeholders import is_placeholder
from phinb.config.document import Node
from phinb.config.sections import text
from phinb.config.value_types import show

_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def check_azure(findings: Findings, node: Node) -> None:
    """`node` is the mapping under `phinb.azure`."""
    findings.group(node, AZURE, "phinb.azure", bounds=AZURE_BOUNDS)
    _check_workspace(findings, node)
    _check_target(findings, node, "phinb.azure")
    targets = node.get("targets")
    for name, target in targets.items() if targets is not None else ():
        where = f'the Azure target "{name}"'
        if target.is_mapping:
            findings.group(target, TARGET, where, bounds=AZURE_BOUNDS)
            _check_target(findings, target, where)
        elif target.value is not None:
            findings.add(
                "wrong_type", target, f'The Azure target "{name}" must be a mapping.', "At least with compute."
            )
    _check_choice(findings, node, targets)
    registrations = node.get("register")
    for entry in registrations.entries() if registrations is not None else ():
        if entry.is_mapping:
            findings.group(entry, REGISTRATION, "a registration in phinb.azure")
    deployment = node.get("deployment")
    if deployment is not None and deployment.value:
        message = "phinb does not deploy models; it keeps this for you to look up."
        hint = "Register the model, then deploy it with az ml online-deployment create, or in the studio."
        findings.warn("not_carried_out", deployment, message, hint)


def check_address(findings: Findings, node: Node) -> None:
    """A text that is an `azureml:` address: a bad one passes Azure's client and fails in the job only."""
    address = text(node)
    if not address.startswith("azureml:"):
        return
    if has_slash_in_name(address):
        message = f"A model's name in an Azure ML registry has no slash: {show(address)} will not be found."
        findings.warn("bad_address", node, message, "Look its name up in the registry; Phi-3-mini-4k-instruct, say.")
    elif not is_address(address) and not is_placeholder(address):
        hint = "Write azureml://datastores/NAME/paths/PATH, azureml://registries/NAME/models/NAME/versions/N, or "
        findings.add("bad_address", node, f"{show(address)} is no address in Azure ML.", f"{hint}azureml:NAME:VERSION.")


def _check_workspace(findings: Findings, node: Node) -> None:
    """All three names, or config.json, or none: then the workspace is looked for when the run starts."""
    given = {key: node.get(key) for key in WORKSPACE_KEYS}
    named = [key for key, member in given.items() if member is not None and member.value is not None]
    missing = [key for key in WORKSPACE_KEYS if key not in named]
    config_file = node.get("config_file")
    if config_file is not None and config_file.value is not None:
        for key in named:
            member = given[key]
            assert member is not None
            message = f"config_file says which workspace is meant; {key} has no effect beside it."
            findings.add("ignored", member, message, "Keep one of the two.", at="key")
    elif named and missing:
        message = (
            f"A workspace has three names; {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
        )
        findings.missing("missing_key", node, message, 'Add them, or name the workspace\'s "config_file".')
    subscription = given["subscription_id"]
    value = text(subscription)
    if subscription is not None and value and not _SUBSCRIPTION.fullmatch(value) and not is_placeholder(value):
        hint = "It looks like 01234567-89ab-cdef-0123-456789abcdef: az account show prints it."
        findings.add("bad_value", subscription, f"{show(value)} is no subscription's id.", hint)


def _check_target(findings: Findings, node: Node, where: str) -> None:
    environment = node.get("environment")
    if environment is None or not environment.is_mapping:
        return
    findings.group(environment, ENVIRONMENT, f"the environment of {where}")
    given = {key for key, member in environment.items() if member.value is not None}
    if "dockerfile" in given and "build_context" not in given:
        hint = 'Add "build_context": the folder that the Dockerfile lies in.'
        findings.missing("missing_key", environment, "A Dockerfile needs a build_context.", hint)
    if "image" in given and "build_context" in given:
        message = "The environment is built from a folder; the image has no effect beside it."
        findings.add("ignored", environment.value["image"], message, "Keep one of the two.", at="key")
    if "conda_file" in given and not given & {"image", "build_context"} and "name" not in given:
        hint = 'Add "image", e.g. mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04.'
        findings.missing("missing_key", environment, "A conda file is put on top of an image; none is named.", hint)
    for key in ("version", "label"):
        if key in given and "name" not in given:
            message = f'A {key} belongs to an environment with a name; there is no "name".'
            findings.add("missing_key", environment.value[key], message, 'Add "name".', at="key")


def _check_choice(findings: Findings, node: Node, targets: Node | None) -> None:
    """`target` names one of the targets."""
    chosen = node.get("target")
    names = [name for name, _ in targets.items()] if targets is not None else []
    if chosen is not None and isinstance(chosen.value, str) and chosen.value not in names:
        message = f'"target" names "{chosen.value}", which is not under targets.'
        findings.unknown_name("unknown_reference", chosen, message, names)
