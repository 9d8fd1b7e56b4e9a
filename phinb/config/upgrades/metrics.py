"""Yesterday's metrics -> today's: what fed them with data was part of user_config until 0.6. Rules of upgrade.py."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phinb.config.document import Node
from phinb.config.sections import data_configs, members, text
from phinb.config.upgrades.rewrite import Rewrite

_INPUTS = ("input_names", "input_shapes", "input_types")
_FEEDING = ("data_dir", "batch_size")
_FUNCTIONS = {
    "dataloader_func": (
        "Register it with @Registry.register_dataset or register_dataloader in a user_script of a data config, and "
        'name that as "data_config" of the metric.'
    ),
    "post_processing_func": (
        "Register it with @Registry.register_post_process in a user_script of a data config, and name it as the type "
        "of its post_process_data_config."
    ),
}
"""Functions that a metric no longer takes, and what to do (olive/evaluator/metric_config.py, 0.6.2 and 0.13)."""


def upgrade_function_arguments(rewrite: Rewrite) -> None:
    """func_kwargs by function -> evaluate_func_kwargs and metric_func_kwargs."""
    for _, holder in _user_configs(rewrite.root):
        node = holder.get("func_kwargs")
        if node is None or not (node.is_mapping or node.value is None):
            continue
        before = {"func_kwargs": node.plain()}
        holder.value.pop("func_kwargs")
        after = {}
        for key, member in node.items():
            new = f"{key}_kwargs"
            if key in _FUNCTIONS:
                continue  # told with the function itself
            if key not in ("evaluate_func", "metric_func") or holder.get(new) is not None:
                rewrite.problem("no_place", member, f'A metric has no function "{key}".', "Remove its arguments.")
                continue
            member.origin, member.note = "upgrade", "upgrade of func_kwargs"
            holder.value[new] = member
            after[new] = member.plain()
        rewrite.record(node, before, after or None, "Each function has arguments of its own now.")


def name_dummy_data(rewrite: Rewrite) -> None:
    """input_names, input_shapes, input_types of a metric -> a data config of random data with these shapes."""
    for metric, holder in _user_configs(rewrite.root):
        names, shapes = holder.get("input_names"), holder.get("input_shapes")
        given = {key: holder.value[key] for key in _INPUTS if holder.get(key) is not None}
        if not given:
            continue
        used = metric.get("data_config") is None and holder.get("dataloader_func") is None
        if not used or names is None or shapes is None or not names.value or not shapes.value:
            why = "It had no effect beside a data config or a dataloader, or without names and shapes."
            for key in given:
                rewrite.remove(holder, key, why)
            continue
        name = _free_name(rewrite.root, text(metric.get("name")) or text(metric.get("type")) or "metric")
        section = rewrite.root.get("data_configs")
        if section is None or section.value is None:
            section = rewrite.root.value["data_configs"] = rewrite.made([], shapes, "input_shapes")
        if not section.is_list:
            continue
        made = rewrite.made({"name": name, "type": "DummyDataContainer"}, shapes, "input_shapes")
        load = made.value["load_dataset_config"] = rewrite.made({}, shapes, "input_shapes")
        for key, node in given.items():
            holder.value.pop(key)
            node.origin, node.note = "upgrade", f"upgrade of user_config.{key}"
            load.value[key] = node
        section.value.append(made)
        metric.value["data_config"] = rewrite.made(name, shapes, "input_shapes")
        why = "Olive makes random data from a data config now, which the metric names."
        before = {key: node.plain() for key, node in given.items()}
        rewrite.record(shapes, before, {"data_config": name}, why)


def drop_metric_feeding(rewrite: Rewrite) -> None:
    """dataloader_func and post_processing_func have no equivalent; data_dir and batch_size were theirs."""
    for metric, holder in _user_configs(rewrite.root):
        loader = holder.get("dataloader_func")
        for key, hint in _FUNCTIONS.items():
            node = holder.get(key)
            if node is None:
                continue
            if node.value is None:
                rewrite.remove(holder, key, "It was empty.")
                continue
            message = f'A metric no longer takes a function of yours as "{key}".'
            if key == "dataloader_func":
                message += " (Its data_dir and batch_size go with it.)"
            rewrite.problem("no_place", node, message, hint)
            holder.value.pop(key)
        for key in _FEEDING:
            node = holder.get(key)
            if node is None:
                continue
            if loader is not None and loader.value is not None:
                holder.value.pop(key)
            else:
                where = " The data config has its own." if metric.get("data_config") is not None else ""
                rewrite.remove(holder, key, f"Only a dataloader_func used it.{where}")


def _user_configs(root: Node) -> Iterator[tuple[Node, Node]]:
    """Every metric, with the mapping that holds its user's keys: user_config, or the metric itself."""
    evaluators = [evaluator for _, evaluator in members(root, "evaluators")]
    inline = root.get("evaluator")
    for evaluator in [*evaluators, *([inline] if inline is not None else [])]:
        metrics = evaluator.get("metrics")
        for metric in metrics.entries() if metrics is not None else ():
            inner = metric.get("user_config")
            if inner is not None and inner.is_mapping:
                yield metric, inner
            if metric.is_mapping:
                yield metric, metric


def _free_name(root: Node, wanted: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", f"{wanted}_data")
    taken = {text(config.get("name")) for config in data_configs(root)}
    numbers = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(other for other in numbers if other not in taken)
