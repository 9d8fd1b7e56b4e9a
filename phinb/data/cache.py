"""What the library datasets keeps of a user's rows, all of it in a folder of phinb's own, and how it is deleted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phinb import folders
from phinb.data.wording import write_count

INFO = "dataset_info.json"
"""What the library writes into each finished copy (datasets.config.DATASET_INFO_FILENAME)."""

NOTE = "phinb.json"
"""What phinb writes beside it: which files it was made from; the library does not say."""


@dataclass(frozen=True)
class CachedCopy:
    """A copy of rows in the cache of datasets: its folder or file, its size, and what it was made from."""

    path: Path
    bytes: int
    source: str


def datasets_cache() -> Path:
    """Where phinb lets datasets keep its copies, in the kernel and in workers: $HF_DATASETS_CACHE if it is set."""
    chosen = os.environ.get("HF_DATASETS_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else own_cache()


def own_cache() -> Path:
    """The folder of phinb's own for them."""
    return folders.cache() / "datasets"


def users_cache() -> Path | None:
    """The folder that $HF_DATASETS_CACHE names instead, which is the user's to empty; None where nothing is set."""
    return None if datasets_cache() == own_cache() else datasets_cache()


def cached_copies() -> list[CachedCopy]:
    """Every copy in phinb's own cache, the largest first; nothing of a cache that the user has named.

    Rows as they were read, what Olive made of them, and whatever was left half done.
    """
    copies = [_describe(path) for path in _list_places(own_cache())]
    return sorted((copy for copy in copies if copy.bytes), key=lambda copy: -copy.bytes)


def delete_cached() -> int:
    """Delete all of it; returns the bytes that are free now. Another look at the data makes the copies anew.

    What another process holds open stays where the system does not let it be deleted (Windows).
    """
    root = own_cache()
    before = _measure(root)
    for path in list(root.iterdir()) if root.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return before - _measure(root)


def write_note(copy: Path, source: str) -> None:
    """Remember what a copy was made from."""
    with contextlib.suppress(OSError):
        (copy / NOTE).write_text(json.dumps({"source": source}), encoding="utf-8")


def _list_places(folder: Path) -> Iterator[Path]:
    """The finished copies below a folder, and the files that belong to none."""
    if not folder.is_dir():
        return
    if (folder / INFO).is_file():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _list_places(path)
        else:
            yield path


def _describe(path: Path) -> CachedCopy:
    source = "left over" if path.is_file() else ""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        source = source or str(json.loads((path / NOTE).read_text(encoding="utf-8"))["source"])
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        source = source or _read_info(json.loads((path / INFO).read_text(encoding="utf-8")))
    return CachedCopy(path, _measure(path), source or "unknown")


def _read_info(info: dict[str, dict[str, dict[str, int]]]) -> str:
    """`json: 1,000 rows of phrase, tone`, of a copy that phinb did not make itself."""
    rows = sum(split["num_examples"] for split in info["splits"].values())
    return f"{info['dataset_name']}: {write_count(rows, 'row')} of {', '.join(info['features'])}"


def _measure(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total
