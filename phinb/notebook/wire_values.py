"""Values as text in which every sign can be seen, and which every wire takes."""

from __future__ import annotations

import json
from typing import Any

from phinb.notebook.html import visible

CUT_AT = 400
"""Characters of a value that are shown."""


def show_value(value: Any, length: int = CUT_AT) -> str:
    """A value as a template would write it, at most `length` characters of it, in signs that can be seen."""
    text = value if isinstance(value, str) else _write(value)
    return visible(text) if len(text) <= length else f"{visible(text[: length - 1])}…"


def is_sendable(text: str) -> bool:
    """Whether a text can go to the page as it is; half a character cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def make_sendable(value: Any) -> Any:
    """The same texts, lists and dicts, with halves of characters written out."""
    if isinstance(value, str):
        return value if is_sendable(value) else visible(value)
    if isinstance(value, dict):
        return {make_sendable(key): make_sendable(inner) for key, inner in value.items()}
    return [make_sendable(inner) for inner in value] if isinstance(value, list) else value


def _write(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
