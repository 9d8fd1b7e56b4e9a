"""The quick way through JSON without a mistake: one regular expression cuts the text into members, all in C.

Comments and trailing commas are allowed. At the first thing that needs a closer look (a mistake, a key that stands
twice) it gives up, and json_reader.py reads the text from the beginning.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

from phinb.config.nodes import MAX_DEPTH, Lines, Node, without_collection

_TEXT = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_NUMBER = r"-?+(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+"
_BLANK = r"\s*+(?:(?://[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)\s*+)*+"
# One member or entry, or the end of a container: what separates it from the one before, its key, the colon, and what
# it begins with. Nothing may stand between two matches.
_EVENT = re.compile(
    rf"({_BLANK}(?:,{_BLANK})?+)({_TEXT}(?=\s*+:)|)(\s*+:{_BLANK}|)({_TEXT}|{_NUMBER}|true|false|null|[{{}}\[\]])",
    re.ASCII,
)
_STEP = 5
_COMMENT = re.compile(r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


class _GiveUpError(Exception):
    pass


def read_plain(lines: Lines) -> Node | None:
    """The mapping that the text is, or None where this reader is not sure."""
    try:
        with without_collection():
            return _read(lines.text, lines)
    except _GiveUpError:
        return None


def _read(text: str, lines: Lines) -> Node:  # noqa: C901  # one loop, in which every call would count
    parts = _EVENT.split(text)
    if any(parts[:-1:_STEP]) or _COMMENT.sub("", parts[-1]).strip(", \t\r\n"):
        raise _GiveUpError
    ends = list(accumulate(map(len, parts)))
    events = zip(parts[1::_STEP], parts[2::_STEP], parts[4::_STEP], ends[1:-1:_STEP], ends[3:-1:_STEP], strict=True)
    new, escaped = Node.__new__, "\\" in text
    separators, scalars = {"": False, ",": True}, dict(_WORDS)
    root = holder = Node([])  # holds the outermost value, as if it were a list
    members: Any = root.value
    is_mapping = False
    stack: list[Node] = []
    for separator, key, raw, key_offset, offset in events:
        after_comma = separators.get(separator)
        if after_comma is None:
            after_comma = separators[separator] = "," in _COMMENT.sub("", separator)
        opens = False
        if raw[0] == '"':
            value: Any = _unescape(raw) if escaped else raw[1:-1]
        elif raw in scalars:
            value = scalars[raw]
        elif raw in "{[":
            value, opens = ({} if raw == "{" else []), True
        elif raw in "}]":
            if key or not stack or (raw == "}") is not is_mapping or (after_comma and not members):
                raise _GiveUpError
            holder = stack.pop()
            members = holder.value
            is_mapping = members.__class__ is dict
            continue
        else:
            value = scalars[raw] = _number(raw)
        if after_comma is (not members):
            raise _GiveUpError
        node = new(Node)
        node.value = value
        node.offset = offset
        node.lines = lines
        node.origin = "you"
        node.note = ""
        node._parent = holder
        if is_mapping:
            name = _unescape(key) if escaped else key[1:-1]
            if not key or name in members:
                raise _GiveUpError
            node.key_offset = key_offset
            node._key = name
            members[name] = node
        else:
            if key:
                raise _GiveUpError
            node.key_offset = None
            node._key = len(members)
            members.append(node)
        if opens:
            if len(stack) >= MAX_DEPTH:
                raise _GiveUpError
            stack.append(holder)
            holder, members, is_mapping = node, value, raw == "{"
    if stack:
        raise _GiveUpError
    return _outermost(root)


def _outermost(root: Node) -> Node:
    """The one mapping that the text holds."""
    if len(root.value) != 1:
        raise _GiveUpError
    node: Node = root.value[0]
    if not node.is_mapping:
        raise _GiveUpError
    node._key, node._parent = "", None
    return node


def _number(raw: str) -> int | float:
    try:
        return int(raw)
    except ValueError:
        return float(raw)


def _unescape(raw: str) -> str:
    """The text in a quoted string."""
    if "\\" not in raw:
        return raw[1:-1]
    try:
        return str(json.loads(raw, strict=False))
    except json.JSONDecodeError:
        raise _GiveUpError from None
