"""The text of a configuration -> a tree that knows the line and column of every key and every value.

`load` takes what a user has: the text of a cell, a path, or a dict. It never raises for bad content: whatever is
wrong with the form becomes a Problem, and what could be read is there all the same, so that the later stages
report the rest. JSON is read by json_reader.py (comments and trailing commas allowed), YAML by yaml_reader.py.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from phinb.types import Origin, Problem

Format = Literal["json", "yaml", "dict"]

MAX_DEPTH = 60
"""No configuration is nested deeper; what is deeper is a mistake, and would exhaust Python's stack."""

_SUFFIXES = {".json": "json", ".jsonc": "json", ".yaml": "yaml", ".yml": "yaml"}


class Lines:
    """Offsets into a text -> lines and columns, both from 1; a column counts code points."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def locate(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


@dataclass(slots=True, eq=False)
class Node:
    """A value of the document: `value` is a dict of nodes, a list of nodes, or a plain scalar.

    `path` is dotted, in the form of the text as written (list entries by their number); it stays what it was when an
    upgrade moves the node, as do the positions. Offsets are None where no text stands behind the value.
    """

    value: Any
    path: str = ""
    offset: int | None = None
    key_offset: int | None = None
    lines: Lines | None = None
    origin: Origin = "you"
    note: str = ""

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
        return Node(value, self.path, self.offset, self.key_offset, self.lines, self.origin, self.note)


@dataclass(frozen=True)
class Document:
    """What was read. `root` is a mapping, or None where the text holds none; then `problems` says why."""

    text: str
    format: Format
    path: Path | None = None
    root: Node | None = None
    problems: tuple[Problem, ...] = field(default=())


def load(source: str | Path | Mapping[str, Any]) -> Document:
    """Read a configuration from its text, a path or a dict. Bad content is a problem in the result, never raised.

    A string is a path where it is one line that names an existing file or ends in .json, .yaml or .yml.

    Raises:
        TypeError: `source` is none of the three.
    """
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, Path):
        return _from_file(source)
    if not isinstance(source, str):
        raise TypeError(f"a configuration is a text, a path or a dict, not {type(source).__name__}")
    return _from_file(Path(source.strip())) if _names_a_file(source) else parse(source)


def parse(text: str, format: Format | None = None, path: Path | None = None) -> Document:  # noqa: A002
    """Read a text as JSON or YAML; without `format` its first character decides."""
    text = text.removeprefix("\ufeff")
    if unreadable := _unreadable(text):
        return Document(text, format or "json", path, None, (unreadable,))
    if format is None:
        format = "json" if _looks_like_json(text) else "yaml"  # noqa: A001
    if format == "json":
        from phinb.config.json_reader import read
    else:
        from phinb.config.yaml_reader import read
    root, problems = read(text)
    return Document(text, format, path, root, tuple(problems))


def path_of(parent: str, key: object) -> str:
    """The dotted path of a member or list entry."""
    return f"{parent}.{key}" if parent else str(key)


def _names_a_file(text: str) -> bool:
    text = text.strip()
    if not text or "\n" in text or text[0] in "{[" or len(text) > 1024:
        return False
    if text.lower().endswith((".json", ".yaml", ".yml")) and ": " not in text:
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _from_file(path: Path) -> Document:
    kind: Format = "yaml" if _SUFFIXES.get(path.suffix.lower()) == "yaml" else "json"

    def failed(code: str, message: str, hint: str) -> Document:
        return Document("", kind, path, None, (Problem("error", code, message, hint=hint),))

    try:
        data = path.expanduser().read_bytes()
    except FileNotFoundError:
        hint = f"Check the spelling; a relative path is looked for in {Path.cwd()}."
        return failed("file_missing", f"There is no file {path}.", hint)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return failed("file_unreadable", f"{path} cannot be read: {reason}.", "Name a file that you may read.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "Save it as UTF-8 in your editor. A model or an archive is no configuration."
        return failed("not_utf8", f"{path} is not UTF-8 text: byte {error.start + 1}, in line {line}.", hint)
    known = _SUFFIXES.get(path.suffix.lower())
    return parse(text, kind if known else None, path)


def _unreadable(text: str) -> Problem | None:
    if not text.strip():
        hint = 'Write at least an "input_model" and "passes"; sample_data/ has files to start from.'
        return Problem("error", "empty", "The configuration is empty.", hint=hint)
    if "\x00" in text:
        line, column = Lines(text).locate(text.index("\x00"))
        hint = "Give the text of a configuration, JSON or YAML; in UTF-8 where it is a file."
        return Problem("error", "binary", "This is binary data, not a text.", "", line, column, hint)
    return None


_OPENING = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_BARE_MEMBER = re.compile(r'"[^"\n]*"\s*:\s*[\[{].*,\s*\Z', re.DOTALL)


def _looks_like_json(text: str) -> bool:
    """It opens with a brace or bracket, or is a piece of JSON without its outer braces (`"passes": {...},`)."""
    opening = _OPENING.match(text)
    start = opening.end() if opening else 0
    return text[start : start + 1] in ("{", "[") or _BARE_MEMBER.match(text, start) is not None


def _from_mapping(source: Mapping[str, Any]) -> Document:
    problems: list[Problem] = []
    root = _node(source, "", 0, problems)
    return Document("", "dict", None, root, tuple(problems))


def _node(value: Any, path: str, depth: int, problems: list[Problem]) -> Node:
    """A node without a place in a text. What JSON cannot hold is a problem and becomes null."""
    if depth > MAX_DEPTH:
        problems.append(too_deep(path))
        return Node(None, path)
    if isinstance(value, Mapping):
        members: dict[str, Node] = {}
        for key, member in value.items():
            if not isinstance(key, str):
                message = f"The key {key!r} is not text."
                problems.append(Problem("error", "bad_key", message, path_of(path, key), hint="Keys are strings."))
            members[str(key)] = _node(member, path_of(path, key), depth + 1, problems)
        return Node(members, path)
    if isinstance(value, list | tuple):
        return Node([_node(entry, path_of(path, at), depth + 1, problems) for at, entry in enumerate(value)], path)
    if isinstance(value, os.PathLike):
        return Node(os.fspath(value), path)
    if value is None or isinstance(value, str | bool | int | float):
        return Node(value, path)
    message = f"A value of type {type(value).__name__} cannot stand in a configuration."
    hint = "Use text, numbers, true or false, lists and dicts."
    problems.append(Problem("error", "bad_value", message, path, hint=hint))
    return Node(None, path)


def too_deep(path: str, line: int | None = None, column: int | None = None) -> Problem:
    """The problem of a document nested deeper than MAX_DEPTH."""
    message = f"The configuration is nested deeper than {MAX_DEPTH} levels; what is deeper is not read."
    hint = "A bracket is open that should be closed, most likely."
    return Problem("error", "too_deep", message, path, line, column, hint)
