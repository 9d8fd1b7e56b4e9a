"""One value of a form: its control and choices, its bounds and unit, its default and origin, and its problem."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from phinb.config.checks.rules import Bounds
from phinb.config.config import Config
from phinb.config.difference import same_value
from phinb.config.document import Node
from phinb.config.form_hints import HELP, UNITS, WORDS
from phinb.config.schema import Kind, Parameter, Schema
from phinb.config.sections import data_configs, members, text
from phinb.config.value_types import fits
from phinb.types import Effective, Origin, Problem

Control = Literal["int", "float", "bool", "choice", "text", "long", "words", "json", "long_json", "fixed"]
"""long: text of several lines. words: a list of words. json: whatever has no control of its own; long_json: that in
several lines. fixed: to be read."""

_LINE = 36
"""Signs of JSON that fit into a line of a form."""

_NO_BOUNDS: Mapping[str, Bounds] = {}


@dataclass(frozen=True)
class FormField:
    """One value. `path` is its dotted path in today's form, `label` its key, `word` a plain word beside it.

    part: the inner section it stands in ("training_args"). choices: the values of a "choice". low, high: inclusive
    bounds as the control needs them; the checks know the exact ones. optional: without it the default counts.
    placeholder: what stands for the value where it is None ("(in phinb's cache, ...)"). default: what the value would
    be if the text said nothing; differs: there is one, and the value is another. primary: it matters first. problem:
    the worst one at its place.
    """

    path: str
    label: str
    value: Any
    kind: Control
    word: str = ""
    part: str = ""
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    help: str = ""
    optional: bool = True
    placeholder: str = ""
    origin: Origin = "olive"
    line: int | None = None
    source: str = ""
    note: str = ""
    default: Any = None
    differs: bool = False
    primary: bool = False
    problem: Problem | None = None


class Fields:
    """Makes the fields of one configuration. Each knows its node: a problem in the user's form finds its field."""

    def __init__(self, config: Config, root: Node, schema: Schema) -> None:
        self.root, self.schema = root, schema
        self.values: Mapping[str, Effective] = config.effective()
        self.problems: dict[str, Problem] = {}
        severity = {"error": 0, "warning": 1, "info": 2}
        for problem in sorted(config.problems, key=lambda problem: severity[problem.severity]):
            self.problems.setdefault(problem.path, problem)

    def of(
        self,
        path: str,
        holder: Node | None,
        parameters: Sequence[Parameter] | Any,
        leave_out: Sequence[str] = (),
        first: Sequence[str] | Any = (),
        *,
        part: str = "",
        bounds: Mapping[str, Bounds] = _NO_BOUNDS,
        choices: Mapping[str, Sequence[Any]] | None = None,
        strict: bool = False,
    ) -> list[FormField]:
        """The fields of one mapping: what matters first, the rest in the schema's order, then what no schema knows.

        The order does not depend on what is written, so that no field changes its place under the user's hand.
        `strict`: other members of `holder` belong to other groups.
        """
        known = {parameter.name: parameter for parameter in parameters if parameter.name not in leave_out}
        order = list(dict.fromkeys([name for name in first if name in known] + list(known)))
        if holder is not None and not strict:
            order += [key for key, _ in holder.items() if key not in known and key not in leave_out]
        made = []
        for key in order:
            parameter = known.get(key, Parameter(key, "any"))
            node = holder.get(key) if holder is not None else None
            field = self._field(path, parameter, node, bounds.get(key), (choices or {}).get(key))
            if key == "type" and node is None and holder is not None and holder.path:
                # What lacks its type is told at the whole; here is the place to mend it.
                field = replace(field, problem=self.problems.get(holder.path))
            # The type stands in the group's title already.
            written = field.origin in ("you", "upgrade") and key != "type"
            made.append(replace(field, part=part, primary=key in first or written or field.problem is not None))
        return made

    def _field(
        self,
        holder: str,
        parameter: Parameter,
        node: Node | None,
        bounds: Bounds | None,
        choices: Sequence[Any] | None,
    ) -> FormField:
        key, path = parameter.name, f"{holder}.{parameter.name}"
        found = self.values.get(path) or (
            Effective(node.plain(), node.origin, node.key_line, node.note, node.source)
            if node is not None
            else Effective(parameter.default, "olive")
        )
        value: Any = found.value
        placeholder = ""
        if found.origin == "phinb" and isinstance(value, str) and value.startswith("("):
            # A value that phinb makes at the run's start: nothing that could be edited.
            value, placeholder = None, value
        kind, allowed = self._control(parameter.type, value, choices)
        if path == "engine.cache_dir":
            kind = "fixed"
        if kind == "json" and isinstance(value, list | dict) and len(json.dumps(value)) > _LINE:
            kind = "long_json"
        if key == "text_template" and kind == "text":
            kind = "long"
        default = value if found.origin == "olive" else parameter.default
        optional = not parameter.required and (key != "type" or value is None)
        low, high = _limits(bounds) if kind in ("int", "float") else (None, None)
        names = holder.split(".")
        return FormField(
            path=path,
            label=key,
            value=value,
            kind=kind,
            word=WORDS.get(key, ""),
            choices=allowed,
            low=low,
            high=high,
            unit=UNITS.get(key, ""),
            help=HELP.get(f"{_place(names)}.{key}") or parameter.help or HELP.get(key, ""),
            optional=optional,
            placeholder=placeholder,
            origin=found.origin,
            line=found.line,
            source=found.source,
            note=found.note,
            default=default,
            differs=optional and found.origin in ("you", "upgrade") and not same_value(value, default),
            problem=self._problem(node, kind),
        )

    def _control(self, kind: Kind, value: Any, choices: Sequence[Any] | None) -> tuple[Control, tuple[Any, ...]]:
        """The control, with the names of other sections as choices where the schema refers to one."""
        names = choices if choices is not None else self._references(kind)
        if names is None:
            return control_of(kind, value)
        folded = {name.lower(): name for name in names if isinstance(name, str)}
        if isinstance(value, str) and value not in names and value.lower() in folded:
            # Olive takes a type in any case: the text's own spelling stays a choice.
            return "choice", (*names, value)
        if value is None or any(same_value(value, name) for name in names):
            return "choice", tuple(names)
        return ("choice", (*names, value)) if isinstance(value, str | int) else ("json", ())

    def _references(self, kind: Kind) -> list[str] | None:
        sections = {"data_config": "data_configs", "system": "systems", "evaluator": "evaluators"}
        named = next((sections[word] for word in _words(kind) if word in sections), None)
        if named is None:
            return None
        if named == "data_configs":
            return [text(config.get("name")) for config in data_configs(self.root)]
        return [name for name, _ in members(self.root, named)]

    def _problem(self, node: Node | None, kind: Control) -> Problem | None:
        """The worst problem at the field's place in the user's text; of a mapping or list, at its inner values too."""
        if node is None or not node.path:
            return None
        found = self.problems.get(node.path)
        if found is None and kind in ("json", "long_json", "words", "choice"):
            inner = [path for path in self.problems if path.startswith(f"{node.path}.")]
            found = self.problems[inner[0]] if inner else None
        return found


