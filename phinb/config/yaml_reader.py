"""YAML -> nodes and problems, through the marks that ruamel.yaml keeps on its own nodes.

Scalars follow YAML 1.2, so that `1e-4` is a number and `on` is text. (Olive's own reader follows YAML 1.1, where it
is the other way round; phinb gives Olive values, not text.)
"""

from __future__ import annotations

import re
from typing import Any

from phinb.config.document import MAX_DEPTH, Lines, Node, path_of, too_deep
from phinb.types import Problem

_MAX_NODES = 200_000
"""Aliases can make a small text expand without bound; no configuration comes near this."""

_MERGE = "<<"


def read(text: str) -> tuple[Node | None, list[Problem]]:
    """The mapping in `text` (None where there is none) and what is wrong with its form."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if (deep := _too_deep_flow(text)) is not None:
        return None, [too_deep("", *Lines(text).locate(deep))]
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # we name both places ourselves
    reader = _Reader(yaml, Lines(text))
    try:
        composed = yaml.compose(text)
    except MarkedYAMLError as error:
        return None, [_syntax_problem(error)]
    except RecursionError:
        return None, [too_deep("")]
    except YAMLError as error:  # a character that YAML does not allow
        hint = "Give the text of a configuration, JSON or YAML."
        return None, [Problem("error", "not_yaml", f"This is neither JSON nor YAML: {error}", hint=hint)]
    return reader.read(composed)


def _too_deep_flow(text: str) -> int | None:
    """Where brackets open beyond any depth that makes sense; ruamel.yaml takes seconds and more for such a text."""
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if match[0] in "[{" else max(0, depth - 1)
        if depth > 10 * MAX_DEPTH:
            return match.start()
    return None


def _syntax_problem(error: Any) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = " ".join(part for part in (error.context, error.problem) if part) or "It is not YAML."
    hint = "Indentation with spaces only, a space after every colon; or write the configuration as JSON in { }."
    line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
    return Problem("error", "not_yaml", f"This is neither JSON nor YAML: {message}.", "", line, column, hint)


class _Reader:
    def __init__(self, yaml: Any, lines: Lines) -> None:
        self.yaml = yaml
        self.lines = lines
        self.problems: list[Problem] = []
        self.count = 0

    def read(self, composed: Any) -> tuple[Node | None, list[Problem]]:
        from ruamel.yaml.nodes import MappingNode

        if not isinstance(composed, MappingNode):
            line, column = (1, 1) if composed is None else self.lines.locate(composed.start_mark.index)
            hint = 'Start with {"input_model": ...} as JSON, or with "input_model:" as YAML.'
            message = "This is no configuration: it is neither a JSON object nor a YAML mapping of keys to values."
            return None, [Problem("error", "not_a_mapping", message, "", line, column, hint)]
        return self._node(composed, "", 0, None), self.problems

    def _problem(self, code: str, message: str, mark: Any, hint: str, path: str) -> None:
        self.problems.append(Problem("error", code, message, path, mark.line + 1, mark.column + 1, hint))

    def _node(self, composed: Any, path: str, depth: int, key_offset: int | None) -> Node:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.count += 1
        offset = composed.start_mark.index
        node = Node(None, path, offset, key_offset, self.lines)
        if depth > MAX_DEPTH or self.count > _MAX_NODES:
            if not any(problem.code == "too_deep" for problem in self.problems):
                self.problems.append(too_deep(path, *self.lines.locate(offset)))
        elif isinstance(composed, MappingNode):
            node.value = self._members(composed, path, depth)
        elif isinstance(composed, SequenceNode):
            entries = enumerate(composed.value)
            node.value = [self._node(entry, path_of(path, at), depth + 1, None) for at, entry in entries]
        else:
            node.value = self._scalar(composed, path)
        return node

    def _members(self, composed: Any, path: str, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in composed.value:
            key = key_node.value if isinstance(key_node.value, str) else None
            if key is None:
                self._problem("bad_key", "A key must be text.", key_node.start_mark, "Write key: value.", path)
                continue
            here = path_of(path, key)
            node = self._node(value_node, here, depth + 1, key_node.start_mark.index)
            if key == _MERGE:
                for source in [node, *node.entries()]:
                    merged = {**dict(source.items()), **merged}
                continue
            if key in members:
                message = f'"{key}" stands here a second time; the first is in line {members[key].key_line}.'
                hint = "Olive would take the last one and drop the other without a word: remove one of them."
                self._problem("duplicate_key", message, key_node.start_mark, hint, here)
            members[key] = node
        return {**{key: node for key, node in merged.items() if key not in members}, **members}

    def _scalar(self, composed: Any, path: str) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            value = self.yaml.constructor.construct_object(composed, deep=True)
        except (YAMLError, ValueError) as error:
            message = f"{composed.value!r} is not a value that a configuration can hold."
            self._problem("bad_value", message, composed.start_mark, str(error).splitlines()[0], path)
            return composed.value
        # Dates, bytes and the like have no JSON form: the text as written is what the user sees.
        return value if value is None or isinstance(value, str | bool | int | float) else composed.value
