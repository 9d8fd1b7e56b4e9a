"""JSON for writing.py: the layout of a text with comments and trailing commas, and keys and values as text."""

from __future__ import annotations

import json
import re
from typing import Any

from phinb.config.document import MAX_DEPTH
from phinb.config.writing.layout import CannotWriteError, Container, Item, Layout, skip_comments_in_line

_TOKEN = re.compile(
    r'("(?:[^"\\\n]|\\.)*")'  # 1 a string
    r"|([{}\[\]:,])"  # 2 punctuation
    r"|(//[^\n]*|/\*.*?\*/)"  # 3 a comment
    r"|('(?:[^'\\\n]|\\.)*'|[\w.+$@%-]+)"  # 4 what json_reader.py takes for a value or key all the same
    r"|(\S)",
    re.DOTALL,
)
_COLON = re.compile(r"\s*:")
_STRING, _PUNCTUATION, _COMMENT, _LOOSE, _JUNK = range(1, 6)


def write_scalar(value: Any, like: str = "") -> str:
    return json.dumps(value, ensure_ascii=False)


def write_key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


def join(head: str, between: str, value: str) -> str:
    """A member from its key, what stands between, and its value."""
    return head + between + value


def lay_out(text: str) -> Layout:
    """The layout of a text that json_reader.py could read, with outer braces or without.

    Raises:
        CannotWriteError: its brackets do not match, or a key or value is missing.
    """
    return _Builder(text).build()


class _Builder:
    def __init__(self, text: str) -> None:
        self.layout = Layout(text, "json")
        self.text = text
        self.tokens = [
            (match.lastindex or _JUNK, match.start(), match.end())
            for match in _TOKEN.finditer(text)
            if match.lastindex != _COMMENT
        ]
        self.tokens.append((0, len(text), len(text)))
        self.at = 0
        self.depth = 0

    def build(self) -> Layout:
        kind, _, end = self.tokens[0]
        if kind in (_STRING, _LOOSE) and _COLON.match(self.text, end):
            root = Container(True, False, 0, 0)
            self.layout.containers[self.tokens[0][1]] = root
            self._items(root, len(self.text))
        else:
            self._value()
        if self._mark() == ",":
            self.at += 1
        if self.tokens[self.at][0]:
            raise self._error("there is more text after its end")
        return self.layout

    def _mark(self) -> str:
        kind, start, _ = self.tokens[self.at]
        return self.text[start] if kind == _PUNCTUATION else ""

    def _error(self, what: str) -> CannotWriteError:
        line = self.text.count("\n", 0, self.tokens[self.at][1]) + 1
        return CannotWriteError(f"{what}, in line {line}.")

    def _value(self) -> tuple[int, int, Container | None]:
        """Where the value begins and ends, and its layout where it holds others."""
        kind, start, end = self.tokens[self.at]
        opened = self._mark()
        if kind in (_STRING, _LOOSE):
            self.at += 1
            self.layout.ends[start] = end
            return start, end, None
        if opened not in ("{", "["):
            raise self._error("a value is missing")
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error("it is nested too deep")
        container = Container(opened == "{", False, start, skip_comments_in_line(self.text, end, "json"))
        self.layout.containers[start] = container
        self._items(container, None)
        self.depth -= 1
        return start, container.end, container

    def _items(self, container: Container, limit: int | None) -> None:
        """Read items up to the closing bracket; up to the end of the text where there is none."""
        closing = "" if limit is not None else "}" if container.is_mapping else "]"
        while True:
            kind, start, end = self.tokens[self.at]
            if limit is not None and kind == 0:
                container.close = container.end = limit
                return
            if closing and self._mark() == closing:
                container.close, container.end = start, end
                self.at += 1
                return
            self._item(container)

    def _item(self, container: Container) -> None:
        kind, mark, colon = self.tokens[self.at]
        if container.is_mapping:
            if kind not in (_STRING, _LOOSE):
                raise self._error("a key is missing")
            self.at += 1
            if self._mark() == ":":
                self.at += 1
            else:
                raise self._error("a colon is missing")
        value, end, inner = self._value()
        comma = self.tokens[self.at][1] if self._mark() == "," else None
        self.at += comma is not None
        stop = skip_comments_in_line(self.text, end if comma is None else comma + 1, "json")
        if not container.is_mapping:
            colon = mark
        item = Item(container, len(container.items), container.tail, mark, colon, value, end, comma, stop, inner)
        if inner is not None:
            inner.owner = item
        container.items.append(item)
        if container.is_mapping:
            self.layout.members[mark] = item
        else:
            self.layout.entries[value] = item
