"""One tree -> the pieces it came from again, each in the form in which its text was written.

What an upgrade has made of a configuration is one tree. To write it back, every value goes to the piece that it stands
in, and a pass that stood bare there stands bare again.
"""

from __future__ import annotations

from phinb.config.document import Node
from phinb.config.pieces import Reading

_SHARED = ("input_model", "systems", "evaluators", "passes", "phinb")
"""Sections that several pieces may share by key; data_configs, a list, is the other one."""
_BARE = ("passes", "systems", "data_configs")


def divide(tree: Node, reading: Reading) -> tuple[Node | None, ...]:
    """For each document the tree that its text should now have; None where it has none to be written."""
    if len(reading.documents) == 1 and reading.placed[0] is reading.documents[0].root:
        return (tree,)
    division = _Division(reading)
    for key, member in tree.items():
        division.take(key, member)
    return tuple(division.tree(number) for number in range(len(reading.documents)))


class _Division:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.members: list[dict[str, Node]] = [{} for _ in reading.documents]
        self.homes = {
            id(document.outermost.lines): number
            for number, document in enumerate(reading.documents)
            if document.outermost is not None
        }
        self.last = max(self.homes.values(), default=0)

    def home(self, node: Node, holder: Node | None = None) -> int:
        """The number of the piece that a node stands in; what stands nowhere goes with its holder, or to the last."""
        for one in (node, holder):
            if one is not None and id(one.lines) in self.homes:
                return self.homes[id(one.lines)]
        return self.last

    def take(self, key: str, member: Node) -> None:
        """Give a member of the outermost level to the pieces that it is from."""
        if key in _SHARED and member.is_mapping and member.value:
            for name, child in member.items():
                self._section(self.home(child, member), key, member).value[name] = child
        elif key == "data_configs" and member.is_list and member.value:
            for entry in member.entries():
                self._section(self.home(entry, member), key, member).value.append(entry)
        else:
            self.members[self.home(member)][key] = member

    def _section(self, number: int, key: str, whole: Node) -> Node:
        """The part of a section that stands in one piece, at its own place there."""
        members = self.members[number]
        if key not in members:
            placed = self.reading.placed[number]
            place = placed.get(key) if placed is not None else None
            if place is None and self.homes.get(id(whole.lines)) == number:
                place = whole
            empty: object = [] if whole.is_list else {}
            if place is None:
                members[key] = Node(empty, key)
            else:
                members[key] = Node(empty, key, place.offset, place.key_offset, place.lines, place.origin, place.note)
        return members[key]

    def tree(self, number: int) -> Node | None:
        """The piece's tree in its own form."""
        document, members = self.reading.documents[number], self.members[number]
        written = document.outermost
        if written is None:
            return Node(members) if members else None
        if stands_whole(self.reading, number):
            whole = _unwrap(members, written)
            return whole if whole is not None else Node(members)
        _lay_bare(members, written)
        return Node(members, "", written.offset, None, written.lines)


def stands_whole(reading: Reading, number: int) -> bool:
    """Whether a text is itself a data config, a list of them, or an input model, with no key of a configuration."""
    document, placed = reading.documents[number], reading.placed[number]
    if placed is None or document.root is None:
        return True
    members = [member for _, member in placed.items()]
    return any(node is document.outermost for member in members for node in (member, *member.entries()))


def _unwrap(members: dict[str, Node], written: Node) -> Node | None:
    """The one node that a text without any key of a configuration consists of; None where more has come to it."""
    if len(members) != 1:
        return None
    (section,) = members.values()
    if section.is_list and not written.is_list:
        return section.value[0] if len(section.value) == 1 else None
    return section


def _lay_bare(members: dict[str, Node], written: Node) -> None:
    """Put what stood bare in the text on the outermost level again, where it stood."""
    bare = {member.key_offset for _, member in written.items()}
    for key in _BARE:
        section = members.get(key)
        lifted = {name: child for name, child in _named(section) if child.key_offset in bare} if section else {}
        if section is None or not lifted:
            continue
        if section.is_mapping:
            section.value = {name: child for name, child in section.items() if name not in lifted}
        else:
            section.value = [entry for entry in section.entries() if entry.key_offset not in bare]
        ordered: dict[str, Node] = {}
        for name, member in members.items():
            if name != key or section.value:
                ordered[name] = member
            if name == key:
                ordered.update(lifted)
        members.clear()
        members.update(ordered)
        if _in_order(lifted):
            _sort_as_written(members, bare)


def _in_order(members: dict[str, Node]) -> bool:
    """Whether they stand as in the text; an upgrade may have put passes in the order of a flow."""
    offsets = [member.key_offset or 0 for member in members.values()]
    return offsets == sorted(offsets)


def _sort_as_written(members: dict[str, Node], written: set[int | None]) -> None:
    """Those that stood in the text in its order; the others stay where they are among them."""
    places = iter(
        sorted((m for m in members.items() if m[1].key_offset in written), key=lambda m: m[1].key_offset or 0)
    )
    ordered = [next(places) if member.key_offset in written else (name, member) for name, member in members.items()]
    members.clear()
    members.update(ordered)


def _named(section: Node) -> list[tuple[str, Node]]:
    """The members of a section by the keys under which they stand bare."""
    if section.is_mapping:
        return list(section.items())
    names = [(entry.path.rpartition(".")[2], entry) for entry in section.entries()]
    return [(name, entry) for name, entry in names if name]
