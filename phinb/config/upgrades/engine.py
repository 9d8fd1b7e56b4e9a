"""Yesterday's engine keys -> today's. Rules of upgrade.py."""

from __future__ import annotations

import re
from typing import Any

from phinb.config.document import Node
from phinb.config.sections import passes, text
from phinb.config.upgrades.rewrite import Rewrite

_SAMPLERS = {"exhaustive": "sequential", "random": "random", "tpe": "tpe"}
"""search_algorithm (until 0.7) and sampler (since 0.8)."""

_CLOUD_CACHE = {"enable_cloud_cache": "enable_shared_cache", "upload_to_cloud": "update_shared_cache"}


def drop_schema_key(rewrite: Rewrite) -> None:
    """`$schema` told an editor what may stand here; Olive takes it for an unknown key and refuses it."""
    why = "It tells an editor where the schema is; Olive would refuse it. phinb knows the installed Olive by itself."
    rewrite.remove(rewrite.root, "$schema", why)


def drop_output_name(rewrite: Rewrite) -> None:
    """output_name, of the engine and of passes: Olive names its output itself."""
    why = "Olive names what it writes by itself; output_dir says where."
    for holder in [rewrite.root, *(entry.node for entry in passes(rewrite.root))]:
        rewrite.remove(holder, "output_name", why)


def drop_disable_search(rewrite: Rewrite) -> None:
    """disable_search, of passes and of the engine: no search is the default now."""
    why = "Olive searches only where the engine has a search_strategy."
    for holder in [rewrite.root, *(entry.node for entry in passes(rewrite.root))]:
        rewrite.remove(holder, "disable_search", why)


def drop_clean_run_cache(rewrite: Rewrite) -> None:
    """clean_run_cache of a pass: only the whole cache can be cleaned now."""
    for entry in passes(rewrite.root):
        rewrite.remove(entry.node, "clean_run_cache", "It is gone; clean_cache of the engine cleans all.")


def apply_pass_flows(rewrite: Rewrite) -> None:
    """pass_flows: passes run in the order in which they stand. One flow reorders them, several cannot be kept."""
    root = rewrite.root
    node, section = root.get("pass_flows"), root.get("passes")
    if node is None or section is None or not section.is_mapping:
        return
    if not node.value:
        rewrite.remove(root, "pass_flows", "It was empty: passes run in the order in which they stand.")
        return
    flows = [flow.plain() for flow in node.entries()]
    names = flows[0] if len(flows) == 1 and isinstance(flows[0], list) else []
    if not names or any(not isinstance(name, str) or name not in section.value for name in names):
        hint = "Passes run in the order in which they stand under passes; write one configuration for each flow."
        what = "Olive no longer takes several flows of passes." if len(flows) > 1 else "This flow names no passes."
        rewrite.problem("no_place", node, what, hint)
        root.value.pop("pass_flows")
        return
    for name, node_left in section.items():
        if name not in names:
            rewrite.record(node_left, {name: node_left.plain()}, None, "It stood in no flow and did not run.")
    section.value = {name: section.value[name] for name in names}
    why = "Passes run in the order in which they stand; they were put in the order of the flow."
    rewrite.remove(root, "pass_flows", why)


# ----------------------------------------------------------------------------------------------- search


def upgrade_search_strategy(rewrite: Rewrite) -> None:
    """search_algorithm and its config -> sampler; `true` -> what it meant: every combination of all passes."""
    node = rewrite.root.get("search_strategy")
    if node is None:
        return
    if node.value is True:
        new = {"search_strategy": {"execution_order": "joint", "sampler": "sequential"}}
        why = "true meant a joint, exhaustive search; Olive wants it written out."
        rewrite.replace(rewrite.root, "search_strategy", new, why)
        return
    algorithm = node.get("search_algorithm")
    config = node.get("search_algorithm_config")
    if algorithm is None and config is None:
        return
    if algorithm is not None and node.get("sampler") is not None:
        message = '"search_algorithm" is the old name of "sampler", and both are here.'
        rewrite.problem("twice_defined", algorithm, message, 'Remove "search_algorithm".')
        node.value.pop("search_algorithm")
        algorithm = None
    before = node.plain()
    name = text(algorithm)
    new_name = _SAMPLERS.get(name, name)
    members: dict[str, Node] = {}
    for key, member in node.items():
        if key == "search_algorithm":
            members["sampler"] = rewrite.made(new_name or member.plain(), member, key)
        elif key != "search_algorithm_config":
            members[key] = member
        else:
            members.update(_sampler_options(member))
    if new_name in ("random", "tpe") and members.get("max_samples") is None and algorithm is not None:
        members["max_samples"] = rewrite.made(1, algorithm, "search_algorithm")  # the old default; today's is all
    node.value = members
    why = "The search algorithm is a sampler now; exhaustive is called sequential, num_samples max_samples."
    rewrite.record(node, before, node.plain(), why)


def _sampler_options(config: Node) -> dict[str, Node]:
    """with_replacement is gone: today's samplers never take a point twice."""
    options: dict[str, Node] = {}
    for key, member in config.items():
        if key == "with_replacement" and member.value is not True:
            continue
        name = "max_samples" if key == "num_samples" else key
        member.origin, member.note = "upgrade", f"upgrade of search_algorithm_config.{key}"
        options[name] = member
    return options


# ------------------------------------------------------------------------------------------------ cache


def upgrade_cloud_cache(rewrite: Rewrite) -> None:
    """cloud_cache_config (0.7) -> cache_config: the account by its name, the shared cache by its own switches."""
    root = rewrite.root
    node = root.get("cloud_cache_config")
    if node is None:
        return
    if node.value is None:
        rewrite.remove(root, "cloud_cache_config", "It was empty.")
        return
    account = re.match(r"https://([^./]+)\.blob\.core\.windows\.net/?$", text(node.get("account_url")))
    if not node.is_mapping or root.get("cache_config") is not None or account is None:
        hint = 'Write "cache_config": {"account_name": "...", "container_name": "..."}.'
        rewrite.problem("no_place", node, "Olive now calls the cloud's cache cache_config.", hint)
        root.value.pop("cloud_cache_config")
        return
    new: dict[str, Any] = {"account_name": account[1]}
    for key, member in node.items():
        if key == "account_url":
            continue
        new[_CLOUD_CACHE.get(key, key)] = member.plain()
    why = "The cloud's cache is a shared cache now; its account goes by its name."
    rewrite.replace(root, "cloud_cache_config", {"cache_config": new}, why)
