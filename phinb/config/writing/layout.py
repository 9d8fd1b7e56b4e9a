"""Where everything stands in a text: which comments, spaces and commas belong to which member of which container.

Every character between the opening and the end of a container belongs to one item of it or to its tail, so that a text
can be put together again from its parts. Built by json_text.py and yaml_text.py; used by rewriting.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal


class CannotWriteError(Exception):
    """The text is not of a form that can be changed in place; the message is the reason, as a sentence."""


@dataclass(slots=True, eq=False)
class Item:
    """A member of a mapping or an entry of a list. Offsets into the text, in this order.

    start: where the space and the comments before it begin. mark: its key, or the dash of an entry in YAML's block
    style; of other entries their value. colon: the end of the key or dash. value, end: of its value. comma: the comma
    behind it. stop: behind the comma and the comments in its line.
    """

    holder: Container
    number: int
    start: int
    mark: int
    colon: int
    value: int
    end: int
    comma: int | None
    stop: int
    inner: Container | None = None


@dataclass(slots=True, eq=False)
class Container:
    """A mapping or list. start: its bracket; in YAML's block style, behind the colon or dash before it.

    first: where its first item's text begins, behind the bracket and the comments in its line. close: its closing
    bracket; where it has none, its end. block: it has no brackets and commas, and every item a line of its own. owner:
    the item whose value it is.
    """

    is_mapping: bool
    block: bool
    start: int
    first: int
    close: int = 0
    end: int = 0
    items: list[Item] = field(default_factory=list)
    owner: Item | None = None

    @property
    def tail(self) -> int:
        """Where the text behind the last item begins."""
        return self.items[-1].stop if self.items else self.first


@dataclass(eq=False)
class Layout:
    """The parts of a text. containers and values by the offset of the value, members by that of the key, entries by
    that of their value. like: the text whose habits a new one takes over."""

    text: str
    format: Literal["json", "yaml"]
    containers: dict[int, Container] = field(default_factory=dict)
    members: dict[int, Item] = field(default_factory=dict)
    entries: dict[int, Item] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    like: Layout | None = None

    @property
    def comment(self) -> re.Pattern[str]:
        """One comment, where no string can be."""
        return _COMMENTS[self.format]

    @cached_property
    def newline(self) -> str:
        if self.like is not None:
            return self.like.newline
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def unit(self) -> str:
        """One level of indentation, as the text has it most often."""
        if self.like is not None:
            return self.like.unit
        counts: dict[str, int] = {}
        for container in self.containers.values():
            outer, inner = self.line_indent(container.start), self.item_indent(container)
            if inner.startswith(outer) and len(inner) > len(outer):
                step = inner[len(outer) :]
                counts[step] = counts.get(step, 0) + 1
        return max(counts, key=lambda step: counts[step], default="  ")

    @cached_property
    def list_unit(self) -> str:
        """How much further to the right than its key the dashes of a list stand, in YAML."""
        if self.like is not None:
            return self.like.list_unit
        for container in self.containers.values():
            if container.block and not container.is_mapping and container.owner is not None and container.items:
                outer = self.line_indent(container.owner.mark)
                if container.owner.holder.is_mapping and "\n" in self.text[container.first : container.items[0].mark]:
                    return self.item_indent(container)[len(outer) :]
        return "  "

    def comments(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """The comments in a stretch of text that holds no values."""
        for match in self.comment.finditer(self.text, start, end):
            yield match.start(), match[0].rstrip()

    def line_indent(self, offset: int) -> str:
        """The space at the beginning of the line."""
        start = self.text.rfind("\n", 0, offset) + 1
        match = _INDENT.match(self.text, start)
        return match[0] if match else ""

    def is_spread(self, container: Container) -> bool:
        """Whether its items stand on lines of their own."""
        if container.block:
            return True
        gaps = [(item.start, item.mark) for item in container.items] or [(container.first, container.close)]
        return any("\n" in self.text[start:end] for start, end in gaps)

    def item_indent(self, container: Container) -> str:
        """The space before its items where they stand on lines of their own; else that of its line."""
        for item in container.items:
            lead = self.text[item.start : item.mark]
            if "\n" in lead:
                return lead.rpartition("\n")[2]
            if container.block:
                return " " * (item.mark - self.text.rfind("\n", 0, item.mark) - 1)
        return self.line_indent(container.start)


_INDENT = re.compile(r"[ \t]*")
_COMMENTS = {"json": re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL), "yaml": re.compile(r"#[^\n]*")}
_REST_OF_LINE = {
    "json": re.compile(r"(?:[ \t]*(?:/\*(?:[^*\n]|\*(?!/))*\*/|//[^\r\n]*))+(?=[ \t]*(?:\r?\n|\Z))"),
    "yaml": re.compile(r"[ \t]+#[^\r\n]*(?=\r?\n|\Z)"),
}


def skip_comments_in_line(text: str, offset: int, format: Literal["json", "yaml"]) -> int:  # noqa: A002
    """Behind the comments that follow in the same line, where nothing else does; else `offset` itself."""
    match = _REST_OF_LINE[format].match(text, offset)
    return match.end() if match else offset
