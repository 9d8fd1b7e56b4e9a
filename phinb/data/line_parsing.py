"""Lines of JSON as Python's values, as strictly as Arrow reads them: no key twice, no half of a surrogate pair."""

from __future__ import annotations

import json
from typing import Any

_scan: Any = vars(json.JSONDecoder())["scan_once"]  # what raw_decode calls, without its wrapper for each line


class BadLine(ValueError):
    """A line that is no JSON object: `offset` in bytes from the beginning of what was read, and why."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


def parse_lines(data: bytes, *, unique: bool = False) -> list[dict[str, Any]]:
    """The objects of lines; blank lines are none. `unique` says that no key can stand twice in an object.

    Raises BadLine with the offset of the first line that is not one object.
    """
    text = data.decode("utf-8")
    rows: list[dict[str, Any]] = []
    try:
        for line in text.split("\n"):
            try:
                row, end = _scan(line, 0)
            except StopIteration:
                if line.strip(" \t\r"):
                    row, end = _scan(line.lstrip(" \t\r"), 0)
                    end = len(line)
                else:
                    continue
            if type(row) is not dict or (end != len(line) and line[end:].strip(" \t\r")):
                return _parse_one_by_one(data)
            rows.append(row)
    except (StopIteration, ValueError, RecursionError):
        return _parse_one_by_one(data)
    # Each key has a quote and a colon behind it, which a text has only behind a backslash: more of them than keys
    # mean a key that stands twice.
    unique = unique or (
        b" :" not in data and b"\t:" not in data and data.count(b'":') - data.count(b'\\":') == sum(map(len, rows))
    )
    if unique and b"\\ud" not in data and b"\\uD" not in data:
        return rows
    return _parse_one_by_one(data)


def _parse_one_by_one(data: bytes) -> list[dict[str, Any]]:
    rows = []
    offset = 0
    for line in data.split(b"\n"):
        if line.strip(b" \t\r"):
            try:
                row = parse_line(line)
                if b"\\ud" in line or b"\\uD" in line:
                    json.dumps(row, ensure_ascii=False).encode("utf-8")
            except BadLine as error:
                raise BadLine(offset, error.reason) from error
            except UnicodeEncodeError as error:
                raise BadLine(offset, "it holds half of a surrogate pair, which is no character") from error
            rows.append(row)
        offset += len(line) + 1
    return rows


def parse_line(line: bytes) -> dict[str, Any]:
    """One line as a dictionary. Raises BadLine."""
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise BadLine(0, name_fault(error)) from error
    except RecursionError as error:
        raise BadLine(0, "it is nested too deeply") from error
    except ValueError as error:  # not UTF-8, a key that stands twice, a number of thousands of digits
        raise BadLine(0, str(error)) from error
    if not isinstance(value, dict):
        raise BadLine(0, "it is not an object in braces")
    return value


def name_fault(error: json.JSONDecodeError) -> str:
    """What is wrong, in Python's words, of which some go on with the place."""
    return error.msg.removesuffix(" starting at")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{twice}" stands in it twice')
    return row
