"""Fixes of a data config that phinb can carry out itself."""

from __future__ import annotations

from typing import Any

from phinb.types import Edit, Fix


def set_values(title: str, path: str, **values: Any) -> Fix:
    """Set keys of the mapping at `path`, a path in today's form; a value of None takes the key out."""
    edits = (
        Edit("remove", f"{path}.{name}") if value is None else Edit("set", f"{path}.{name}", value)
        for name, value in values.items()
    )
    return Fix(title, tuple(edits))
