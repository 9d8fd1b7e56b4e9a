"""How old Olive reached Azure ML -> phinb's own section `phinb.azure`. Rules of upgrade.py.

Olive ran passes and evaluations as jobs of their own until 0.9.2, and whole workflows with workflow_host; phinb runs
the whole configuration in one job. In it the machine is Olive's local system, with the accelerators of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from phinb.config.azure_section import TARGET, WORKSPACE_KEYS
from phinb.config.document import Node
from phinb.config.sections import members, passes, text
from phinb.config.upgrades.rewrite import Rewrite

_CLIENT = {
    "subscription_id": "subscription_id",
    "resource_group": "resource_group",
    "workspace_name": "workspace_name",
    "aml_config_path": "config_file",
    "keyvault_name": "keyvault",
    "default_auth_params": "credential",
}
"""Keys of azureml_client, and of phinb.azure."""

_RETRIES = ("read_timeout", "max_operation_retries", "operation_retry_interval")

_SYSTEM = {"aml_compute": "compute"}
_RESOURCES = ("instance_type", "instance_count", "shm_size", "docker_args")
_ENVIRONMENT = {
    "base_image": "image",
    "dockerfile": "dockerfile",
    "build_context_path": "build_context",
    "conda_file_path": "conda_file",
    "name": "name",
    "version": "version",
    "label": "label",
}

ALIASES = (
    "AzureND12SSystem",
    "AzureND24RSSystem",
    "AzureND24SSystem",
    "AzureNDV2System",
    "AzureND6SSystem",
    "AzureND96A100System",
    "AzureND96ASystem",
)
"""Systems of type AzureML with a GPU, by the names of machines (olive/systems/system_alias.py up to 0.9.2)."""

_WORKSPACE_WHY = "Olive no longer reaches Azure ML; phinb does, and keeps the workspace in its own section."
_SYSTEM_WHY = (
    "Olive no longer has Azure ML systems. phinb sends the whole run there as one job, in which the machine is Olive's "
    'local system: phinb.start(config, on="azure"). Without on="azure" it runs here.'
)


def azure_section(rewrite: Rewrite, source: Node) -> Node | None:
    """`phinb.azure`, made if need be; None where something else stands in its place."""
    section = rewrite.section("phinb", source)
    if not section.is_mapping:
        return None
    found = section.get("azure")
    if found is None or found.value is None:
        found = section.value["azure"] = rewrite.made({}, source, "azure")
    return found if found.is_mapping else None


def put(rewrite: Rewrite, holder: Node, key: str, node: Node, was: str) -> None:
    """Move a node to a key. Where another value stands there already, that is a problem, and this one goes."""
    given = holder.get(key)
    if given is not None and given.value is not None:
        if given.plain() != node.plain():
            message = f'"{was}" {node.plain()!r} contradicts phinb.azure.{key} {given.plain()!r}.'
            rewrite.problem("contradiction", node, message, "One run has one of them: keep the one that is meant.")
        return
    node.origin, node.note = "upgrade", f"upgrade of {was}"
    holder.value[key] = node


# --------------------------------------------------------------------------------------------- workspace


def keep_workspace(rewrite: Rewrite) -> None:
    """azureml_client, of the outermost level or the engine's -> phinb.azure: the workspace, or its config.json."""
    for key in ("azureml_client", "azureml_client_config"):
        node = rewrite.root.get(key)
        if node is not None and node.value is None:
            rewrite.remove(rewrite.root, key, "It was empty.")
        elif node is not None and node.is_mapping:
            _keep_client(rewrite, rewrite.root, key)


def _keep_client(rewrite: Rewrite, holder: Node, key: str) -> None:
    node = holder.value[key]
    section = azure_section(rewrite, node)
    if section is None:
        return
    before = {key: node.plain()}
    holder.value.pop(key)
    fill_workspace(rewrite, section, node, key)
    after = {"phinb": {"azure": {_CLIENT[name]: value for name, value in before[key].items() if name in _CLIENT}}}
    rewrite.record(node, before, after, _WORKSPACE_WHY)


def fill_workspace(rewrite: Rewrite, section: Node, client: Node, was: str) -> None:
    """Put what a client says into phinb.azure; what it does not know is a problem."""
    for key, member in client.items():
        if key in _CLIENT:
            if member.value is not None:
                put(rewrite, section, _CLIENT[key], member, f"{was}.{key}")
        elif key in _RETRIES:
            why = "phinb waits and tries again by itself, as the server asks it to."
            rewrite.record(member, {key: member.plain()}, None, why)
        else:
            rewrite.problem("no_place", member, f'"{key}" is no key of an azureml_client.', "Remove it.")


def same_workspace(section: Node, client: Node | None) -> bool:
    """Whether a client names the workspace of phinb.azure, or none at all."""
    if client is None or not client.is_mapping:
        return True
    named = {_CLIENT[key]: node.plain() for key, node in client.items() if key in _CLIENT}
    named = {
        key: value for key, value in named.items() if key in (*WORKSPACE_KEYS, "config_file") and value is not None
    }
    if named.get("config_file") is not None:  # it went before the three names
        named = {"config_file": named["config_file"]}
    return all(text(section.get(key)) == value for key, value in named.items())


def names_workspace(section: Node) -> bool:
    return any(text(section.get(key)) for key in (*WORKSPACE_KEYS, "config_file"))


# ---------------------------------------------------------------------------------------------- systems


