"""Rows read by the library datasets, as Olive does, and its exceptions turned into problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phinb.data.files import Sources
from phinb.data.json_lines import find_bad_line
from phinb.types import Problem

SPLIT_REFUSED = ("Unrecognized instruction", "Split name should match", "Percent slice boundaries")
"""How the library's complaints about a split expression can be known."""


def load_rows(sources: Sources, split: str, path: str) -> Sequence[Mapping[str, Any]] | Problem:
    """The rows of a split as dictionaries of Python values, or the problem that kept them from being read.

    `path` is where the data stands in the configuration. The library keeps what it has read in its own cache,
    where Olive finds it again. A data set on the hub is fetched.
    """
    with _quiet():
        from datasets import load_dataset

        try:
            dataset = load_dataset(split=split, **sources.arguments)
            return _list_rows(dataset)
        except Exception as error:  # the library raises whatever its readers raise
            return _explain(error, sources, split, path)


def _list_rows(dataset: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for start in range(0, len(dataset), 1000):
        columns = dataset[start : start + 1000]
        rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return rows


def _explain(error: Exception, sources: Sources, split: str, path: str) -> Problem:
    """One problem for whatever the library raised; its own words where nothing better is known."""
    cause = error.__cause__ or error
    words = f"{type(cause).__name__}: {cause}".splitlines()[0]
    if "Unknown split" in str(error):
        known = str(error).split("one of ")[-1].strip(". ")
        message = f'The data has no split "{split}". It has {known}.'
        return Problem("error", "unknown_split", message, f"{path}.split", hint='Set "split" to one of them.')
    if "corresponds to no data" in str(error) or isinstance(cause, StopIteration):
        message = f"There are no rows in {sources.description}."
        return Problem("error", "data_empty", message, path, hint="Give it rows, or name another file or split.")
    if any(sign in str(error) for sign in SPLIT_REFUSED):
        hint = "It has the form train, train[:70%], train[100:200] or train+test, without spaces."
        return Problem("error", "split_syntax", f'The split "{split}" cannot be read.', f"{path}.split", hint=hint)
    if sources.reader == "json" and not sources.options:
        for file in [file for files in sources.files.values() for file in files]:
            bad = _find_bad_json(file)
            if bad:
                where = f"{path}.data_files"
                return Problem("error", "not_json", bad, where, hint="Mend the line: one object in braces a line.")
    if not sources.files and "data_files" not in sources.arguments:
        message = f"The data set {sources.reader} could not be loaded: {words}"
        hint = 'For a file, set "data_name" to json, csv, parquet or text, and "data_files" to it.'
        return Problem("error", "data_unreadable", message, f"{path}.data_name", hint=hint)
    message = f"{sources.description} could not be read as {sources.reader}: {words}"
    return Problem("error", "data_unreadable", message, f"{path}.data_files", hint="Look at the file, or at data_name.")


def _find_bad_json(file: Path) -> str | None:
    """A JSON file may also be one list; then there is no bad line if the whole of it can be read."""
    import json

    content = file.read_bytes()
    try:
        json.loads(content)
    except ValueError:
        bad = find_bad_line(content)
        return f"{file.name}, line {bad[0]}, is not a JSON object: {bad[1]}." if bad else None
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no log lines in the notebook; the library's settings are global, so put them back."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    verbosity, hidden = logging.get_verbosity(), are_progress_bars_disabled()
    logging.set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not hidden:
            enable_progress_bars()
