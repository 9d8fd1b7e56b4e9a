"""The quick way through JSON without a mistake: one regular expression takes a whole member at a time.

Comments and trailing commas are allowed: they are blanked out first, so that every place stays what it was. A
configuration of a megabyte takes about 100 ms. At the first thing that needs a closer look (a mistake, a key that
stands twice) it gives up, and json_reader.py reads the text from the beginning.
"""

from __future__ import annotations

import json
import re
from typing import Any

from phinb.config.document import MAX_DEPTH, Lines, Node

_TEXT = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"
_VALUE = rf"({_TEXT}|{_NUMBER}|true|false|null|[{{\[])\s*([,}}\]]?)"
_MEMBER = re.compile(rf"\s*({_TEXT})\s*:\s*{_VALUE}")
_ENTRY = re.compile(rf"()\s*{_VALUE}")  # the empty group keeps the numbers of the others
_KEY, _RAW, _MARK = 1, 2, 3
_OPEN = re.compile(r"\s*\{")
_CLOSE = re.compile(r"\s*([}\]])")
_AFTER = re.compile(r"\s*([,}\]])")
_COMMENT = re.compile(rf"{_TEXT}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_TEXT}|(?<=[^\s\[{{,:])\s*,(?=\s*[}}\]])")
_NOT_A_BREAK = re.compile(r"[^\n]")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


class _GiveUpError(Exception):
    pass


def read_plain(text: str) -> Node | None:
    """The mapping that `text` is, or None where this reader is not sure."""
    for blanked in (False, True):
        try:
            return _read(_blank(text) if blanked else text)
        except _GiveUpError:
            continue
    return None


def _blank(text: str) -> str:
    """The text with spaces in the place of comments and trailing commas."""
    if "//" in text or "/*" in text:
        text = _COMMENT.sub(_blank_match, text)
    return _TRAILING_COMMA.sub(_blank_match, text)


def _blank_match(match: re.Match[str]) -> str:
    """Spaces for what was matched, line breaks kept; a string is left as it is."""
    found = match[0]
    return found if found[0] == '"' else _NOT_A_BREAK.sub(" ", found)


def _read(text: str) -> Node:
    begin = _OPEN.match(text)
    if begin is None:
        raise _GiveUpError
    lines = Lines(text)
    node = Node({}, "", begin.end() - 1, None, lines)
    stack: list[Node] = []
    position = begin.end()
    while True:
        match = (_MEMBER if isinstance(node.value, dict) else _ENTRY).match(text, position)
        if match is None:
            position = _close_empty(text, position, node)
        else:
            child, mark, position = _child(match, node, lines)
            if mark in "{[":
                stack.append(node)
                if len(stack) > MAX_DEPTH - 1:
                    raise _GiveUpError
                node = child
                continue
            if mark == ",":
                continue
            _check_closes(mark, node)
        while stack:  # this container is complete, and perhaps those around it
            node = stack.pop()
            after = _AFTER.match(text, position)
            if after is None:
                raise _GiveUpError
            position = after.end()
            if after[1] == ",":
                break
            _check_closes(after[1], node)
        else:
            if text[position:].strip():
                raise _GiveUpError
            return node


def _child(match: re.Match[str], parent: Node, lines: Lines) -> tuple[Node, str, int]:
    """The member or entry, and the mark after it: a comma, its container's end, or its own opening bracket."""
    quoted_key, raw, mark = match.groups()
    members = parent.value
    start = match.start(_RAW)
    first = raw[0]
    value: Any
    if first == '"':
        value = _string(raw)
    elif first in "{[":
        value = {} if first == "{" else []
    elif raw in _WORDS:
        value = _WORDS[raw]
    else:
        value = int(raw) if raw.lstrip("-").isdigit() else float(raw)
    if quoted_key:
        key = _string(quoted_key)
        if key in members:
            raise _GiveUpError
        path = f"{parent.path}.{key}" if parent.path else key
        node = members[key] = Node(value, path, start, match.start(_KEY), lines)
    else:
        path = f"{parent.path}.{len(members)}" if parent.path else str(len(members))
        node = Node(value, path, start, None, lines)
        members.append(node)
    if first in "{[":
        return node, first, start + 1
    if not mark:
        raise _GiveUpError
    return node, mark, match.end()


def _string(raw: str) -> str:
    """The text in a quoted string."""
    if "\\" not in raw:
        return raw[1:-1]
    try:
        return str(json.loads(raw, strict=False))
    except json.JSONDecodeError:
        raise _GiveUpError from None


def _close_empty(text: str, position: int, node: Node) -> int:
    match = _CLOSE.match(text, position)
    if match is None or node.value:
        raise _GiveUpError
    _check_closes(match[1], node)
    return match.end()


def _check_closes(mark: str, node: Node) -> None:
    if mark != ("}" if isinstance(node.value, dict) else "]"):
        raise _GiveUpError
