"""Yesterday's data configs -> today's. Rules of upgrade.py."""

from __future__ import annotations

import re

from phinb.config.document import Node
from phinb.config.sections import data_configs, members, passes, text
from phinb.config.upgrades.rewrite import Rewrite

_MODELS_DATA = "__input_model_data_config__"
"""The name by which Olive 0.4 and 0.5 knew the data that stood in the model (INPUT_MODEL_DATA_CONFIG)."""


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


def keep_dataset(rewrite: Rewrite) -> None:
    """hf_config.dataset of the model (0.4, 0.5) -> a data config of its old name, which metrics without data take."""
    model = rewrite.root.get("input_model")
    holder = model.get("hf_config") if model is not None else None
    node = holder.get("dataset") if holder is not None else None
    if holder is None or node is None:
        return
    section = rewrite.root.get("data_configs")
    if section is None or section.value is None:
        section = rewrite.made([], node, "dataset")
    if not node.is_mapping or not node.value or not section.is_list:
        if not node.value:
            rewrite.remove(holder, "dataset", "It was empty.")
        return  # else hf_config's rule tells what has no place
    before = {"dataset": node.plain()}
    holder.value.pop("dataset")
    made = rewrite.made({"name": _MODELS_DATA, "type": "HuggingfaceContainer"}, node, "dataset")
    params = made.value["params_config"] = rewrite.made({}, node, "dataset")
    for key in ("model_name", "task"):
        if holder.get(key) is not None and node.get(key) is None:
            params.value[key] = holder.value[key].copy()
    params.value.update(node.value)
    section.value.append(made)
    rewrite.root.value["data_configs"] = section
    for metric in _metrics(rewrite.root):
        inner = metric.get("user_config") or metric
        given = metric.get("data_config")
        if (given is None or given.value is None) and inner.get("dataloader_func") is None:
            metric.value["data_config"] = rewrite.made(_MODELS_DATA, node, "dataset")
    why = "Data stand under data_configs; metrics and passes name them. Olive gave it this name itself."
    rewrite.record(node, before, {"data_configs": [{"name": _MODELS_DATA}]}, why)


def list_inline_data_configs(rewrite: Rewrite) -> None:
    """A data config that is defined where it is used -> data_configs; Olive takes its name."""
    for holder, key in _references(rewrite.root):
        node = holder.get(key)
        section = rewrite.root.get("data_configs")
        if node is None or not node.is_mapping or not (section is None or section.value is None or section.is_list):
            continue
        taken = {text(config.get("name")) for config in data_configs(rewrite.root)}
        given = text(node.get("name"))
        name = given or key.removesuffix("_data_config") or "data"
        if name in taken:
            name = next(f"{name}_{number}" for number in range(2, len(taken) + 3) if f"{name}_{number}" not in taken)
        if section is None or section.value is None:
            section = rewrite.root.value["data_configs"] = rewrite.made([], node, key)
        before = {key: node.plain()}
        moved = node.copy()
        moved.value = {"name": node.get("name") or rewrite.made(name, node, key), **moved.value}
        if given != name:
            moved.value["name"] = rewrite.made(name, node, key)
        section.value.append(moved)
        holder.value[key] = rewrite.made(name, node, key)
        why = "Data configs stand under data_configs, and are named where they are used."
        rewrite.record(node, before, {key: name}, why)


def spell_names(rewrite: Rewrite) -> None:
    """`-` in a data config's name -> `_`, there and wherever the name is used."""
    renamed: dict[str, str] = {}
    taken = {text(config.get("name")) for config in data_configs(rewrite.root)}
    for config in data_configs(rewrite.root):
        old = text(config.get("name"))
        new = re.sub(r"[^A-Za-z0-9_]", "_", old)
        if "-" in old and new not in taken:
            taken.add(new)
            why = "A data config's name has letters, digits and _ only."
            rewrite.replace(config, "name", {"name": new}, why)
            renamed[old] = new
    for holder, key in _references(rewrite.root) if renamed else ():
        old = text(holder.get(key))
        if old in renamed:
            why = f'The data config "{old}" is named "{renamed[old]}" now.'
            rewrite.replace(holder, key, {key: renamed[old]}, why)


def _metrics(root: Node) -> list[Node]:
    """The metrics of all evaluators, those of one that is defined where it is used included."""
    evaluators = [evaluator for _, evaluator in members(root, "evaluators")]
    evaluators += [node for node in (root.get("evaluator"),) if node is not None]
    found = [metrics for evaluator in evaluators if (metrics := evaluator.get("metrics")) is not None]
    return [metric for metrics in found for metric in metrics.entries() if metric.is_mapping]


def _references(root: Node) -> list[tuple[Node, str]]:
    """The holders and keys that name a data config: of passes, and of the evaluators' metrics."""
    holders = [entry.node for entry in passes(root)] + _metrics(root)
    return [(holder, key) for holder in holders for key, _ in holder.items() if key.endswith("data_config")]


def upgrade_text_generation(rewrite: Rewrite) -> None:
    """dataset_type, corpus_strategy, source_max_len -> strategy and max_seq_len, with the meaning they had."""
    for config in data_configs(rewrite.root):
        node = config.get("pre_process_data_config")
        if node is None or not node.is_mapping:
            continue
        kind = node.get("dataset_type")
        if kind is not None and text(kind) not in ("corpus", ""):
            hint = (
                'Join the two columns with a text_template, e.g. "{question}\\n{answer}"; with '
                '"phinb": {"loss_on": "completion"} only the answer is trained on, as it was.'
            )
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
