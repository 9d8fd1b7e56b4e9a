"""The list of problems while a configuration is checked, and the checks that all sections share.

A problem stands at the user's own line: at the key where the key is wrong, at the value where the value is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from phinb.config.checks.rules import Bounds
from phinb.config.document import Node
from phinb.config.schema import Group, Kind, Parameter, Schema
from phinb.config.sections import text
from phinb.config.value_types import choices, describe, fits, show
from phinb.types import Edit, Fix, Problem, Severity

_NEAR = 66
"""Below this similarity (rapidfuzz ratio, 0 to 100) a name is no help."""

_GREATEST = 2**53
"""A float from here on is no count that anybody means."""


@dataclass(frozen=True)
class UnknownKey:
    """A key that its place does not take, and the one that it is most like, if any."""

    problem: Problem
    key: str
    node: Node
    near: str | None


@dataclass(frozen=True)
class Absence:
    """A key that is missing in `holder`; any of `keys` would do."""

    problem: Problem
    holder: Node
    keys: tuple[str, ...]


class Findings:
    """What was found so far. `root` is the upgraded tree.

    unknown_keys, absences and references (to a section) are among the problems; root_causes.py compares them.
    """

    def __init__(self, root: Node, schema: Schema) -> None:
        self.root = root
        self.schema = schema
        self.problems: list[Problem] = []
        self.unknown_keys: list[UnknownKey] = []
        self.absences: list[Absence] = []
        self.references: list[tuple[Problem, str]] = []

    def add(
        self,
        code: str,
        node: Node,
        message: str,
        hint: str = "",
        *,
        severity: Severity = "error",
        at: Literal["key", "value"] = "value",
        fix: Fix | None = None,
    ) -> None:
        """A problem at the key or the value of a node."""
        line, column = (node.key_line, node.key_column) if at == "key" else (node.line, node.column)
        if fix is not None and node.source:
            fix = replace(fix, edits=tuple(_in_piece(edit, node) for edit in fix.edits))
        self.problems.append(Problem(severity, code, message, node.path, line, column, hint, fix, node.source))

    def warn(self, code: str, node: Node, message: str, hint: str = "", *, fix: Fix | None = None) -> None:
        self.add(code, node, message, hint, severity="warning", fix=fix)

    # -------------------------------------------------------------------------------------------- names

    def unknown_key(self, key: str, holder: Node, allowed: Iterable[str], where: str, *, open_: bool = False) -> None:
        """A key in `holder` that Olive would ignore, with the nearest one that it knows and that is not there yet."""
        allowed, node = list(allowed), holder.value[key]
        near = nearest(key, [name for name in allowed if holder.get(name) is None])
        message = f'"{key}" is no key of {where}; Olive would ignore it or fail on it.'
        severity: Severity = "error"
        if open_:
            severity, message = (
                "warning",
                f'phinb does not know "{key}" in {where}, and cannot say whether it has an effect.',
            )
        if near:
            hint, fix = f'Did you mean "{near}"?', Fix(f"Rename to {near}", (Edit("rename", node.path, near),))
        else:
            hint = f"It takes {_listed(allowed)}." if allowed else "It takes no keys of its own."
            fix = Fix(f"Remove {key}", (Edit("remove", node.path),))
        named = all(part for part in node.path.split("."))  # an edit's path cannot say an empty key
        self.add("unknown_key", node, message, hint, severity=severity, at="key", fix=fix if named else None)
        self.unknown_keys.append(UnknownKey(self.problems[-1], key, node, near))

    def unknown_name(self, code: str, node: Node, message: str, allowed: Iterable[str]) -> None:
        """A name that refers to nothing, with the nearest one that exists."""
        allowed = list(allowed)
        near = nearest(text(node), allowed)
        hint = f'Did you mean "{near}"?' if near else (f"There is {_listed(allowed)}." if allowed else "There is none.")
        fix = Fix(f"Write {near}", (Edit("set", node.path, near),)) if near else None
        self.add(code, node, message, hint, fix=fix)

    def missing(self, code: str, holder: Node, message: str, hint: str, keys: tuple[str, ...] = ()) -> bool:
        """Required keys, of which none is there, told at the mapping that should hold one; whether it was told.

        What should be a mapping and is none is told as a wrong type, and has no keys to miss.
        """
        if holder.value is not None and not holder.is_mapping and not holder.is_list:
            return False
        self.add(code, holder, message, hint, at="key")
        if keys:
            self.absent(holder, *keys)
        return True

    def absent(self, holder: Node, *keys: str) -> None:
        """Say of the latest problem that it would not be there with one of these keys in `holder`."""
        self.absences.append(Absence(self.problems[-1], holder, keys))

    def unknown_reference(self, node: Node, message: str, allowed: Iterable[str], section: str) -> None:
        """A name that is not in the section that it refers to."""
        self.unknown_name("unknown_reference", node, message, allowed)
        self.references.append((self.problems[-1], section))

    # ------------------------------------------------------------------------------------------- values

    def group(
        self,
        node: Node,
        group: Group,
        where: str,
        *,
        also: Collection[str] = (),
        bounds: Mapping[str, Bounds] | None = None,
        required: bool = True,
    ) -> None:
        """Check a mapping against the parameters it may hold; keys in `also` are checked elsewhere."""
        allowed = [*group.names, *also]
        for key, member in node.items():
            if key in also:
                continue
            parameter = group.parameters.get(key)
            if parameter is None:
                self.unknown_key(key, node, allowed, where, open_=group.open)
            else:
                self.value(member, parameter, where, coerces=group.coerces, bounds=(bounds or {}).get(key))
        for name, parameter in group.parameters.items():
            if required and parameter.required and name not in also and node.get(name) is None:
                hint = f'Add "{name}": {describe(parameter.type)}. {parameter.help}'.strip()
                self.missing("missing_key", node, f'{sentence(where)} needs "{name}".', hint, (name,))

    def value(
        self, node: Node, parameter: Parameter, where: str, *, coerces: bool, bounds: Bounds | None = None
    ) -> None:
        """Check one value against its type, then against our own bounds; only the first that fails is told."""
        if self._inner_group(node, parameter.type, f"{parameter.name} of {where}"):
            return
        value = node.plain()
        fit = fits(value, parameter.type)
        if fit == "no":
            self._wrong_type(node, parameter, value)
            return
        if fit == "coerced":
            self._coerced(node, parameter, value, coerces=coerces)
        number = float(value) if fit == "coerced" and isinstance(value, bool) else _number(value)
        if bounds is not None and number is not None and not bounds.admits(number):
            self.add("out_of_range", node, f'"{parameter.name}" is {show(value)}: it must be {bounds}.', parameter.help)

    def choice(self, node: Node, name: str, allowed: Collection[Any]) -> None:
        """A value that must be one of a few, where the schema's type does not say so."""
        value = node.plain()
        if value is not None and value not in allowed:
            near = nearest(str(value), [str(choice) for choice in allowed])
            fix = Fix(f"Write {near}", (Edit("set", node.path, near),)) if near else None
            message = f'"{name}" cannot be {show(value)}.'
            self.add(
                "bad_choice", node, message, f"It is one of {_listed([str(choice) for choice in allowed])}.", fix=fix
            )

    def _inner_group(self, node: Node, kind: Kind, where: str) -> bool:
        """Check a mapping, or a list of them, against the model that its type names; False if the type names none."""
        name = _group_name(kind)
        if name is not None and node.is_mapping:
            self.group(node, self.schema.group(name), where)
            return True
        entries = _list_group_name(kind)
        if entries is not None and node.is_list and all(entry.is_mapping for entry in node.entries()):
            for entry in node.entries():
                self.group(entry, self.schema.group(entries), where)
            return True
        return False

    def _wrong_type(self, node: Node, parameter: Parameter, value: Any) -> None:
        allowed = [str(choice) for choice in choices(parameter.type)]
        near = nearest(str(value), allowed) if allowed else None
        fix = Fix(f"Write {near}", (Edit("set", node.path, near),)) if near and isinstance(value, str) else None
        code = "bad_choice" if allowed and isinstance(value, str | int | float) else "wrong_type"
        if parameter.type == "none":
            message = f'The installed Olive takes no value for "{parameter.name}" at all, only null.'
            self.add(code, node, message, "Remove it.", fix=Fix("Remove it", (Edit("remove", node.path),)))
            return
        message = f'"{parameter.name}" must be {describe(parameter.type)}, not {show(value)}.'
        self.add(code, node, message, parameter.help, fix=fix)

    def _coerced(self, node: Node, parameter: Parameter, value: Any, *, coerces: bool) -> None:
        """Text for a number and the like: pydantic turns it around, a plain function does not."""
        wanted = describe(parameter.type)
        plain = _number(value) if "number" in wanted else None
        if isinstance(plain, float) and "whole" in wanted:
            plain = int(plain) if abs(plain) < _GREATEST else None
        fix = None if plain is None else Fix(f"Write {plain}", (Edit("set", node.path, plain),))
        hint = "Write it without quotes." if isinstance(value, str) else f"Write {wanted}."
        if coerces or (isinstance(value, int) and wanted == "true or false"):  # whoever asks only whether it is true
            message = f'"{parameter.name}" should be {wanted}; Olive makes it one from {show(value)}.'
            self.add("coerced", node, message, hint, severity="warning", fix=fix)
        else:
            message = f'"{parameter.name}" must be {wanted}, not {show(value)}.'
            self.add("wrong_type", node, message, hint, fix=fix)


