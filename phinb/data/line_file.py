"""Where the lines of a file begin, found piece by piece: a page in the middle of a million rows costs one seek.

The pieces are those in which the library datasets reads JSON, because it tells the types of columns piece by piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from phinb.data.line_parsing import BadLine, parse_line
from phinb.data.rows import LibraryNeeded, Unreadable
from phinb.types import Problem

PIECE_BYTES = 10 << 20
"""datasets.packaged_modules.json.JsonConfig.chunksize."""

BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r\n"
"""What JSON takes for blank, and no other character."""

OTHER_READERS = {
    ".csv": '"csv"',
    ".tsv": '"csv" and "sep" to "\\t"',
    ".parquet": '"parquet"',
    ".txt": '"text"',
}
"""What `data_name` should be for a file that is not read as what its name says it is."""

_LF, _CR, _OPEN, _CLOSE = b"\n\r{}"


@dataclass
class Piece:
    """Bytes [start, stop) of a file. `first` is the number of its first row, `begins` where each row begins.

    `settled` says that its columns are known to have the types of the whole, `seen` how many of its rows from the
    first on have been held against them (json_lines.py).
    """

    start: int
    stop: int
    first: int
    begins: NDArray[np.int64]
    settled: bool = False
    seen: int = 0

    @property
    def end(self) -> int:
        """The number behind its last row."""
        return self.first + len(self.begins)


class LineFile:
    """A file of JSON lines; a row is a line that is not blank. `where` is its place in the configuration.

    `broken` is where something begins that is no line with an object: what stands before it can be read.
    """

    def __init__(self, path: Path, where: str, piece_bytes: int = PIECE_BYTES) -> None:
        self.path, self.where = path, where
        self.piece_bytes = piece_bytes
        self.pieces: list[Piece] = []
        self.broken: BadLine | None = None
        self._lock = RLock()
        self._stat = _identify(path)

    @property
    def size(self) -> int:
        return self._stat[0]

    @property
    def known(self) -> int:
        """Rows found so far."""
        return self.pieces[-1].end if self.pieces else 0

    @property
    def indexed(self) -> int:
        """Bytes looked at so far."""
        return self.pieces[-1].stop if self.pieces else 0

    @property
    def complete(self) -> bool:
        return self.broken is None and self.indexed >= self.size

    def grow(self) -> bytes:
        """Look at the next piece; returns what of it can be read. Raises Unreadable if the file has changed."""
        with self._lock:
            start, first = self.indexed, self.known
            with self._open() as file:
                file.seek(start)
                data = file.read(self.piece_bytes)
                data += file.readline()
            begins, stop, self.broken = _find_rows(data, is_first=start == 0)
            if self.broken is not None:
                self.broken.offset += start
            self.pieces.append(Piece(start, start + stop, first, begins + start))
            return data[:stop]

    def read_piece(self, piece: Piece) -> bytes:
        with self._open() as file:
            file.seek(piece.start)
            return file.read(piece.stop - piece.start)

    def read(self, start: int, stop: int) -> Iterator[tuple[Piece, int, bytes]]:
        """The bytes of the rows [start, stop), which are known: (piece, number of its first row read, bytes)."""
        with self._open() as file:
            for piece in self._pieces_of(start, stop):
                begin, end = max(start, piece.first), min(stop, piece.end)
                last = piece.stop if end == piece.end else int(piece.begins[end - piece.first])
                offset = int(piece.begins[begin - piece.first])
                file.seek(offset)
                yield piece, begin, file.read(last - offset)

    def offset_of(self, row: int) -> int:
        """Where a known row begins, in bytes."""
        (piece,) = self._pieces_of(row, row + 1)
        return int(piece.begins[row - piece.first])

    def fail(self, offset: int, reason: str) -> Unreadable | LibraryNeeded:
        """What to raise for a line that is no JSON object, by its offset in bytes.

        An object may also be written over several lines, or several on one: the library reads that.
        """
        with self._open() as file:
            file.seek(offset)
            rest = file.read(self.piece_bytes) + file.readline()
        whole = offset + len(rest) >= self.size
        rest = rest.removeprefix(BOM) if offset == 0 else rest
        line = rest.partition(b"\n")[0]
        number = self.count_lines(offset) + 1
        if not self.known or offset <= self.pieces[0].begins[0]:
            # As a whole the file may be a list, or an object with a list a column.
            other_form = rest.lstrip(BLANK).startswith(b"[") or (rest.lstrip(BLANK).startswith(b"{") and not whole)
        else:
            other_form = line.strip(BLANK) == b"null"  # to the library it is a row of nothing
        if other_form or _is_object_across_lines(rest):
            return LibraryNeeded(f"line {number} of {self.path.name} is not one object")
        code, message, hint = _explain(self.path, number, line, reason)
        return Unreadable(Problem("error", code, message, self.where, hint=hint))

    def count_lines(self, offset: int) -> int:
        """Line ends before `offset`; reads the file up to there."""
        count, left = 0, offset
        with self._open() as file:
            while left > 0 and (data := file.read(min(left, PIECE_BYTES))):
                count += data.count(b"\n")
                left -= len(data)
        return count

    def _pieces_of(self, start: int, stop: int) -> list[Piece]:
        return [piece for piece in self.pieces if piece.first < stop and piece.end > start]

    def _open(self) -> BinaryIO:
        """Opened for each read: an open file could be neither replaced nor deleted on Windows."""
        check_unchanged(self.path, self._stat, self.where)
        return self.path.open("rb")


def check_unchanged(path: Path, known: tuple[int, int], where: str) -> None:
    """Raises Unreadable where a file is not what it was when it was opened."""
    try:
        changed = _identify(path) != known
    except OSError:
        changed = True
    if changed:
        message = f"The file {path} was changed or removed while it was being read."
        raise Unreadable(Problem("error", "data_changed", message, where, hint="Open the data once more."))


def _identify(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _find_rows(data: bytes, *, is_first: bool) -> tuple[NDArray[np.int64], int, BadLine | None]:
    """(where the rows of a piece begin, how far it can be read, what follows that cannot)."""
    origin = len(BOM) if is_first and data.startswith(BOM) else 0
    broken = None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        broken = BadLine(data.rfind(b"\n", 0, error.start) + 1, f"it is not UTF-8: {error.reason}")
        data = data[: broken.offset]
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(codes == _LF)
    starts = np.concatenate(([origin], ends + 1)).astype(np.int64)
    if starts[-1] >= len(data):
        starts = starts[:-1]
    else:
        ends = np.append(ends, len(data))
    # The last character of each line, the one before a carriage return if there is one; a line may be empty.
    last = codes[np.maximum(ends - 1, 0)] if len(starts) else codes[:0]
    last = np.where(last == _CR, codes[np.maximum(ends - 2, 0)], last) if len(starts) else last
    odd = np.flatnonzero((codes[starts] != _OPEN) | (last != _CLOSE) | (starts >= ends))
    blank = []
    for index in odd.tolist():
        line = data[starts[index] : ends[index]].strip(b" \t\r")
        if not line:
            blank.append(index)
        elif not (line.startswith(b"{") and line.endswith(b"}")):
            broken = BadLine(int(starts[index]), "")
            return np.delete(starts[:index], blank), broken.offset, broken
    return np.delete(starts, blank), len(data), broken


def _is_object_across_lines(text: bytes) -> bool:
    """Whether one JSON object begins here that does not end with its line, or is followed by another on its line."""
    words = text.lstrip(BLANK).decode("utf-8", errors="replace")
    line_end = len(words.partition("\n")[0].rstrip())
    end = count = 0
    try:
        while end < line_end:
            while words[end] in " \t\r":
                end += 1
            value, end = json.JSONDecoder().raw_decode(words, end)
            if not isinstance(value, dict):
                return False
            count += 1
    except (ValueError, RecursionError):
        return False
    return count > 1 or end > line_end


def _explain(path: Path, number: int, line: bytes, reason: str) -> tuple[str, str, str]:
    """(code, message, hint) for a line that is certainly wrong."""
    other = OTHER_READERS.get(path.suffix.lower())
    if other and number == 1 and not line.lstrip(BLANK).startswith(b"{"):
        return (
            "not_json",
            f"{path.name} is read as JSON, and its first line is no object.",
            f'Set "data_name" to {other}.',
        )
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return ("not_utf8", *explain_encoding(path, number, line, error.start))
    if not reason:
        try:
            parse_line(line)
        except BadLine as error:
            reason = error.reason
    hint = "Mend the line: one object in braces a line."
    return "not_json", f"{path.name}, line {number}, is not a JSON object: {reason or 'something follows it'}.", hint


def explain_encoding(path: Path, number: int, line: bytes, position: int) -> tuple[str, str]:
    """(message, hint) for the byte at `position` of a line, which cannot be UTF-8."""
    guess = "UTF-16" if line[:2] in (b"\xff\xfe", b"\xfe\xff") else "Windows-1252 or Latin-1"
    message = (
        f"{path.name} is not UTF-8: line {number}, byte {position + 1} of the line (0x{line[position]:02X}) "
        f"cannot be read. It looks like {guess}."
    )
    return message, f"Save {path} as UTF-8."
