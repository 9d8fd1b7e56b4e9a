"""Yesterday's forms -> today's: one small function a rule, in the order of RULES; every change is recorded.

A rule changes only what the installed Olive no longer takes, or what it takes in two forms that mean the same (the
levels `config`, `params`, `engine`). What an old form meant and Olive has dropped, phinb keeps in its own section. An
upgraded configuration upgrades to itself. Azure's forms are not touched; check.py names them.

The old forms are those of Olive 0.5 to 0.7 (2024), as its documentation and the Phi-3 tutorials print them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from phinb.config import upgrade_data, upgrade_passes
from phinb.config.document import Node
from phinb.config.rewrite import Rewrite
from phinb.config.schema import Schema
from phinb.config.sections import COMPONENTS, data_configs, members, passes, text
from phinb.types import Change, Problem

Rule = Callable[[Rewrite], None]

MLFLOW_FORMATS = ("pytorch.mlflow", "pytorch.entiremodel", "pytorch.statedict")


def upgrade(root: Node, schema: Schema) -> tuple[Node, tuple[Change, ...], tuple[Problem, ...]]:
    """The tree in today's form, what was changed, and what no rule can carry over. `root` itself is left alone."""
    rewrite = Rewrite(root, schema)
    for rule in RULES:
        rule(rewrite)
    return rewrite.root, tuple(rewrite.changes), tuple(rewrite.problems)


# ----------------------------------------------------------------------------------------------- levels


def dissolve_levels(rewrite: Rewrite) -> None:
    """`config`, `params`, `extra_args` and `engine` go: their keys stand one level up in today's form."""
    root = rewrite.root
    dissolve(rewrite, root, "engine")
    model = root.get("input_model")
    if model is not None:
        dissolve(rewrite, model, "config")
    for _, system in members(root, "systems"):
        dissolve(rewrite, system, "config")
    for key in ("host", "target"):
        _dissolve_system(rewrite, root.get(key))
    for config in data_configs(root):
        for section in COMPONENTS:
            component = config.get(section)
            if component is not None:
                dissolve(rewrite, component, "params")
    for entry in passes(root):
        dissolve(rewrite, entry.node, "config")
        _dissolve_system(rewrite, entry.node.get("host"))
        arguments = entry.node.get("training_args")
        if arguments is not None:
            dissolve(rewrite, arguments, "extra_args")


def _dissolve_system(rewrite: Rewrite, node: Node | None) -> None:
    """A system that is defined where it is used."""
    if node is not None and node.is_mapping:
        dissolve(rewrite, node, "config")


def dissolve(rewrite: Rewrite, holder: Node, level: str) -> None:
    """Move the members of one level up. Where a key stands on both, Olive takes the inner one: that is a problem."""
    inner = holder.get(level)
    if inner is None or not (inner.is_mapping or inner.value is None):
        return
    before = {level: inner.plain()}
    moved: dict[str, Node] = {}
    for key, member in holder.value.items():
        if key == level:
            moved.update(inner.items())
        elif inner.get(key) is not None:
            twin = inner.value[key]
            message = f'"{key}" stands here and inside "{level}" (line {twin.key_line}).'
            hint = "Olive would take the inner one and drop this one without a word: remove one of them."
            rewrite.problem("twice_defined", member, message, hint)
        else:
            moved[key] = member
    holder.value = moved
    why = f'The level "{level}" is no longer needed; both forms mean the same.'
    rewrite.record(inner, before, before[level] or None, why)


# ------------------------------------------------------------------------------------------------ model


def upgrade_hf_config(rewrite: Rewrite) -> None:
    """PyTorchModel with hf_config -> HfModel."""
    model = rewrite.root.get("input_model")
    config = model.get("hf_config") if model else None
    if model is None or config is None or not config.is_mapping:
        return
    inner = dict(config.items())
    name = inner.pop("model_name", None)
    new: dict[str, Any] = {}
    if name is not None and model.get("model_path") is None:
        new["model_path"] = name.plain()
    if (task := inner.pop("task", None)) is not None:
        new["task"] = task.plain()
    loading = [inner.pop(key) for key in ("model_loading_args", "from_pretrained_args") if key in inner]
    kwargs = {key: value for node in loading if node.is_mapping for key, value in node.plain().items()}
    if kwargs:
        new["load_kwargs"] = kwargs
    for key, node in inner.items():
        hint = "HfModel has no place for it; remove it, or keep it with PyTorchModel and a model_loader of your own."
        rewrite.problem("no_place", node, f'"{key}" of the old hf_config has no equivalent.', hint)
    why = "PyTorchModel with hf_config is now HfModel; its loading arguments are load_kwargs."
    rewrite.replace(model, "hf_config", new, why)
    _keep_places(model, config)
    kind = model.get("type")
    if kind is not None and text(kind).lower() != "hfmodel":
        rewrite.replace(model, "type", {"type": "HfModel"}, why)


