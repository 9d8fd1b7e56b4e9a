"""Configurations with a mark at the place where a problem should be told, and what line and column the mark has.

The mark is put into the text by these few lines and found with str.find: nothing of phinb's readers is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

MARK = "§"


class Here:
    """A value before which the mark stands."""

    def __init__(self, value: Any) -> None:
        self.value = value


def here(key: str) -> str:
    """A key before which the mark stands."""
    return MARK + key


def place(marked: str) -> tuple[str, int, int]:
    """The text without its mark, and the line and column of the mark, both from 1, in code points."""
    text = marked.removeprefix("\ufeff")
    assert text.count(MARK) == 1, marked
    at = text.find(MARK)
    before = text[:at]
    return marked.replace(MARK, ""), before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


# ------------------------------------------------------------------------------------------------- JSON


def _json_members(plain: dict[str, Any], write: Callable[[Any], str]) -> Iterator[tuple[str, Any, str]]:
    for key, value in plain.items():
        mark = MARK if key.startswith(MARK) else ""
        yield f"{mark}{json.dumps(key.removeprefix(MARK), ensure_ascii=False)}", value, write(value)


def json_flat(value: Any) -> str:
    """In one line, with comments of wide characters in it."""
    if isinstance(value, Here):
        return MARK + json_flat(value.value)
    if isinstance(value, dict):
        return "{" + ", /* 🙂é漢 */ ".join(f"{key}: {text}" for key, _, text in _json_members(value, json_flat)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_flat(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def json_lines(value: Any, unit: str = "  ", indent: str = "", above: str = "", behind: str = "") -> str:
    """Every member on a line of its own, with a text above and behind each."""
    if isinstance(value, Here):
        return MARK + json_lines(value.value, unit, indent, above, behind)
    inner = indent + unit
    lead = f"{inner}{above}\n{inner}" if above else inner
    if isinstance(value, dict) and value:
        members = _json_members(value, lambda member: json_lines(member, unit, inner, above, behind))
        items = [f"{lead}{key}: {text}" for key, _, text in members]
        return "{" + behind + "\n" + f",{behind}\n".join(items) + f"{behind}\n{indent}}}"
    if isinstance(value, list) and value:
        items = [f"{lead}{json_lines(entry, unit, inner, above, behind)}" for entry in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def without_braces(text: str) -> str:
    """A text in lines as a tutorial prints it."""
    first, *inner, last = text.split("\n")
    assert (first.strip(), last.strip()) == ("{", "}")
    return "\n".join(inner) + ","


JSON_FORMS: dict[str, Callable[[dict[str, Any]], str]] = {
    "lines": json_lines,
    "one line": json_flat,
    "tabs, CRLF, comments": lambda plain: json_lines(plain, "\t", "", "// ü", " // 🙂").replace("\n", "\r\n"),
    "mark, blank lines, comments": lambda plain: (
        "\ufeff\n\n/* 漢\n 🙂 */ " + json_lines(plain, " ", "", "/* {, */\n", "")
    ),
    "no braces": lambda plain: without_braces(json_lines(plain, "    ")),
}

# ------------------------------------------------------------------------------------------------- YAML


def yaml_flow(value: Any) -> str:
    """In one line."""
    if isinstance(value, Here):
        return MARK + yaml_flow(value.value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml_key(key)}: {yaml_flow(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(yaml_flow(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _yaml_key(key: str) -> str:
    plain = key.removeprefix(MARK)
    written = plain if plain.replace("_", "").isalnum() else json.dumps(plain)
    return f"{MARK if key.startswith(MARK) else ''}{written}"


def yaml_block(value: Any, indent: str = "", above: str = "", behind: str = "", unit: str = "  ") -> str:
    """In block style; begins with a line break where it is a mapping or list that is not empty."""
    if isinstance(value, dict) and value:
        lines = []
        for key, member in value.items():
            inner = yaml_block(member, indent + unit, above, behind, unit)
            space = "" if inner.startswith("\n") else " "
            lead = f"\n{indent}{above}" if above else ""
            lines.append(f"{lead}\n{indent}{_yaml_key(key)}:{behind if not space else ''}{space}{inner}")
        return "".join(lines)
    if isinstance(value, list) and value:
        lines = []
        for entry in value:
            inner = yaml_block(entry, indent + "  ", "", behind, unit)
            lines.append(f"\n{indent}- {inner.lstrip()}")
        return "".join(lines)
    return yaml_flow(value) + behind


def _yaml_with_flow(plain: dict[str, Any]) -> str:
    """Sections in block style, what is in them in one line, behind a text of wide characters."""
    lines = []
    for key, member in plain.items():
        value = member.value if isinstance(member, Here) else member
        if isinstance(member, dict) and value:
            lines.append(f"{_yaml_key(key)}:")
            lines += [f"  {_yaml_key(name)}: {yaml_flow(inner)}  # 漢" for name, inner in member.items()]
        else:
            lines.append(f"{_yaml_key(key)}: {yaml_flow(member)}  # 🙂")
    return "\n".join(lines) + "\n"


YAML_FORMS: dict[str, Callable[[dict[str, Any]], str]] = {
    "block": lambda plain: yaml_block(plain).lstrip("\n") + "\n",
    "flow": _yaml_with_flow,
    "CRLF, comments": lambda plain: (yaml_block(plain, "", "# ü: [", "  # 🙂") + "\n").replace("\n", "\r\n"),
    "mark, blank lines, deep": lambda plain: (
        "\ufeff# 漢\n\n---\n" + yaml_block(plain, "", "\n", "", "     ").lstrip("\n") + "\n"
    ),
    "indented": lambda plain: yaml_block(plain, "    ", "# a").lstrip("\n") + "\n",
}