def _limits(bounds: Bounds | None) -> tuple[float | None, float | None]:
    """The least and the greatest number, special values (-1 for "not set") included."""
    if bounds is None:
        return None, None
    low = bounds.low if bounds.low is None else min(bounds.low, *bounds.special, bounds.low)
    return low, bounds.high


def _words(kind: Kind) -> list[str]:
    """The plain words in a type, those inside unions too."""
    if isinstance(kind, str):
        return [kind]
    return [word for member in kind.get("any", ()) for word in _words(member)]


def _place(holder: Sequence[str]) -> str:
    """What the help texts call the place: the component, `system` for a system by any name, else the section."""
    if holder[0] == "systems":
        return "accelerators" if len(holder) > 2 else "system"
    return holder[-1] if holder[0] == "data_configs" else holder[0]


def control_of(kind: Kind, value: Any) -> tuple[Control, tuple[Any, ...]]:
    """The control for a type of the schema, and its choices; "json" where `value` would not fit into it."""
    if fits(value, kind) == "no" and value is not None:
        return "json", ()
    members = [member for member in _members(kind) if member != "none"]
    choices = _choices(members)
    if choices:
        return "choice", choices if value is None or value in choices else (*choices, value)
    if isinstance(value, bool) or not members:
        members = [member for member in members if member == "bool"] or members
    elif value is not None:
        members = [member for member in members if fits(value, member) == "yes"] or members
    for member in members or ["any"]:
        control = _simple(member, value)
        if control == "choice":
            return ("choice", (True, False)) if value is None else ("json", ())
        if control is not None:
            return control, ()
    return "json", ()


def _members(kind: Kind) -> list[Kind]:
    """The types of a union, nested unions spread."""
    if isinstance(kind, str) or "any" not in kind:
        return [kind]
    return [member for one in kind["any"] for member in _members(one)]


def _choices(members: list[Kind]) -> tuple[Any, ...]:
    """The values of an enumeration; nothing where another type is allowed beside it, other than free text."""
    listed = [member for member in members if not isinstance(member, str) and "enum" in member]
    others = [member for member in members if member not in listed and member != "str"]
    return () if others else tuple(choice for member in listed for choice in member["enum"])


def _simple(member: Kind, value: Any) -> Control | None:
    if member == "bool":
        return "bool" if isinstance(value, bool) else "choice"
    if member in ("int", "float"):
        # A quoted number is shown as it stands: the form must not hide what the text says.
        return None if isinstance(value, str) else ("int" if member == "int" else "float")
    if member in ("str", "any") and (value is None or isinstance(value, str)):
        return _text(value)
    if member == "any" and isinstance(value, bool | int | float):
        return "bool" if isinstance(value, bool) else ("int" if isinstance(value, int) else "float")
    if not isinstance(member, str) and member.get("list") == "str" and _are_words(value):
        return "words"
    return None


def _text(value: str | None) -> Control:
    # Signs that cannot be seen (tabs, direction marks, a joiner of two line ends) are written out, as JSON does.
    if value is None or value.isprintable():
        return "text"
    return "long" if value.strip() and value.replace("\n", "").isprintable() else "json"


def _are_words(value: Any) -> bool:
    """Whether a comma-separated line holds the list and gives it back as it was."""
    if value is None:
        return True
    return isinstance(value, list) and all(
        isinstance(word, str) and word == word.strip() and word and "," not in word and word.isprintable()
        for word in value
    )
