"""The forms by which configurations name what lies in Azure, old Olive's and today's.

Old Olive took mappings, {"type": "azureml_datastore", "config": {...}}; today's form is the address that Azure ML
itself takes as a job's input: azureml://datastores/NAME/paths/PATH in the job's own workspace, the long form in
another one, azureml://registries/NAME/models/NAME/versions/N for a registry's model. (The forms are those of
azure-ai-ml, azure/ai/ml/constants/_common.py. Olive 0.13 still takes a mapping of the type azureml_registry_model as
model_path, but hands the whole mapping to the tokenizer where a pass trains; an address works in both places, since
phinb puts the folder in its place before Olive sees it.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from phinb.config.checks.findings import Findings
from phinb.config.document import Node
from phinb.config.sections import text

TOP_LEVEL = ("azureml_client", "azureml_client_config", "workflow_host")
"""Keys of the outermost level that sent old Olive to Azure ML; upgrades/azure.py knows what they mean."""

_ELSEWHERE = re.compile(r"(?:azureml:|abfss?://|wasbs?://|adl://)", re.IGNORECASE)

_ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        r"azureml://datastores/[^/]+/paths/.+",
        r"azureml://subscriptions/[^/]+/resource[gG]roups/[^/]+/workspaces/[^/]+/datastores/[^/]+/paths/.+",
        r"azureml://subscriptions/[^/]+/resource[gG]roups/[^/]+/workspaces/[^/]+/[^/]+/[^/]+/versions/.+",
        r"azureml://registries/[^/]+/[^/]+/[^/]+/(?:versions|labels)/[^/]+",
        r"azureml://locations/[^/]+/workspaces/[^/]+/[^/]+/[^/]+/versions/.+",
        r"azureml://jobs/[^/]+/outputs/[^/]+(?:/paths/.*)?",
        r"azureml://(?:models|data)/[^/]+/versions/.+",
        r"azureml:/subscriptions/.+",
        r"azureml:[^/:@]+(?::|@).+",
    )
)
_REGISTRY_WITH_FOLDER = re.compile(r"azureml://registries/[^/]+/models/.+/.+/versions/[^/]+")


def lies_in_azure(path: str) -> bool:
    """Whether a path is an address in Azure: Azure ML's own, or of a storage behind it (ADLS, OneLake, blobs)."""
    return _ELSEWHERE.match(path) is not None


def is_address(path: str) -> bool:
    """Whether an `azureml:` address has one of the forms that Azure ML takes."""
    return any(pattern.fullmatch(path) for pattern in _ADDRESSES)


def has_slash_in_name(path: str) -> bool:
    """Whether a registry's model has a name with a slash, as on the hub; names in Azure ML have none."""
    return _REGISTRY_WITH_FOLDER.fullmatch(path) is not None


def datastore_address(datastore: Any, path: Any, workspace: Mapping[str, Any] | None) -> str:
    """The address of a file or folder in a datastore; `workspace` is None for the job's own."""
    return f"azureml://{_place(workspace)}datastores/{datastore}/paths/{str(path).lstrip('/')}"


def model_address(name: Any, version: Any, workspace: Mapping[str, Any] | None) -> str:
    """The address of a registered model; `workspace` is None for the job's own."""
    if workspace is None:
        return f"azureml:{name}:{version}"
    return f"azureml://{_place(workspace)}models/{name}/versions/{version}"


def registry_address(registry: Any, name: Any, version: Any) -> str:
    return f"azureml://registries/{registry}/models/{name}/versions/{version}"


def job_output_address(job: Any, output: Any, path: Any) -> str:
    return f"azureml://jobs/{job}/outputs/{output}/paths/{str(path).lstrip('/')}"


def _place(workspace: Mapping[str, Any] | None) -> str:
    if workspace is None:
        return ""
    subscription, group, name = (workspace[key] for key in ("subscription_id", "resource_group", "workspace_name"))
    return f"subscriptions/{subscription}/resourcegroups/{group}/workspaces/{name}/"


def is_azure(node: Node) -> bool:
    """Whether a mapping is an old form: a resource or a system in Azure, {"type": "azureml_...", "config": {...}}."""
    return text(node.get("type")).lower().startswith("azureml")


def add_azure(findings: Findings, node: Node, what: str) -> None:
    """One error for an old form that no rule could carry over, at the key that holds it."""
    message = (
        f"{what[:1].upper()}{what[1:]} is gone from Olive, and this one is not complete: nothing can be made of it."
    )
    hint = 'Write the workspace and the compute under "phinb": {"azure": {...}}, and data and models as an address '
    hint += "such as azureml://datastores/NAME/paths/PATH."
    findings.add("azure", node, message, hint, at="key")
