"""The parts of a container, put together: spaces, commas and brackets come out right whatever was taken or added."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from phinb.config.nodes import Node
from phinb.config.writing.layout import Container, Item, Layout

_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(slots=True)
class Part:
    """One member or entry as text. lead: the space and comments before it. pre, post: before and behind its comma.

    after: comments of its old value that the new one has no place for. first: whether it stood first in its container,
    and so without what separates the others.
    """

    lead: str
    body: str
    pre: str = ""
    post: str = ""
    after: tuple[str, ...] = ()
    first: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How parts stand in a container: each on a line of its own with that indentation (spread), or all in one.

    block: in the block style of YAML, without brackets and commas.
    """

    indent: str
    spread: bool
    block: bool
    newline: str

    @property
    def separator(self) -> str:
        """What stands before a part where nothing better is known."""
        return self.newline + self.indent if self.spread else " "

    def apart(self, comments: Iterable[str]) -> str:
        """Comments that stand by themselves: on lines of their own, unless all is in one line and they can be too."""
        line = self.newline + self.indent
        return "".join((line if self.spread or not comment.startswith("/*") else " ") + comment for comment in comments)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the parts. opening, tail, closing: text. outer: the indentation of the closing bracket.

    trailing: a comma stands behind the last part too. compact: what stands before the first part where that is in the
    line of a dash. empty: what is written where there are no parts and no brackets. in_line: the closing bracket stands
    in the line of the last part.
    """

    manner: Manner
    opening: str = ""
    tail: str = ""
    closing: str = ""
    outer: str = ""
    trailing: bool = False
    compact: str | None = None
    empty: str = "{}"
    in_line: bool = False


def ending(text: str, item: Item) -> tuple[str, str]:
    """What stands between the value of an item and its comma, and behind that."""
    if item.comma is None:
        return "", text[item.end : item.stop]
    return text[item.end : item.comma], text[item.comma + 1 : item.stop]


def frame_of(layout: Layout, container: Container, manner: Manner) -> Frame:
    """What stands around the items of a container in the text."""
    text, items = layout.text, container.items
    first_lead = text[items[0].start : items[0].mark] if items else "\n"
    return Frame(
        manner,
        opening=text[container.start : container.first],
        tail=text[container.tail : container.close],
        closing=text[container.close : container.end],
        outer=layout.line_indent(container.start),
        trailing=bool(items) and items[-1].comma is not None,
        compact=first_lead if container.block and container.owner is not None and "\n" not in first_lead else None,
        empty="{}" if container.is_mapping else "[]",
        in_line=bool(items) and "\n" not in text[container.tail : container.close],
    )


def frame_around(node: Node, manner: Manner, outer: str, compact: str | None = None) -> Frame:
    """What stands around the parts of a new container."""
    opening, closing = ("{", "}") if node.is_mapping else ("[", "]")
    if manner.block:
        return Frame(manner, outer=outer, compact=compact, empty=opening + closing)
    return Frame(manner, opening, "", closing, outer, compact=compact, empty=opening + closing)


def assemble(parts: list[Part], frame: Frame, left: str) -> str:
    """The text of a container; `left` are the comments of what is gone behind the last part."""
    manner = frame.manner
    if not parts and not frame.closing:  # only brackets can say that there is nothing
        return f"{' ' * manner.block}{frame.empty}{frame.opening}{left}{frame.tail}"
    written = [frame.opening]
    open_comment = False
    for number, part in enumerate(parts):
        lead = _lead(part, number, frame)
        if open_comment and not lead.lstrip(" \t\r").startswith("\n"):
            lead = manner.newline + manner.indent + lead.lstrip()
        comma = "," if not manner.block and (number + 1 < len(parts) or frame.trailing) else ""
        after = part.post + manner.apart(part.after)
        written += [lead, part.body, part.pre, comma, after]
        open_comment = ends_in_comment(after or part.pre)
    tail = left + frame.tail
    needs_line = open_comment or ends_in_comment(left) or (manner.spread and bool(parts) and not frame.in_line)
    if frame.closing and needs_line and "\n" not in frame.tail:
        tail = left + frame.tail.rstrip() + manner.newline + frame.outer
    return "".join([*written, tail, frame.closing])


def _lead(part: Part, number: int, frame: Frame) -> str:
    """What stands before a part, made fit for its new place."""
    lead, manner = part.lead, frame.manner
    if number == 0 and frame.compact is not None and not lead.strip():
        return frame.compact
    if "\n" in lead or (number == 0 and (part.first or lead.strip())):
        return lead
    if number == 0:
        return manner.separator if manner.spread else ""
    if part.first:
        return manner.separator + lead.strip() + (" " if lead.strip() else "")
    return lead


def put_before(left: str, lead: str, manner: Manner) -> str:
    """The comments of what is gone, and then what stands before the next part."""
    needs_line = ends_in_comment(left) and "\n" not in lead
    return left + (manner.newline + manner.indent + lead.lstrip() if needs_line else lead)


def ends_in_comment(trivia: str) -> bool:
    """Whether text of spaces and comments ends in a comment that only a line break ends."""
    last = _BLOCK_COMMENT.sub("", trivia).rpartition("\n")[2]
    return "//" in last or "#" in last


def shift(text: str, old: str, new: str, *, align: bool = False) -> str:
    """The text with the indentation of all lines but the first changed.

    Lines that are indented less than `old` stay as they are; with `align` they are put where the others are.
    """
    if "\n" not in text:
        return text
    first, *lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.startswith(old) and line.strip():
            lines[number] = new + line[len(old) :]
        elif align and line.strip():
            lines[number] = new + line.lstrip()
    return "\n".join([first, *lines])
