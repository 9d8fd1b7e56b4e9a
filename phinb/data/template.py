"""The text template of a data config: which columns make a row's text, and which character came from which.

Olive fills a template with `template.format(**row)`. This is the same, part by part, so that every character
knows its column; and what `format` would take but no template needs (attributes, indices, numbered fields) is
refused with a hint instead of a traceback in the middle of a run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from string import Formatter
from typing import Any

from phinb.errors import PhinbError
from phinb.types import Problem

TEMPLATE = "template"
"""The name that a character has which stands in the template itself (types.Span.field)."""

_NO_NAME = set("\"'\n\r\t<>=,;")
"""Characters that show a brace to be meant as text: the inside of JSON or code."""

_WIDE = re.compile(r"\d{5,}")
"""In a format: characters to be filled up to, of which a kernel's memory may not hold so many."""

_HALF = re.compile("[\ud800-\udfff]")
"""Half of a character (a lone surrogate), which no tokenizer takes."""

MOST_NAMED = 40
"""Columns that a hint names."""

BRACES = "A brace that is text is written twice: {{ and }}."


@dataclass(frozen=True)
class Part:
    """A piece of a template: literal text, or a field with `!conversion` and `:spec` as in str.format."""

    text: str = ""
    field: str | None = None
    conversion: str | None = None
    spec: str = ""


@dataclass(frozen=True)
class Stretch:
    """Characters [start, end) of a text that come from one field; None stands for special tokens."""

    start: int
    end: int
    field: str | None


@dataclass(frozen=True)
class Piece:
    """Characters [start, end) of a template, and the part that they are; None where they cannot be one: see `wrong`.

    escaped: whether they end in a brace that is written twice. wrong: "brace" for what str.format cannot read,
    "refused" for what no template needs; message and hint say why.
    """

    start: int
    end: int
    part: Part | None = None
    escaped: bool = False
    wrong: str = ""
    message: str = ""
    hint: str = ""


def split_template(template: str) -> Iterator[Piece]:
    """The template's pieces in their order, end to end. What cannot be read is a piece of its own, and it goes on."""
    at = 0
    while at < len(template):
        try:
            for literal, name, spec, conversion in Formatter().parse(template[at:]):
                # Only the last piece ends neither in a field nor in a brace that is written twice.
                end = at + len(literal)
                escaped = name is None and literal[-1:] in ("{", "}")
                if literal:
                    yield Piece(at, end + escaped, Part(text=literal), escaped)
                at = end + escaped
                if name is not None:
                    end = _find_end(template, at, name, spec or "")
                    yield _make_field(at, end, name, spec or "", conversion)
                    at = end
        except ValueError as error:
            brace, end = _find_unreadable(template, at)
            if brace > at:
                yield Piece(at, brace, Part(text=template[at:brace]))
            yield Piece(brace, end, wrong="brace", message=f"The template cannot be read: {_say(error)}.", hint=BRACES)
            at = end


def parse_template(template: str) -> tuple[Part, ...]:
    """The parts of a template in their order.

    Raises PhinbError for single braces, for fields without a name, and for attributes, indices or nested fields.
    """
    parts = []
    for piece in split_template(template):
        if piece.part is None:
            raise PhinbError(piece.message, piece.hint)
        parts.append(piece.part)
    return tuple(parts)


def fields(template: str) -> tuple[str, ...]:
    """The columns that a template names, each once, in order of appearance. Raises PhinbError as parse_template."""
    return tuple(dict.fromkeys(part.field for part in parse_template(template) if part.field is not None))


def answer_field(template: str) -> str | None:
    """The column that a model is to predict where nobody says so: the last field. None without fields."""
    names = [part.field for part in parse_template(template) if part.field is not None]
    return names[-1] if names else None


def fill(parts: tuple[Part, ...], row: Mapping[str, Any]) -> tuple[str, list[Stretch]]:
    """A row's text and where its characters come from; equal to `template.format(**row)`.

    Raises KeyError for a column that the row lacks, TypeError or ValueError where a value does not suit its
    format, all as str.format does.
    """
    formatter = Formatter()
    text, stretches = "", []
    for part in parts:
        if part.field is None:
            piece = part.text
        else:
            value = formatter.convert_field(row[part.field], part.conversion)
            piece = formatter.format_field(value, part.spec)
        if piece:
            stretches.append(Stretch(len(text), len(text) + len(piece), part.field or TEMPLATE))
            text += piece
    return text, stretches


def check_template(template: str, columns: Collection[str], path: str = "") -> list[Problem]:
    """What is wrong with a template for rows of these columns; `path` is where it stands in the configuration.

    The same is told once, however often it stands there; template_marks.py has each place.
    """
    pieces = tuple(split_template(template))
    told = {
        message: Problem("error", code, message, path, hint=hint)
        for code, message, hint in (judge(piece, columns) for piece in pieces)
        if code
    }
    if not told and not any(piece.part and piece.part.field is not None for piece in pieces):
        message = "The template has no field: every row would give the same text."
        return [Problem("error", "template_constant", message, path, hint="Name columns in braces: {column}.")]
    return list(told.values())