def _in_piece(edit: Edit, node: Node) -> Edit:
    """An edit at the problem's own place goes to the piece that it stands in; one elsewhere finds its own."""
    same = edit.path.partition(".")[0] == node.path.partition(".")[0]
    return replace(edit, source=node.source) if same and not edit.source else edit


def sentence(words: str) -> str:
    """The words with a capital letter, to begin a sentence."""
    return words[:1].upper() + words[1:]


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that is most like `name`; None where none is like it."""
    from rapidfuzz import fuzz, process

    found = process.extractOne(name, list(allowed), scorer=fuzz.ratio, processor=str.lower, score_cutoff=_NEAR)
    return None if found is None else str(found[0])


def number_of(node: Node | None) -> float | None:
    """The number that a node holds; None for anything else, true and false included."""
    value = node.value if node is not None else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _listed(names: Collection[str], limit: int = 12) -> str:
    shown = list(names)[:limit]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    for kind in (int, float):
        with suppress(ValueError):
            return kind(value) if isinstance(value, str) else None
    return None


def _members(kind: Kind) -> list[Kind]:
    return list(kind["any"]) if not isinstance(kind, str) and "any" in kind else [kind]


def _group_name(kind: Kind) -> str | None:
    named = [member["group"] for member in _members(kind) if not isinstance(member, str) and "group" in member]
    return str(named[0]) if named else None


def _list_group_name(kind: Kind) -> str | None:
    for member in _members(kind):
        if not isinstance(member, str) and "list" in member and (name := _group_name(member["list"])):
            return name
    return None
