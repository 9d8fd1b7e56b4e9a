"""Yesterday's data configs -> today's. Rules of upgrade.py."""

from __future__ import annotations

import re
from typing import Any

from phinb.config.document import Node
from phinb.config.rewrite import Rewrite
from phinb.config.sections import COMPONENTS, data_configs, members, model_task, passes, text

_OLD_COMPONENTS = {
    "load_dataset": "load_dataset_config",
    "pre_process_data": "pre_process_data_config",
    "post_process_data": "post_process_data_config",
    "dataloader": "dataloader_config",
}


def list_data_configs(rewrite: Rewrite) -> None:
    """`"data_configs": {"train": {...}}` -> a list of configs that carry their names."""
    section = rewrite.root.get("data_configs")
    if section is None or not section.is_mapping:
        return
    before = section.plain()
    entries: list[Node] = []
    for name, config in section.items():
        if config.is_mapping and config.get("name") is None:
            config.value = {"name": rewrite.made(name, config, "the key"), **config.value}
        entries.append(config)
    section.value = entries
    rewrite.record(section, before, section.plain(), "data_configs is a list now; each config carries its name.")


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
            config.value[new] = component
            node.value.pop(old)
            if component.get("name") is not None:
                component.value.pop("name")
            why = f"components.{old} is now {new}."
            rewrite.record(component, {old: component.plain()}, {new: component.plain()}, why)
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
    renamed = {"label_cols": "label_col"}
    for old, node in parameters.items():
        name = renamed.get(old, old)
        if old == "label_cols" and len(node.entries()) == 1:
            node = node.entries()[0]
        section = next((key for key in COMPONENTS if _takes(rewrite, config, key, name)), "load_dataset_config")
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
    task = model_task(rewrite.root, schema.default_task)
    container = text(config.get("type")) or "DataContainer"
    named = text(component.get("type")) if component else ""
    group = schema.component(kind, named or schema.component_type(container, kind, task))
    return group is not None and name in group.parameters


def spell_names(rewrite: Rewrite) -> None:
    """`-` in a data config's name -> `_`, there and wherever the name is used."""
    renamed: dict[str, str] = {}
    for config in data_configs(rewrite.root):
        old = text(config.get("name"))
        new = re.sub(r"[^A-Za-z0-9_]", "_", old)
        taken = {text(other.get("name")) for other in data_configs(rewrite.root)}
        if "-" in old and new not in taken:
            why = "A data config's name has letters, digits and _ only."
            rewrite.replace(config, "name", {"name": new}, why)
            renamed[old] = new
    for holder, key in _references(rewrite.root) if renamed else ():
        old = text(holder.get(key))
        if old in renamed:
            why = f'The data config "{old}" is named "{renamed[old]}" now.'
            rewrite.replace(holder, key, {key: renamed[old]}, why)


def _references(root: Node) -> list[tuple[Node, str]]:
    """The holders and keys that name a data config: of passes, and of the evaluators' metrics."""
    holders = [entry.node for entry in passes(root)]
    for _, evaluator in members(root, "evaluators"):
        metrics = evaluator.get("metrics")
        holders += metrics.entries() if metrics else []
    return [(holder, key) for holder in holders for key, _ in holder.items() if key.endswith("data_config")]


def upgrade_text_generation(rewrite: Rewrite) -> None:
    """dataset_type, corpus_strategy, source_max_len -> strategy and max_seq_len, with the meaning they had."""
    for config in data_configs(rewrite.root):
        node = config.get("pre_process_data_config")
        if node is None or not node.is_mapping:
            continue
        kind = node.get("dataset_type")
        if kind is not None and text(kind) not in ("corpus", ""):
            hint = 'Join the two columns with a text_template, e.g. "{question}\\n{answer}".'
            message = f'The dataset type "{text(kind)}" is gone: Olive trains on one text a row.'
            rewrite.problem("no_place", kind, message, hint)
            node.value.pop("dataset_type")
            kind = None
        rewrite.rename(node, "corpus_strategy", "strategy", "corpus_strategy is now strategy.")
        rewrite.rename(node, "source_max_len", "max_seq_len", "source_max_len is now max_seq_len.")
        if kind is not None:
            _drop_dataset_type(rewrite, node)


def _drop_dataset_type(rewrite: Rewrite, node: Node) -> None:
    if node.get("strategy") is None:
        why = (
            "Every dataset is a corpus now. Without a strategy a corpus was read line by line; today's default is join."
        )
        rewrite.replace(node, "dataset_type", {"strategy": "line-by-line"}, why)
    else:
        rewrite.remove(node, "dataset_type", "Every dataset is a corpus now.")
