"""The rows of a data config, as Olive's huggingface_dataset loader would read them.

JSON lines are read directly where that gives what the library datasets gives; everything else goes through the
library, which is what Olive uses. What is wrong with the data comes back as problems, not as exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from phinb.data.files import Sources, check_files, find_files, list_strings
from phinb.data.json_lines import open_lines
from phinb.data.line_file import PIECE_BYTES
from phinb.data.patterns import is_pattern
from phinb.data.retyping import LOOKED_AT, find_retyped
from phinb.data.row_filter import Filtered, lets_through
from phinb.data.rows import LibraryNeeded, Relay, Row, Rows, Table, Unreadable
from phinb.data.split import Selection, list_splits
from phinb.data.template import missing_column
from phinb.folders import Report
from phinb.types import Problem

DEFAULT_SPLIT = "validation"
"""Olive's, if a configuration names none (olive.data.component.load_dataset.huggingface_dataset)."""


@dataclass(frozen=True)
class FirstRows:
    """The first rows of a data config, all at once. `total` counts all of them; None where nothing was read, or where
    a stream has no end that is known.

    `problems` say what is wrong; with an error among them `rows` is empty.
    """

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    total: int | None
    problems: tuple[Problem, ...] = ()


def parameters(component: Mapping[str, Any] | None) -> dict[str, Any]:
    """A component's parameters, whether they stand in it or in its `params`; the latter win, as in Olive."""
    if not component:
        return {}
    flat = {name: value for name, value in component.items() if name not in ("type", "params")}
    return flat | dict(component.get("params") or {})


def open_rows(data_config: Mapping[str, Any], folder: Path) -> Rows:
    """The rows of a data config (the dictionary that Olive gets); relative paths are relative to `folder`.

    Reads no more than the first 10 MB of one file to know the columns, however many there are; a filter that lets
    nothing through is found out when the rows have been gone through. Nothing is raised for bad data: `problems`
    has what is wrong so far.
    """
    path = f"data_configs.{data_config.get('name', '')}.load_dataset_config"
    params = parameters(data_config.get("load_dataset_config"))
    split = params.get("split", DEFAULT_SPLIT)
    name = params.get("data_name")
    if not isinstance(name, str):
        hint = 'Set "data_name" to json, csv, parquet or text, and "data_files" to a file.'
        return _failed(Problem("error", "data_name_missing", "The data config names no data.", path, hint=hint))
    if not isinstance(split, str):
        hint = 'Set "split" to "train", or to the split that is meant.'
        return _failed(Problem("error", "split_missing", "Olive needs one split.", f"{path}.split", hint=hint))
    sources = find_files(name, params, folder)
    problems = check_files(sources, path)
    find = None
    if sources.folder or any(map(is_pattern, list_strings(params.get("data_files") or ()))):
        find = lambda: find_files(name, params, folder).watched  # noqa: E731
    if problems:
        return Rows(None, "", tuple(problems), files=(*sources.watched, *sources.missing), find=find)
    try:
        table = _open_table(sources, params, split, path)
        return _finish(table, sources, params, split, path, find)
    except Unreadable as error:
        return Rows(None, "", (error.problem,), files=sources.watched, find=find)


def read_rows(data_config: Mapping[str, Any], folder: Path, limit: int | None = None) -> FirstRows:
    """At most `limit` rows of a data config at once, by default all. Nothing is raised for bad data.

    All rows are gone through, to count them and to find out what is wrong with any of them; of a stream, which may
    have no end, only as many as are wanted. Who wants neither takes `open_rows`.
    """
    rows = open_rows(data_config, folder)
    if not rows.ok:
        return FirstRows((), (), None, rows.problems)
    endless = bool(parameters(data_config.get("load_dataset_config")).get("streaming"))
    kept: list[Row] = []
    try:
        for batch in rows.batches():
            kept += batch if limit is None else batch[: max(limit - len(kept), 0)]
            if endless and limit is not None and len(kept) >= limit:
                break
    except Unreadable:
        return FirstRows((), (), None, rows.problems)
    return FirstRows(tuple(kept), rows.columns, rows.total, rows.problems)


def _open_table(sources: Sources, params: Mapping[str, Any], split: str, path: str) -> Table:
    streaming = bool(params.get("streaming"))
    need = LibraryNeeded("")
    if sources.plain_json and not streaming:
        names = list_splits(split)
        if names is not None:
            unknown = [name for name in names if name not in sources.files]
            if unknown:
                raise Unreadable(_unknown_split(unknown[0], list(sources.files), path, "split" in params))
            piece_bytes = int(sources.options.get("chunksize") or PIECE_BYTES)
            try:
                lines = open_lines(sources.files, f"{path}.data_files", piece_bytes)
                return Relay(Selection(split, lines), lambda need, report: _prepare(sources, split, path, report, need))
            except LibraryNeeded as error:
                need = error
    from phinb.data.library import open_table

    return open_table(sources, split, path, streaming=streaming, found=str(need))


def _prepare(sources: Sources, split: str, path: str, report: Report | None, need: LibraryNeeded) -> Table:
    from phinb.data.library import prepare_table

    return prepare_table(sources, split, path, report, need)


def _finish(
    table: Table,
    sources: Sources,
    params: Mapping[str, Any],
    split: str,
    path: str,
    find: Callable[[], Iterable[Path]] | None,
) -> Rows:
    """Rows of a table whose filters are known to name columns."""
    filters = params.get("col_filters") or {}
    files = sources.watched
    if not table.reach(1):
        raise Unreadable(_no_rows(sources.description, path))
    for name in filters:
        if name not in table.columns:
            message = f"The filter names the column {name}, and no column has that name."
            hint = missing_column(name, table.columns)
            where = f"{path}.col_filters.{name}"
            raise Unreadable(Problem("error", "unknown_column", message, where, hint=hint))
    first = table.read(0, min(LOOKED_AT, table.known))
    problems = tuple(find_retyped(first, sources, split, f"{path}.data_files", partial(lets_through, filters)))
    if filters:
        empty = _no_rows(sources.description, path, filtered=True)
        return Rows(Filtered(table, filters), sources.description, problems, empty, files, find)
    return Rows(table, sources.description, problems, files=files, find=find)


def _no_rows(description: str, path: str, *, filtered: bool = False) -> Problem:
    what = "after the filter" if filtered else f"in {description}"
    hint = "Look at the filter's values." if filtered else "Give it rows, or name another file or split."
    return Problem("error", "data_empty", f"There are no rows {what}.", path, hint=hint)


def _unknown_split(name: str, known: list[str], path: str, said: bool) -> Problem:
    chosen = f'"{name}"' if said else f'"{name}", which Olive takes where none is named'
    return Problem(
        "error",
        "unknown_split",
        f"The data has no split {chosen}.",
        f"{path}.split",
        hint=f'Set "split" to {" or ".join(f"{chr(34)}{split}{chr(34)}" for split in known)}.',
    )


def _failed(*problems: Problem) -> Rows:
    return Rows(None, "", problems)
