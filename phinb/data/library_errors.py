"""What the library datasets raises, as problems that say where and what to do."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from phinb.data.files import READERS, Sources, list_strings
from phinb.data.line_file import LineFile, explain_encoding
from phinb.data.line_parsing import BadLine, name_fault, parse_lines
from phinb.data.rows import Unreadable
from phinb.types import Problem

SPLIT_REFUSED = (
    "Unrecognized instruction",
    "Split name should match",
    "Percent slice boundaries",
    "pct1_dropremainder",
)
"""How the library's complaints about a split expression can be known."""

PIECE_BYTES = 1 << 20
LARGEST_LIST_BYTES = 64 << 20
"""A JSON file that is one list is read whole to find the place where it is broken; not if it is larger."""


def explain(error: Exception, sources: Sources, split: str, where: str, found: str = "") -> Problem:
    """One problem for whatever the library raised; its own words where nothing better is known.

    `where` is the data's place in the configuration, `found` what was noticed in a file beforehand.
    """
    cause = error.__cause__ or error
    if "Unknown split" in str(error):
        known = str(error).split("one of ")[-1].strip(". ")
        message = f'The data has no split "{split}". It has {known}.'
        return Problem("error", "unknown_split", message, f"{where}.split", hint='Set "split" to one of them.')
    if any(sign in str(error) for sign in SPLIT_REFUSED):
        hint = "It has the form train, train[:70%], train[100:200] or train+test, without spaces."
        return Problem("error", "split_syntax", f'The split "{split}" cannot be read.', f"{where}.split", hint=hint)
    if "corresponds to no data" in str(error) or isinstance(cause, StopIteration) or _is_empty(cause):
        message = f"There are no rows in {sources.description}."
        return Problem("error", "data_empty", message, where, hint="Give it rows, or name another file or split.")
    return (
        _find_other_encoding(sources, cause, where)
        or _find_bad_json(sources, where)
        or _repeat(cause, sources, where, found)
    )


def _is_empty(cause: BaseException) -> bool:
    return type(cause).__name__ == "EmptyDataError"  # pandas, of a CSV file without a first line


def _repeat(cause: BaseException, sources: Sources, where: str, found: str) -> Problem:
    """The library's own words."""
    words = f"{type(cause).__name__}: {cause}".splitlines()[0]
    if "column names don't match" in str(cause):
        words = "later rows have other columns than the first ones"
    if sources.reader not in READERS and "data_files" not in sources.arguments:
        message = f"The data set {sources.reader} could not be loaded: {words}"
        hint = 'For a file, set "data_name" to json, csv, parquet or text, and "data_files" to it.'
        return Problem("error", "data_unreadable", message, f"{where}.data_name", hint=hint)
    addresses = [name for name in list_strings(sources.arguments.get("data_files")) if "://" in name]
    if addresses:
        message = f"{addresses[0]} could not be read: {words}"
        hint = "Fetch the file yourself, and name the copy."
        return Problem("error", "data_unreadable", message, f"{where}.data_files", hint=hint)
    message = f"{sources.description} could not be read as {sources.reader}: {words}"
    if found:
        message += f" ({found})"
    hint = "Look at the file, or at data_name."
    if found:
        hint = "Let every row have the same keys, and under each key values of one kind."
    return Problem("error", "data_unreadable", message, f"{where}.data_files", hint=hint)


def _find_other_encoding(sources: Sources, cause: BaseException, where: str) -> Problem | None:
    """Where the first byte stands that is not UTF-8, if that may be the cause."""
    if "UTF8" not in str(cause) and "utf-8" not in str(cause):
        return None
    for file in sources.every_file:
        decoder = codecs.getincrementaldecoder("utf-8")()
        number, line = 1, b""
        with file.open("rb") as opened:
            for piece in iter(lambda: opened.read(PIECE_BYTES), b""):
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    # The decoder may have held back the first bytes of a character from the piece before.
                    position = error.start - (len(error.object) - len(piece))
                    before = line + piece[: max(position, 0)]
                    number += before.count(b"\n")
                    begin = before.rfind(b"\n") + 1
                    at = len(before) - begin + min(position, 0)
                    message, hint = explain_encoding(file, number, (line + piece)[begin:], at)
                    return Problem("error", "not_utf8", message, f"{where}.data_files", hint=hint)
                number += (line + piece).count(b"\n")
                line = (line + piece)[(line + piece).rfind(b"\n") + 1 :]
    return None


def _find_bad_json(sources: Sources, where: str) -> Problem | None:
    """The first line that is no JSON object, of files that should have one on each; or where a list is broken."""
    if sources.reader != "json" or sources.options:
        return None
    for file in sources.every_file:
        with file.open("rb") as opened:
            is_list = opened.read(64).lstrip()[:1] == b"["
        problem = _find_bad_place(file, where) if is_list else _find_bad_line(file, where)
        if problem is not None:
            return problem
    return None


def _find_bad_line(file: Path, where: str) -> Problem | None:
    lines = LineFile(file, f"{where}.data_files")
    while not lines.complete and lines.broken is None:
        start = lines.indexed
        data = lines.grow()
        origin = int(lines.pieces[-1].begins[0]) if len(lines.pieces[-1].begins) else start
        try:
            parse_lines(data[origin - start :])
        except BadLine as error:
            lines.broken = BadLine(origin + error.offset, error.reason)
    if lines.broken is None:
        return None
    failure = lines.fail(lines.broken.offset, lines.broken.reason)
    return failure.problem if isinstance(failure, Unreadable) else None


def _find_bad_place(file: Path, where: str) -> Problem | None:
    if file.stat().st_size > LARGEST_LIST_BYTES:
        return None
    try:
        json.loads(file.read_bytes())
    except json.JSONDecodeError as error:
        message = f"{file.name} is not a JSON list: line {error.lineno}, column {error.colno}: {name_fault(error)}."
        return Problem("error", "not_json", message, f"{where}.data_files", hint="Mend that place.")
    except (ValueError, RecursionError):
        return None
    return None
