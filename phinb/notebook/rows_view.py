"""The rows of a data config as a table, page by page: as `datasets` made them, with what their columns hold.

`RowsView` takes the messages of rows_table.js and describes what it draws:

  {action: "rows", start}            a page: `start` is the number of its first row, from 0
  {action: "rows", query}            the rows that hold a text, looked for for a moment; "" for all rows
  {action: "rows", further: true}    looked for from where that ended
  {action: "rows", columns}          where there are too many columns: those whose names hold this; "" for the first
  {action: "row", row}               a row was chosen, its number from 0: for whoever shows its sequence

However many rows there are, only a page of them is ever kept. Nothing here knows a widget.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phinb.data.columns import Column, describe_columns
from phinb.data.rows import Row, Rows, ShouldStop, Unreadable
from phinb.notebook.column_choice import choose_columns, read_wanted
from phinb.notebook.html import visible
from phinb.notebook.wire_values import make_sendable, show_value
from phinb.workflow.wording import agree, write_count, write_first

PAGE = 20
CELL = 240
"""Characters of a value that are shown in the table."""

LOOKED_AT = 1000
"""Rows that tell what the columns hold, as long as nobody counts them all."""

WITHIN_S = 0.15
"""Seconds that rows are searched before what was found is shown."""

MOST_COLUMNS = 50
"""Columns that are shown at once."""

CELLS = 200_000
"""Values that are looked at for what the columns hold, and between two looks at the clock."""

BATCH = 200
MOST_FOUND = 2000
"""Rows that are kept as found; who looks for what is in more of them looks for something else."""

MOST_CLASSES = 8


@dataclass(frozen=True)
class Search:
    """The rows that hold a text, as far as they have been looked through."""

    query: str
    found: tuple[int, ...] = ()
    looked_at: int = 0
    complete: bool = False


class RowsView:
    """A table of rows and where in it the user is. Never raises for rows that cannot be read: it says so instead.

    `used` are the columns that are shown before all others, where there are many.
    """

    def __init__(self, rows: Rows, used: Collection[str] = ()) -> None:
        self.rows, self.used = rows, used
        self.looking_for = ""
        self.start = 0
        self.search = Search("")
        self.chosen: int | None = None
        self._columns: dict[str, Column] = {}
        self._said = ""

    def receive(self, message: Mapping[str, Any]) -> None:
        """Do what a message of the table asks for."""
        row, start, query = message.get("row"), message.get("start"), message.get("query")
        if message.get("action") == "row" and isinstance(row, int):
            self.chosen = row
        elif isinstance(query, str):
            self.search, self.start = Search(query), 0
            self._look_further()
        elif isinstance(message.get("columns"), str):
            self.looking_for = read_wanted(message, "columns", self.looking_for)
        elif message.get("further"):
            self._look_further()
        elif isinstance(start, int):
            self.start = max(start, 0)

    def show(self, row: int) -> None:
        """Turn to the page that has this row, and mark it as chosen."""
        self.chosen = row
        if not self.search.query:
            self.start = row // PAGE * PAGE

    def count_columns(self, should_stop: ShouldStop | None = None) -> None:
        """Look at all rows (describe_columns has a limit) to know the columns; takes seconds, for a thread."""
        try:
            columns = describe_columns(self.rows, should_stop=should_stop)
        except Unreadable:
            return
        if not (should_stop is not None and should_stop()):
            self._columns = {column.name: column for column in columns}

    def describe(self) -> dict[str, Any]:
        """What rows_table.js draws."""
        choice = choose_columns(self.rows.columns, MOST_COLUMNS, self.used, self.looking_for)
        columns, page = self._read_columns(choice.columns), list(self._read_page())
        total = len(self.search.found) if self.search.query else self.rows.total
        return {
            "columns": [_describe_column(column, self.rows) for column in columns],
            "more_columns": choice.more,
            "looking_for": make_sendable(self.looking_for),
            "rows": [
                {"row": number, "cells": [_describe_cell(row.get(column.name)) for column in columns]}
                for number, row in page
            ],
            "among": _name_looked_at(columns),
            "start": self.start,
            "page": PAGE,
            "total": total,
            "query": make_sendable(self.search.query),
            "chosen": self.chosen,
            "place": self._name_place(len(page), total),
            "told": self._tell_search(),
            "further": bool(self.search.query) and not self.search.complete,
            "said": show_value(self._said),
            "retyped": [
                {"message": show_value(problem.message), "hint": show_value(problem.hint)}
                for problem in self.rows.problems
                if problem.code == "retyped_column"
            ],
        }

    # ----------------------------------------------------------------------------------------------- reading

    def _read_columns(self, names: Sequence[str]) -> list[Column]:
        unknown = {name for name in names if name not in self._columns}
        if unknown:
            limit = min(LOOKED_AT, max(CELLS // len(self.rows.columns), PAGE))
            try:
                found = describe_columns(self.rows, limit, names=unknown)
            except Unreadable as error:
                self._say(error)
                return []
            self._columns |= {column.name: column for column in found}
        return [self._columns[name] for name in names]

    def _read_page(self) -> Iterator[tuple[int, Row]]:
        try:
            if self.search.query:
                for number in self.search.found[self.start : self.start + PAGE]:
                    yield from zip([number], self.rows.page(number, number + 1), strict=False)
                return
            page = self.rows.page(self.start, self.start + PAGE)
            if not page and self.start and self.rows.total is not None:
                self.start = max(self.rows.total - 1, 0) // PAGE * PAGE
                page = self.rows.page(self.start, self.start + PAGE)
            yield from enumerate(page, start=self.start)
        except Unreadable as error:
            self._say(error)

    def _look_further(self) -> None:
        search, until = self.search, time.monotonic() + WITHIN_S
        if not search.query or search.complete:
            return
        found, at, complete = list(search.found), search.looked_at, False
        wanted = search.query.casefold()
        size = min(BATCH, max(CELLS // max(len(self.rows.columns), 1), 1))
        try:
            # Asked to stop, it also gives up a copy of all rows that the library would have to make first.
            for batch in self.rows.batches(size, start=at, should_stop=lambda: time.monotonic() > until):
                found += [number for number, row in enumerate(batch, start=at) if _holds(row, wanted)]
                at += len(batch)
                if len(found) >= MOST_FOUND:
                    break
            else:
                complete = time.monotonic() <= until
        except Unreadable as error:
            self._say(error)
        self.search = Search(search.query, tuple(found), at, complete)

    def _say(self, error: Unreadable) -> None:
        self._said = f"{error.message} {error.hint}".strip()

    # ------------------------------------------------------------------------------------------------ words

    def _name_place(self, shown: int, total: int | None) -> str:
        if not shown:
            return "no rows"
        many = (
            ", the rest not counted yet" if total is None else f" of {total:,}{' found' if self.search.query else ''}"
        )
        return f"{self.start + 1:,} to {self.start + shown:,}{many}"

    def _tell_search(self) -> str:
        search = self.search
        if not search.query:
            return ""
        looked_at, found = search.looked_at, write_count(len(search.found), "row")
        if search.complete:
            return f"Found in {found} among {agree(looked_at, 'the only row', f'all {looked_at:,} rows')}."
        return f"Found in {found} among {write_first(looked_at, 'row')}."


def _holds(row: Row, wanted: str) -> bool:
    return any(wanted in (value if isinstance(value, str) else str(value)).casefold() for value in row.values())


def _describe_cell(value: Any) -> dict[str, Any]:
    """A value as a template would write it; `kind` says what it is where the text alone does not."""
    if value is None:
        return {"text": "None", "kind": "missing"}
    if value == "" and isinstance(value, str):
        return {"text": "empty", "kind": "missing"}
    kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else "text"
    whole = value if isinstance(value, str) else str(value)
    described: dict[str, Any] = {"text": show_value(value, CELL), "kind": kind}
    if len(whole) > CELL:
        described["length"] = len(whole)
    return described


def _describe_column(column: Column, rows: Rows) -> dict[str, Any]:
    types = [f"{name} {number:,}" for name, number in column.types.items()]
    classes = column.classes if column.has_classes(column.rows) else {}
    shown = list(classes.items())[:MOST_CLASSES]
    given = column.rows - column.missing
    retyped = any(
        problem.code == "retyped_column" and f'"{column.name}"' in problem.message for problem in rows.problems
    )
    return {
        "name": visible(column.name),
        "type": " and ".join(column.types) or "nothing",
        "types": ", ".join(types) if len(types) > 1 else "",
        "missing": column.missing,
        "distinct": column.distinct,
        "classes": [[show_value(value, 40), number, number / given] for value, number in shown],
        "more_classes": len(classes) - len(shown),
        "imbalance": _tell_balance(classes),
        "retyped": retyped,
    }


def _name_looked_at(columns: Sequence[Column]) -> str:
    if not columns:
        return ""
    number, exact = columns[0].rows, columns[0].exact
    rows = agree(number, "the only row", f"all {number:,} rows") if exact else write_first(number, "row")
    return f"What the columns hold: counted in {rows}, as datasets reads {agree(number, 'it', 'them')}."


def _tell_balance(classes: Mapping[str, int]) -> str:
    if len(classes) < 2:
        return ""
    most, least = max(classes.values()), min(classes.values())
    return (
        "all equally often" if most == least else f"the most frequent {most / least:.1f} times as often as the rarest"
    )
