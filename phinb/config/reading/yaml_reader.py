"""YAML -> nodes and problems, through the marks that ruamel.yaml keeps on its own nodes.

Scalars follow YAML 1.2, so that `1e-4` is a number and `on` is text. (Olive's own reader follows YAML 1.1, where it
is the other way round; phinb gives Olive values, not text.)
"""

from __future__ import annotations

import re
from typing import Any

from phinb.config.nodes import MAX_DEPTH, Lines, Node, too_deep
from phinb.config.reading.yaml_plain import read_plain
from phinb.types import Problem

_MAX_NODES = 200_000
"""Aliases can make a small text expand without bound; no configuration comes near this."""

_TRIES = 5
"""How often something readable is looked for before a mistake."""

_MERGE = "<<"


def read(lines: Lines) -> tuple[Node | None, list[Problem], bool]:
    """What stands in the text (None: nothing), what is wrong with its form, and that it has no outer braces."""
    plain = read_plain(lines)
    if plain is not None and plain.is_mapping:
        return plain, [], True
    root, problems = read_carefully(lines)
    return root, problems, True


def read_carefully(lines: Lines) -> tuple[Node | None, list[Problem]]:
    """The same through ruamel.yaml."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if (deep := _too_deep_flow(lines.text)) is not None:
        return None, [too_deep("", lines, deep)]
    try:
        return _compose(lines, lines.text)
    except MarkedYAMLError as error:
        return _read_before(lines, error), [_syntax_problem(error, lines)]
    except RecursionError:
        return None, [too_deep("", lines)]
    except (YAMLError, ValueError) as error:  # a character that YAML does not allow
        hint = "Give the text of a configuration, JSON or YAML."
        message = f"This is neither JSON nor YAML: {error}"
        return None, [Problem("error", "not_yaml", message, hint=hint, source=lines.source)]


def _compose(lines: Lines, text: str) -> tuple[Node | None, list[Problem]]:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # we name both places ourselves
    return _Reader(yaml, lines).read(yaml.compose(text))


def _read_before(lines: Lines, error: Any) -> Node | None:
    """What stands before a mistake, so that its problems are told as well; None where that is nothing.

    A bracket that is never closed is only noticed at the end of the text: each try goes further back.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    end = len(lines.text)
    for attempt in range(_TRIES):
        marks = [mark.index for mark in (error.context_mark, error.problem_mark) if mark is not None]
        noticed = lines.text.rfind("\n", 0, min(marks, default=0)) + 1
        for _ in range(2**attempt):
            end = lines.text.rfind("\n", 0, max(0, end - 1)) + 1
        end = min(end, noticed)
        if not lines.text[:end].strip():
            return None
        try:
            root, _ = _compose(lines, lines.text[:end])
        except MarkedYAMLError as again:
            error = again
        except (YAMLError, ValueError, RecursionError):
            return None
        else:
            return root if root is not None and root.is_mapping else None
    return None


def _too_deep_flow(text: str) -> int | None:
    """Where brackets open beyond any depth that makes sense; ruamel.yaml takes seconds and more for such a text."""
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if match[0] in "[{" else max(0, depth - 1)
        if depth > 10 * MAX_DEPTH:
            return match.start()
    return None


def _syntax_problem(error: Any, lines: Lines) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = " ".join(part for part in (error.context, error.problem) if part) or "It is not YAML."
    hint = "Indentation with spaces only, a space after every colon; or write the configuration as JSON in { }."
    line, column = (None, None) if mark is None else lines.locate(mark.index)
    message = f"This is neither JSON nor YAML: {message}."
    return Problem("error", "not_yaml", message, "", line, column, hint, source=lines.source)


class _Reader:
    def __init__(self, yaml: Any, lines: Lines) -> None:
        self.yaml = yaml
        self.lines = lines
        self.problems: list[Problem] = []
        self.count = 0
        self.too_deep = False

    def read(self, composed: Any) -> tuple[Node | None, list[Problem]]:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        if not isinstance(composed, MappingNode):
            offset = 0 if composed is None else composed.start_mark.index
            hint = 'Start with {"input_model": ...} as JSON, or with "input_model:" as YAML.'
            message = "This is no configuration: it is neither a JSON object nor a YAML mapping of keys to values."
            self._problem("not_a_mapping", message, offset, hint, "")
            if not isinstance(composed, SequenceNode):
                return None, self.problems
        return self._node(composed, None, "", 0, None), self.problems

    def _problem(self, code: str, message: str, offset: int, hint: str, path: str) -> None:
        line, column = self.lines.locate(offset)
        self.problems.append(Problem("error", code, message, path, line, column, hint, source=self.lines.source))

    def _node(self, composed: Any, holder: Node | None, key: str | int, depth: int, key_offset: int | None) -> Node:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.count += 1
        offset = composed.start_mark.index
        node = Node(None, key, offset, key_offset, self.lines, parent=holder)
        if depth > MAX_DEPTH or self.count > _MAX_NODES:
            if not self.too_deep:
                self.problems.append(too_deep(node.path, self.lines, offset))
                self.too_deep = True
        elif isinstance(composed, MappingNode):
            node.value = {}
            self._members(composed, node, depth)
        elif isinstance(composed, SequenceNode):
            node.value = [self._node(entry, node, at, depth + 1, None) for at, entry in enumerate(composed.value)]
        else:
            node.value = self._scalar(composed, node)
        return node

    def _members(self, composed: Any, holder: Node, depth: int) -> None:
        members: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in composed.value:
            key = key_node.value if isinstance(key_node.value, str) else None
            offset = key_node.start_mark.index
            if key is None:
                self._problem("bad_key", "A key must be text.", offset, "Write key: value.", holder.path)
                continue
            node = self._node(value_node, holder, key, depth + 1, offset)
            if key == _MERGE:
                for source in [node, *node.entries()]:
                    merged = {**dict(source.items()), **merged}
                continue
            if key in members:
                message = f'"{key}" stands here a second time; the first is in line {members[key].key_line}.'
                hint = "Olive would take the last one and drop the other without a word: remove one of them."
                self._problem("duplicate_key", message, offset, hint, node.path)
            members[key] = node
        holder.value = {**{key: node for key, node in merged.items() if key not in members}, **members}

    def _scalar(self, composed: Any, node: Node) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            value = self.yaml.constructor.construct_object(composed, deep=True)
        except (YAMLError, ValueError) as error:
            message = f"{composed.value!r} is not a value that a configuration can hold."
            reason = (str(error).splitlines() or [""])[0]
            self._problem("bad_value", message, composed.start_mark.index, reason, node.path)
            return composed.value
        # Dates, bytes and the like have no JSON form: the text as written is what the user sees.
        return value if value is None or isinstance(value, str | bool | int | float) else composed.value
