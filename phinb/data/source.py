"""The rows of a data config, as Olive's huggingface_dataset loader would read them.

Files with one JSON object of plain strings a line are read directly; everything else goes through the library
datasets, which is what Olive uses. What is wrong with the data comes back as problems, not as exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phinb.data.files import Sources, check_files, find_files
from phinb.data.json_lines import read_plain
from phinb.data.retyping import find_retyped
from phinb.data.split import list_splits, select
from phinb.data.template import missing_column
from phinb.types import Problem

Row = Mapping[str, Any]
DEFAULT_SPLIT = "validation"
"""Olive's, if a configuration names none (olive.data.component.load_dataset.huggingface_dataset)."""


@dataclass(frozen=True)
class Rows:
    """The rows of one split. `total` counts all of them where `rows` was limited; None where nothing was read.

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


def read_rows(data_config: Mapping[str, Any], folder: Path, limit: int | None = None) -> Rows:
    """Read the rows of a data config (the dictionary that Olive gets); relative paths are relative to `folder`.

    At most `limit` rows are returned, though all may be read to know their number. Values are Python's: str, int,
    float, bool, None, datetime, list, dict. Nothing is raised for bad data.
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
    if problems:
        return _failed(*problems)
    return _read(sources, params, split, path, limit)


def _read(sources: Sources, params: dict[str, Any], split: str, path: str, limit: int | None) -> Rows:
    read: Sequence[Row] | Problem | None = None
    if sources.plain_json and not sources.options:
        names = list_splits(split)
        if names is not None:
            unknown = [name for name in names if name not in sources.files]
            if unknown:
                return _failed(_unknown_split(unknown[0], list(sources.files), path, "split" in params))
            read = _read_directly(sources, split, names)
    if read is None:
        from phinb.data.library import load_rows

        read = load_rows(sources, split, path)
    if isinstance(read, Problem):
        return _failed(read)
    problems = [] if params.get("col_filters") else find_retyped(read, sources, split, f"{path}.data_files")
    return _finish(read, sources, params, path, limit, problems)


def _read_directly(sources: Sources, split: str, names: list[str]) -> Sequence[Row] | None:
    """The selected rows, or None where a file is not of the plain kind."""
    by_split = {}
    for name in names:
        rows = read_plain(sources.files[name])
        if rows is None:
            return None
        by_split[name] = rows
    return select(split, by_split)


def _finish(
    read: Sequence[Row],
    sources: Sources,
    params: dict[str, Any],
    path: str,
    limit: int | None,
    problems: list[Problem],
) -> Rows:
    columns = tuple(read[0]) if len(read) else ()
    filters = params.get("col_filters") or {}
    for name in filters:
        if len(read) and name not in columns:
            message = f"The filter names the column {name}, and no column has that name."
            where = f"{path}.col_filters.{name}"
            return _failed(Problem("error", "unknown_column", message, where, hint=missing_column(name, columns)))
    if filters:
        read = [row for row in read if all(row[name] == value for name, value in filters.items())]
    if not len(read):
        what = "after the filter" if filters else f"in {sources.description}"
        hint = "Look at the filter's values." if filters else "Give it rows, or name another file or split."
        problems.append(Problem("error", "data_empty", f"There are no rows {what}.", path, hint=hint))
    rows = read if limit is None else read[:limit]
    return Rows(tuple(rows), columns, len(read), tuple(problems))


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
    return Rows((), (), None, problems)
