"""What the library datasets made, as tables: the beginning in memory, the copy on disk, or a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import RLock
from typing import Any

from phinb.data.rows import LibraryNeeded, Row
from phinb.folders import Report


class Excerpt:
    """The rows of one table in memory, the first of many perhaps: what comes behind it another has to tell."""

    def __init__(self, table: Any, features: Any) -> None:
        self._arrow, self._features = table, features
        self.columns = tuple(features or table.column_names)
        self.known = int(table.num_rows)
        self.complete = False

    def reach(self, rows: int, report: Report | None = None) -> int:
        if rows > self.known:
            raise LibraryNeeded("more rows are wanted")
        return self.known

    def read(self, start: int, stop: int) -> list[Row]:
        return make_rows(self._arrow.slice(start, stop - start), self._features)

    def verify(self, report: Report | None = None) -> None:
        raise LibraryNeeded("all rows are wanted")


class Prepared:
    """The library's own copy of all rows, memory-mapped."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.columns = tuple(dataset.column_names)
        self.known = len(dataset)
        self.complete = True

    def reach(self, rows: int, report: Report | None = None) -> int:
        return self.known

    def read(self, start: int, stop: int) -> list[Row]:
        return _transpose(self._dataset[start:stop])

    def verify(self, report: Report | None = None) -> None:
        """All of it has been read by whoever made it."""


class Stream:
    """Rows that come one after another; going far back begins anew."""

    def __init__(
        self, begin: Callable[[], Iterator[list[Row]]], columns: tuple[str, ...], explained: Callable[[], Any]
    ) -> None:
        self._begin, self.columns, self._explained = begin, columns, explained
        self._blocks: list[tuple[int, list[Row]]] = []
        self._source: Iterator[list[Row]] | None = None
        self._position = 0
        self._lock = RLock()
        self.known = 0
        self.complete = False

    def reach(self, rows: int, report: Report | None = None) -> int:
        with self._lock:
            while self.known < rows and not self.complete:
                self._advance()
                if report is not None:
                    report("reading the stream", self.known, None)
            return self.known

    def read(self, start: int, stop: int) -> list[Row]:
        with self._lock:
            if not self._blocks or start < self._blocks[0][0]:
                self._blocks, self._source, self._position = [], None, 0
            rows: list[Row] = []
            while start < stop:
                found = next((block for block in self._blocks if block[0] <= start < block[0] + len(block[1])), None)
                if found is None:
                    if not self._advance():
                        break
                    continue
                part = found[1][start - found[0] : stop - found[0]]
                rows += part
                start += len(part)
            return rows

    def verify(self, report: Report | None = None) -> None:
        """What is not streamed nobody reads."""

    def _advance(self) -> bool:
        """Take the next block of rows; False at the end."""
        with self._explained():
            self._source = self._source or self._begin()
            block = next(self._source, None)
        if block is None:
            self.complete = True
            return False
        self._blocks = [*self._blocks[-3:], (self._position, block)]
        self._position += len(block)
        self.known = max(self.known, self._position)
        return True


def make_rows(table: Any, features: Any) -> list[Row]:
    """The rows of an Arrow table with the types of `features`, by default its own."""
    from datasets import Features
    from datasets.formatting import PythonFormatter

    features = features or Features.from_arrow_schema(table.schema)
    return _transpose(PythonFormatter(features=features).format_batch(table))


def _transpose(columns: Mapping[str, list[Any]]) -> list[Row]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
