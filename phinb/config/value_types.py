"""Does a value fit a type of the schema? And what is that type called in plain English?

The types are the JSON forms that extraction.py writes: "int", "str", "any", "none", ..., {"enum": [...]},
{"list": T}, {"map": T}, {"tuple": [T, ...]}, {"any": [T, ...]}, {"group": NAME}, {"training_args": NAME}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from phinb.config.checks.secret_texts import hide_known
from phinb.config.schema import Kind

Fit = Literal["yes", "coerced", "no"]
"""coerced: another type that pydantic turns into the right one, such as the text "8" for the number 8."""

_ORDER: tuple[Fit, ...] = ("no", "coerced", "yes")
TRUE_WORDS = frozenset({"true", "yes", "on", "t", "y", "1"})
_TRUE_FALSE = TRUE_WORDS | {"false", "no", "off", "f", "n", "0"}


def fits(value: Any, kind: Kind) -> Fit:
    """How a plain value fits a type; references to other sections are checked where they are resolved."""
    if isinstance(kind, str):
        return _PLAIN[kind](value) if kind in _PLAIN else "yes"
    if "any" in kind:
        return max((fits(value, member) for member in kind["any"]), key=_ORDER.index)
    if "enum" in kind:
        return _fits_enum(value, kind)
    if "list" in kind:
        return _worst([fits(entry, kind["list"]) for entry in value]) if isinstance(value, list) else "no"
    if "tuple" in kind:
        members = kind["tuple"]
        if not isinstance(value, list) or len(value) != len(members):
            return "no"
        return _worst([fits(entry, member) for entry, member in zip(value, members, strict=True)])
    if "map" in kind:
        return _worst([fits(entry, kind["map"]) for entry in value.values()]) if isinstance(value, dict) else "no"
    return "yes" if isinstance(value, dict) else "no"


def describe(kind: Kind) -> str:
    """The type for a sentence: `a whole number`, `one of fp16, int4`, `a list of text`."""
    if isinstance(kind, str):
        return _NAMES.get(kind, "a value")
    if "any" in kind:
        members = [member for member in kind["any"] if member != "none"]
        names = list(dict.fromkeys(describe(member) for member in members))
        return " or ".join(names) if names else "null"
    if "enum" in kind:
        return "one of " + ", ".join(str(choice) for choice in kind["enum"])
    if "list" in kind:
        return f"a list of {describe(kind['list']).removeprefix('a ').removeprefix('an ')}"
    if "tuple" in kind:
        return f"a list of {len(kind['tuple'])} values"
    return "a mapping"


def choices(kind: Kind) -> list[Any]:
    """The values that a type allows, where it lists them; else nothing."""
    if isinstance(kind, str):
        return []
    if "any" in kind:
        return [choice for member in kind["any"] for choice in choices(member)]
    return list(kind.get("enum", ()))


def show(value: Any, length: int = 60) -> str:
    """A value for a sentence, as JSON writes it, without secrets, cut where it is long."""
    import json

    text = hide_known(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= length else f"{text[: length - 4]} ..."


def _worst(found: list[Fit]) -> Fit:
    return min(found, key=_ORDER.index, default="yes")


def _fits_enum(value: Any, kind: Mapping[str, Any]) -> Fit:
    allowed = kind["enum"]
    if any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in allowed):
        return "yes"
    if kind.get("ignore_case") and isinstance(value, str):
        return "yes" if value.lower() in [str(choice).lower() for choice in allowed] else "no"
    return "no"


def _fits_int(value: Any) -> Fit:
    if isinstance(value, bool):
        return "coerced"
    if isinstance(value, int):
        return "yes"
    if isinstance(value, float):
        return "coerced" if value.is_integer() else "no"
    return "coerced" if isinstance(value, str) and _as_number(value, int) else "no"


def _fits_float(value: Any) -> Fit:
    if isinstance(value, bool):
        return "coerced"
    if isinstance(value, int | float):
        return "yes"
    return "coerced" if isinstance(value, str) and _as_number(value, float) else "no"


def _fits_bool(value: Any) -> Fit:
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int | float):
        return "coerced" if value in (0, 1) else "no"
    return "coerced" if isinstance(value, str) and value.lower() in _TRUE_FALSE else "no"


def _as_number(text: str, make: Callable[[str], Any]) -> bool:
    try:
        make(text.strip())
    except ValueError:
        return False
    return True


def _is(kind: type) -> Callable[[Any], Fit]:
    return lambda value: "yes" if isinstance(value, kind) else "no"


_PLAIN: dict[str, Callable[[Any], Fit]] = {
    "any": lambda value: "yes",
    "none": lambda value: "yes" if value is None else "no",
    "int": _fits_int,
    "float": _fits_float,
    "bool": _fits_bool,
    "str": _is(str),
    "map": _is(dict),
    "list": _is(list),
    "callable": lambda value: "no",
}

_NAMES = {
    "any": "a value",
    "none": "null",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "map": "a mapping",
    "list": "a list",
    "data_config": "the name of a data config",
    "system": "the name of a system",
    "evaluator": "the name of an evaluator",
}
