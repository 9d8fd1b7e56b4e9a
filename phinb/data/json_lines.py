"""JSON lines read as the library datasets reads them, without it: no pandas, no pyarrow, no copy in a cache.

The types of columns are told by the first piece of the first file (10 MB), for that is how the library tells them,
and every row is held against them. What this module is not sure of it leaves to the library (LibraryNeeded): values
of mixed kinds, columns of times, keys that come up later, objects over several lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phinb.data.files import COMPRESSED
from phinb.data.line_file import BOM, PIECE_BYTES, LineFile, Piece
from phinb.data.line_parsing import BadLine, parse_line, parse_lines
from phinb.data.row_pattern import RowPattern, find_schema
from phinb.data.rows import ALL, LibraryNeeded, Row
from phinb.data.shapes import (
    EXACT,
    LARGEST,
    SMALLEST,
    TIME,
    Mixed,
    Shape,
    accepts,
    conform,
    contains,
    merge,
    name_shape,
    shape_of,
)
from phinb.folders import Report

BATCH = 1000
"""Rows that are parsed in one go where nobody says how many."""

_TIME = re.compile(rb'"\d{4}-\d\d-\d\d')
_GAP = re.compile(rb"\[[ \t]*null")
"""A list that begins with null: pyarrow 26 miscounts its items, and datasets then reads the piece in another way."""

_TRACES = ({"id", "source", "model", "system_prompt", "messages"}, {"type", "id", "version", "cwd"})
"""Columns that make the library take the rows for the log of an agent (datasets.packaged_modules.json.json)."""


class JsonLines:
    """The rows of the files of one split, in a row. Its columns and their types are those that `pattern` knows."""

    def __init__(self, files: Sequence[LineFile], pattern: RowPattern) -> None:
        self._files = files
        self._pattern = pattern
        self._schema = pattern.schema
        self._names = tuple(pattern.schema)
        self._is_flat = all(isinstance(shape, str) for shape in pattern.schema.values())

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    @property
    def known(self) -> int:
        return sum(file.known for file in self._begun())

    @property
    def complete(self) -> bool:
        return all(file.complete for file in self._files)

    def reach(self, rows: int, report: Report | None = None) -> int:
        size = sum(file.size for file in self._files)
        while (known := self.known) < rows and not self.complete:
            file = next(file for file in self._files if not file.complete)
            if file.broken is not None:
                raise file.fail(file.broken.offset, file.broken.reason)
            data = file.grow()
            if not self._is_flat and _GAP.search(data):
                raise LibraryNeeded(f"a list in {file.path.name} begins with null, which Arrow stumbles over")
            if report is not None:
                report("finding the lines", sum(one.indexed for one in self._files), size)
        return known

    def read(self, start: int, stop: int) -> list[Row]:
        rows: list[Row] = []
        first = 0
        for file in self._begun():
            end = first + file.known
            if first < stop and end > start:
                rows += self._read(file, max(start - first, 0), min(stop, end) - first)
            first = end
        return rows

    def verify(self, report: Report | None = None) -> None:
        size = self.reach(ALL, report)
        for file in self._files:
            for piece in file.pieces:
                for start in range(piece.first + piece.seen, piece.end, BATCH):
                    self._read(file, start, min(start + BATCH, piece.end))
                    if report is not None:
                        report("reading what the split leaves out", start, size)

    def _begun(self) -> list[LineFile]:
        """The files up to the one that is being looked at: rows of later ones have no number yet."""
        begun = []
        for file in self._files:
            begun.append(file)
            if not file.complete:
                break
        return begun

    def _read(self, file: LineFile, start: int, stop: int) -> list[Row]:
        rows: list[Row] = []
        for piece, first, data in file.read(start, stop):
            # For rows with lists and objects the expression is quicker than looking at every value.
            known = not self._is_flat and self._pattern.skip(data) == len(data)
            try:
                read = parse_lines(data, unique=known)
            except BadLine as error:
                raise file.fail(file.offset_of(first) + error.offset, error.reason) from error
            try:
                rows += self._check(read, file, piece, known and not _TIME.search(data))
            except Mixed as error:
                where = f"between rows {first + 1} and {first + len(read)} of {file.path.name}"
                raise LibraryNeeded(f"{error} {where}") from error
            if first <= piece.first + piece.seen:
                piece.seen = max(piece.seen, first + len(read) - piece.first)
        return rows

    def _check(self, rows: list[dict[str, Any]], file: LineFile, piece: Piece, known: bool) -> list[dict[str, Any]]:
        """The rows with all columns in order and of their types. Raises Mixed.

        `known` says that columns of lists and objects have been looked at, and hold no times.
        """
        names = self._names
        rows = [row if tuple(row) == names else self._complete(row) for row in rows]
        certain = True
        for name, shape in self._schema.items():
            values = [row[name] for row in rows]
            has_fractions = contains(shape, "fraction")
            if isinstance(shape, str) or has_fractions or not known:
                certain = _check_column(name, shape, values) and certain
            if has_fractions or not (isinstance(shape, str) or known):
                for row, value in zip(rows, values, strict=True):
                    row[name] = conform(value, shape)
        if not certain and not piece.settled:
            self._settle(file, piece)
        return rows

    def _settle(self, file: LineFile, piece: Piece) -> None:
        """Find out whether a piece as a whole has the columns' types. Raises Mixed."""
        for name, shape in find_schema(file.read_piece(piece)).items():
            if name not in self._schema or not accepts(self._schema[name], shape):
                raise Mixed(f'the column "{name}" has {name_shape(shape)} alone')
        piece.settled = True

    def _complete(self, row: dict[str, Any]) -> dict[str, Any]:
        new = [name for name in row if name not in self._schema]
        if new:
            raise Mixed(f'the key "{new[0]}" comes up')
        return {name: row.get(name) for name in self._names}


