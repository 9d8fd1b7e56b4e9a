"""Finding and changing values in a document's tree by dotted paths; keys may hold dots, and lists names.

A value that is set keeps the place in the text of the one that it replaces, so that writing.py can leave everything
else as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from phinb.config.document import Node

Trail = tuple[str | int, ...]
"""The keys and numbers that lead from the outermost node to another."""


def follow(root: Node, path: str) -> tuple[Trail, str]:
    """The way along a dotted path as far as it exists, and the rest of the path.

    An entry of a list goes by its number, or by its "name".
    """
    trail: list[str | int] = []
    node, rest = root, path
    while rest:
        step = _step(node, rest)
        if step is None:
            break
        key, taken = step
        node = node.value[key]
        trail.append(key)
        rest = rest[len(taken) + 1 :]
    return tuple(trail), rest


def ambiguous_name(root: Node, path: str) -> str:
    """The name on the way along a path that is not the only one that fits: "a.b" beside "a". "" where each is."""
    trail, _ = follow(root, path)
    node, rest = root, path
    for key in trail:
        fitting = _fitting(_names_in(node), rest)
        if len(fitting) > 1:
            return max(fitting, key=len)
        step = _step(node, rest)
        assert step is not None
        node, rest = node.value[key], rest[len(step[1]) + 1 :]
    return ""


def at(root: Node, trail: Trail) -> Node:
    """The node at the end of a trail."""
    for key in trail:
        root = root.value[key]
    return root


def set_value(root: Node, trail: Trail, rest: str, value: Any) -> bool:
    """Put a plain value at the end of a trail, or at the path `rest` from there, made if need be.

    False, and nothing changed, where something that is no mapping is in the way.
    """
    if not rest:
        if not trail:
            return False
        holder, key = at(root, trail[:-1]), trail[-1]
        holder.value[key] = replaced(value, holder.value[key])
        return True
    holder = at(root, trail)
    keys = rest.split(".")
    if holder.is_list and keys[0] == str(len(holder.value)):
        holder.value.append(_nested(keys[1:], value))
        return True
    if holder.value is None:
        holder.value = {}
    if not holder.is_mapping:
        return False
    holder.value[keys[0]] = _nested(keys[1:], value)
    return True


def remove(root: Node, trail: Trail) -> None:
    """Take the node at the end of a trail out."""
    at(root, trail[:-1]).value.pop(trail[-1])


def rename(root: Node, trail: Trail, name: str) -> bool:
    """Give the last key of a trail another name, in its place. False where that is taken, or no key is there."""
    holder, key = at(root, trail[:-1]), trail[-1]
    if not holder.is_mapping or (name in holder.value and name != key):
        return False
    holder.value = {name if old == key else old: member for old, member in holder.value.items()}
    return True


def replaced(value: Any, old: Node | None) -> Node:
    """A node for a plain value at the place of an old one; what they have in common keeps its own place."""
    if old is None:
        node = Node(None)
    else:
        node = Node(None, old.path, old.offset, old.key_offset, old.lines, old.origin, old.note)
    if isinstance(value, Mapping):
        node.value = {str(key): replaced(member, old.get(str(key)) if old else None) for key, member in value.items()}
    elif isinstance(value, list | tuple):
        entries = old.entries() if old else []
        node.value = [
            replaced(entry, entries[number] if number < len(entries) else None) for number, entry in enumerate(value)
        ]
    else:
        node.value = value
    return node


def pruned(value: Any) -> Any:
    """A plain value without the mappings in it that are empty."""
    if isinstance(value, dict):
        members = {key: pruned(member) for key, member in value.items()}
        return {key: member for key, member in members.items() if member != {}}
    return [pruned(entry) for entry in value] if isinstance(value, list) else value


def _nested(keys: list[str], value: Any) -> Node:
    node = replaced(value, None)
    for key in reversed(keys):
        node = Node({key: node})
    return node


def _step(node: Node, path: str) -> tuple[str | int, str] | None:
    """The key or number with which a path goes on in a node, and how the path writes it.

    Keys may hold dots: the longest that fits is taken.
    """
    if node.is_mapping:
        key = _longest(node.value, path)
        return (key, key) if key is not None else None
    if not node.is_list:
        return None
    head = path.partition(".")[0]
    if head.isascii() and head.isdigit() and int(head) < len(node.value):
        return int(head), head
    names = [_name_of(entry) for entry in node.value]
    name = _longest([name for name in names if name], path)
    return (names.index(name), name) if name is not None else None


def _names_in(node: Node) -> list[str]:
    """The names that a path can go on with: a mapping's keys, or the names of a list's entries."""
    return list(node.value) if node.is_mapping else [name for entry in node.entries() if (name := _name_of(entry))]


def _fitting(names: Iterable[str], path: str) -> list[str]:
    return [name for name in names if path == name or path.startswith(f"{name}.")]


def _longest(names: Iterable[str], path: str) -> str | None:
    return max(_fitting(names, path), key=len, default=None)


def _name_of(entry: Node) -> str:
    name = entry.get("name")
    return name.value if name is not None and isinstance(name.value, str) else ""
