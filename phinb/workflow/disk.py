"""What files take on the disk, each once, however many names it has."""

from __future__ import annotations

import os
from pathlib import Path


class Tally:
    """Files, by what the file system knows them by. Folders themselves count nothing, nor do links to elsewhere."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, int], tuple[int, int]] = {}
        """(device, inode) -> (bytes, names that the file has)."""
        self._names: dict[tuple[int, int], int] = {}
        """How many of a file's names were seen."""

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self._files.values())

    @property
    def freed_bytes(self) -> int:
        """What is free once all that was seen is deleted: a file that has a name elsewhere stays."""
        return sum(size for key, (size, links) in self._files.items() if self._names[key] >= links)

    def add(self, path: Path) -> Tally:
        """Count what lies in a folder, or one file; what vanishes meanwhile counts nothing."""
        if path.is_file() and not path.is_symlink():
            self._count(path.stat())
            return self
        for folder, _, names in os.walk(path):
            for name in names:
                try:
                    found = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - many files, and Path is slow
                except OSError:
                    continue
                self._count(found)
        return self

    def merge(self, other: Tally) -> None:
        self._files |= other._files
        for key, names in other._names.items():
            self._names[key] = self._names.get(key, 0) + names

    def shared_with(self, other: Tally) -> int:
        """Bytes of the files that both have."""
        return sum(size for key, (size, _) in self._files.items() if key in other._files)

    def _count(self, found: os.stat_result) -> None:
        key = (found.st_dev, found.st_ino)
        blocks = getattr(found, "st_blocks", None)  # Windows has none
        self._files[key] = (found.st_size if blocks is None else blocks * 512, found.st_nlink)
        self._names[key] = self._names.get(key, 0) + 1
