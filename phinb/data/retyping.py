"""Columns whose values became something else on the way from the file: 007 a number, NA nothing, a day a time.

The library datasets guesses types. The model is trained on what it made of them, so whoever looks at the data
has to be told.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from phinb.data.files import Sources
from phinb.data.split import TERM
from phinb.types import Problem

LOOKED_AT = 1000
"""Rows that are compared."""


def find_retyped(
    read: Sequence[Mapping[str, Any]],
    sources: Sources,
    split: str,
    where: str,
    passes: Callable[[Mapping[str, Any]], bool] = lambda row: True,
) -> list[Problem]:
    """A warning for each column that was read otherwise than it is written, with the first row that shows it.

    `read` are the split's first rows, before any filter. They are compared with the rows of the first file that stand
    in the same place, as far as `passes` lets them through. Nothing is said where only the number of all rows would
    tell which these are.
    """
    name, begin, count = _find_place(split)
    files = sources.files.get(name, ())
    if not files or begin is None:
        return []
    problems: dict[str, Problem] = {}
    try:
        rows = islice(_read_raw(files[0], sources), begin, None)
        for number, (raw, row) in enumerate(islice(zip(rows, read, strict=False), count), begin + 1):
            for column, written in raw.items() if passes(row) else ():
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


def _find_place(split: str) -> tuple[str, int | None, int]:
    """(the first split of an expression, the number of its first row, how many of its rows are surely the first ones);
    the second is None where nobody can tell."""
    first, *others = split.split("+")
    match = TERM.fullmatch(first.strip())
    if match is None:
        return "", None, 0
    start, end = int(match["start"] or 0), None if match["end"] is None else int(match["end"])
    percent = bool(match["start_percent"] or match["end_percent"])
    if start < 0 or (percent and start) or (others and end is not None and (percent or end < 0)):
        return match["split"], None, 0
    last = LOOKED_AT if percent or end is None or end < 0 else end - start
    return match["split"], start, max(min(last, LOOKED_AT), 0)


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
