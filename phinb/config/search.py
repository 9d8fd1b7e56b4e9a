"""What Olive's search_strategy chooses among, as the text alone tells it.

With a search, a parameter that Olive declares values to search for is searched wherever a pass does not set it
(olive.passes.pass_config.create_config_class): a ModelBuilder pass that says nothing of int4 has 24 combinations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

from phinb.config.document import Node
from phinb.config.schema import Parameter, Schema
from phinb.config.sections import PassEntry, passes, text
from phinb.config.value_types import fits

SEARCHABLE, DEFAULT = "SEARCHABLE_VALUES", "DEFAULT_VALUE"
"""What a configuration may write for a value: search Olive's own values, or take its default and search nothing."""


@dataclass(frozen=True)
class Search:
    """The choices of a search that has any.

    values: dotted path of a parameter -> what is tried there, yours or Olive's own; empty where it depends on other
    parameters. unasked: those of them that the configuration does not name. alternatives: pass -> how many a list of
    passes holds. varying: the passes that have any choice, in order. labels: what the outputs are called where the
    alternatives of one pass are the only choice, else empty. combinations and most (trials, at most) are None where
    that depends on other parameters.
    """

    order: Literal["joint", "pass-by-pass"]
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()
    alternatives: Mapping[str, int] = field(default_factory=dict)
    varying: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    combinations: int | None = None
    most: int | None = None


def searches(root: Node) -> bool:
    """Whether Olive searches: only then are lists and SEARCHABLE_VALUES values to choose from."""
    strategy = root.get("search_strategy")
    return strategy is not None and bool(strategy.value)


def holds_candidates(node: Node, parameter: Parameter) -> bool:
    """Whether a list stands for values to choose from, and is none itself (Pass._identify_search_values)."""
    return parameter.search is not None and node.is_list and fits(node.plain(), parameter.type) == "no"


def searched_values(node: Node | None, parameter: Parameter) -> tuple[Any, ...] | None:
    """What a search tries for a parameter that is given as `node`: () where that depends on others, None for none."""
    if parameter.search is None or parameter.required:
        return None
    if node is not None and node.value != SEARCHABLE:
        return tuple(node.plain()) if holds_candidates(node, parameter) else None
    return tuple(parameter.search) if isinstance(parameter.search, list) else ()


def find_search(root: Node, schema: Schema) -> Search | None:
    """The search of an upgraded tree; None where none is asked for, or nothing is left to choose."""
    if not searches(root):
        return None
    strategy = root.get("search_strategy") or Node({})
    order: Literal["joint", "pass-by-pass"] = (
        "pass-by-pass" if text(strategy.get("execution_order")).lower() == "pass-by-pass" else "joint"
    )
    values: dict[str, tuple[Any, ...]] = {}
    unasked: list[str] = []
    counts: dict[str, list[int | None]] = {}
    for entry in passes(root):
        own = dict(_searched(entry, schema))
        values |= {path: found for path, (found, _) in own.items()}
        unasked += [path for path, (_, asked) in own.items() if not asked]
        sizes = [len(found) for found, _ in own.values()]
        counts.setdefault(entry.name, []).append(prod(sizes) if all(sizes) else None)
    varying = tuple(name for name, sizes in counts.items() if len(sizes) > 1 or sizes != [1])
    if not varying:
        return None
    levels = [sum(size or 0 for size in sizes) if None not in sizes else None for sizes in counts.values()]
    known = [level for level in levels if level is not None]
    complete = len(known) == len(levels)
    outputs = order == "joint" and len(varying) == 1 and counts[varying[0]] == [1] * len(counts[varying[0]])
    return Search(
        order,
        values,
        tuple(unasked),
        {name: len(sizes) for name, sizes in counts.items() if len(sizes) > 1},
        varying,
        _labels(root, varying[0]) if outputs else (),
        prod(known) if complete else None,
        _count_trials(order, known, strategy) if complete else None,
    )


def _searched(entry: PassEntry, schema: Schema) -> Iterator[tuple[str, tuple[tuple[Any, ...], bool]]]:
    """(path, (values, whether the configuration asks for it)) of what is searched in one pass."""
    name = schema.pass_name(entry.type)
    for key, parameter in schema.pass_group(name).parameters.items() if name is not None else ():
        given = entry.node.get(key)
        found = searched_values(given, parameter)
        if found is not None and len(found) != 1:  # one value is no choice
            yield f"{entry.path}.{key}", (found, given is not None)


def _labels(root: Node, name: str) -> tuple[str, ...]:
    """The alternatives' precisions where these tell them apart, else the pass's name with their numbers."""
    entries = [entry for entry in passes(root) if entry.name == name]
    precisions = [text(entry.node.get("precision")) for entry in entries]
    if all(precisions) and len(set(precisions)) == len(precisions):
        return tuple(precisions)
    return tuple(f"{name}-{number}" for number in range(1, len(entries) + 1))


def _count_trials(order: str, levels: Collection[int], strategy: Node) -> int:
    """`levels`: how many choices each pass has. A joint search tries their combinations. One pass by pass tries all of
    a pass, goes on from the best, and returns to the next best of the last pass but one only (SearchStrategy)."""

    def number(key: str) -> int | None:
        inner = strategy.get("sampler_config")
        node = strategy.get(key) or (inner.get(key) if inner is not None else None)
        return node.value if node is not None and isinstance(node.value, int) and node.value > 0 else None

    samples, rounds = number("max_samples"), number("max_iter")

    def capped(size: int) -> int:
        return size if samples is None else min(size, samples)

    if order == "joint":
        most = capped(prod(levels))
        return most if rounds is None else min(most, rounds + 1)  # it is looked at after the round that exceeds it
    sizes = [capped(level) for level in levels]
    return sum(sizes[:-1]) + (sizes[-2] if len(sizes) > 1 else 1) * sizes[-1]
