"""Yesterday's packaging of finished models -> today's. Rules of upgrade.py."""

from __future__ import annotations

from typing import Any

from phinb.config.document import Node
from phinb.config.sections import text
from phinb.config.upgrades.azure import azure_section
from phinb.config.upgrades.rewrite import Rewrite

_PACKAGING_GONE = {
    "include_runtime_packages": "Olive no longer packs the runtime's packages.",
    "include_sample_code": "Olive no longer packs sample code.",
}


def keep_packaging(rewrite: Rewrite) -> None:
    """Packaging as AzureMLModels, AzureMLData, AzureMLDeployment -> phinb.azure: register, deployment."""
    node = rewrite.root.get("packaging_config")
    if node is None:
        return
    entries = node.entries() if node.is_list else [node]
    left = [entry for entry in entries if not _keep_package(rewrite, entry)]
    if len(left) == len(entries):
        return
    if left and node.is_list:
        node.value = left
    else:
        rewrite.root.value.pop("packaging_config")


def _keep_package(rewrite: Rewrite, node: Node) -> bool:
    kind = text(node.get("type")).lower()
    if kind not in ("azuremlmodels", "azuremldata", "azuremldeployment"):
        return False
    section = azure_section(rewrite, node)
    if section is None:
        return False
    inner = node.get("config")
    given = {**node.plain(), **(inner.plain() if inner is not None and inner.is_mapping else {})}
    deployed = kind == "azuremldeployment"
    names = {"name": "model_name", "version": "model_version", "description": "model_description"} if deployed else {}
    entry = {
        key: given[names.get(key, key)] for key in ("name", "version", "description") if names.get(key, key) in given
    }
    entry = {key: str(value) for key, value in entry.items() if value is not None}
    entry = {"name": "OutputModels" if not deployed else "olive-deployment-model", **entry}
    entry["kind"] = "data" if kind == "azuremldata" else "model"
    if given.get("export_in_mlflow_format"):
        entry["mlflow"] = True
    after: dict[str, Any] = {"register": [entry]}
    listed = section.get("register")
    if listed is None or not listed.is_list:
        section.value["register"] = rewrite.made([entry], node, "packaging_config")
    else:
        listed.value.append(rewrite.made(entry, node, "packaging_config"))
    if deployed:
        after["deployment"] = {key: given[key] for key in ("model_package", "deployment_config") if key in given}
        section.value["deployment"] = rewrite.made(after["deployment"], node, "packaging_config")
    why = "Olive no longer packs into a workspace; phinb registers the finished model there."
    rewrite.record(node, {"packaging_config": node.plain()}, {"phinb": {"azure": after}}, why)
    return True


def drop_packaging_extras(rewrite: Rewrite) -> None:
    """include_runtime_packages and include_sample_code of packaging_config: packages hold the model only."""
    node = rewrite.root.get("packaging_config")
    if node is None:
        return
    for entry in node.entries() if node.is_list else [node]:
        for key, why in _PACKAGING_GONE.items() if entry.is_mapping else ():
            rewrite.remove(entry, key, why)
