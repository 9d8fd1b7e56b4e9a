"""The rows of a data config, page by page: however many there are, only those that are asked for are in memory.

`Rows` is what other modules see. Below it stand tables, which find rows as they are asked for: lines of files
(json_lines.py), what the library datasets made (library.py), a split of either (split.py), those that a filter lets
through (row_filter.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

from phinb.errors import PhinbError
from phinb.folders import Report
from phinb.types import Problem

Row = Mapping[str, Any]

ALL = sys.maxsize
"""More rows than there are."""

ShouldStop = Callable[[], bool]


class Unreadable(PhinbError):
    """Rows that cannot be read, by Olive neither; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message, problem.hint)
        self.problem = problem


class LibraryNeeded(Exception):
    """What is found in a file only the library datasets can tell the meaning of; the message says what it is."""


class Stopped(Exception):
    """Whoever asked wants no answer any more."""


class Table(Protocol):
    """Rows in a fixed order, found as they are asked for. Any method may raise Unreadable."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def known(self) -> int:
        """Rows that are known to be there."""

    @property
    def complete(self) -> bool:
        """Whether there are no others."""

    def reach(self, rows: int, report: Report | None = None) -> int:
        """Find rows until that many are known or no more are there; returns how many are known."""

    def read(self, start: int, stop: int) -> list[Row]:
        """Rows that are known, from `start` (counted from 0) up to but without `stop`."""

    def verify(self, report: Report | None = None) -> None:
        """Look at what has not been read, rows that are not in the table too: Olive fails at any of them."""


class Relay:
    """A table that gives over to another once, and for good, where it meets what only the library can tell."""

    def __init__(self, table: Table, successor: Callable[[LibraryNeeded, Report | None], Table]) -> None:
        self._table = table
        self._successor = successor
        self._lock = RLock()

    @property
    def columns(self) -> tuple[str, ...]:
        return self._table.columns

    @property
    def known(self) -> int:
        return self._table.known

    @property
    def complete(self) -> bool:
        return self._table.complete

    def reach(self, rows: int, report: Report | None = None) -> int:
        table = self._table
        try:
            return table.reach(rows, report)
        except LibraryNeeded as need:
            return self._give_over(table, need, report).reach(rows, report)

    def read(self, start: int, stop: int) -> list[Row]:
        table = self._table
        try:
            return table.read(start, stop)
        except LibraryNeeded as need:
            table = self._give_over(table, need, None)
            return table.read(start, min(stop, table.reach(stop)))

    def verify(self, report: Report | None = None) -> None:
        table = self._table
        try:
            table.verify(report)
        except LibraryNeeded as need:
            self._give_over(table, need, report)

    def _give_over(self, table: Table, need: LibraryNeeded, report: Report | None) -> Table:
        with self._lock:
            if self._table is table:
                self._table = self._successor(need, report)
            return self._table


class Rows:
    """The rows that a data config gives, as Olive would read them; make it with `open_rows`.

    `columns` are in their order; `description` names the files, or the data. What is wrong stands in `problems`; with
    an error among them there may be no rows at all, or rows up to the place that cannot be read: whoever asks for
    more gets `Unreadable`, and then it stands in `problems` too. Several threads may ask at once.
    """

    def __init__(
        self,
        table: Table | None,
        description: str = "",
        problems: tuple[Problem, ...] = (),
        if_empty: Problem | None = None,
        files: Iterable[Path] = (),
        find: Callable[[], Iterable[Path]] | None = None,
    ) -> None:
        self._table = table
        self.description = description
        self._problems = list(problems)
        self._if_empty = if_empty
        self._files = {file: _identify(file) for file in files}
        self._find = find

    @property
    def columns(self) -> tuple[str, ...]:
        return self._table.columns if self._table else ()

    @property
    def total(self) -> int | None:
        """How many there are, after split and filters; None as long as nobody knows (see `count`)."""
        return self._table.known if self._table and self._table.complete else None

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    @property
    def outdated(self) -> bool:
        """Whether a file that they come from is another one by now, or gone, or, where patterns name the files (`find`
        looks them up), others have come: what is known of them is of before."""
        if any(_identify(file) != known for file, known in self._files.items()):
            return True
        return self._find is not None and any(file not in self._files for file in self._find())

    @property
    def ok(self) -> bool:
        """Whether no error has been found so far."""
        return not any(problem.severity == "error" for problem in self._problems)

    def __bool__(self) -> bool:
        return self._reach(1) > 0

    def __len__(self) -> int:
        """Counts them if need be. Raises Unreadable where they cannot be counted."""
        return self._reach(ALL)

    def count(self, on_progress: Report | None = None, should_stop: ShouldStop | None = None) -> int | None:
        """How many there are; None if it was stopped. Lines are counted, not read: a million take half a second.

        on_progress(what, done, total) may hear of bytes or of rows. Raises Unreadable.
        """
        try:
            return self._reach(ALL, _make_report(on_progress, should_stop))
        except Stopped:
            return None

    def page(self, start: int, stop: int) -> list[Row]:
        """The rows from `start` (counted from 0) up to but without `stop`; fewer where there are fewer.

        Values are Python's: str, int, float, bool, None, datetime, list, dict. Raises Unreadable.
        """
        start = max(start, 0)
        stop = min(stop, self._reach(stop))
        return self._read(start, stop) if start < stop else []

    def batches(
        self,
        size: int = 1000,
        *,
        start: int = 0,
        on_progress: Report | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[list[Row]]:
        """All rows from `start` on, `size` at a time.

        on_progress hears of what has to be done before the first batch can come (a CSV file is put into the cache of
        datasets); should_stop is asked meanwhile and before each batch. Raises Unreadable; after the last row, too,
        where rows that the split leaves out cannot be read, for then Olive gets none at all.
        """
        report = _make_report(on_progress, should_stop)
        try:
            while True:
                if should_stop is not None and should_stop():
                    return
                stop = min(start + size, self._reach(start + size, report))
                batch = self._read(start, stop) if start < stop else []
                if not batch:
                    break
                yield batch
                start += len(batch)
            self._verify(report)
        except Stopped:
            return

    def _reach(self, rows: int, report: Report | None = None) -> int:
        if self._table is None:
            return 0
        try:
            known = self._table.reach(rows, report)
        except Unreadable as error:
            self._blame(error.problem)
            raise
        if self._if_empty is not None and not known and self._table.complete:
            self._blame(self._if_empty)
        return known

    def _read(self, start: int, stop: int) -> list[Row]:
        if self._table is None:
            return []
        try:
            return self._table.read(start, stop)
        except Unreadable as error:
            self._blame(error.problem)
            raise

    def _verify(self, report: Report | None) -> None:
        try:
            if self._table is not None:
                self._table.verify(report)
        except Unreadable as error:
            self._blame(error.problem)
            raise

    def _blame(self, problem: Problem) -> None:
        if problem not in self._problems:
            self._problems.append(problem)


def _identify(file: Path) -> tuple[int, int] | None:
    """Size and time of the last change; None where there is no file."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _make_report(on_progress: Report | None, should_stop: ShouldStop | None) -> Report | None:
    """One function for both, which raises Stopped."""
    if on_progress is None and should_stop is None:
        return None

    def report(what: str, done: float | None, total: float | None) -> None:
        if should_stop is not None and should_stop():
            raise Stopped
        if on_progress is not None:
            on_progress(what, done, total)

    return report
