"""Which node of a target tree takes which part of which text.

A node knows the place that it was read from. Several may name the same place, since what an upgrade makes stands at the
place of what it is made from; each part of a text goes to one of them only.
"""

from __future__ import annotations

from collections.abc import Iterator

from phinb.config.document import Lines, Node
from phinb.config.writing import json_text as writing_json
from phinb.config.writing import yaml_text as writing_yaml
from phinb.config.writing.layout import CannotWriteError, Container, Item, Layout


class Matching:
    """items and containers: what each node of `target` takes, by the node's id. taken: the parts that are taken."""

    def __init__(self, given: Node | None, target: Node) -> None:
        self.items: dict[int, tuple[Layout, Item]] = {}
        self.containers: dict[int, tuple[Layout, Container]] = {}
        self.taken: set[int] = set()
        self._layouts: dict[int, Layout | None] = {}
        self._given: dict[tuple[int, bool, int], Node] = {}
        self._keys: dict[tuple[int, int], str] = {}
        self._own = given.lines if given is not None else None
        if given is not None:
            self._note_given(given, None)
        nodes = list(_walk(target, None))
        self._match_containers(nodes)
        self._match_items(nodes)
        self._match_by_key(nodes)

    # ------------------------------------------------------------------------------------------ questions

    def layout(self, lines: Lines | None) -> Layout | None:
        """The layout of a node's text; None where it has none, or one that cannot be told apart."""
        if lines is None:
            return None
        if id(lines) not in self._layouts:
            build = writing_yaml.lay_out if lines.format == "yaml" else writing_json.lay_out
            try:
                self._layouts[id(lines)] = build(lines.text)
            except CannotWriteError:
                self._layouts[id(lines)] = None
        return self._layouts[id(lines)]

    def original(self, node: Node) -> Node | None:
        """The node as it was read, at the same place."""
        if (found := self._given.get(_place(node))) is not None or node._parent is None:
            return found
        holder = node._parent.value
        key = node.key
        if isinstance(holder, dict):
            found = holder.get(str(key))
        elif isinstance(holder, list) and isinstance(key, int) and key < len(holder):
            found = holder[key]
        return found

    def is_known(self, lines: Lines | None, item: Item) -> bool:
        """Whether the reader kept it; of a key that stands twice it keeps the last."""
        return lines is not self._own or not item.holder.is_mapping or (id(lines), item.mark) in self._keys

    # ------------------------------------------------------------------------------------------- matching

    def _note_given(self, node: Node, key: str | None) -> None:
        self._given[_place(node)] = node
        if key is not None and node.key_offset is not None:
            self._keys[id(node.lines), node.key_offset] = key
        for name, member in node.items():
            self._note_given(member, name)
        for entry in node.entries():
            self._note_given(entry, None)

    def _match_containers(self, nodes: list[tuple[Node, Node | None]]) -> None:
        """Of the nodes at the place of a container, it goes to the one that holds most of what it held."""
        asking: dict[int, list[tuple[int, Node]]] = {}
        found: dict[int, tuple[Layout, Container]] = {}
        for node, _ in nodes:
            layout = self.layout(node.lines) if node.is_mapping or node.is_list else None
            container = layout.containers.get(node.offset) if layout and node.offset is not None else None
            if layout is None or container is None or container.is_mapping != node.is_mapping:
                continue
            shared = sum(self._item(child, layout, container) is not None for child in _children(node))
            asking.setdefault(id(container), []).append((2 * shared + (node._parent is not None), node))
            found[id(container)] = layout, container
        for place, candidates in asking.items():
            _, node = max(candidates, key=lambda candidate: candidate[0])
            self.containers[id(node)] = found[place]
            self.taken.add(place)

    def _match_items(self, nodes: list[tuple[Node, Node | None]]) -> None:
        """Of the nodes at a member's place, it goes to one in the same mapping, else to one that was read there."""
        asking: dict[int, list[tuple[int, Node]]] = {}
        found: dict[int, tuple[Layout, Item]] = {}
        for node, parent in nodes:
            layout = self.layout(node.lines)
            item = self._item(node, layout) if layout is not None else None
            if layout is None or item is None or parent is None:
                continue
            stays = self.containers.get(id(parent), (None, None))[1] is item.holder
            asking.setdefault(id(item), []).append((2 * stays + (node._parent is not None), node))
            found[id(item)] = layout, item
        for place, candidates in asking.items():
            _, node = max(candidates, key=lambda candidate: candidate[0])
            self.items[id(node)] = found[place]
            self.taken.add(place)

    def _match_by_key(self, nodes: list[tuple[Node, Node | None]]) -> None:
        """A new value under a key, or at a number, whose old one is gone takes its part."""
        for node, _ in nodes:
            if id(node) not in self.containers:
                continue
            layout, container = self.containers[id(node)]
            free = [item for item in container.items if id(item) not in self.taken]
            if not free:
                continue
            by_key = (
                {self._keys.get((id(node.lines), item.mark)): item for item in free} if container.is_mapping else {}
            )
            for number, (key, child) in enumerate(named_children(node)):
                item = by_key.get(key) if container.is_mapping else _numbered(free, number)
                if item is not None and id(child) not in self.items and id(item) not in self.taken:
                    self.items[id(child)] = layout, item
                    self.taken.add(id(item))

    def _item(self, node: Node, layout: Layout, holder: Container | None = None) -> Item | None:
        if node.key_offset is not None:
            item = layout.members.get(node.key_offset)
        else:
            item = layout.entries.get(node.offset) if node.offset is not None else None
        return item if item is not None and holder in (None, item.holder) else None


def named_children(node: Node) -> Iterator[tuple[str | None, Node]]:
    """The members with their keys, or the entries without."""
    yield from node.items()
    for entry in node.entries():
        yield None, entry


def _children(node: Node) -> Iterator[Node]:
    return (child for _, child in named_children(node))


def _walk(node: Node, parent: Node | None) -> Iterator[tuple[Node, Node | None]]:
    yield node, parent
    for child in _children(node):
        yield from _walk(child, node)


def _place(node: Node) -> tuple[int, bool, int]:
    is_member = node.key_offset is not None
    offset = node.key_offset if is_member else node.offset
    return id(node.lines), is_member, -1 if offset is None else offset


def _numbered(items: list[Item], number: int) -> Item | None:
    return next((item for item in items if item.number == number), None)
