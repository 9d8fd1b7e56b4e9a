"""A text -> the text that holds another tree, with whatever has not changed left character for character.

The text is put together again from its parts (layout.py): each member of the target tree brings the text of the place
that it comes from, with its comments, wherever it now stands (matching.py); only what is new is written anew. No
comment is lost: those of what is gone stay where it stood, each on a line of its own (gone.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from phinb.config.checks.gone import Gone, comments_in, left_in
from phinb.config.document import Lines, Node, parse
from phinb.config.writing import json_text as writing_json
from phinb.config.writing import yaml_text as writing_yaml
from phinb.config.writing.layout import CannotWriteError, Container, Item, Layout
from phinb.config.writing.matching import Matching, named_children
from phinb.config.writing.parts import Manner, Part, assemble, ending, frame_around, frame_of, put_before, shift

__all__ = ["CannotWriteError", "rewrite", "write_anew", "write_whole"]

Kind = Literal["json", "yaml"]

_LONGEST_LIST = 88
"""A new list of plain values is written in one line up to this length."""


def rewrite(text: str, format: Kind, given: Node, target: Node) -> str:  # noqa: A002
    """The text whose tree is `target`, where `text` has the tree `given`. Nodes of `target` know where they are from.

    What YAML has beyond plain mappings and lists (complex keys, pairs in lists) is left to ruamel.yaml, which keeps
    comments and order.

    Raises:
        CannotWriteError: the text's form has a mistake that keeps its parts from being told apart.
    """
    matching = Matching(given, target)
    layout = matching.layout(given.lines)
    if layout is None and format == "json":
        writing_json.lay_out(text)  # says what keeps it from being laid out
    written = _Writer(matching, layout).write(target) if layout is not None else None
    if written is not None and _means(written, format, target):
        return written
    if format == "yaml":
        written = writing_yaml.round_trip(text, target.plain())
        if written is not None and _means(written, format, target):
            return written
    raise CannotWriteError("its parts cannot be told apart.")


def write_whole(tree: Node, format: Kind, texts: Sequence[Lines]) -> str:  # noqa: A002
    """One text for a tree whose nodes come from several texts, with the comments of those that have its format."""
    matching = Matching(None, tree)
    layouts = [layout for lines in texts if (layout := matching.layout(lines)) and layout.format == format]
    written = _Writer(matching, Layout("", format, like=layouts[0] if layouts else None)).write_whole(tree, layouts)
    return written if _means(written, format, tree) else write_anew(tree.plain(), format)


def write_anew(plain: Any, format: Kind, indent: int = 2) -> str:  # noqa: A002
    """A text of its own for a plain value."""
    if format == "json":
        return json.dumps(plain, indent=indent, ensure_ascii=False) + "\n"
    return writing_yaml.dump(plain)


def _means(text: str, format: Kind, tree: Node) -> bool:  # noqa: A002
    """Whether the text is read as that tree, its order included."""
    read = parse(text, format).outermost
    return read is not None and json.dumps(read.plain()) == json.dumps(tree.plain())


class _Syntax(Protocol):
    """What json_text.py and yaml_text.py have in common."""

    def write_scalar(self, value: Any, like: str = "") -> str: ...
    def write_key(self, key: str) -> str: ...
    def join(self, head: str, between: str, value: str) -> str: ...


class _Writer:
    """Writes one text. `layout` is that of the text which is changed; parts of other texts may move into it."""

    def __init__(self, matching: Matching, layout: Layout) -> None:
        self.matching = matching
        self.layout = layout
        self.is_yaml = layout.format == "yaml"
        self.syntax: _Syntax = writing_yaml if self.is_yaml else writing_json

    def write(self, target: Node) -> str:
        """The text that is changed, with `target` as its outermost value."""
        layout, container = self.matching.containers.get(id(target), (None, None))
        if container is None or layout is not self.layout:
            return self.write_whole(target, [self.layout])
        before, after = layout.text[: container.start], layout.text[container.end :]
        inside = self._container(target, layout, container)
        if not before and not layout.text.startswith(("\n", "\r\n")):
            inside = inside.removeprefix(layout.newline)
        return before + inside + after

    def write_whole(self, target: Node, others: Sequence[Layout]) -> str:
        """A text of its own; comments of other texts that belong to nothing stand before what else is from there."""
        indent = "" if self.is_yaml else self.layout.unit
        manner = Manner(indent, True, self.is_yaml, self.layout.newline)
        left = {id(layout): list(left_in(self.matching, layout)) for layout in others}
        parts = []
        for key, child in named_children(target):
            part = self._added(key, child, manner)
            part.lead = _lines_of(left.pop(id(self._home(child)), []), manner) + part.lead
            parts.append(part)
        rest = "".join(_lines_of(comments, manner) for comments in left.values())
        frame = frame_around(target, manner, "", "" if self.is_yaml else None)
        return assemble(parts, frame, rest).strip() + manner.newline

    def _home(self, node: Node) -> Layout | None:
        """The text that a node, or the first in it that is from any, is from."""
        if node.lines is not None:
            return self.matching.layout(node.lines)
        return next((home for _, child in named_children(node) if (home := self._home(child)) is not None), None)

    # ------------------------------------------------------------------------------------------ containers

    def _container(self, node: Node, layout: Layout, container: Container) -> str:
        """The text of a mapping or list at its own place, in that place's indentation."""
        manner = self._manner(node, layout, container)
        gone = Gone(self.matching, node, layout, container, manner)
        parts: list[Part] = []
        for key, child in named_children(node):
            home, item = self.matching.items.get(id(child), (None, None))
            if item is not None and item.holder is container:
                passed, left = gone.before(item)
                part = self._kept(key, child, layout, item)
            elif gone.is_inherited(key, child):
                continue
            else:
                passed, left = gone.around(item) if item is not None and home is layout else ([], "")
                part = self._added(key, child, manner)
            part.lead = put_before(left, part.lead, manner)
            parts += [*passed, part]
        passed, left = gone.rest()
        return assemble([*parts, *passed], frame_of(layout, container, manner), left)

    def _manner(self, node: Node, layout: Layout, container: Container) -> Manner:
        """How the items of a container stand; where there are none yet, on lines of their own as in the rest."""
        indent, spread = layout.item_indent(container), layout.is_spread(container)
        if not container.items and not container.block:
            spread = spread or ("\n" in layout.text and not _is_plain_list(node))
            indent += layout.unit * spread
        return Manner(indent, spread, container.block, layout.newline)

    def _anew(self, node: Node, manner: Manner, *, behind_dash: bool = False, like: str = "") -> str:
        """A value where none stood, for a part of that manner. What it holds may come from elsewhere.

        `behind_dash`: in YAML's block style it begins in the line of the dash. `like` is the text of a plain value
        whose quotes are taken over.
        """
        if not node.is_mapping and not node.is_list:
            return self.syntax.write_scalar(node.value, like)
        if not node.value:
            return "{}" if node.is_mapping else "[]"
        if _is_plain_list(node) and not any(id(child) in self.matching.items for child in node.entries()):
            line = f"[{', '.join(self.syntax.write_scalar(entry.value) for entry in node.entries())}]"
            if len(line) <= _LONGEST_LIST:
                return line
        behind_dash = behind_dash and manner.block
        unit = self.layout.list_unit if manner.block and node.is_list else self.layout.unit
        inner = replace(manner, indent=manner.indent + ("  " if behind_dash else unit))
        parts = [self._added(key, child, inner) for key, child in named_children(node)]
        return assemble(parts, frame_around(node, inner, manner.indent, " " if behind_dash else None), "")

    # ----------------------------------------------------------------------------------------------- parts

    def _kept(
        self, key: str | None, child: Node, layout: Layout, item: Item, begin: tuple[str, str] | None = None
    ) -> Part:
        """A member with its own place in a text; its key or its value may have changed.

        `begin` stands in the place of its key and colon, or dash, where it comes into a container of another kind.
        """
        text, holder = layout.text, item.holder
        original = self.matching.original(child)
        head, between = begin or (text[item.mark : item.colon], text[item.colon : item.value])
        if begin is None and key is not None and (original is None or original.key != key):
            head = self.syntax.write_key(key)
        after: tuple[str, ...] = ()
        _, container = self.matching.containers.get(id(child), (None, None))
        if original is not None and _same(original, child):
            value = text[item.value : item.end]
        elif container is not None and container is item.inner:
            value = self._container(child, layout, container)
        else:
            manner = Manner(_indent_at(layout, item), layout.is_spread(holder), holder.block, layout.newline)
            like = text[item.value : item.end] if item.inner is None else ""
            value = self._value(child, manner, behind_dash=key is None, like=like)
            after = self._left_in_value(layout, item)
        stands_behind_dash = value[:1] == " " and value.lstrip(" ")[:1] not in "#{["
        if begin is not None and key is not None and item.inner is not None and stands_behind_dash:
            value = layout.newline + layout.item_indent(item.inner) + value.lstrip(" ")
        body = self.syntax.join(head, between, value)
        return Part(text[item.start : item.mark], body, *ending(text, item), after, item.number == 0)

    def _left_in_value(self, layout: Layout, item: Item) -> tuple[str, ...]:
        """The comments in the old value of an item that nothing takes."""
        if item.inner is None or id(item.inner) in self.matching.taken:
            return ()
        return tuple(comment for _, comment in comments_in(self.matching, layout, item.inner))

    def _value(self, child: Node, manner: Manner, *, behind_dash: bool, like: str = "") -> str:
        """A value for a part of that manner, where its own place is another, or none."""
        home, container = self.matching.containers.get(id(child), (None, None))
        if home is None or container is None or home.format != self.layout.format or container.block > manner.block:
            return self._anew(child, manner, behind_dash=behind_dash, like=like)
        return shift(self._container(child, home, container), home.line_indent(container.start), manner.indent)

    def _added(self, key: str | None, child: Node, manner: Manner) -> Part:
        """A member that comes from elsewhere, or is new."""
        begin = ("-", " ") if manner.block else ("", "")
        if key is not None:
            begin = self.syntax.write_key(key), ": "
        home, item = self.matching.items.get(id(child), (None, None))
        if home is None or item is None or home.format != self.layout.format or item.holder.block > manner.block:
            value = self._value(child, manner, behind_dash=key is None)
            return Part(manner.separator, self.syntax.join(*begin, value))
        alike = (key is not None) == item.holder.is_mapping and manner.block == item.holder.block
        part, old = self._kept(key, child, home, item, None if alike else begin), _indent_at(home, item)
        part.body = shift(part.body, old, manner.indent)
        part.lead = _moved_lead(part.lead, old, manner)
        part.first = False
        return part


