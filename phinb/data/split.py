"""Split expressions: train, train[:70%], train[10:20]+test, as the library datasets reads them.

Source of the rules: datasets.arrow_reader, `_SUB_SPEC_RE` and `_rel_to_abs_instr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from phinb.data.rows import ALL, Row, Table
from phinb.folders import Report

TERM = re.compile(
    r"(?P<split>\w+(?:\.\w+)*)(?:\[(?:(?P<start>-?\d+)(?P<start_percent>%)?)?:(?:(?P<end>-?\d+)(?P<end_percent>%)?)?\])?"
)


def list_splits(expression: str) -> list[str] | None:
    """The names of the splits in an expression; None for a form that only the library understands ("all", for one)."""
    matches = [TERM.fullmatch(term) for term in expression.split("+")]
    names = [match["split"] for match in matches if match and not _is_refused(match)]
    return names if len(names) == len(matches) and "all" not in names else None


class Selection:
    """The rows that a split expression means, in its order, of splits whose number of rows may not be known yet.

    `tables` has every split that `list_splits` names, and those that Olive reads besides.
    """

    def __init__(self, expression: str, tables: Mapping[str, Table]) -> None:
        matches = [TERM.fullmatch(term) for term in expression.split("+")]
        if None in matches:
            raise ValueError(f"not a split expression: {expression}")
        self._tables = tables
        self._terms = [_Term(match, tables[match["split"]]) for match in matches if match]

    @property
    def columns(self) -> tuple[str, ...]:
        return self._terms[0].table.columns

    @property
    def known(self) -> int:
        return sum(term.known for term in self._begun())

    @property
    def complete(self) -> bool:
        return all(term.complete for term in self._terms)

    def reach(self, rows: int, report: Report | None = None) -> int:
        while (known := self.known) < rows and not self.complete:
            term = self._begun()[-1]
            term.reach(term.known + rows - known, report)
        return self.known

    def read(self, start: int, stop: int) -> list[Row]:
        rows: list[Row] = []
        first = 0
        for term in self._begun():
            begin, end = max(start, first) - first, min(stop, first + term.known) - first
            if begin < end:
                rows += term.table.read(term.start + begin, term.start + end)
            first += term.known
        return rows

    def verify(self, report: Report | None = None) -> None:
        for table in self._tables.values():
            table.verify(report)

    def _begun(self) -> list[_Term]:
        """The terms up to the first whose end is not known."""
        begun = []
        for term in self._terms:
            begun.append(term)
            if not term.complete:
                break
        return begun


class _Term:
    """One part of an expression. `known` counts only rows that no more rows of the table would take away again."""

    def __init__(self, match: re.Match[str], table: Table) -> None:
        self.match, self.table = match, table
        percent = bool(match["start_percent"] or match["end_percent"])
        self._first, last = (int(match[bound] or 0) for bound in ("start", "end"))
        is_open = match["end"] is None
        self._needs_total = min(self._first, last) < 0 or (percent and (self._first != 0 or not last))
        self._percent = last if percent and not is_open else None
        self._last = None if percent or is_open else last

    @property
    def start(self) -> int:
        """The table's first row that is in it."""
        return find_bounds(self.match, self.table.known)[0]

    @property
    def known(self) -> int:
        if self._needs_total and not self.table.complete:
            return 0
        start, end = find_bounds(self.match, self.table.known)
        return max(end - start, 0)

    @property
    def complete(self) -> bool:
        ends = not self._needs_total and self._last is not None and self.table.known >= self._last
        return ends or self.table.complete

    def reach(self, rows: int, report: Report | None) -> None:
        """Let the table find rows until `rows` of them are in this part, or no more are there."""
        needed = self._first + rows
        if self._needs_total:
            needed = ALL
        elif self._percent is not None:
            needed = (rows + 1) * 100 // self._percent + 1
        elif self._last is not None:
            needed = min(needed, self._last)
        self.table.reach(min(needed, ALL), report)


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
