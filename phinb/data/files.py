"""The files that a data config names, and what can be said of them before anybody parses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phinb.types import Problem

READERS = ("json", "csv", "parquet", "text", "arrow", "xml", "pandas")
"""The readers of the library datasets that take local files by `data_files`."""

TEXT_READERS = ("json", "csv", "text", "xml")
HANDLED = ("data_name", "split", "data_files", "col_filters", "trust_remote_code", "subset", "data_dir")
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How gzip, zip, bzip2, xz and zstandard files begin; the library unpacks them while it reads."""


@dataclass(frozen=True)
class Sources:
    """What a data config reads. `files` maps a split to its local files, as far as they could be found out.

    `arguments` is what datasets.load_dataset gets (paths made absolute); `options` are those of them that change
    how a file is read (encoding, delimiter, field, ...). `missing` are named files that do not exist.
    """

    reader: str
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[Path, ...] = ()

    @property
    def plain_json(self) -> bool:
        """Whether all that is read are JSON files that are named one by one."""
        return self.reader == "json" and bool(self.files) and not self.missing

    @property
    def description(self) -> str:
        """The names of the files, or of the patterns, or the data's own."""
        named = self.arguments.get("data_files") or self.reader
        by_split = list(named.values()) if isinstance(named, Mapping) else [named]
        paths = [path for one in by_split for path in ([one] if isinstance(one, str) else one)]
        names = [Path(path).name for path in paths]
        return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def find_files(name: str, params: Mapping[str, Any], folder: Path) -> Sources:
    """Resolve `data_files` (text, list, or a dictionary of splits) against `folder`."""
    options = {key: value for key, value in params.items() if key not in HANDLED}
    arguments: dict[str, Any] = {"path": name, "name": params.get("subset"), **options}
    if params.get("data_dir") is not None:
        arguments["data_dir"] = str(_absolute(str(params["data_dir"]), folder))
    if name not in READERS and (folder / name).is_dir():
        arguments["path"] = str(_absolute(name, folder))
    data_files = params.get("data_files")
    if data_files is None:
        return Sources(name, arguments=arguments, options=options)
    base = Path(arguments.get("data_dir", folder))
    by_split = data_files if isinstance(data_files, Mapping) else {"train": data_files}
    paths = {split: _list(value, base) for split, value in by_split.items()}
    arguments["data_files"] = {split: [str(path) for path in found] for split, found in paths.items()}
    if not isinstance(data_files, Mapping):
        arguments["data_files"] = arguments["data_files"]["train"]
    every = [path for found in paths.values() for path in found]
    if name not in READERS or any(isinstance(path, str) for path in every):
        return Sources(name, arguments=arguments, options=options)  # patterns and addresses: the library's business
    missing = tuple(path for path in every if isinstance(path, Path) and not path.exists())
    files = {split: tuple(Path(path) for path in found) for split, found in paths.items()}
    return Sources(name, files, arguments, options, missing)


def check_files(sources: Sources, path: str) -> list[Problem]:
    """Files that are missing, empty, or not UTF-8 though nothing says that they are written otherwise."""
    where = f"{path}.data_files"
    if sources.reader in READERS and "data_files" not in sources.arguments and "data_dir" not in sources.arguments:
        hint = f'Set "data_files" to the {sources.reader} file.'
        return [Problem("error", "data_files_missing", "The data config names no file.", where, hint=hint)]
    problems = [_missing(file, where) for file in sources.missing]
    for file in dict.fromkeys(file for files in sources.files.values() for file in files):
        if file in sources.missing:
            continue
        if file.is_dir():
            hint = "Name the files in it, or a pattern such as FOLDER/*.json."
            problems.append(Problem("error", "data_is_folder", f"{file} is a folder.", where, hint=hint))
        elif file.stat().st_size == 0:
            problems.append(Problem("error", "data_empty", f"The file {file} is empty.", where, hint="Give it rows."))
        elif sources.reader in TEXT_READERS and "encoding" not in sources.options:
            problems += _check_encoding(file, where)
    return problems


def _list(value: Any, base: Path) -> list[Path | str]:
    """Absolute paths; text where it is a pattern or an address."""
    names = [value] if isinstance(value, str | Path) else list(value or [])
    return [_locate(str(name), base) for name in names]


def _locate(name: str, base: Path) -> Path | str:
    if re.match(r"[a-z][a-z0-9+.-]+://", name):
        return name
    absolute = _absolute(name, base)
    if re.search(r"[*?\[]", name) and not absolute.exists():
        return str(absolute)
    return absolute


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


def _check_encoding(file: Path, where: str) -> list[Problem]:
    content = file.read_bytes()
    if content.startswith(COMPRESSED):
        return []
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        guess = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "Windows-1252 or Latin-1"
        message = (
            f"{file.name} is not UTF-8: line {line}, byte {column} of the line (0x{content[error.start]:02X}) "
            f"cannot be read. It looks like {guess}."
        )
        return [Problem("error", "not_utf8", message, where, hint=f"Save {file} as UTF-8.")]
    return []
