"""JSON lines with nothing but strings, read without pandas and pyarrow: 100,000 rows in well under a second.

What the library datasets would read otherwise than Python does is left to it: values that are not text, rows with
other keys than the first, text that begins like a date (it becomes one), and everything that is not plain JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, KeysView
from pathlib import Path
from typing import Any

DATE = re.compile(r"\s*\d{4}-\d\d-\d\d")


def read_plain(files: Iterable[Path]) -> list[dict[str, str]] | None:
    """The rows of all files, equal to what datasets gives for them, or None where it has to be asked."""
    rows: list[dict[str, str]] = []
    for file in files:
        content = file.read_bytes()
        if not content.startswith(b"{") or b"\\u0000" in content:
            return None
        lines = [line for line in content.split(b"\n") if line.strip()]
        try:
            read = [json.loads(line, object_pairs_hook=_unique) for line in lines]
        except ValueError:  # not JSON, or not UTF-8
            return None
        first = (rows or read)[0]
        if not all(_is_plain(row, first.keys()) for row in read):
            return None
        # datasets gives every row the first one's order of columns
        rows += [{key: row[key] for key in first} for row in read]
    return rows


def find_bad_line(content: bytes) -> tuple[int, str] | None:
    """Number (from 1) of the first line that is no JSON object, and what is wrong with it; None if all are."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            return number, error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        if not isinstance(value, dict):
            return number, "it is not an object in braces"
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("a key stands twice")
    return row


def _is_plain(row: Any, keys: KeysView[str]) -> bool:
    return isinstance(row, dict) and row.keys() == keys and all(map(_is_plain_text, row.values()))


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and not DATE.match(value) and (value.isascii() or _is_unicode(value))


def _is_unicode(value: str) -> bool:
    """False for half a surrogate pair, which JSON can write and UTF-8 cannot."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
