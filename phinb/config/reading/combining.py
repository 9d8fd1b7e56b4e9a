"""Several trees -> one: sections merged by key, data configs joined, contradictions told."""

from __future__ import annotations

from collections.abc import Sequence

from phinb.config.nodes import Node
from phinb.config.sections import text
from phinb.config.value_types import show
from phinb.types import Problem


def combine(roots: Sequence[Node]) -> tuple[Node | None, list[Problem]]:
    """One tree of several: sections are merged by key, data configs joined, and contradictions told at the later one.

    Where pieces contradict each other, the first is kept.
    """
    if len(roots) < 2:
        return (roots[0] if roots else None), []
    problems: list[Problem] = []
    whole = Node({})
    for root in roots:
        for key, member in root.items():
            found = whole.value.get(key)
            whole.value[key] = member if found is None else join(key, found, member, problems)
    return whole, problems


def join(key: str, first: Node, second: Node, problems: list[Problem]) -> Node:
    """A section that two pieces have; a new node at the place of the first."""
    joined = Node(first.value, first.path, first.offset, first.key_offset, first.lines)
    if first.is_mapping and second.is_mapping:
        joined.value = dict(first.value)
        for name, member in second.items():
            if name not in joined.value:
                joined.value[name] = member
            elif joined.value[name].plain() != member.plain():
                problems.append(_conflict(name, joined.value[name], member))
    elif key == "data_configs" and first.is_list and second.is_list:
        joined.value = list(first.value)
        for entry in second.entries():
            twin = _named(first, text(entry.get("name")))
            if twin is None:
                joined.value.append(entry)
            elif twin.plain() != entry.plain():
                problems.append(_conflict(text(entry.get("name")), twin, entry))
    elif first.plain() != second.plain():
        problems.append(_conflict(key, first, second))
    return joined


def _named(section: Node, name: str) -> Node | None:
    return next((entry for entry in section.entries() if name and text(entry.get("name")) == name), None)


def _conflict(name: str, first: Node, second: Node) -> Problem:
    """Told at the later of two definitions."""
    where = ", ".join(part for part in (first.source, f"line {first.key_line}" if first.key_line else "") if part)
    if first.is_mapping or first.is_list:
        message = f'"{name}" is defined here with other values than in {where}.'
    else:
        message = f'"{name}" is {show(second.plain())} here and {show(first.plain())} in {where}.'
    hint = "Remove one of the two. If that cell is gone, `%%olive_config NAME --new` begins afresh."
    line, column = second.key_line, second.key_column
    return Problem("error", "conflict", message, second.path, line, column, hint, source=second.source)
