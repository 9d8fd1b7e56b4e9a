"""Two configurations side by side: where what they will really do differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phinb.config.config import Config
from phinb.types import Effective

_SECTIONS = ("data_configs", "input_model", "systems", "passes", "engine", "phinb")
_NAMED = ("data_configs", "systems", "passes")
"""Sections whose members bear names of the user's: a member may be in one configuration only."""


@dataclass(frozen=True)
class Difference:
    """One value that differs, by its path in today's form; None where a configuration has nothing of that path."""

    path: str
    a: Effective | None
    b: Effective | None


def compare_effective(a: Config, b: Config) -> tuple[Difference, ...]:
    """Where the effective values of two configurations differ, in the order data, model, compute, passes, engine.

    Origins alone are no difference: 64 written and 64 by default run the same. Of a pass, system or data config that
    only one of them has, its type and what was written are listed, not the defaults that come with it.
    """
    values = (a.effective(), b.effective())
    members = tuple({_member(path) for path in side} for side in values)
    found: list[Difference] = []
    for path in _in_order(*values):
        left, right = values[0].get(path), values[1].get(path)
        if left is not None and right is not None:
            if not same_value(left.value, right.value):
                found.append(Difference(path, left, right))
            continue
        present = left or right
        assert present is not None
        absent_member = _member(path) not in members[0 if left is None else 1]
        written = present.origin in ("you", "upgrade")
        if written or (absent_member and path == f"{_member(path)}.type"):
            found.append(Difference(path, left, right))
        elif not absent_member and present.value is not None:
            # One side has no such key at all, because the two members are of different types.
            found.append(Difference(path, left, right))
    return tuple(found)


def same_value(a: Any, b: Any) -> bool:
    """Equal as a configuration means it: 8 and 8.0 are the same number, true and 1 are not the same."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_value(left, right) for left, right in zip(a, b, strict=True))
    return bool(a == b)


def _member(path: str) -> str:
    """`passes.lora` of `passes.lora.r`; the section alone where its members bear no names."""
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] in _NAMED else parts[0]


def _in_order(a: Mapping[str, Effective], b: Mapping[str, Effective]) -> list[str]:
    """All paths: section by section, member by member, those of `a` before what only `b` has."""
    members: dict[str, dict[str, None]] = {}
    for path in (*a, *b):
        members.setdefault(_member(path), {})[path] = None
    ordered = sorted(members, key=lambda member: _section_number(member.split(".")[0]))
    return [path for member in ordered for path in members[member]]


def _section_number(section: str) -> int:
    return _SECTIONS.index(section) if section in _SECTIONS else len(_SECTIONS)
