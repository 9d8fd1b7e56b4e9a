"""A file of rows that somebody names: how it is read, found out from its ending and its first line."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phinb.data.files import COMPRESSED
from phinb.data.source import FirstRows, read_rows
from phinb.errors import PhinbError

READERS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".txt": "text",
}
MOST_ROWS = 200_000
"""Rows that are looked at; of larger files the first so many, which tell enough."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows: how it is read, and the rows."""

    path: Path
    reader: str
    options: tuple[tuple[str, Any], ...]
    read: FirstRows

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        return self.read.rows

    @property
    def total(self) -> int:
        return self.read.total or len(self.read.rows)


def read_file(path: Path) -> RowFile:
    """The rows of a file, read as Olive will read them. Raises PhinbError where that is not possible."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        if not path.exists():
            raise PhinbError(f"There is no file {path}.", "Name the file of your rows.")
        raise PhinbError(f"phinb cannot tell how to read {path}.", f"Give a file that ends in {', '.join(READERS)}.")
    options = _find_options(path) if reader == "csv" else ()
    loading = {"data_name": reader, "data_files": str(path.absolute()), "split": "train", **dict(options)}
    read = read_rows({"name": path.stem, "load_dataset_config": loading}, Path.cwd(), limit=MOST_ROWS)
    for problem in read.problems:
        if problem.severity == "error":
            raise PhinbError(problem.message, problem.hint)
    return RowFile(path, reader, options, read)


def _find_options(path: Path) -> tuple[tuple[str, Any], ...]:
    """The delimiter, where it is not a comma: spreadsheets of half the world write semicolons."""
    if path.suffix.lower() == ".tsv":
        return (("delimiter", "\t"),)
    try:
        with path.open("rb") as file:
            begin = file.read(65536)
    except OSError:
        return ()  # whoever reads the rows says so
    text = begin.decode("utf-8-sig", errors="ignore")
    if begin.startswith(COMPRESSED) or not text.strip():
        return ()
    first = text.splitlines()[0]
    try:
        found = csv.Sniffer().sniff(first, delimiters=",;\t|").delimiter
    except csv.Error:
        return ()
    return () if found == "," or "," in first else (("delimiter", found),)
