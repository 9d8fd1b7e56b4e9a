"""A configuration's text with a comment above and behind every line that can bear one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
SECTIONS = ("data_configs", "input_model", "systems", "passes", "engine")
"""The order in which the tutorial prints the sections of tutorial_2024.json, each pass by itself."""


def sprinkle(text: str, mark: str) -> tuple[str, list[str]]:
    """The text with comments that each have a number, and the comments."""
    comments: list[str] = []
    lines = []
    for line in text.splitlines():
        for place in ("above", "behind"):
            comments.append(f"{mark} {place} <{len(comments)}>")
        indent = line[: len(line) - len(line.lstrip())]
        lines += [f"{indent}{comments[-2]}", f"{line}  {comments[-1]}"]
    return "\n".join(lines) + "\n", comments


def tutorial() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / "tutorial_2024.json").read_text(encoding="utf-8"))
    return found


def members_of_the_tutorial() -> list[dict[str, Any]]:
    """What each of the tutorial's snippets holds, in the order in which it prints them."""
    whole = tutorial()
    found: list[dict[str, Any]] = []
    for section in SECTIONS:
        value = whole[section]
        found += [{name: member} for name, member in value.items()] if section == "passes" else [{section: value}]
    return found


def json_snippet(members: dict[str, Any]) -> str:
    """As the tutorial prints it: without outer braces, indented, with a comma behind it."""
    return json.dumps(members, indent=4)[2:-2] + ",\n"
