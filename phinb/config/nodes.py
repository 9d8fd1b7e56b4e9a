"""The nodes of a document's tree: values that know their place in a text, their path and their origin."""

from __future__ import annotations

import gc
import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from phinb.types import Origin, Problem

Format = Literal["json", "yaml", "dict"]

MAX_DEPTH = 60
"""No configuration is nested deeper; what is deeper is a mistake, and would exhaust Python's stack."""


class Lines:
    """The text that nodes stand in. Offsets into it -> lines and columns, both from 1; a column counts code points.

    `source` is the label of the piece whose text it is; "" where the configuration has only one.
    """

    __slots__ = ("_starts", "format", "source", "text")

    def __init__(self, text: str, source: str = "", format: Format = "json") -> None:  # noqa: A002
        self.text = text
        self.source = source
        self.format = format
        self._starts: list[int] = []

    def locate(self, offset: int) -> tuple[int, int]:
        if not self._starts:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


class Node:
    """A value of the document: `value` is a dict of nodes, a list of nodes, or a plain scalar.

    `path` is dotted, in the form of the text as written (list entries by their number); it stays what it was when an
    upgrade moves the node, as do the positions. Offsets are None where no text stands behind the value.

    A megabyte of text has a hundred thousand nodes: they have slots, and a path is put together when it is asked for,
    from the node's own key and the nodes that held it when it was read.
    """

    __slots__ = ("_key", "_parent", "key_offset", "lines", "note", "offset", "origin", "value")

    def __init__(
        self,
        value: Any,
        path: str | int = "",
        offset: int | None = None,
        key_offset: int | None = None,
        lines: Lines | None = None,
        origin: Origin = "you",
        note: str = "",
        parent: Node | None = None,
    ) -> None:
        """`path` is the whole path, or the key alone where the `parent` is given."""
        self.value = value
        self.offset = offset
        self.key_offset = key_offset
        self.lines = lines
        self.origin: Origin = origin
        self.note = note
        self._key = path
        self._parent = parent

    def __repr__(self) -> str:
        return f"<{self.path or 'root'}: {self.plain()!r}>"

    @property
    def path(self) -> str:
        return str(self._key) if self._parent is None else path_of(self._parent.path, self._key)

    @property
    def key(self) -> str | int:
        """Its key, or its number in a list, as the text has it; the whole path where no text stands behind it."""
        return self._key

    @property
    def source(self) -> str:
        """The label of the piece that it stands in; "" where there is only one."""
        return self.lines.source if self.lines is not None else ""

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def line(self) -> int | None:
        return self._place(self.offset)[0]

    @property
    def column(self) -> int | None:
        return self._place(self.offset)[1]

    @property
    def key_line(self) -> int | None:
        """The line of the key that holds this value; of the value itself where it has no key."""
        return self._place(self.offset if self.key_offset is None else self.key_offset)[0]

    @property
    def key_column(self) -> int | None:
        return self._place(self.offset if self.key_offset is None else self.key_offset)[1]

    def _place(self, offset: int | None) -> tuple[int | None, int | None]:
        return (None, None) if offset is None or self.lines is None else self.lines.locate(offset)

    def get(self, key: str) -> Node | None:
        """The member of that name; None where there is none, or where this is no mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, Node]]:
        """The members of a mapping; nothing for anything else."""
        if isinstance(self.value, dict):
            yield from list(self.value.items())

    def entries(self) -> list[Node]:
        """The entries of a list; nothing for anything else."""
        return list(self.value) if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """The value as plain Python: dict, list and scalars, new each time."""
        if isinstance(self.value, dict):
            return {key: member.plain() for key, member in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def copy(self) -> Node:
        """The same tree in new nodes, so that a change to it leaves this one alone."""
        value = self.value
        if isinstance(value, dict):
            value = {key: member.copy() for key, member in value.items()}
        elif isinstance(value, list):
            value = [entry.copy() for entry in value]
        return Node(value, self._key, self.offset, self.key_offset, self.lines, self.origin, self.note, self._parent)


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage is made while a tree grows; looking for it among a hundred thousand nodes takes as long as reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def path_of(parent: str, key: object) -> str:
    """The dotted path of a member or list entry."""
    return f"{parent}.{key}" if parent else str(key)


def too_deep(path: str, lines: Lines | None = None, offset: int | None = None) -> Problem:
    """The problem of a document nested deeper than MAX_DEPTH."""
    message = f"The configuration is nested deeper than {MAX_DEPTH} levels; what is deeper is not read."
    hint = "A bracket is open that should be closed, most likely."
    line, column = (None, None) if lines is None or offset is None else lines.locate(offset)
    source = lines.source if lines is not None else ""
    return Problem("error", "too_deep", message, path, line, column, hint, source=source)
