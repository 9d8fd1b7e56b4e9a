"""A table of what each variant answered: which rows are shown, in what order, and where the user is.

`ChangesView` takes the messages of changes_table.js and describes what it draws:

  {action: "rows", start}            a page: `start` is the place of its first row among those shown, from 0
  {action: "rows", query}            only rows that hold a text; "" for all
  {action: "pair", before, after}    the two variants between which something changed: their places
  {action: "kind", kind}             only rows broken, mended, otherwise; "changed": these three; "all"
  {action: "sort", column}           by a column (its place, 0: the row's number), a second time the other way round
  {action: "row", row}               a row was chosen, its place in the comparison; the same again closes it
  {action: "go", number}             the row of this number, from 1, is chosen, and the page turned to it if it is shown

Nothing here knows a widget.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phinb.evaluation.changes import Changes, write_records
from phinb.evaluation.results import Comparison
from phinb.notebook.changes_rows import SIGN_OF, AnsweredRows, Column, build_columns, export_columns
from phinb.notebook.wire_values import make_sendable, show_value

PAGE = 20
KINDS = {"changed": "all changed", "broken": "broken", "mended": "mended", "otherwise": "otherwise", "all": "all rows"}


class ChangesView:
    """What of a comparison's rows the user wants to see; it begins with the last stage's changes.

    Raises PhinbError where fewer than two variants answered.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.rows = AnsweredRows(comparison)
        self.before, self.after = self.rows.last_stage
        self.kind = "changed"
        self.query = ""
        self.sort = (0, False)
        self.start = 0
        self.chosen: int | None = None
        self._columns: list[Column] | None = None
        self._shown: list[int] | None = None

    # ---------------------------------------------------------------------------------------- what is asked for

    def receive(self, message: Mapping[str, Any]) -> None:
        """Do what a message asks for; what makes no sense is passed over."""
        match message:
            case {"action": "row", "row": int(row)}:
                self.chosen = row if row != self.chosen and 0 <= row < self.rows.n else None
            case {"action": "go", "number": int(number)}:
                self._go(number - 1)
            case {"action": "rows", "start": int(start)}:
                self.start = max(start, 0)
            case {"action": "rows", "query": str(query)}:
                self._narrow(query=query)
            case {"action": "pair", "before": int(before), "after": int(after)}:
                names = self.rows.names
                if before != after and before in range(len(names)) and after in range(len(names)):
                    self._columns = None
                    self._narrow(before=names[before], after=names[after])
            case {"action": "kind", "kind": str(kind)} if kind in KINDS:
                self._narrow(kind=kind)
            case {"action": "sort", "column": int(column)} if column in range(len(self.columns) + 1):
                self._sort_by(column)

    def _narrow(self, **asked: str) -> None:
        vars(self).update(asked)
        self.start, self._shown = 0, None

    def _go(self, row: int) -> None:
        self.chosen = min(max(row, 0), self.rows.n - 1)
        if self.chosen in self.shown:
            self.start = self.shown.index(self.chosen) // PAGE * PAGE

    def _sort_by(self, column: int) -> None:
        by, falling = self.sort
        # What is measured begins with the most; a row's number is none of that.
        measured = column > 0 and self.columns[column - 1].kind == "number"
        self.sort = (column, not falling if column == by else measured)
        self.start, self._shown = 0, None

    # -------------------------------------------------------------------------------------------- what is shown

    @property
    def changes(self) -> Changes:
        """Between the chosen pair."""
        return self.rows.changes(self.before, self.after)

    @property
    def columns(self) -> list[Column]:
        """All but the row's number."""
        if self._columns is None:
            self._columns = build_columns(self.rows, self.before, self.after)
        return self._columns

    @property
    def shown(self) -> list[int]:
        """The places of the rows that are shown, in their order."""
        if self._shown is None:
            rows = [row for row in range(self.rows.n) if self._is_wanted(row)]
            column, falling = self.sort
            if column:
                value = self.columns[column - 1].value
                keys = {row: _sort_key(value(row)) for row in rows}
                # What has no value stands last, whichever way it is sorted.
                known = sorted(
                    (row for row in rows if keys[row] is not None), key=lambda row: keys[row], reverse=falling
                )
                rows = known + [row for row in rows if keys[row] is None]
            elif falling:
                rows.reverse()
            self._shown = rows
        return self._shown

    def _is_wanted(self, row: int) -> bool:
        kind = self.rows.kind(row, self.before, self.after)
        if self.kind not in ("all", kind) and not (self.kind == "changed" and kind != "same"):
            return False
        wanted = self.query.casefold()
        return not wanted or any(wanted in text.casefold() for text in self._texts(row))

    def _texts(self, row: int) -> list[str]:
        answers = [self.rows.score(name, row).predicted for name in self.rows.names]
        return [*self.rows.fields(row).values(), self.rows.label(row), *answers]

    # -------------------------------------------------------------------------------------------- what is drawn

    def describe(self) -> dict[str, Any]:
        """What changes_table.js draws."""
        shown = self.shown
        if self.start >= len(shown):
            self.start = max(len(shown) - 1, 0) // PAGE * PAGE
        page = shown[self.start : self.start + PAGE]
        names = self.rows.names
        return {
            "columns": [_describe_column(column) for column in self.columns],
            "sorted": self.sort[0],
            "falling": self.sort[1],
            "rows": [
                {"row": row, "number": self.rows.number(row), "cells": [one.cell(row) for one in self.columns]}
                for row in page
            ],
            "start": self.start,
            "page": PAGE,
            "total": len(shown),
            "query": make_sendable(self.query),
            "chosen": self.chosen,
            "place": self._name_place(len(page)),
            "names": [show_value(name, 80) for name in names],
            "pair": [names.index(self.before), names.index(self.after)],
            "kind": self.kind,
            "kinds": [[kind, self.name_kind(kind)] for kind in KINDS],
            "sentence": show_value(self.changes.describe()),
            # RowsTable has more to tell of rows that are read page by page.
            **{"told": "", "among": "", "more_columns": "", "looking_for": "", "said": ""},
            "further": False,
            "retyped": [],
        }

    def name_kind(self, kind: str) -> str:
        """`✗ broken (19)`"""
        counts: dict[str, int] = {"changed": len(self.changes), "all": self.rows.n, **dict(self.changes.counts.items())}
        return f"{SIGN_OF.get(kind, '')} {KINDS[kind]} ({counts[kind]:,})".lstrip()

    def _name_place(self, on_page: int) -> str:
        if not on_page:
            return "no rows"
        found = " found" if self.query else ""
        return f"{self.start + 1:,} to {self.start + on_page:,} of {len(self.shown):,}{found}"

    # --------------------------------------------------------------------------------------------------- export

    def export(self, suffix: str, folder: Path) -> Path:
        """Write what is shown into a new file in `folder`, `suffix` ".csv" or ".jsonl"; returns its path.

        A line has the row's number from 0, the change, the template's fields, the right answer, each variant's answer
        and p(...), its probability, and `shift`, how much the right answer's probability rose.
        """
        kind = "rows" if self.kind == "all" else self.kind
        name = self.rows.comparison.name or "comparison"
        stem = "-".join(_plain(part) for part in (name, self.before, self.after, kind))
        path, count = folder / f"{stem}{suffix}", 1
        while path.exists():
            count += 1
            path = folder / f"{stem}-{count}{suffix}"
        names, line = export_columns(self.rows, self.columns, self.before, self.after)
        write_records(path, names, [line(row) for row in self.shown])
        return path


def _describe_column(column: Column) -> dict[str, Any]:
    return {
        "name": show_value(column.name, 80),
        "kind": column.kind,
        "label": show_value(column.label or column.name, 120),
        "about": show_value(column.about, 120),
        "mark": column.look.mark if column.look else "",
        "colours": [column.look.colour, column.look.dark] if column.look else [],
    }


def _sort_key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _plain(text: str) -> str:
    """A part of a name that every file system takes."""
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._") else "-" for sign in text)
    return plain[:60].strip("-.") or "x"
