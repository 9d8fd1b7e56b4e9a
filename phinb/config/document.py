"""The text of a configuration -> a tree that knows the line and column of every key and every value.

`load` takes what a user has: the text of a cell, a path, or a dict; pieces.py puts several of them together. It never
raises for bad content: whatever is wrong with the form becomes a Problem, and what could be read is there all the same,
so that the later stages report the rest. JSON (comments and trailing commas allowed) and YAML
are read by the readers in reading/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phinb.config.nodes import MAX_DEPTH, Format, Lines, Node, path_of, too_deep
from phinb.types import Problem

__all__ = ["MAX_DEPTH", "Document", "Format", "Lines", "Node", "load", "parse", "path_of", "too_deep"]

_SUFFIXES: Mapping[str, Format] = {".json": "json", ".jsonc": "json", ".yaml": "yaml", ".yml": "yaml"}


@dataclass(frozen=True)
class Document:
    """What was read. `root` is a mapping, or None where the text holds none; then `problems` says why.

    outermost: what stands in the text, of whatever kind. open: whether no outer braces close it, so that it may be a
    piece of a configuration (a text in YAML has none).
    """

    text: str
    format: Format
    path: Path | None = None
    root: Node | None = None
    problems: tuple[Problem, ...] = field(default=())
    outermost: Node | None = None
    open: bool = False
    source: str = ""


def load(source: str | Path | Mapping[str, Any], label: str = "") -> Document:
    """Read a configuration from its text, a path or a dict. Bad content is a problem in the result, never raised.

    A string is a path where it is one line that names an existing file or ends in .json, .yaml or .yml. `label` names
    the text in problems, where it is one of several.

    Raises:
        TypeError: `source` is none of the three.
    """
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, Path):
        return _from_file(source, label)
    if not isinstance(source, str):
        raise TypeError(f"a configuration is a text, a path or a dict, not {type(source).__name__}")
    return _from_file(Path(source.strip()), label) if names_a_file(source) else parse(source, source=label)


def parse(
    text: str,
    format: Format | None = None,  # noqa: A002
    path: Path | None = None,
    source: str = "",
) -> Document:
    """Read a text as JSON or YAML; without `format` the path's suffix decides, or how the text begins."""
    text = text.removeprefix("\ufeff")
    if format is None and path is not None:
        format = _SUFFIXES.get(path.suffix.lower())  # noqa: A001
    if unreadable := _unreadable(text, source):
        return Document(text, format or "json", path, None, (unreadable,), source=source)
    if format is None:
        format = "json" if _looks_like_json(text) else "yaml"  # noqa: A001
    lines = Lines(text, source, format)
    if format == "json":
        from phinb.config.reading.json_reader import read
    else:
        from phinb.config.reading.yaml_reader import read
    outermost, problems, is_open = read(lines)
    root = outermost if outermost is not None and outermost.is_mapping else None
    return Document(text, format, path, root, tuple(problems), outermost, is_open, source)


def names_a_file(text: str) -> bool:
    """Whether a string is the name of a file, and not a configuration's text."""
    text = text.strip()
    if not text or "\n" in text or text[0] in "{[" or len(text) > 1024:
        return False
    if text.lower().endswith((".json", ".yaml", ".yml")) and ": " not in text:
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _from_file(path: Path, label: str) -> Document:
    kind: Format = _SUFFIXES.get(path.suffix.lower(), "json")

    def failed(code: str, message: str, hint: str) -> Document:
        problem = Problem("error", code, message, hint=hint, source=label)
        return Document("", kind, path, None, (problem,), source=label)

    try:
        data = path.expanduser().read_bytes()
    except FileNotFoundError:
        hint = f"Check the spelling; a relative path is looked for in {Path.cwd()}."
        return failed("file_missing", f"There is no file {path}.", hint)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~somebody who is not known here
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return failed("file_unreadable", f"{path} cannot be read: {reason}.", "Name a file that you may read.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "Save it as UTF-8 in your editor. A model or an archive is no configuration."
        return failed("not_utf8", f"{path} is not UTF-8 text: byte {error.start + 1}, in line {line}.", hint)
    return parse(text, None, path, label)


def _unreadable(text: str, source: str) -> Problem | None:
    if not text.strip():
        hint = 'Write at least an "input_model" and "passes"; sample_data/ has files to start from.'
        return Problem("error", "empty", "The configuration is empty.", hint=hint, source=source)
    if "\x00" in text:
        line, column = Lines(text).locate(text.index("\x00"))
        hint = "Give the text of a configuration, JSON or YAML; in UTF-8 where it is a file."
        return Problem("error", "binary", "This is binary data, not a text.", "", line, column, hint, source=source)
    return None


_OPENING = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_QUOTED_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"\s*:')
_MARK = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|[\[\]{},]|[^\s\[\]{},"/]+|.', re.DOTALL)


def _looks_like_json(text: str) -> bool:
    """It opens with a brace or bracket, or is a piece of JSON without its outer braces (`"passes": {...},`)."""
    opening = _OPENING.match(text)
    start = opening.end() if opening else 0
    if text[start : start + 1] in ("{", "["):
        return True
    key = _QUOTED_KEY.match(text, start)
    if key is None:
        return False
    return text.rstrip().endswith(",") or _is_json_member(text, key.end())


def _is_json_member(text: str, start: int) -> bool:
    """Whether the value at `start` ends as a member of JSON does: at a comma, or with the text.

    In YAML the next key would follow. A bracket that stays open is no YAML either.
    """
    depth, begun = 0, False
    for match in _MARK.finditer(text, start):
        mark = match[0]
        if mark.isspace() or mark.startswith(("//", "/*")):
            continue
        if begun and depth == 0:
            return mark == ","
        if mark == "," and depth == 0:
            return False
        depth += (mark in ("{", "[")) - (mark in ("}", "]"))
        begun = True
    return begun


def _from_mapping(source: Mapping[str, Any]) -> Document:
    problems: list[Problem] = []
    root = _node(source, "", 0, problems)
    return Document("", "dict", None, root, tuple(problems), root)


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
