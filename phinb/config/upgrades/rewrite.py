"""The tools of an upgrade: a tree to be rewritten, and the list of what was changed and why.

Every change keeps the positions and the path of the text that the user wrote, so that whatever is found later in
a rewritten value is still told at its own line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phinb.config.document import Node
from phinb.config.schema import Schema
from phinb.types import Change, Problem


class Rewrite:
    """A copy of the document's tree that rules change in place; `changes` and `problems` grow with them."""

    def __init__(self, root: Node, schema: Schema) -> None:
        self.root = root.copy()
        self.schema = schema
        self.changes: list[Change] = []
        self.problems: list[Problem] = []

    def record(self, node: Node, before: Any, after: Any, why: str) -> None:
        """Say that what stood at `node` was changed; before and after are plain values, None for nothing."""
        self.changes.append(Change(node.path, before, after, why, node.key_line, node.source))

    def problem(self, code: str, node: Node, message: str, hint: str = "") -> None:
        """Something that no rule can carry over: an error at the key of `node`."""
        line, column = node.key_line, node.key_column
        self.problems.append(Problem("error", code, message, node.path, line, column, hint, source=node.source))

    def rename(self, holder: Node, old: str, new: str, why: str) -> Node | None:
        """Give a key its new name, in its place. Where the new name is there too, nothing is done but a problem."""
        node = holder.get(old)
        if node is None:
            return None
        if holder.get(new) is not None:
            message = f'"{old}" is the old name of "{new}", and both are here.'
            self.problem("twice_defined", node, message, f'Remove "{old}".')
            holder.value.pop(old)
            return None
        holder.value = {new if key == old else key: member for key, member in holder.value.items()}
        self._upgraded(node, old)
        self.record(node, {old: node.plain()}, {new: node.plain()}, why)
        return node

    def remove(self, holder: Node, key: str, why: str) -> Node | None:
        """Take a key out, and say why it can go."""
        node: Node | None = holder.value.pop(key, None)
        if node is not None:
            self.record(node, {key: node.plain()}, None, why)
        return node

    def replace(self, holder: Node, old: str, new: Mapping[str, Any], why: str) -> None:
        """Put new members, with plain values, where a key stood; their place in the text is that key's."""
        node = holder.value[old]
        fresh = {name: self.made(value, node, old) for name, value in new.items()}
        members: dict[str, Node] = {}
        for key, member in holder.value.items():
            members.update(fresh if key == old else {key: member})
        self.record(node, {old: node.plain()}, dict(new), why)
        holder.value = members

    def made(self, value: Any, source: Node, was: str) -> Node:
        """A new node for a plain value, at the place of the one it comes from."""
        node = Node(value, source.path, source.offset, source.key_offset, source.lines, "upgrade", f"upgrade of {was}")
        if isinstance(value, Mapping):
            node.value = {key: self.made(member, source, was) for key, member in value.items()}
        elif isinstance(value, list):
            node.value = [self.made(entry, source, was) for entry in value]
        return node

    def section(self, name: str, source: Node) -> Node:
        """A mapping of the outermost level, made if need be."""
        found = self.root.get(name)
        if found is None:
            found = self.root.value[name] = self.made({}, source, name)
        return found

    def _upgraded(self, node: Node, was: str) -> None:
        node.origin = "upgrade"
        node.note = f"upgrade of {was}"
