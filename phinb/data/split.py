"""Split expressions: train, train[:70%], train[10:20]+test, as the library datasets reads them.

Source of the rules: datasets.arrow_reader, `_SUB_SPEC_RE` and `_rel_to_abs_instr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

TERM = re.compile(
    r"(?P<split>\w+(?:\.\w+)*)(?:\[(?:(?P<start>-?\d+)(?P<start_percent>%)?)?:(?:(?P<end>-?\d+)(?P<end_percent>%)?)?\])?"
)


def list_splits(expression: str) -> list[str] | None:
    """The names of the splits in an expression; None for a form that only the library understands."""
    matches = [TERM.fullmatch(term) for term in expression.split("+")]
    names = [match["split"] for match in matches if match and not _is_refused(match)]
    return names if len(names) == len(matches) else None


def select(expression: str, rows: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    """The rows that an expression means, in its order. `rows` has every split that `list_splits` names."""
    selected: list[Any] = []
    for term in expression.split("+"):
        match = TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"not a split expression: {expression}")
        part = rows[match["split"]]
        start, end = find_bounds(match, len(part))
        selected.extend(part[start:end])
    return selected


def find_bounds(match: re.Match[str], total: int) -> tuple[int, int]:
    """First row and the one behind the last; percents are rounded to the nearest row, negatives count from the end.

    One percent sign makes both bounds percents, as in datasets.
    """
    percent = bool(match["start_percent"] or match["end_percent"])
    start = 0 if match["start"] is None else _to_row(int(match["start"]), total, percent)
    end = total if match["end"] is None else _to_row(int(match["end"]), total, percent)
    return start, end


def _is_refused(match: re.Match[str]) -> bool:
    """Percents beyond 100 are an error in datasets."""
    percent = bool(match["start_percent"] or match["end_percent"])
    return percent and any(abs(int(match[bound] or 0)) > 100 for bound in ("start", "end"))


def _to_row(bound: int, total: int, percent: bool) -> int:
    row = round(bound * total / 100.0) if percent else bound
    return min(max(total + row, 0) if row < 0 else row, total)
