"""Where in a text template something is to be seen: its fields, what is wrong, braces that are text, unseen characters.

The pieces are those that fill and check a template (template.py): what is marked is what would happen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from phinb.data.signs import UNSEEN
from phinb.data.template import BRACES, Piece, escape, find_nearest, judge, split_template, write_field

MarkKind = Literal["field", "unknown", "brace", "refused", "escaped", "unseen"]
"""field: names a column; unknown: no column has the name; brace: cannot be read; refused: reaches too far;
escaped: a brace that is text; unseen: a character that has no shape, or turns the text around."""

MOST_WRONG = 50
"""Places that cannot be read after which no more are looked for: this is no template."""


@dataclass(frozen=True)
class Mark:
    """Characters [start, end) of a template. Marks follow each other and do not overlap.

    start and end count UTF-16 units, as JavaScript does: a sign beyond U+FFFF is two of them. column: what a field
    names. remedy: what would be right in its place, "" where nobody can tell.
    """

    start: int
    end: int
    kind: MarkKind
    column: str = ""
    message: str = ""
    hint: str = ""
    remedy: str = ""


def find_marks(template: str, columns: Sequence[str] | None) -> tuple[Mark, ...]:
    """The marks of a template in their order; `columns` is None where nobody knows them: then no field is unknown."""
    places = [0, *accumulate(1 + (ord(character) > 0xFFFF) for character in template)]
    marks: list[Mark] = []
    wrong = 0
    for piece in split_template(template):
        found = _mark(template, piece, columns)
        marks += [replace(mark, start=places[mark.start], end=places[mark.end]) for mark in found]
        wrong += piece.wrong == "brace"
        if wrong == MOST_WRONG:
            break
    return tuple(marks)


def find_used(template: str) -> frozenset[str]:
    """What the fields of a template name, as far as it can be read."""
    parts = [piece.part for piece in split_template(template) if piece.part is not None]
    return frozenset(part.field for part in parts if part.field is not None)


def _mark(template: str, piece: Piece, columns: Sequence[str] | None) -> Iterator[Mark]:
    """The marks of one piece, in characters."""
    field = piece.part.field if piece.part is not None else None
    _, message, hint = judge(piece, (field or "",) if columns is None else columns)
    written = template[piece.start : piece.end]
    if piece.part is None:
        kind: MarkKind = "brace" if piece.wrong == "brace" else "refused"
        remedy = escape(written) if len(written) == 1 else ""
        yield Mark(piece.start, piece.end, kind, message=message, hint=hint, remedy=remedy)
    elif field is not None and not message:
        yield Mark(piece.start, piece.end, "field", field)
    elif field is not None:
        nearest = find_nearest(field, columns or ())
        remedy = written.replace(field, nearest, 1) if nearest and write_field(nearest) else ""
        remedy = escape(written) if hint.startswith(BRACES) else remedy
        yield Mark(piece.start, piece.end, "unknown", field, message, hint, remedy)
    else:
        end = piece.end - 2 if piece.escaped else piece.end
        for found in UNSEEN.finditer(template, piece.start, end):
            yield Mark(*found.span(), "unseen", message=f"It holds {_name(found[0])}, which is not seen.")
        if piece.escaped:
            yield Mark(end, piece.end, "escaped", message=f"The text has one {template[end]} here.")


def _name(character: str) -> str:
    number = f"U+{ord(character):04X}"
    return f"{number} ({unicodedata.name(character, 'no character').lower()})"
