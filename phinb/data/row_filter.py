"""The rows that `col_filters` lets through, found as they are asked for."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import groupby
from threading import RLock
from typing import Any

from phinb.data.rows import Row, Table
from phinb.folders import Report

BLOCK = 1000
"""Rows that are looked at in one go."""


def lets_through(filters: Mapping[str, Any], row: Row) -> bool:
    """Whether a row has the given values."""
    return all(row[name] == value for name, value in filters.items())


class Filtered:
    """The rows of a table whose columns have the given values: `row[name] == value` for each, as in Olive
    (olive.data.component.load_dataset._filter_dataset). 8 bytes are kept a row that passes."""

    def __init__(self, table: Table, filters: Mapping[str, Any]) -> None:
        self._table = table
        self._filters = dict(filters)
        self._numbers = array("q")
        self._seen = 0
        self._recent: dict[int, Row] = {}
        self._lock = RLock()

    @property
    def columns(self) -> tuple[str, ...]:
        return self._table.columns

    @property
    def known(self) -> int:
        return len(self._numbers)

    @property
    def complete(self) -> bool:
        return self._table.complete and self._seen >= self._table.known

    def reach(self, rows: int, report: Report | None = None) -> int:
        with self._lock:
            # Rows just found are what is asked for next, and a batch may hold some of the last time, too.
            kept = set(self._numbers[-BLOCK:])
            self._recent = {number: row for number, row in self._recent.items() if number in kept}
            while len(self._numbers) < rows:
                stop = min(self._seen + BLOCK, self._table.reach(self._seen + BLOCK, report))
                if stop <= self._seen:
                    break
                for number, row in enumerate(self._table.read(self._seen, stop), start=self._seen):
                    if lets_through(self._filters, row):
                        self._numbers.append(number)
                        self._recent[number] = row
                self._seen = stop
                if len(self._recent) > 4 * BLOCK:
                    self._recent.clear()
                if report is not None:
                    report("filtering rows", self._seen, self._table.known if self._table.complete else None)
            return len(self._numbers)

    def read(self, start: int, stop: int) -> list[Row]:
        with self._lock:
            numbers, recent = self._numbers[start:stop], self._recent
        if all(number in recent for number in numbers):
            return [recent[number] for number in numbers]
        rows: list[Row] = []
        for _, block in groupby(numbers, key=lambda number: number // BLOCK):
            wanted = list(block)
            read = self._table.read(wanted[0], wanted[-1] + 1)
            rows += [read[number - wanted[0]] for number in wanted]
        return rows

    def verify(self, report: Report | None = None) -> None:
        self._table.verify(report)
