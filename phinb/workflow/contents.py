"""What a file holds: its hash, its rows, whether it has changed since, and how two contents differ in rows.

The digests of a content's rows are kept in the cache under its hash, so that a later run can say "3 rows added" of a
file whose earlier content is gone. Where they are gone too, only the numbers of rows are compared.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from phinb import folders
from phinb.models.references import RACY_NS
from phinb.workflow.wording import write_count

DIGEST_BYTES = 8
MOST_BYTES = 50_000_000
"""A larger file is hashed as a whole only: to tell its rows apart takes about 1 s for 50 MB of short ones, once."""
LINE_FORMATS = (".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".json")
"""Files that are read line by line. A CSV's row may span lines, and a .json may hold one array: lines then."""


@dataclass(frozen=True)
class FileContent:
    """A file as it was read: SHA-256, bytes, lines (None: not counted).

    mtime_ns: the time of its last change, or 0 where it was so fresh that it may change again without a sign.
    """

    path: str
    sha256: str
    size: int
    rows: int | None = None
    mtime_ns: int = 0

    @property
    def name(self) -> str:
        return Path(self.path).name

    def has_changed(self) -> bool:
        """Whether the file holds something else now, or is gone."""
        try:
            status = Path(self.path).stat()
            if status.st_size != self.size:
                return True
            return status.st_mtime_ns != self.mtime_ns and hash_file(Path(self.path)) != self.sha256
        except OSError:
            return True


def read_content(path: Path, *, with_rows: bool = False) -> FileContent:
    """Hash a file and, where its rows are lines, note them. Raises OSError."""
    status = path.stat()
    racy = time.time_ns() - status.st_mtime_ns < RACY_NS
    sha256 = hash_file(path)
    rows = _note_rows(path, sha256) if with_rows and path.suffix.lower() in LINE_FORMATS else None
    return FileContent(str(path), sha256, status.st_size, rows, 0 if racy else status.st_mtime_ns)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compare_contents(before: FileContent, after: FileContent) -> str:
    """How the rows differ, in words: "3 rows added in train.jsonl"."""
    old, new = _read_rows(before.sha256), _read_rows(after.sha256)
    if old is None or new is None:
        if before.rows is None or after.rows is None or before.rows == after.rows:
            return f"{after.name} holds something else"
        return f"{after.name} has {write_count(after.rows, 'row')} (had {before.rows:,})"
    added, removed = (new - old).total(), (old - new).total()
    changed = min(added, removed)
    told = [
        f"{write_count(number, 'row')} {word}"
        for number, word in ((changed, "changed"), (added - changed, "added"), (removed - changed, "removed"))
        if number
    ]
    return f"{', '.join(told) or 'the order of the rows changed'} in {after.name}"


def _note_rows(path: Path, sha256: str) -> int | None:
    """How many lines that are not empty there are; None for a file too large to be told apart by rows."""
    place = _place(sha256)
    if place.is_file():
        return place.stat().st_size // DIGEST_BYTES
    if path.stat().st_size > MOST_BYTES:
        return None
    with path.open("rb") as file:
        digests = [hashlib.blake2b(line, digest_size=DIGEST_BYTES).digest() for raw in file if (line := raw.strip())]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(f".{time.monotonic_ns()}.part")
        part.write_bytes(b"".join(digests))
        part.replace(place)
    except OSError:
        pass  # then the next run counts them again
    return len(digests)


def _read_rows(sha256: str) -> Counter[bytes] | None:
    try:
        data = _place(sha256).read_bytes()
    except OSError:
        return None
    return Counter(data[at : at + DIGEST_BYTES] for at in range(0, len(data), DIGEST_BYTES))


def _place(sha256: str) -> Path:
    return folders.cache() / "rows" / f"{sha256[:40]}.bin"
