"""Yesterday's systems and execution providers -> today's. Rules of upgrade.py; Azure's are in azure.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phinb.config.document import Node
from phinb.config.sections import members, passes, text
from phinb.config.upgrades.rewrite import Rewrite

_TYPES = {
    "surfaceprosystem1796": "LocalSystem",
    "surfaceprosystem1807": "LocalSystem",
    "isolatedort": "PythonEnvironment",
    "ortenvironment": "PythonEnvironment",
}
"""Types that are gone, in lower case, and the nearest that there is."""

_WHY = {
    "LocalSystem": "Olive no longer knows machines by their names; it was a local system with a GPU.",
    "PythonEnvironment": (
        "Olive no longer evaluates in an environment with ONNX Runtime alone; a Python environment also runs passes, "
        "so Olive itself has to be installed in it."
    ),
}

_NO_EFFECT = {
    "is_dev": "It was a switch for Olive's own developers.",
    "olive_managed_env": "Olive no longer makes environments; name one that you have made.",
    "requirements_file": "It said what to put into an environment that Olive made itself.",
}


def systems(root: Node) -> Iterator[Node]:
    """Every system that is a mapping: those under `systems` and those that are defined where they are used."""
    for _, node in members(root, "systems"):
        yield node
    for holder, key in [(root, "host"), (root, "target"), *((entry.node, "host") for entry in passes(root))]:
        defined = holder.get(key)
        if defined is not None and defined.is_mapping:
            yield defined


def rename_system_types(rewrite: Rewrite) -> None:
    """SurfaceProSystem1796 and the like -> LocalSystem; IsolatedORT -> PythonEnvironment."""
    for system in systems(rewrite.root):
        kind = text(system.get("type"))
        new = _TYPES.get(kind.lower())
        if new is None or rewrite.schema.system(kind) is not None:
            continue
        if new == "LocalSystem" and system.get("accelerators") is None:
            system.value["accelerators"] = rewrite.made([{"device": "gpu"}], system.value["type"], "type")
        rewrite.replace(system, "type", {"type": new}, _WHY[new])


def spread_docker_config(rewrite: Rewrite) -> None:
    """local_docker_config of a Docker system -> its own keys; a container without a Dockerfile cannot be kept."""
    for system in systems(rewrite.root):
        node = system.get("local_docker_config")
        if node is None or not (node.is_mapping or node.value is None):
            continue
        before = {"local_docker_config": node.plain()}
        system.value.pop("local_docker_config")
        for key, member in node.items():
            if key in ("requirements_file_path", "base_image"):
                hint = "Write a Dockerfile that begins with it: dockerfile and build_context_path are required now."
                rewrite.problem("no_place", member, f'Olive no longer takes "{key}" for Docker.', hint)
            elif system.get(key) is None:
                member.origin, member.note = "upgrade", f"upgrade of local_docker_config.{key}"
                system.value[key] = member
        why = "A Docker system has these keys itself now."
        rewrite.record(node, before, {key: member.plain() for key, member in node.items()}, why)


def drop_managed_environments(rewrite: Rewrite) -> None:
    """olive_managed_env, requirements_file and is_dev: Olive no longer makes an environment for a system.

    That a system has no environment of its own then (python_environment_path, dockerfile) is for check.py to say.
    """
    for system in systems(rewrite.root):
        for key, why in _NO_EFFECT.items():
            rewrite.remove(system, key, why)


def upgrade_accelerators(rewrite: Rewrite) -> None:
    """`"accelerators": ["gpu"]` -> objects; one execution provider each."""
    for system in systems(rewrite.root):
        node = system.get("accelerators")
        if node is None or not node.is_list:
            continue
        if any(isinstance(entry.value, str) for entry in node.entries()):
            new = [
                {"device": entry.value} if isinstance(entry.value, str) else entry.plain() for entry in node.entries()
            ]
            why = "Accelerators are objects now: device and provider."
            rewrite.replace(system, "accelerators", {"accelerators": new}, why)
            node = system.value["accelerators"]
        for entry in node.entries():
            _keep_one_provider(rewrite, entry)


def _keep_one_provider(rewrite: Rewrite, accelerator: Node) -> None:
    providers = accelerator.get("execution_providers")
    if providers is None or len(providers.entries()) < 2:
        return
    first = providers.entries()[0].plain()
    why = "An accelerator takes one execution provider; the first is kept (Olive tried them in this order)."
    rewrite.replace(accelerator, "execution_providers", {"execution_providers": [first]}, why)


def upgrade_engine_providers(rewrite: Rewrite) -> None:
    """engine.execution_providers -> the accelerator of the system that `target` (else `host`) names."""
    root, schema = rewrite.root, rewrite.schema
    node = root.get("execution_providers")
    if node is None or not node.is_list or "execution_providers" in schema.engine.parameters:
        return
    given = [entry.value for entry in node.entries() if isinstance(entry.value, str)]
    if not given:
        rewrite.remove(root, "execution_providers", "It was empty.")
        return
    devices = schema.data["providers"]["by_device"]
    device = next((name for name, known in devices.items() if given[0] in known), "cpu")
    accelerator = {"device": device, "execution_providers": given[:1]}
    named = (root.get("target"), root.get("host"))
    used = next((found for found in named if found is not None and found.value is not None), None)
    system = used if used is not None and used.is_mapping else dict(members(root, "systems")).get(text(used))
    why = "The engine no longer takes execution providers: they belong to the system that the target names."
    if len(given) > 1:
        why += " One is allowed; the first is kept."
    if used is None:
        _add_local_system(rewrite, node, accelerator, why)
    elif system is None:
        rewrite.remove(root, "execution_providers", f'{why} There is no system "{text(used)}" to take it.')
    else:
        _fill_accelerator(rewrite, system, node, accelerator, why)


def _add_local_system(rewrite: Rewrite, node: Node, accelerator: Mapping[str, Any], why: str) -> None:
    section = rewrite.section("systems", node)
    name = "local_system"
    if section.is_mapping and section.get(name) is None:
        system = {"type": "LocalSystem", "accelerators": [dict(accelerator)]}
        section.value[name] = rewrite.made(system, node, "execution_providers")
        for key in ("host", "target"):
            rewrite.root.value.pop(key, None)  # null, where it stands at all
        rewrite.replace(rewrite.root, "execution_providers", {"host": name, "target": name}, why)
    else:
        rewrite.remove(rewrite.root, "execution_providers", f"{why} Name a system as the target.")


def _fill_accelerator(rewrite: Rewrite, system: Node, node: Node, accelerator: Mapping[str, Any], why: str) -> None:
    """Give the providers to the system's first accelerator, unless it names its own."""
    listed = system.get("accelerators")
    first = next(iter(listed.entries()), None) if listed else None
    if first is None:
        system.value["accelerators"] = rewrite.made([dict(accelerator)], node, "execution_providers")
    elif first.is_mapping and first.get("execution_providers") is None:
        providers = accelerator["execution_providers"]
        first.value["execution_providers"] = rewrite.made(providers, node, "execution_providers")
    rewrite.remove(rewrite.root, "execution_providers", why)
