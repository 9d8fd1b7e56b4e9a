"""Which files a pattern such as data/*.json stands for, by the rules of the library datasets.

Source: datasets.data_files.resolve_pattern; the library itself takes a second to load.
"""

from __future__ import annotations

from pathlib import Path, PurePath

NOT_DATA = (
    "README.md",
    "config.json",
    "dataset_info.json",
    "dataset_infos.json",
    "dummy_data.zip",
    "dataset_dict.json",
)
"""Files that patterns pass over (datasets.data_files.FILES_TO_IGNORE)."""


def is_pattern(name: str) -> bool:
    """Whether the library looks for files of this form, and not for one file of this name."""
    return any(sign in name for sign in "*?[")


def find_matches(pattern: Path) -> tuple[Path, ...]:
    """The files that an absolute pattern matches, in the library's order. Hidden ones have to be asked for."""
    from fsspec.implementations.local import LocalFileSystem

    found = LocalFileSystem().glob(pattern.as_posix(), detail=True)
    files = [Path(path) for path, info in found.items() if info["type"] == "file" or Path(path).is_file()]
    return tuple(file for file in files if _is_wanted(file, pattern))


def _is_wanted(file: Path, pattern: Path) -> bool:
    if file.name in NOT_DATA and file.name != pattern.name:
        return False
    return _count_special(file) == _count_special(pattern) and _count_hidden(file) == _count_hidden(pattern)


def _count_special(path: PurePath) -> int:
    return sum(part.startswith("__") for part in path.parent.parts)


def _count_hidden(path: PurePath) -> int:
    return sum(part.startswith(".") and set(part) != {"."} for part in path.parts)
