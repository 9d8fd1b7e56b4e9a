"""Which of a table's columns a panel gets: of ten thousand the first, those in use, and those that are looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

LONGEST = 200
"""Characters of a name that is looked for."""


@dataclass(frozen=True)
class Choice:
    """The columns that are shown, in their order, and how many others are not shown (of those that are looked for)."""

    columns: tuple[str, ...]
    hidden: int

    @property
    def more(self) -> str:
        """`and 9,900 more`; "" where none is hidden."""
        return f"and {self.hidden:,} more" if self.hidden else ""


def choose_columns(columns: Sequence[str], most: int, used: Collection[str] = (), looking_for: str = "") -> Choice:
    """At most `most` columns: those in use, then those whose names begin with what is looked for, or hold it.

    However it is written, in capitals or not.
    """
    if len(columns) <= most and not looking_for:
        return Choice(tuple(columns), 0)
    wanted = looking_for.casefold()
    found = [(at, name.casefold()) for at, name in enumerate(columns)]
    matching = [at for at, name in found if name.startswith(wanted)]
    matching += [at for at, name in found if wanted in name and not name.startswith(wanted)]
    kept = [at for at, name in enumerate(columns) if name in used] if used else []
    chosen = sorted(islice(_each_once([*kept, *matching]), most))
    return Choice(tuple(columns[at] for at in chosen), len(set(matching) - set(chosen)))


def read_wanted(message: Mapping[str, Any], key: str, before: str) -> str:
    """What a message says that columns are looked for by; what it was before where it says nothing."""
    wanted = message.get(key)
    return wanted[:LONGEST] if isinstance(wanted, str) else before


def _each_once(numbers: Iterable[int]) -> Iterable[int]:
    return dict.fromkeys(numbers)
