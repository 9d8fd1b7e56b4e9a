"""The files that a data config names, and what can be said of them before anybody parses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from phinb.data.patterns import find_matches, is_pattern
from phinb.types import Problem

READERS = ("json", "csv", "parquet", "text", "arrow", "xml", "pandas")
"""The readers of the library datasets that take local files by `data_files`."""

SKIPS_EMPTY = ("json", "text")
"""The readers to which a file of no bytes is one without rows; the others fail at it."""

MOST_WATCHED = 1000
"""Files of a folder that are looked at for changes: it is done after each cell."""

HANDLED = ("data_name", "split", "data_files", "col_filters", "trust_remote_code", "subset", "data_dir")
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How gzip, zip, bzip2, xz and zstandard files begin; the library unpacks them while it reads."""


@dataclass(frozen=True)
class Sources:
    """What a data config reads. `files` maps a split to its local files, as far as they could be found out.

    `arguments` is what datasets.load_dataset gets (paths made absolute); `options` are those of them that change
    how a file is read (encoding, delimiter, field, ...). `missing` are named files that do not exist, `unmatched`
    patterns that no file matches.
    """

    reader: str
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[Path, ...] = ()
    unmatched: tuple[Path, ...] = ()
    folder: Path | None = None
    """The folder that is the data set, where it is one; the library finds out what of it is read."""

    @property
    def watched(self) -> tuple[Path, ...]:
        """The files whose change may change the rows; of a folder all in it, MOST_WATCHED at most."""
        if self.folder is None:
            return self.every_file
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return tuple(islice(found, MOST_WATCHED))

    @property
    def every_file(self) -> tuple[Path, ...]:
        """The local files of all splits, each once, without those that are not there."""
        every = dict.fromkeys(file for files in self.files.values() for file in files)
        return tuple(file for file in every if file.is_file())

    @property
    def plain_json(self) -> bool:
        """Whether all that is read are local JSON files, read as they are (`chunksize` sizes the pieces only)."""
        return self.reader == "json" and bool(self.files) and not set(self.options) - {"chunksize"}

    @property
    def description(self) -> str:
        """The names of the files, or of the patterns, or the data's own."""
        names = [Path(path).name for path in list_strings(self.arguments.get("data_files") or self.reader)]
        return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def find_files(name: str, params: Mapping[str, Any], folder: Path) -> Sources:
    """Resolve `data_files` (text, list, or a dictionary of splits) against `folder`; patterns are looked up."""
    options = {key: value for key, value in params.items() if key not in HANDLED}
    arguments: dict[str, Any] = {"path": name, "name": params.get("subset"), **options}
    if params.get("data_dir") is not None:
        arguments["data_dir"] = str(_absolute(str(params["data_dir"]), folder))
    is_folder = name not in READERS and (folder / name).is_dir()
    own = _absolute(name, folder) if is_folder else None
    if is_folder:
        arguments["path"] = str(own)
    data_files = params.get("data_files")
    if data_files is None:
        return Sources(name, arguments=arguments, options=options, folder=own)
    if name not in READERS and not is_folder:
        # Paths within a data set of the hub.
        return Sources(name, arguments=arguments | {"data_files": data_files}, options=options)
    base = Path(arguments.get("data_dir", folder))
    if is_folder:
        base = Path(arguments["path"]) / arguments.get("data_dir", "")
    by_split = _split_up(data_files)
    paths = {split: [_locate(str(one), base) for one in named] for split, named in by_split.items()}
    named = {split: [str(path) for path in found] for split, found in paths.items()}
    is_list = list(named) == ["train"] and not isinstance(data_files, Mapping)
    arguments["data_files"] = named["train"] if is_list else named
    every = [path for found in paths.values() for path in found]
    if is_folder or any(isinstance(path, str) for path in every):
        # Addresses are the library's business.
        return Sources(name, arguments=arguments, options=options, folder=own)
    matches = {path: find_matches(path) for path in every if isinstance(path, Path) and is_pattern(str(path))}
    return Sources(
        name,
        {split: tuple(_spread(found, matches)) for split, found in paths.items()},
        arguments,
        options,
        missing=tuple(path for path in every if isinstance(path, Path) and path not in matches and not path.exists()),
        unmatched=tuple(path for path, found in matches.items() if not found),
    )


def check_files(sources: Sources, path: str) -> list[Problem]:
    """Files that are not there, are folders, or are empty; `path` is the data's place in the configuration."""
    where = f"{path}.data_files"
    if sources.reader in READERS and "data_files" not in sources.arguments and "data_dir" not in sources.arguments:
        hint = f'Set "data_files" to the {sources.reader} file.'
        return [Problem("error", "data_files_missing", "The data config names no file.", where, hint=hint)]
    problems = [_missing(file, where) for file in sources.missing]
    problems += [_unmatched(pattern, where) for pattern in sources.unmatched]
    for files in sources.files.values():
        hollow = [file for file in files if file.is_file() and file.stat().st_size == 0]
        if sources.reader not in SKIPS_EMPTY or len(hollow) == len(files):
            problems += [
                Problem("error", "data_empty", f"The file {file} is empty.", where, hint="Give it rows.")
                for file in hollow
            ]
        hint = "Name the files in it, or a pattern such as FOLDER/*.json."
        problems += [
            Problem("error", "data_is_folder", f"{file} is a folder.", where, hint=hint)
            for file in files
            if file.is_dir()
        ]
    return list(dict.fromkeys(problems))


def list_strings(value: Any) -> list[str]:
    """The strings in a string, a list or a mapping of these."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [text for one in inner for text in list_strings(one)]


def _split_up(data_files: Any) -> dict[str, list[Any]]:
    """{split: paths}; without a split it is train (datasets.data_files.sanitize_patterns)."""
    if isinstance(data_files, list) and data_files and all(isinstance(one, Mapping) for one in data_files):
        data_files = {one.get("split"): one.get("path") for one in data_files}
    by_split = data_files if isinstance(data_files, Mapping) else {"train": data_files}
    return {str(split): [one] if isinstance(one, str | Path) else list(one or []) for split, one in by_split.items()}


def _spread(paths: list[Path | str], matches: Mapping[Path, tuple[Path, ...]]) -> Iterator[Path]:
    for path in paths:
        if isinstance(path, Path):
            yield from matches.get(path, (path,))


def _locate(name: str, base: Path) -> Path | str:
    """An absolute path, or an address as it stands."""
    return name if re.match(r"[a-z][a-z0-9+.-]+://", name) else _absolute(name, base)


def _absolute(name: str, base: Path) -> Path:
    return (base / Path(name).expanduser()).absolute()


def _missing(file: Path, where: str) -> Problem:
    from rapidfuzz import process

    hint = f"The folder {file.parent} is not there either; paths are relative to the configuration's own folder."
    if file.parent.is_dir():
        names = sorted(entry.name for entry in file.parent.iterdir() if entry.is_file())
        nearest = process.extractOne(file.name, names, score_cutoff=70)
        hint = f"Did you mean {file.with_name(nearest[0])}?" if nearest else f"Nothing in {file.parent} has that name."
    return Problem("error", "data_missing", f"The data file {file} does not exist.", where, hint=hint)


def _unmatched(pattern: Path, where: str) -> Problem:
    message = f"No file matches {pattern}."
    hint = (
        f"Look at the pattern; {pattern.parent} is there." if pattern.parent.is_dir() else "Look at the folders in it."
    )
    if pattern.exists():
        hint = (
            f"There is a file of this very name, but datasets takes *, ? and [ in it for a pattern: rename {pattern}."
        )
    return Problem("error", "data_missing", message, where, hint=hint)