def _keep_places(model: Node, config: Node) -> None:
    """Let the moved values keep their own lines."""
    places = {"model_path": "model_name", "task": "task", "load_kwargs": "model_loading_args"}
    for new, old in places.items():
        node, source = model.get(new), config.get(old)
        if new == "load_kwargs":
            source = source or config.get("from_pretrained_args")
        if node is not None and source is not None and node.origin == "upgrade":
            moved = source.copy()
            moved.origin, moved.note = "upgrade", f"upgrade of hf_config.{source.path.rpartition('.')[2]}"
            model.value[new] = moved


def drop_model_file_format(rewrite: Rewrite) -> None:
    """model_file_format on a Hugging Face model: HfModel sees an MLflow folder by itself."""
    model = rewrite.root.get("input_model")
    if model is None or text(model.get("type")).lower() != "hfmodel":
        return
    given = model.get("model_file_format")
    if given is not None and text(given).lower() in MLFLOW_FORMATS:
        rewrite.remove(model, "model_file_format", "HfModel recognises a local MLflow folder by itself.")


# ---------------------------------------------------------------------------------- systems and engine


def upgrade_accelerators(rewrite: Rewrite) -> None:
    """`"accelerators": ["gpu"]` -> objects; one execution provider each."""
    for _, system in members(rewrite.root, "systems"):
        node = system.get("accelerators")
        if node is None or not node.is_list:
            continue
        if any(isinstance(entry.value, str) for entry in node.entries()):
            new = [
                {"device": entry.value} if isinstance(entry.value, str) else entry.plain() for entry in node.entries()
            ]
            rewrite.replace(
                system, "accelerators", {"accelerators": new}, "Accelerators are objects now: device and provider."
            )
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
    name = text(root.get("target")) or text(root.get("host"))
    system = dict(members(root, "systems")).get(name)
    why = "The engine no longer takes execution providers: they belong to the system that the target names."
    if len(given) > 1:
        why += " One is allowed; the first is kept."
    if not name:
        _add_local_system(rewrite, node, accelerator, why)
    elif system is None:
        rewrite.remove(root, "execution_providers", f'{why} There is no system "{name}" to take it.')
    else:
        _fill_accelerator(rewrite, system, node, accelerator, why)


def _add_local_system(rewrite: Rewrite, node: Node, accelerator: Mapping[str, Any], why: str) -> None:
    systems = rewrite.section("systems", node)
    name = "local_system"
    if systems.is_mapping and systems.get(name) is None:
        system = {"type": "LocalSystem", "accelerators": [dict(accelerator)]}
        systems.value[name] = rewrite.made(system, node, "execution_providers")
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


def drop_output_name(rewrite: Rewrite) -> None:
    """output_name, of the engine and of passes: Olive names its output itself."""
    why = "Olive names what it writes by itself; output_dir says where."
    for holder in [rewrite.root, *(entry.node for entry in passes(rewrite.root))]:
        rewrite.remove(holder, "output_name", why)


def drop_disable_search(rewrite: Rewrite) -> None:
    """disable_search, of passes and of the search strategy: no search is the default now."""
    why = "Olive searches only where the engine has a search_strategy."
    for entry in passes(rewrite.root):
        rewrite.remove(entry.node, "disable_search", why)
        rewrite.remove(entry.node, "clean_run_cache", "It is gone; clean_cache of the engine cleans all.")
    rewrite.remove(rewrite.root, "disable_search", why)


def apply_pass_flows(rewrite: Rewrite) -> None:
    """pass_flows: passes run in the order in which they stand. One flow reorders them, several cannot be kept."""
    root = rewrite.root
    node, section = root.get("pass_flows"), root.get("passes")
    if node is None or section is None or not section.is_mapping:
        return
    flows = [flow.plain() for flow in node.entries()]
    if len(flows) != 1 or not isinstance(flows[0], list) or any(name not in section.value for name in flows[0]):
        hint = "Passes run in the order in which they stand under passes; write one configuration for each flow."
        rewrite.problem("no_place", node, "Olive no longer takes several flows of passes.", hint)
        root.value.pop("pass_flows")
        return
    left_out = [name for name in section.value if name not in flows[0]]
    section.value = {name: section.value[name] for name in flows[0]}
    why = "Passes run in the order in which they stand; they were put in the order of the flow."
    why += f" {', '.join(left_out)} stood in no flow and did not run." if left_out else ""
    rewrite.remove(root, "pass_flows", why)


RULES: tuple[Rule, ...] = (
    upgrade_data.list_data_configs,
    upgrade_data.rename_components,
    dissolve_levels,
    upgrade_hf_config,
    drop_model_file_format,
    upgrade_accelerators,
    upgrade_engine_providers,
    drop_output_name,
    drop_disable_search,
    apply_pass_flows,
    upgrade_data.spread_params_config,
    upgrade_data.spell_names,
    upgrade_data.upgrade_text_generation,
    upgrade_passes.rename_types,
    upgrade_passes.upgrade_adapter,
    upgrade_passes.keep_eval_split,
    upgrade_passes.upgrade_training_args,
)
