"""One event, one line of JSON: written so that any text survives, read so that a line of any content does no harm."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from phinb.types import EVENT_TYPES, Event

_HINTS = {
    name: {item.name: get_type_hints(kind)[item.name] for item in fields(kind)} for name, kind in EVENT_TYPES.items()
}
"""What may stand in the fields of each type of event."""


def encode_event(event: Event) -> str:
    """One line of events.jsonl, without its end. Numbers that JSON lacks (NaN, infinity) become null."""
    record = {"v": event.v, "seq": event.seq, "time": event.time, "type": event.type, **asdict(event)}
    return json.dumps(_without_nan(record), ensure_ascii=False, allow_nan=False)


def to_bytes(event: Event) -> bytes:
    """The line with its end, as UTF-8; half a surrogate pair, which UTF-8 has no bytes for, is escaped as JSON does."""
    return encode_event(event).encode("utf-8", errors="backslashreplace") + b"\n"


def decode_event(line: str) -> Event | None:
    """The event of a line; None where the line is cut off, foreign, or of a type or form that this version lacks."""
    try:
        record = json.loads(line, parse_constant=_refuse)
        kind = EVENT_TYPES[record["type"]]
        hints = _HINTS[record["type"]]
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in hints}
        if not all(_fits(value, hints[key]) for key, value in values.items()):
            return None
        return kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from JSON is of the form that a field wants; a number within a mapping may be null."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        return isinstance(value, tuple | list) and all(_fits(item, inner[0]) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(item is None or _fits(item, inner[1]) for item in value.values())
    if hint is Any:
        return True
    if hint is NoneType:
        return value is None
    if isinstance(value, bool):
        return hint is bool
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and _is_finite(value)
    return isinstance(value, hint)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that no float can hold
        return False


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON.")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
