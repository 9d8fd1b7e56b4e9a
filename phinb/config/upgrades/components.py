"""Yesterday's components of data configs, and their parameters -> today's sections. Rules of upgrade.py."""

from __future__ import annotations

from typing import Any

from phinb.config.document import Node
from phinb.config.sections import COMPONENTS, data_configs, model_task, text
from phinb.config.upgrades.rewrite import Rewrite

_OLD_COMPONENTS = {
    "load_dataset": "load_dataset_config",
    "pre_process_data": "pre_process_data_config",
    "post_process_data": "post_process_data_config",
    "dataloader": "dataloader_config",
}


def rename_components(rewrite: Rewrite) -> None:
    """`components: {load_dataset: {...}}` of a data config -> `load_dataset_config: {...}`."""
    for config in data_configs(rewrite.root):
        node = config.get("components")
        if node is None or not node.is_mapping:
            continue
        for old, new in _OLD_COMPONENTS.items():
            component = node.get(old)
            if component is None or config.get(new) is not None:
                continue
            before = {old: component.plain()}
            config.value[new] = component
            node.value.pop(old)
            if component.get("name") is not None:
                component.value.pop("name")  # it named the component in Olive's log
            why = f"components.{old} is now {new}, without a name of its own."
            rewrite.record(component, before, {new: component.plain()}, why)
        if not node.value:
            config.value.pop("components")


def spread_params_config(rewrite: Rewrite) -> None:
    """`params_config` and `component_kwargs` -> the sections whose components take the parameters."""
    for config in data_configs(rewrite.root):
        params = config.get("params_config")
        if params is not None and params.is_mapping:
            inner = dict(params.items())
            kwargs = inner.pop("component_kwargs", None)
            before = {"params_config": params.plain()}
            config.value.pop("params_config")
            _give(rewrite, config, inner)
            _give_kwargs(rewrite, config, kwargs)
            rewrite.record(
                params, before, _component_values(config), "Parameters stand in their component's section now."
            )
        kwargs = config.get("component_kwargs")
        if kwargs is not None and kwargs.is_mapping:
            before = {"component_kwargs": kwargs.plain()}
            config.value.pop("component_kwargs")
            _give_kwargs(rewrite, config, kwargs)
            rewrite.record(
                kwargs, before, _component_values(config), "Parameters stand in their component's section now."
            )


def _component_values(config: Node) -> dict[str, Any]:
    return {key: node.plain() for key, node in config.items() if key in COMPONENTS}


def _give(rewrite: Rewrite, config: Node, parameters: dict[str, Node]) -> None:
    """Put each parameter into the first section whose component takes it; what none takes goes to load_dataset."""
    container = text(config.get("type")).lower() == "huggingfacecontainer"
    for name, node in sorted(parameters.items(), key=lambda item: item[0] != "task"):  # the task chooses components
        if container and name in ("task", "model_name"):  # Olive takes them from both, and the later one counts
            _set(rewrite, config, "pre_process_data_config", name, node)
            _set(rewrite, config, "post_process_data_config", name, node.copy())
            continue
        today = {"label_cols": "label_col"}.get(name, name)
        section = next((key for key in COMPONENTS if _takes(rewrite, config, key, today)), "load_dataset_config")
        _set(rewrite, config, section, name, node)


def _give_kwargs(rewrite: Rewrite, config: Node, kwargs: Node | None) -> None:
    for old, new in _OLD_COMPONENTS.items():
        component = kwargs.get(old) if kwargs is not None else None
        for name, node in component.items() if component is not None else ():
            _set(rewrite, config, new, name, node)


def _set(rewrite: Rewrite, config: Node, section: str, name: str, node: Node) -> None:
    holder = config.get(section)
    if holder is None or not holder.is_mapping:
        holder = config.value[section] = rewrite.made({}, node, "params_config")
    node.origin, node.note = "upgrade", "upgrade of params_config"
    holder.value.setdefault(name, node)


def _takes(rewrite: Rewrite, config: Node, section: str, name: str) -> bool:
    schema, kind = rewrite.schema, COMPONENTS[section]
    component = config.get(section)
    own = text((config.get("pre_process_data_config") or Node(None)).get("task"))
    task = own or model_task(rewrite.root, schema.default_task)
    container = text(config.get("type")) or "DataContainer"
    named = text(component.get("type")) if component else ""
    group = schema.component(kind, named or schema.component_type(container, kind, task))
    return group is not None and name in group.parameters


def place_batch_size(rewrite: Rewrite) -> None:
    """`batch_size` beside the components of a data config -> dataloader_config, which uses it."""
    for config in data_configs(rewrite.root):
        node = config.get("batch_size")
        holder = config.get("dataloader_config")
        if node is None or not (holder is None or holder.value is None or holder.is_mapping):
            continue
        if holder is not None and holder.get("batch_size") is not None:
            rewrite.remove(config, "batch_size", "dataloader_config has one, and Olive never looked here.")
            continue
        if holder is None or holder.value is None:
            holder = config.value["dataloader_config"] = rewrite.made({}, node, "batch_size")
        config.value.pop("batch_size")
        node.origin, node.note = "upgrade", "upgrade of batch_size"
        holder.value["batch_size"] = node
        after = {"dataloader_config": {"batch_size": node.plain()}}
        rewrite.record(node, {"batch_size": node.plain()}, after, "The dataloader takes the batch size.")


def name_label_column(rewrite: Rewrite) -> None:
    """`label_cols: ["label"]` (until 0.6) -> `label_col: "label"`."""
    for config in data_configs(rewrite.root):
        for section in COMPONENTS:
            holder = config.get(section)
            node = holder.get("label_cols") if holder is not None else None
            if holder is None or node is None or _takes(rewrite, config, section, "label_cols"):
                continue
            if len(node.entries()) > 1:
                hint = "Name the one column that holds the label."
                rewrite.problem("no_place", node, "Olive takes one label column now, as label_col.", hint)
                holder.value.pop("label_cols")
            elif holder.get("label_col") is not None or node.value in (None, []):
                rewrite.remove(holder, "label_cols", "label_col says it, or there was nothing to say.")
            else:
                column = node.entries()[0].plain() if node.is_list else node.plain()
                rewrite.replace(holder, "label_cols", {"label_col": column}, "There is one label column now.")
