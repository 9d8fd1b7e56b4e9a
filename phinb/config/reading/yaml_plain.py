"""The quick way through YAML as people write it: a key and a value a line, indented; lists; flow style in one line;
comments. ruamel.yaml takes many seconds for a megabyte.

At the first thing that it is not sure of (an anchor, a text over several lines, a key that stands twice, a word that
YAML may take for something else) it gives up, and yaml_reader.py reads the text from the beginning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from phinb.config.nodes import MAX_DEPTH, Lines, Node, without_collection

_DOUBLE = r'"[^"\\\n]*+(?:\\["\\bnrt][^"\\\n]*+)*+"'
_SINGLE = r"'[^'\n]*+(?:''[^'\n]*+)*+'"
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?=[\s,\]}]|\Z)"
_BEGIN = r"(?:[^\W\d]|\.{0,2}/)"
# A plain text begins with a letter or a path; what means something in YAML ends the match, and so this reader.
_TEXT = rf"{_BEGIN}(?:[\w./@+\\()={{}}\[\],'\"-]|:(?=\S)|[ ](?=[^\s#]))*+"
_FLOW_TEXT = rf"{_BEGIN}(?:[\w./@+\\()=-]|:(?=[^\s,\[\]{{}}])|[ ](?=[\w./@+\\()=-]))*+"
_KEY = rf"{_DOUBLE}|{_SINGLE}|[^\W\d][\w./-]*+(?:[ ][\w./-]++)*+"
_LINE = re.compile(
    rf"([ ]*+(?:-[ ]++)*+)((?:{_KEY})(?=:[ \t\r\n]|:\Z)|)(:?+[ ]*+)"
    rf"({_DOUBLE}|{_SINGLE}|{_NUMBER}|{_TEXT}|[\[{{][^\n#]*+|)"
    r"([ \t]*+(?:(?<![^\s])#[^\n]*+)?\r?(?:\n|\Z))"
)
_STEP = 6
_AT_ONCE = 8_000
"""Characters that are cut into lines at a time."""
_OPENING = re.compile(r"(?:[ ]*(?:#[^\n]*)?\r?\n)*---[ ]*\r?\n")
_FLOW = re.compile(rf"\s*+({_DOUBLE}|{_SINGLE}|{_NUMBER}|{_FLOW_TEXT}|[\[\]{{}},:])")
_ODD = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]|\r(?!\n)")
_USUAL = bytes([10, *range(32, 127)])
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_UNSURE = re.compile(r"(?:null|true|false|yes|no|on|off|y|n)\Z|[^A-Za-z]*\Z", re.IGNORECASE)


class _GiveUpError(Exception):
    pass


def read_plain(lines: Lines) -> Node | None:
    """The mapping or list that the text is, or None where this reader is not sure."""
    if _is_odd(lines.text):
        return None
    try:
        with without_collection():
            return _Reader(lines).read()
    except _GiveUpError:
        return None


def _is_odd(text: str) -> bool:
    """Whether there are tabs, or characters that YAML forbids or takes for line breaks."""
    if text.isascii() and not text.encode().translate(None, _USUAL):
        return False
    return _ODD.search(text) is not None


class _Reader:
    """The containers that are open stand on a stack: node, indentation, whether it is a mapping.

    waiting: the member whose value begins on the next line, and the indentation of its key.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.stack: list[tuple[Node, int, bool]] = []
        self.root = Node(None, "", None, None, lines)
        self.waiting: Node | None = self.root
        self.waiting_indent = -1

    def read(self) -> Node:
        held: Any = None  # what the container on top holds, and how a line begins that adds to it
        holder, beside, is_mapping = self.root, "", False
        new, scalars, source = Node.__new__, dict(_WORDS), self.lines
        for lead, key, colon, raw, key_offset, offset in self._lines():
            if held is not None and lead == beside and raw:
                # a plain value beside the one before it: most lines are of this kind, and this is what takes the time
                value = scalars.get(raw, scalars)
                if value is scalars and raw[0] not in "[{":
                    value = scalars[raw] = _scalar(raw)
                name: Any = None
                if not is_mapping:
                    name = len(held) if not key and not colon else None
                elif key and len(colon) > 1:
                    name = key if key[0] not in "\"'" else _text(key)
                    name = None if name in held else name
                if name is not None and value is not scalars:
                    node = new(Node)
                    node.value, node.offset, node.lines = value, offset, source
                    node.key_offset = key_offset if is_mapping else None
                    node.origin, node.note = "you", ""
                    node._key, node._parent = name, holder
                    if is_mapping:
                        held[name] = node
                    else:
                        held.append(node)
                    continue
            if key or raw or colon[:1] == ":" or "-" in lead:  # else it is blank
                self._line(lead, key, colon, raw, key_offset, offset)
                held = None
                if self.waiting is None:
                    holder, column, is_mapping = self.stack[-1]
                    held, beside = holder.value, " " * column + "- " * (not is_mapping)
        if self.waiting is not None or self.root.offset is None:
            raise _GiveUpError
        return self.root

    def _lines(self) -> Iterator[tuple[str, str, str, str, int, int]]:
        """The parts of each line: what it begins with, key, colon, value; the offsets of key and value."""
        text = self.lines.text
        opening = _OPENING.match(text)
        start = opening.end() if opening else 0
        while start < len(text):
            # Some lines at a time: what was read of them is gone before the next, and the memory is used again.
            end = text.find("\n", start + _AT_ONCE) + 1 or len(text)
            parts = _LINE.split(text[start:end])
            if any(parts[::_STEP]):
                raise _GiveUpError
            lengths = list(map(len, parts))
            lengths[0] = start
            ends = list(accumulate(lengths))
            columns = (parts[number::_STEP] for number in range(1, 5))
            yield from zip(*columns, ends[1:-1:_STEP], ends[3:-1:_STEP], strict=True)
            start = end

    def _line(self, lead: str, key: str, colon: str, raw: str, key_offset: int, offset: int) -> None:
        """Any line that holds something."""
        if "-" in lead:
            self._dashes(lead, key_offset - len(lead), key_offset if key else offset)
        elif not key:
            raise _GiveUpError
        if key:
            self._member(key, raw, colon, len(lead), key_offset, offset)
        elif colon or not raw:
            raise _GiveUpError
        else:
            self._fill(raw, offset)

    def _dashes(self, lead: str, start: int, offset: int) -> None:
        """A line that begins with dashes: an entry of a list, which may be a list itself."""
        for match in re.finditer("-", lead):
            column = match.start()
            node = self.waiting
            if node is not None and column >= self.waiting_indent + (not self.stack or not self.stack[-1][2]):
                self._open(node, [], start + column, column)
            elif node is not None:
                raise _GiveUpError
            while self.stack and self.stack[-1][1] > column:
                self.stack.pop()
            if not self.stack or self.stack[-1][1] != column or self.stack[-1][2]:
                raise _GiveUpError
            holder = self.stack[-1][0]
            entry = Node(None, len(holder.value), offset, None, self.lines, parent=holder)
            holder.value.append(entry)
            self.waiting, self.waiting_indent = entry, column

    def _member(self, key: str, raw: str, colon: str, column: int, key_offset: int, offset: int) -> None:
        if self.waiting is not None:
            if column <= self.waiting_indent:
                raise _GiveUpError
            self._open(self.waiting, {}, key_offset, column)
        stack = self.stack
        while stack and (stack[-1][1] > column or (stack[-1][1] == column and not stack[-1][2])):
            stack.pop()
        if not stack or stack[-1][1] != column:
            raise _GiveUpError
        holder = stack[-1][0]
        name = _text(key)
        if name in holder.value:
            raise _GiveUpError
        node = holder.value[name] = Node(None, name, offset, key_offset, self.lines, parent=holder)
        self.waiting, self.waiting_indent = node, column
        if raw:
            if len(colon) < 2:
                raise _GiveUpError
            self._fill(raw, offset)

    def _open(self, node: Node, value: Any, offset: int, column: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _GiveUpError
        node.value, node.offset = value, offset
        self.stack.append((node, column, isinstance(value, dict)))
        self.waiting = None

    def _fill(self, raw: str, offset: int) -> None:
        """Give the member that waits a value that stands in its line."""
        assert self.waiting is not None
        if raw[0] in "[{":
            end = _Flow(self.lines, offset + len(raw)).read(self.waiting, offset, len(self.stack))
            if self.lines.text[end : offset + len(raw)].strip():
                raise _GiveUpError
        else:
            self.waiting.value = _scalar(raw)
        self.waiting = None


class _Flow:
    """A value in flow style, up to an offset of the text."""

    def __init__(self, lines: Lines, end: int) -> None:
        self.lines = lines
        self.end = end

    def _next(self, position: int) -> tuple[str, int, int]:
        match = _FLOW.match(self.lines.text, position, self.end)
        if match is None:
            raise _GiveUpError
        return match[1], match.start(1), match.end()

    def read(self, node: Node, offset: int, depth: int) -> int:
        """Read the value at an offset into a node; where it ends."""
        token, start, position = self._next(offset)
        node.offset = start
        if token not in "[{":
            if token in "]},:":
                raise _GiveUpError
            node.value = _scalar(token)
            return position
        if depth >= MAX_DEPTH:
            raise _GiveUpError
        node.value = {} if token == "{" else []
        closing = "}" if token == "{" else "]"
        while True:
            token, start, after = self._next(position)
            if token == closing:
                return after
            if token in "]},:":
                raise _GiveUpError
            position = self._item(node, token, start, after, depth)
            token, _, after = self._next(position)
            if token == ",":
                position = after
            elif token != closing:
                raise _GiveUpError

    def _item(self, holder: Node, token: str, start: int, after: int, depth: int) -> int:
        if isinstance(holder.value, list):
            entry = Node(None, len(holder.value), None, None, self.lines, parent=holder)
            holder.value.append(entry)
            return self.read(entry, start, depth + 1)
        name = _text(token)
        colon, _, position = self._next(after)
        quoted = token[0] in "\"'"
        if colon != ":" or name in holder.value or not (quoted or self.lines.text[position : position + 1] == " "):
            raise _GiveUpError
        member = holder.value[name] = Node(None, name, None, start, self.lines, parent=holder)
        return self.read(member, position, depth + 1)


def _text(raw: str) -> str:
    """A key, quoted or plain."""
    if raw[0] == '"':
        return raw[1:-1] if "\\" not in raw else str(json.loads(raw, strict=False))
    if raw[0] == "'":
        return raw[1:-1].replace("''", "'")
    if not raw[0].isalpha() and raw[0] not in "_./":
        raise _GiveUpError
    return raw


def _scalar(raw: str) -> Any:
    first = raw[0]
    if first in "\"'":
        return _text(raw)
    if first in "-0123456789":
        try:
            return int(raw)
        except ValueError:
            return float(raw)
    if raw in _WORDS:
        return _WORDS[raw]
    if _UNSURE.match(raw):
        raise _GiveUpError
    return raw
