"""Columns whose values became something else on the way from the file: 007 a number, NA nothing, a day a time.

The library datasets guesses types. The model is trained on what it made of them, so whoever looks at the data
has to be told.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from phinb.data.files import Sources
from phinb.types import Problem

LOOKED_AT = 1000
"""Rows that are compared."""


def find_retyped(read: Sequence[Mapping[str, Any]], sources: Sources, split: str, where: str) -> list[Problem]:
    """A warning for each column that was read otherwise than it is written, with the first row that shows it.

    Compares the file's first rows; says nothing where the split does not begin with them.
    """
    name, _, bounds = split.partition("[")
    files = sources.files.get(name.strip(), ())
    if len(files) != 1 or (bounds and not bounds.startswith(":")) or "+" in split:
        return []
    problems: dict[str, Problem] = {}
    try:
        for number, (raw, row) in enumerate(
            islice(zip(_read_raw(files[0], sources), read, strict=False), LOOKED_AT), 1
        ):
            for column, written in raw.items():
                if column in row and column not in problems and _shown(written) != _shown(row[column]):
                    message = (
                        f'The column "{column}" is read otherwise than it is written: row {number} of '
                        f"{files[0].name} has {_shorten(written)}, which becomes {_shorten(row[column])}."
                    )
                    hint = "The text that the model learns is the second. Write the column so that it is kept as text."
                    problems[column] = Problem("warning", "retyped_column", message, where, hint=hint)
    except (OSError, ValueError, csv.Error):
        pass  # a form that only the library reads
    return list(problems.values())


def _read_raw(file: Path, sources: Sources) -> Iterator[dict[str, Any]]:
    """The rows as they stand in the file. Nothing for kinds that carry their types, or are read with options."""
    if sources.reader == "json" and not sources.options:
        with file.open(encoding="utf-8-sig") as lines:
            for line in lines:
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        return
                    yield row
    elif sources.reader == "csv" and not set(sources.options) - {"delimiter", "sep"}:
        delimiter = sources.options.get("delimiter", sources.options.get("sep", ","))
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines, delimiter=delimiter)


def _shown(value: Any) -> str:
    """A value as a template would write it."""
    return str(value)


def _shorten(value: Any) -> str:
    text = "nothing (None)" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