def judge(piece: Piece, columns: Collection[str]) -> tuple[str, str, str]:
    """(code, message, hint) of what is wrong with a piece for rows of these columns; ("", "", "") if nothing is."""
    if piece.part is None:
        return "template_syntax", piece.message, piece.hint
    if half := _HALF.search(piece.part.text + piece.part.spec):
        message = f"The template holds half of a character: U+{ord(half[0]):04X}."
        return "template_syntax", message, "Write the whole character, or take it out."
    name = piece.part.field
    if name is None or name in columns:
        return "", "", ""
    hint = missing_column(name, columns)
    if set(name) & _NO_NAME:
        hint = f"{BRACES} {hint}"
    return "unknown_field", f"The template names {{{name}}}, and no column has that name.", hint


def find_nearest(name: str, columns: Collection[str]) -> str | None:
    """The column whose name is most like this one; None where none is like it."""
    from rapidfuzz import process, utils

    if _find_separator(name, columns):
        return None
    nearest = process.extractOne(name, sorted(columns), processor=utils.default_process, score_cutoff=60)
    return nearest[0] if nearest else None


def missing_column(name: str, columns: Collection[str]) -> str:
    """The hint for a column that is not there: the nearest one, and those there are, of many the first."""
    if separator := _find_separator(name, columns):
        written = separator.replace("\t", "\\t")
        whole = next(iter(columns))
        return f'The first line was read as one name, {whole}. Set "sep" to "{written}" in load_dataset_config.'
    nearest = find_nearest(name, columns)
    guess = f"Did you mean {nearest}? " if nearest is not None else ""
    named = ", ".join(islice(columns, MOST_NAMED)) or "none"
    more = f" and {len(columns) - MOST_NAMED:,} more" if len(columns) > MOST_NAMED else ""
    return f"{guess}The columns are: {named}{more}."


def _find_separator(name: str, columns: Collection[str]) -> str:
    """What stands between the names of a CSV file whose first line was taken for one name; "" for any other."""
    whole = next(iter(columns)) if len(columns) == 1 else ""
    return next((sign for sign in ";\t|" if sign in whole and name.strip() in map(str.strip, whole.split(sign))), "")


def write_field(name: str) -> str:
    """A column as it stands in a template; "" where none can name it (its name has a brace, a dot or the like)."""
    pieces = tuple(split_template(f"{{{name}}}"))
    part = pieces[0].part if len(pieces) == 1 else None
    return f"{{{name}}}" if part is not None and part.field == name and not part.spec else ""


def escape(text: str) -> str:
    """Text as it stands in a template."""
    return text.replace("{", "{{").replace("}", "}}")


def _find_end(template: str, at: int, name: str, spec: str) -> int:
    """Behind the closing brace of the field that begins at `at`; a colon may stand there without a format."""
    end = at + 1 + len(name)
    if template[end] == "!":
        end += 2
    if template[end] == ":":
        end += 1 + len(spec)
    return end + 1


def _find_unreadable(template: str, at: int) -> tuple[int, int]:
    """Where what cannot be read begins: the first brace, for one that is written twice would have been read.

    A pair of braces on one line goes together.
    """
    brace = next(index for index in range(at, len(template)) if template[index] in "{}")
    pair = re.compile(r"\{[^{}\n]*\}").match(template, brace)
    return brace, pair.end() if pair else brace + 1


def _say(error: ValueError) -> str:
    """Python's words, where they speak of a string that the reader sees as a template."""
    return str(error).replace(" encountered in format string", "")


def _make_field(start: int, end: int, name: str, spec: str, conversion: str | None) -> Piece:
    message, hint = _refuse(name, spec, conversion)
    if message:
        return Piece(start, end, wrong="refused", message=message, hint=hint)
    return Piece(start, end, Part(field=name, conversion=conversion, spec=spec))


def _refuse(name: str, spec: str, conversion: str | None) -> tuple[str, str]:
    """(message, hint) for a field that no template needs; ("", "") for any other."""
    if not name or name.isdigit():
        return f"The template has a field without a column: {{{name}}}.", f"Name a column in it. {BRACES}"
    if "." in name or "[" in name:
        return (
            f"The template reaches into a value: {{{name}}}.",
            "Only whole columns can be named; put the inner value into a column of its own.",
        )
    if "{" in spec:
        return f"The field {{{name}}} has a field inside its format: {spec}.", "Write the format out."
    if _WIDE.search(spec):
        message = f"The format of {{{name}}} asks for more than 9,999 characters: {spec}."
        return message, "Write a smaller number."
    if conversion not in (None, "s", "r", "a"):
        return f"The field {{{name}}} has the unknown conversion !{conversion}.", "Known are !s, !r and !a."
    return "", ""
