"""Where things stand in a configuration's tree: its data configs, passes, systems, and the places of new keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from phinb.config.document import Node

COMPONENTS = {
    "load_dataset_config": "load_dataset",
    "pre_process_data_config": "pre_process_data",
    "post_process_data_config": "post_process_data",
    "dataloader_config": "dataloader",
}
"""The component sections of a data config, and what the schema calls them."""

ADAPTER_PASSES = frozenset({"LoRA", "QLoRA", "DoRA", "LoHa", "LoKr", "LoftQ"})
"""Passes that train an adapter; they take training_args and a train_data_config."""

RESERVED = ("type", "config", "host", "evaluator")
"""Keys of a pass that are not parameters of its type (RunPassConfig)."""


@dataclass(frozen=True)
class PassEntry:
    """A pass as it stands under `passes`; `at` is its number where the name holds a list of alternatives."""

    name: str
    node: Node
    at: int | None = None

    @property
    def path(self) -> str:
        """Where its values stand in today's form."""
        return f"passes.{self.name}" if self.at is None else f"passes.{self.name}.{self.at}"

    @property
    def type(self) -> str:
        """The type as written; "" where there is none."""
        return text(self.node.get("type"))


def text(node: Node | None) -> str:
    """The text that a node holds, "" for anything else."""
    return node.value if node is not None and isinstance(node.value, str) else ""


def passes(root: Node) -> Iterator[PassEntry]:
    """Every pass in order, those in lists of alternatives included; what is no mapping is left out."""
    section = root.get("passes")
    for name, node in section.items() if section else ():
        if node.is_mapping:
            yield PassEntry(name, node)
        for at, entry in enumerate(node.entries()):
            if entry.is_mapping:
                yield PassEntry(name, entry, at)


def data_configs(root: Node) -> list[Node]:
    """The data configs that are mappings, in order."""
    section = root.get("data_configs")
    return [entry for entry in section.entries() if entry.is_mapping] if section else []


def members(root: Node, section: str) -> list[tuple[str, Node]]:
    """The members of a section of the outermost level that are mappings, e.g. the systems."""
    node = root.get(section)
    return [(name, member) for name, member in node.items() if member.is_mapping] if node else []


def evaluators(root: Node) -> list[Node]:
    """Every evaluator: those that have a name, and those that the engine or a pass defines in place."""
    holders = [root, *(entry.node for entry in passes(root))]
    in_place = [holder.get("evaluator") for holder in holders]
    named = [node for _, node in members(root, "evaluators")]
    return [*named, *(node for node in in_place if node is not None and node.is_mapping)]


def metrics_of(evaluator: Node) -> list[Node]:
    """The metrics of an evaluator that are mappings."""
    metrics = evaluator.get("metrics")
    return [metric for metric in metrics.entries() if metric.is_mapping] if metrics is not None else []


def is_hf_model(root: Node, known: Collection[str]) -> bool:
    """Whether Olive fills the model's name and task into the data configs (RunConfig does for these two types).

    A model that is missing, or of a type that is none of the `known`, counts as one: that mistake is told by itself.
    """
    model = root.get("input_model")
    kind = text(model.get("type") if model is not None else None).lower()
    return kind in ("hfmodel", "onnxmodel") or kind not in [name.lower() for name in known]


def model_task(root: Node, default: str) -> str:
    """The task that Olive gives to data configs; `default` where the model names none."""
    model = root.get("input_model")
    return text(model.get("task") if model else None) or default


def place_of_new_key(node: Node, key: str) -> str:
    """The path at which a new key goes in the user's form: beside the members that the user wrote there.

    A section that was written with a level of its own (`params`, `config`) keeps its keys in that level.
    """
    for _, member in node.items():
        if member.origin == "you" and member.path.startswith(node.path) and "." in member.path:
            parent = member.path.rpartition(".")[0]
            if parent.count(".") >= node.path.count("."):
                return f"{parent}.{key}"
    return f"{node.path}.{key}" if node.path else key