def _lines_of(comments: Sequence[str], manner: Manner) -> str:
    return "".join(manner.newline + manner.indent + comment for comment in comments)


def _moved_lead(lead: str, old: str, manner: Manner) -> str:
    """The comments before a member that moves, in the indentation of its new place."""
    if not lead.strip():
        return manner.separator
    if "\n" not in lead:
        comment = lead.strip()
        return manner.newline + manner.indent + comment + manner.separator if manner.spread else f" {comment} "
    comments = lead.rpartition("\n")[0].strip("\r\n")
    return manner.newline + shift("\n" + comments, old, manner.indent, align=True)[1:] + manner.separator


def _indent_at(layout: Layout, item: Item) -> str:
    """The indentation of an item's line."""
    return layout.item_indent(item.holder) if layout.is_spread(item.holder) else layout.line_indent(item.mark)


def _is_plain_list(node: Node) -> bool:
    return node.is_list and not any(entry.is_mapping or entry.is_list for entry in node.entries())


def _same(one: Node, other: Node) -> bool:
    """Whether two nodes hold the same, in the same order."""
    if isinstance(one.value, dict) and isinstance(other.value, dict):
        return list(one.value) == list(other.value) and all(
            _same(member, other.value[key]) for key, member in one.value.items()
        )
    if isinstance(one.value, list) and isinstance(other.value, list):
        return len(one.value) == len(other.value) and all(map(_same, one.value, other.value))
    return type(one.value) is type(other.value) and bool(one.value == other.value)
