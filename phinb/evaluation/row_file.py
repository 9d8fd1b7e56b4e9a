"""A file of test rows that grows by hand: one more JSON line, without harm to what is there, never to training data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb import folders
from phinb.errors import PhinbError
from phinb.workflow.store import write_atomically

if TYPE_CHECKING:
    from phinb.config import Config

ENDINGS = (".jsonl", ".ndjson", ".json")


def add_row(path: Path, row: Mapping[str, Any], training: Iterable[Path] = (), *, anyway: bool = False) -> int:
    """Append `row` as a JSON line, and return how many rows the file has then. A file that is not there is made.

    It is written whole beside and put in the old one's place, under a lock: a reader sees all of a row or nothing, and
    two who add at once both do. training: the files of the training data: a row is added to one of them only `anyway`.
    Raises PhinbError for those, a file of another kind, or one that cannot be written.
    """
    from filelock import FileLock

    target = path.expanduser().resolve()
    if target.suffix.lower() not in ENDINGS:
        raise PhinbError(f"Rows are added to a file of JSON lines, not to {path.name}.", "Let its name end in .jsonl.")
    if not anyway and target in {one.expanduser().resolve() for one in training}:
        raise PhinbError(
            f"{path.name} is training data: a model that learns its test rows tells nothing on them.",
            "Name another file, or say that it is meant.",
        )
    if not target.parent.is_dir():
        raise PhinbError(f"{path} cannot be written: there is no such folder.", "Make it first, or name another file.")
    locks = folders.cache() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{hashlib.sha256(str(target).encode()).hexdigest()[:24]}.lock"):
        before = _read(target)
        try:
            write_atomically(target, before + write_json_line(row) + "\n")
        except OSError as error:
            raise PhinbError(f"{path} cannot be written: {error.strerror or error}.", "Name another file.") from None
    return sum(bool(line.strip()) for line in before.split("\n")) + 1


def list_training_files(config: Config) -> list[Path]:
    """The files of the training data that can be told by their names; none where data comes from elsewhere."""
    from phinb.data.preview import find_data_config
    from phinb.data.source import parameters

    olive = config.to_olive()
    if not olive.get("data_configs"):
        return []
    named = parameters(find_data_config(olive).get("load_dataset_config")).get("data_files")
    given = named.values() if isinstance(named, Mapping) else [named]
    flat = [one for part in given for one in (part if isinstance(part, list) else [part])]
    return [file for one in flat if isinstance(one, str) and "://" not in one for file in _expand(config.folder, one)]


def _expand(folder: Path, name: str) -> list[Path]:
    path = folder / name
    if not any(sign in name for sign in "*?["):
        return [path]
    return sorted(path.parent.glob(path.name))


def _read(target: Path) -> str:
    """The file's text with a line end behind it; "" where there is none. Raises PhinbError unless it is JSON lines."""
    if not target.exists():
        return ""
    try:
        text = target.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PhinbError(f"{target.name} cannot be read: {error}.", "Name another file.") from None
    first = next((line for line in text.split("\n") if line.strip()), "{}")
    try:
        is_row = isinstance(json.loads(first), dict)
    except ValueError:
        is_row = False
    if not is_row:
        raise PhinbError(f"{target.name} does not hold JSON lines.", "Name another file: a row a line, {...}.")
    return text if text.endswith("\n") or not text else f"{text}\n"


def write_json_line(record: Mapping[str, Any]) -> str:
    """JSON on one line, without its end, whoever reads it: characters that some take for line ends are escaped, and all
    that is not ASCII where there is half of a character, which UTF-8 has no bytes for."""
    line = json.dumps(record, ensure_ascii=False, default=str)
    for sign in ("\x85", "\u2028", "\u2029"):
        line = line.replace(sign, f"\\u{ord(sign):04x}")
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(record, default=str)
    return line