def open_lines(
    by_split: Mapping[str, Sequence[Path]], where: str, piece_bytes: int = PIECE_BYTES
) -> dict[str, JsonLines]:
    """The splits of the files; `where` is their place in the configuration. Reads one piece of one file.

    Raises LibraryNeeded where the files are not JSON lines of the plain kind, Unreadable where nobody can read them.
    """
    files = {
        split: [LineFile(path, where, piece_bytes) for path in paths if path.stat().st_size]
        for split, paths in by_split.items()
    }
    for file in [file for of_split in files.values() for file in of_split]:
        with file.path.open("rb") as opened:
            begin = opened.read(64)
        if begin.startswith(COMPRESSED) or begin.removeprefix(BOM).lstrip()[:1] == b"[":
            raise LibraryNeeded(f"{file.path.name} is not JSON lines")
    first = next(file for of_split in files.values() for file in of_split)
    data = first.grow()
    if first.broken is not None and not first.known:
        raise first.fail(first.broken.offset, first.broken.reason)
    pattern = RowPattern()
    try:
        pattern.learn(data.removeprefix(BOM))
    except Mixed as error:
        raise LibraryNeeded(f"{first.path.name} has {error} in one column") from error
    schema = pattern.schema
    if not schema and first.known:
        try:
            parse_line(data[int(first.pieces[0].begins[0]) :].partition(b"\n")[0])
        except BadLine as error:
            raise first.fail(first.offset_of(0), error.reason) from error
    if not schema or any(contains(shape, "time") for shape in schema.values()):
        raise LibraryNeeded(f"the columns of {first.path.name} are not plain ones")
    if _GAP.search(data) and any(isinstance(shape, tuple) for shape in schema.values()):
        raise LibraryNeeded(f"a list in {first.path.name} begins with null, which Arrow stumbles over")
    if any(traces <= schema.keys() for traces in _TRACES):
        raise LibraryNeeded(f"{first.path.name} looks like the log of an agent")
    first.pieces[0].settled = True
    return {split: JsonLines(of_split, pattern) for split, of_split in files.items()}


def _check_column(name: str, shape: Shape, values: Sequence[Any]) -> bool:
    """Whether the values alone show that their piece of the file has the column's type. Raises Mixed if it has not."""
    if not isinstance(shape, str):
        found: Shape = "null"
        for value in values:
            if value is not None:
                found = merge(found, shape_of(value))
        certain = not any(contains(found, kind) for kind in ("time", "whole", "large"))
        return _accept(name, shape, _ignore_times(found)) and certain
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return True
    if shape == "text" and kinds == {str}:
        return any(value is not None and not TIME.match(value) for value in values)
    if shape == "truth" and kinds == {bool}:
        return True
    if shape in ("whole", "large") and kinds == {int}:
        given = [value for value in values if value is not None]
        return _accept(name, shape, shape if min(given) >= SMALLEST and max(given) <= LARGEST else "fraction")
    if shape == "fraction" and kinds <= {int, float}:
        given = [value for value in values if value is not None]
        if any(map(_is_too_large, given)):
            raise Mixed(f'the column "{name}" has a number too large')
        return all(abs(value) <= EXACT for value in given if isinstance(value, int))
    raise Mixed(
        f'the column "{name}" has {name_shape(shape)} and, among others,'
        f" {', '.join(sorted(kind.__name__ for kind in kinds))}"
    )


def _is_too_large(value: float) -> bool:
    """For float64; infinity itself is told from 1e999 by the library only."""
    try:
        return math.isinf(float(value))
    except OverflowError:
        return True


def _accept(name: str, shape: Shape, found: Shape) -> bool:
    if not accepts(shape, found):
        raise Mixed(f'the column "{name}" has {name_shape(shape)} and {name_shape(found)}')
    return True


def _ignore_times(shape: Shape) -> Shape:
    """The same with text for times: whether they stay texts the whole piece tells."""
    if isinstance(shape, str):
        return "text" if shape == "time" else shape
    if shape[0] == "list":
        return ("list", _ignore_times(shape[1]))
    return ("object", tuple((name, _ignore_times(inner)) for name, inner in shape[1]))
