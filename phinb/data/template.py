"""The text template of a data config: which columns make a row's text, and which character came from which.

Olive fills a template with `template.format(**row)`. This is the same, part by part, so that every character
knows its column; and what `format` would take but no template needs (attributes, indices, numbered fields) is
refused with a hint instead of a traceback in the middle of a run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from phinb.errors import PhinbError
from phinb.types import Problem

TEMPLATE = "template"
"""The name that a character has which stands in the template itself (types.Span.field)."""

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


def parse_template(template: str) -> tuple[Part, ...]:
    """The parts of a template in their order.

    Raises PhinbError for single braces, for fields without a name, and for attributes, indices or nested fields.
    """
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise PhinbError(f"The template cannot be read: {error}.", BRACES) from error
    parts: list[Part] = []
    for literal, name, spec, conversion in pieces:
        if literal:
            parts.append(Part(text=literal))
        if name is not None:
            _check_field(name, spec or "", conversion)
            parts.append(Part(field=name, conversion=conversion, spec=spec or ""))
    return tuple(parts)


def fields(template: str) -> tuple[str, ...]:
    """The columns that a template names, each once, in order of appearance. Raises PhinbError as parse_template."""
    return tuple(dict.fromkeys(part.field for part in parse_template(template) if part.field is not None))


def answer_field(template: str) -> str | None:
    """The column that a model is to predict where nobody says so: the last field. None without fields."""
    names = [part.field for part in parse_template(template) if part.field is not None]
    return names[-1] if names else None


def split_prompt(template: str, answer: str) -> str:
    """The template up to the last place of the field `answer`: what the model sees before it answers.

    Raises PhinbError where the template has no such field.
    """
    parts = parse_template(template)
    places = [index for index, part in enumerate(parts) if part.field == answer]
    if not places:
        raise PhinbError(
            f"The template has no field {{{answer}}}.", f"Its fields are: {', '.join(fields(template)) or 'none'}."
        )
    return "".join(_write(part) for part in parts[: places[-1]])


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
    """What is wrong with a template for rows of these columns; `path` is where it stands in the configuration."""
    try:
        names = fields(template)
    except PhinbError as error:
        return [Problem("error", "template_syntax", error.message, path, hint=error.hint)]
    if not names:
        message = "The template has no field: every row would give the same text."
        return [Problem("error", "template_constant", message, path, hint="Name columns in braces: {column}.")]
    return [_unknown_field(name, columns, path) for name in names if name not in columns]


def missing_column(name: str, columns: Collection[str]) -> str:
    """The hint for a column that is not there: the nearest one, and all there are."""
    from rapidfuzz import process, utils

    nearest = process.extractOne(name, sorted(columns), processor=utils.default_process, score_cutoff=60)
    guess = f"Did you mean {nearest[0]}? " if nearest else ""
    return f"{guess}The columns are: {', '.join(columns) or 'none'}."


def _unknown_field(name: str, columns: Collection[str], path: str) -> Problem:
    hint = missing_column(name, columns)
    if not name.isidentifier():
        hint = f"{BRACES} {hint}"
    return Problem(
        "error", "unknown_field", f"The template names {{{name}}}, and no column has that name.", path, hint=hint
    )


def _check_field(name: str, spec: str, conversion: str | None) -> None:
    if not name or name.isdigit():
        raise PhinbError(f"The template has a field without a column: {{{name}}}.", f"Name a column in it. {BRACES}")
    if "." in name or "[" in name:
        raise PhinbError(
            f"The template reaches into a value: {{{name}}}.",
            "Only whole columns can be named; put the inner value into a column of its own.",
        )
    if "{" in spec:
        raise PhinbError(f"The field {{{name}}} has a field inside its format: {spec}.", "Write the format out.")
    if conversion not in (None, "s", "r", "a"):
        raise PhinbError(f"The field {{{name}}} has the unknown conversion !{conversion}.", "Known are !s, !r and !a.")


def _write(part: Part) -> str:
    """A part as it stands in a template."""
    if part.field is None:
        return part.text.replace("{", "{{").replace("}", "}}")
    conversion = f"!{part.conversion}" if part.conversion else ""
    spec = f":{part.spec}" if part.spec else ""
    return f"{{{part.field}{conversion}{spec}}}"
