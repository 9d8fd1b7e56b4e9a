"""Where models and data lie: Olive's resource mappings -> plain paths and addresses. Rules of upgrade.py.

Old Olive named a file, a folder, a hub name or something in Azure ML by a mapping, {"type": ..., "config": {...}}, and
made data paths relative to data_root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from phinb.config.azure_forms import (
    datastore_address,
    job_output_address,
    lies_in_azure,
    model_address,
    registry_address,
)
from phinb.config.azure_section import WORKSPACE_KEYS
from phinb.config.checks.placeholders import is_placeholder
from phinb.config.document import Node
from phinb.config.sections import COMPONENTS, data_configs, text
from phinb.config.upgrades.azure import azure_section, fill_workspace, names_workspace, same_workspace
from phinb.config.upgrades.rewrite import Rewrite
from phinb.config.value_types import show

_LOCAL = {"file": "path", "folder": "path", "string_name": "name"}
"""Types of resources that are no more than a path or a name, and the key that holds it."""

_AZURE = {
    "azureml_datastore": ("datastore_name", "relative_path"),
    "azureml_model": ("name", "version"),
    "azureml_registry_model": ("registry_name", "name", "version"),
    "azureml_job_output": ("job_name", "output_name", "relative_path"),
}
"""Types of resources in Azure ML, and what each needs."""

MODEL_KEYS = ("model_path", "adapter_path", "model_script", "script_dir")
_MLFLOW = ("pytorch.mlflow", "pytorch.entiremodel", "pytorch.statedict")


def name_models(rewrite: Rewrite) -> None:
    """A model path that is a mapping -> the path, or the address in Azure ML."""
    model = rewrite.root.get("input_model")
    if model is not None:
        for key in MODEL_KEYS:
            _name(rewrite, model, key)


def name_data(rewrite: Rewrite) -> None:
    """`data_files` and `data_dir` that are mappings -> a path, or an address in Azure ML; also in splits and lists."""
    for holder in _data_holders(rewrite.root):
        for key in ("data_files", "data_dir"):
            node = holder.get(key)
            if node is None:
                continue
            if _is_resource(node):
                _name(rewrite, holder, key)
                continue
            for inner, member in node.items():
                _name(rewrite, node, inner) if member.is_mapping else _name_entries(rewrite, member)
            _name_entries(rewrite, node)


def apply_data_root(rewrite: Rewrite) -> None:
    """data_root -> the data paths themselves: relative ones were taken from there (Olive 0.6, normalize_data_path)."""
    node = rewrite.root.get("data_root")
    if node is None:
        return
    if not text(node):
        if node.value is None:
            rewrite.remove(rewrite.root, "data_root", "It was empty.")
        return
    for holder in _data_holders(rewrite.root):
        for key in ("data_files", "data_dir"):
            for path in _texts(holder.get(key)):
                if not _is_absolute(path.value):
                    before, path.value = path.value, f"{text(node).rstrip('/')}/{path.value}"
                    path.origin, path.note = "upgrade", "upgrade of data_root"
                    rewrite.record(path, before, path.value, "data_root was put before each relative path.")
    rewrite.remove(rewrite.root, "data_root", "Each data path says now where it is.")


def drop_model_file_format(rewrite: Rewrite) -> None:
    """model_file_format on a Hugging Face model: HfModel sees an MLflow folder by itself; Azure wants the type told."""
    model = rewrite.root.get("input_model")
    if model is None or text(model.get("type")).lower() != "hfmodel":
        return
    given = model.get("model_file_format")
    if given is None or text(given).lower() not in _MLFLOW:
        return
    mlflow = text(given).lower() == "pytorch.mlflow"
    if mlflow and lies_in_azure(text(model.get("model_path"))):
        section = azure_section(rewrite, given)
        if section is not None and section.get("model_type") is None:
            section.value["model_type"] = rewrite.made("mlflow_model", given, "model_file_format")
    rewrite.remove(model, "model_file_format", "HfModel recognises an MLflow folder by itself.")


# ----------------------------------------------------------------------------------------------- one path


def _data_holders(root: Node) -> Iterator[Node]:
    for config in data_configs(root):
        for key in COMPONENTS:
            component = config.get(key)
            if component is not None and component.is_mapping:
                yield component


def _is_resource(node: Node) -> bool:
    return node.is_mapping and text(node.get("type")).lower() in (*_LOCAL, *_AZURE)


def _name_entries(rewrite: Rewrite, node: Node) -> None:
    for at, entry in enumerate(node.entries()):
        made = _address(rewrite, entry)
        if made is not None:
            node.value[at] = made


def _name(rewrite: Rewrite, holder: Node, key: str) -> None:
    node = holder.get(key)
    made = _address(rewrite, node) if node is not None else None
    if made is not None:
        holder.value[key] = made


def _address(rewrite: Rewrite, node: Node) -> Node | None:
    """The path or address that a resource means; None where it is none, or lacks what it needs (check.py tells)."""
    if not _is_resource(node):
        return None
    kind = text(node.get("type")).lower()
    inner = node.get("config")
    parts = {**dict(node.items()), **dict(inner.items() if inner is not None else ())}
    before = node.plain()
    if kind in _LOCAL:
        path = parts.get(_LOCAL[kind])
        if path is None or not text(path):
            return None
        value, why = text(path), "A path or a name stands for itself."
    else:
        found = _azure_address(rewrite, node, kind, parts)
        if found is None:
            return None
        value, why = found, "Olive no longer reads this from Azure ML; the address is what Azure ML itself takes."
    made = rewrite.made(value, node, kind)
    rewrite.record(node, before, value, why)
    return made


def _azure_address(rewrite: Rewrite, node: Node, kind: str, parts: dict[str, Node]) -> str | None:
    url = parts.get("datastore_url")
    if kind == "azureml_datastore" and url is not None and text(url):
        _tell_placeholders(rewrite, [url])
        return text(url)
    if "job_name" not in parts and "job_id" in parts:  # the name that Olive's own documentation used
        parts["job_name"] = parts["job_id"]
    needed = [parts.get(key) for key in _AZURE[kind]]
    if any(part is None or part.is_mapping or part.is_list or part.value in (None, "") for part in needed):
        return None
    given = [part for part in needed if part is not None]
    values = [part.value for part in given]
    if kind == "azureml_registry_model":
        _tell_placeholders(rewrite, given)
        return registry_address(*values)
    workspace = _workspace(rewrite, node, parts.get("azureml_client"))
    if workspace is False:
        return None
    named = list(workspace.values()) if workspace is not None else []
    _tell_placeholders(rewrite, [*named, *given])
    plain = None if workspace is None else {key: part.value for key, part in workspace.items()}
    if kind == "azureml_job_output":
        return job_output_address(*values)
    first, second = values
    return (datastore_address if kind == "azureml_datastore" else model_address)(first, second, plain)


def _workspace(rewrite: Rewrite, node: Node, client: Node | None) -> Any:
    """The nodes of another workspace's three names; None for the job's own; False where it cannot be named."""
    if client is None or not client.is_mapping or not client.value:
        return None
    section = azure_section(rewrite, node)
    if section is None:
        return False
    if not names_workspace(section):
        fill_workspace(rewrite, section, client, "azureml_client")
        return None
    if same_workspace(section, client):
        return None
    named = {key: client.get(key) for key in WORKSPACE_KEYS}
    if any(part is None or not text(part) for part in named.values()):
        message = "This lies in another workspace than the run, and its address needs that workspace's three names."
        hint = "Write subscription_id, resource_group and workspace_name here."
        rewrite.problem("no_place", client, message, hint)
        return False
    return named


def _tell_placeholders(rewrite: Rewrite, parts: list[Node]) -> None:
    """Each at its own line: in the address that is made of them they would all stand at one."""
    for part in parts:
        if isinstance(part.value, str) and is_placeholder(part.value):
            rewrite.problem(
                "placeholder", part, f"{show(part.value)} is a placeholder.", "Put your own value in its place."
            )
            rewrite.problems[-1] = replace(rewrite.problems[-1], line=part.line, column=part.column)


def _texts(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    if isinstance(node.value, str):
        yield node
    for entry in [*node.entries(), *(member for _, member in node.items())]:
        yield from _texts(entry)


def _is_absolute(path: str) -> bool:
    return "://" in path or PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
