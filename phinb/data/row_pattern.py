"""The columns of a piece of JSON lines, told without parsing every line of it.

Most files repeat a few forms of line a hundred thousand times. A regular expression made from the lines seen so far
passes over all that have their keys and kinds of values, three times as fast as parsing; the lines it stops at are
parsed, and where one of them has something new, the expression is made anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from phinb.data.line_parsing import BadLine, parse_line
from phinb.data.shapes import Schema, Shape, merge_row

MOST_KEYS = 2000
"""Keys of all forms together from which no expression is written: of 10,000 it takes five seconds."""

MOST_FORMS = 8
"""Orders of keys that the expression knows; lines of others are parsed."""

_BLANK = rb"[ \t]*+"
_STYLES = ((rb": ", rb", ", b""), (rb":", rb",", b""), (_BLANK + rb":" + _BLANK, _BLANK + rb"," + _BLANK, _BLANK))
"""What stands behind a key, between two values, and inside brackets: as json.dumps writes, compact, and any."""

_TEXT = rb'(?:"[^"]*+(?<!\\)"|"[^"\\]*+(?:\\.[^"\\]*+)*+")'
"""The first way, for texts without an escaped quote, is three times as fast. Whether a text is a valid one does not
matter: no quote that ends it is passed over."""

_TIME = rb'"\d{4}-\d\d-\d\d(?:[T ][\d:+Z-]+)?"'
_WHOLE = rb"-?(?:0|[1-9]\d{0,14})"
_LARGE = rb"-?(?:0|[1-9]\d{0,17})"
_VALUES = {
    "null": rb"null",
    "truth": rb"(?:true|false|null)",
    "whole": rb"(?:" + _WHOLE + rb"|null)",
    "large": rb"(?:" + _LARGE + rb"|null)",
    "fraction": rb"(?:" + _LARGE + rb"(?:\.\d+)?(?:[eE][+-]?\d{1,2})?|null)",
    "time": rb"(?:" + _TIME + rb"|null)",
    "text": rb"(?:" + _TEXT + rb"|null)",
}


class RowPattern:
    """The columns of the lines that it has learnt, and an expression for lines that have nothing else."""

    def __init__(self) -> None:
        self.schema: Schema = {}
        self._forms: dict[tuple[str, ...], None] = {}
        self._style: int | None = None
        self._pattern: re.Pattern[bytes] | None = None
        self._parsed = 0
        self._stale = False
        self._next = 1

    def learn(self, data: bytes) -> None:
        """Take in all lines. Ends at the first that is no object; whoever reads that line finds out. Raises Mixed."""
        position = 0
        while position < len(data):
            position = self.skip(data, position)
            end = data.find(b"\n", position)
            line = data[position : len(data) if end < 0 else end]
            if line.strip(b" \t\r"):
                try:
                    self._learn_line(line)
                except BadLine:
                    return
            position += len(line) + 1

    def skip(self, data: bytes, position: int = 0) -> int:
        """The end of the lines, from `position` on, that have nothing new."""
        match = self._pattern.match(data, position) if self._pattern else None
        return match.end() if match else position

    def _learn_line(self, line: bytes) -> None:
        row = parse_line(line)
        form = tuple(row)
        wider = merge_row(self.schema, row)
        is_new = form not in self._forms and len(self._forms) < MOST_FORMS
        self._parsed += 1
        self._stale = self._stale or is_new or wider is not self.schema
        self.schema = wider
        if is_new:
            self._forms[form] = None
        if self._stale and self._parsed >= self._next:
            self._make_pattern(line)

    def _make_pattern(self, line: bytes) -> None:
        """Made ever more rarely: of hundreds of columns it takes as long as thousands of lines."""
        self._stale = False
        if sum(map(len, self._forms)) > MOST_KEYS:
            self._pattern = None
            return
        self._next = self._parsed + 1 + self._parsed // 4
        if self._style is None:
            self._style = self._find_style(line)
        if self._style is not None:
            self._pattern = re.compile(b"(?:" + self._write_lines(self._style) + rb"\r?(?:\n|\Z))*+")

    def _find_style(self, line: bytes) -> int | None:
        styles = range(len(_STYLES))
        return next((style for style in styles if re.fullmatch(self._write_lines(style), line.rstrip(b"\r"))), None)

    def _write_lines(self, style: int) -> bytes:
        """An expression for one line, in any of the forms."""
        lines = [_write_object([(name, self.schema[name]) for name in form], style) for form in self._forms]
        return b"(?:" + b"|".join(lines) + b")"


def find_schema(data: bytes) -> Schema:
    """The columns that all lines of `data` together have, in order of appearance. Raises Mixed."""
    pattern = RowPattern()
    pattern.learn(data)
    return pattern.schema


def _write_value(shape: Shape, style: int) -> bytes:
    if isinstance(shape, str):
        return _VALUES[shape]
    if shape[0] == "object":
        return b"(?:" + _write_object(shape[1], style) + b"|null)"
    _, comma, inside = _STYLES[style]
    if shape[1] == "null":
        return rb"(?:\[" + inside + rb"\]|null)"
    item = _write_value(shape[1], style)
    return rb"(?:\[" + inside + rb"(?:" + item + rb"(?:" + comma + item + rb")*+)?+" + inside + rb"\]|null)"


def _write_object(members: Sequence[tuple[str, Shape]], style: int) -> bytes:
    colon, comma, inside = _STYLES[style]
    written = [_write_key(name) + colon + _write_value(shape, style) for name, shape in members]
    return rb"\{" + inside + comma.join(written) + inside + rb"\}"


def _write_key(name: str) -> bytes:
    """A key as json.dumps writes it, with and without escapes for what is not ASCII."""
    forms = {json.dumps(name, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for ascii_only in (True, False)}
    return b"(?:" + b"|".join(map(re.escape, sorted(forms))) + b")" if len(forms) > 1 else re.escape(forms.pop())