@dataclass
class _System:
    """An Azure ML system: the name that its target gets, what holds it, and whether something runs on it."""

    name: str
    node: Node
    used: int
    """The order in which a target is chosen: host, workflow_host, a pass's host, target; 9 where nothing names it."""


def keep_aml_systems(rewrite: Rewrite) -> None:
    """Systems of type AzureML -> targets of phinb.azure; Olive gets a local system with their accelerators."""
    systems = [system for system in _systems(rewrite.root) if _is_aml(system.node)]
    if not systems or azure_section(rewrite, systems[0].node) is None:
        return
    section = azure_section(rewrite, systems[0].node)
    assert section is not None
    several = len(systems) > 1 or section.get("targets") is not None
    for system in systems:
        target = section
        if several:
            holder = section.get("targets")
            if holder is None or not holder.is_mapping:
                holder = section.value["targets"] = rewrite.made({}, system.node, "systems")
            target = holder.value.setdefault(system.name, rewrite.made({}, system.node, system.name))
            if not target.is_mapping:
                continue
        _keep_system(rewrite, section, target, system)
    chosen = min(systems, key=lambda system: system.used)
    if several and chosen.used < 9 and section.get("target") is None:
        section.value["target"] = rewrite.made(chosen.name, chosen.node, "host")


def _systems(root: Node) -> Iterator[_System]:
    """Every system: those under `systems`, then those that are defined where they are used."""
    named = [root.get("host"), root.get("workflow_host"), *(entry.node.get("host") for entry in passes(root))]
    order = [text(node) for node in (*named, root.get("target"))]
    for name, node in members(root, "systems"):
        yield _System(name, node, order.index(name) if name in order else 9)
    here = [(key, root.get(key), at) for at, key in enumerate(("host", "workflow_host"))]
    here += [(f"{entry.name}_host", entry.node.get("host"), 3) for entry in passes(root)]
    here.append(("target", root.get("target"), 8))
    for name, defined, used in here:
        if defined is not None and defined.is_mapping:
            yield _System(name, defined, used)


def _is_aml(node: Node) -> bool:
    kind = text(node.get("type"))
    return kind.lower() == "azureml" or kind in ALIASES


def _keep_system(rewrite: Rewrite, section: Node, target: Node, system: _System) -> None:
    node = system.node
    before = node.plain()
    moves: dict[str, Callable[[Node], None]] = {
        "azureml_client_config": lambda member: fill_workspace(rewrite, section, member, "azureml_client_config"),
        "datastores": lambda member: put(rewrite, section, "datastore", member, "datastores"),
        "resources": lambda member: _keep_resources(rewrite, target, member),
        "aml_docker_config": lambda member: _keep_environment(rewrite, target, member, "aml_docker_config"),
        "aml_environment_config": lambda member: _keep_environment(rewrite, target, member, "aml_environment_config"),
        "olive_managed_env": lambda member: None,
        "is_dev": lambda member: None,
    }
    for key, member in sorted(node.items(), key=lambda item: item[0] == "aml_docker_config"):
        new = _SYSTEM.get(key, key)
        if key == "requirements_file":
            hint = 'List the packages in a conda file and name it: "environment": {"conda_file": "conda.yaml"}.'
            rewrite.problem("no_place", member, "phinb makes no environment from a requirements file.", hint)
        elif new in TARGET.parameters:
            if member.value is not None:
                put(rewrite, target, new, member, key)
        elif key in moves:
            moves[key](member)
        else:
            continue
        node.value.pop(key)
    kind = node.value["type"]
    if text(kind) in ALIASES and node.get("accelerators") is None:
        node.value["accelerators"] = rewrite.made([{"device": "gpu"}], kind, "type")
    node.value["type"] = rewrite.made("LocalSystem", kind, "type")
    rewrite.record(node, before, {"type": "LocalSystem", "phinb": {"azure": target.plain()}}, _SYSTEM_WHY)


def _keep_resources(rewrite: Rewrite, target: Node, node: Node) -> None:
    for key, member in node.items():
        if key in _RESOURCES:
            put(rewrite, target, key, member, f"resources.{key}")
        else:
            rewrite.problem("no_place", member, f'phinb cannot ask for "{key}".', f"It takes {', '.join(_RESOURCES)}.")


def _keep_environment(rewrite: Rewrite, target: Node, node: Node, was: str) -> None:
    """Of aml_environment_config and aml_docker_config Olive tried the first, and made the second where it was none."""
    if not node.is_mapping:
        return
    holder = target.get("environment")
    if holder is None or not holder.is_mapping:
        holder = target.value["environment"] = rewrite.made({}, node, was)
    for key, member in node.items():
        if key not in _ENVIRONMENT:
            rewrite.problem("no_place", member, f'"{key}" is no key of {was}.', "Remove it.")
        elif member.value is not None and holder.get(_ENVIRONMENT[key]) is None:
            member.origin, member.note = "upgrade", f"upgrade of {was}.{key}"
            holder.value[_ENVIRONMENT[key]] = member


def keep_workflow_host(rewrite: Rewrite) -> None:
    """workflow_host -> the target of phinb.azure (keep_aml_systems has chosen it); any other host had no effect."""
    node = rewrite.root.get("workflow_host")
    if node is None:
        return
    section = rewrite.root.get("phinb")
    azure = section.get("azure") if section is not None else None
    aml = azure is not None and (azure.get("compute") is not None or azure.get("targets") is not None)
    why = 'The whole run goes to Azure with phinb.start(config, on="azure").' if aml else "It ran here all the same."
    rewrite.remove(rewrite.root, "workflow_host", why)
