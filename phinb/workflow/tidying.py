"""What runs take on the disk, and how old ones are deleted, with those of Olive's results that no other run needs.

A run's artefacts are hard links into Olive's cache: a file counts once, however many names it has, and deleting one of
them frees nothing. A run that is going on is never touched, nor is a cache that one works in.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from phinb import folders
from phinb.errors import PhinbError
from phinb.workflow.cache_lock import CacheLock, try_to_lock
from phinb.workflow.disk import Tally
from phinb.workflow.runner import Run
from phinb.workflow.store import RunFolder

GONE = ".gone-"
"""How the name of a folder begins that is being deleted: whoever tidies next deletes what was left of it."""

_UNITS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@dataclass(frozen=True)
class Usage:
    """Bytes on the disk: of each run by its id, of all runs together, and of what only Olive's cache holds."""

    runs: Mapping[str, int] = field(default_factory=dict)
    runs_bytes: int = 0
    cache_bytes: int = 0


@dataclass(frozen=True)
class Deletion:
    """What goes, or has gone where `carried_out`: the ids of runs, how many of Olive's results, the bytes it frees.

    `kept` tells of runs that were asked for and stay, with the reason.
    """

    runs: tuple[str, ...] = ()
    results: int = 0
    freed_bytes: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)
    carried_out: bool = False


def measure_usage(runs: Iterable[Run]) -> Usage:
    """Walk through the folders of `runs` and Olive's cache; a file with several names counts once in each figure."""
    together, sizes = Tally(), {}
    for run in runs:
        own = Tally().add(run.folder)
        together.merge(own)
        sizes[run.id] = own.bytes
    cache = Tally().add(_cache_root())
    return Usage(sizes, together.bytes, cache.bytes - cache.shared_with(together))


def read_age(text: str) -> float:
    """Seconds of `12h`, `30d` or `8w`. Raises PhinbError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text.strip())
    if match is None:
        raise PhinbError(f"{text!r} is no age.", "Write hours, days or weeks: 12h, 30d, 8w.")
    return float(match[1]) * _UNITS[match[2]]


def choose_runs(runs: Sequence[Run], keep: int | None = None, older_s: float | None = None) -> list[Run]:
    """Of `runs`, newest first, the ended ones behind the newest `keep` that ended more than `older_s` seconds ago."""
    if keep is not None and keep < 0:
        raise PhinbError(f"{keep} runs cannot be kept.", "Give 0 or more.")
    now = time.time()
    states = [(run, run.state) for run in runs[keep or 0 :]]
    return [
        run
        for run, state in states
        if state.ended and (older_s is None or now - (state.ended_at or state.queued_at or now) >= older_s)
    ]


def delete(runs: Sequence[Run], everything: Sequence[Run], *, dry_run: bool = False) -> Deletion:
    """Delete `runs`, which are among `everything`, and those of Olive's results that none of the others needs.

    Without runs, only such results go. `dry_run` tells what would go. Raises nothing for what cannot be deleted now
    (a file that is open on Windows): it is out of sight, and goes with the next deletion.
    """
    going: list[Run] = []
    kept: dict[str, str] = {}
    for run in {run.id: run for run in runs}.values():
        if reason := _reason_to_keep(run):
            kept[run.id] = reason
        else:
            going.append(run)
    gone = {run.id for run in going}
    staying = [run for run in everything if run.id not in gone]
    # The caches' locks are held over both: what a run needs must not change between the look and the deletion.
    with _Unneeded(staying) as unneeded:
        freed = Tally()
        for path in (*(run.folder for run in going), *unneeded.paths):
            freed.add(path)
        planned = Deletion(tuple(run.id for run in going), unneeded.results, freed.freed_bytes, kept)
        if dry_run:
            return planned
        moved = [run for run in going if _move_away(run)]
        unneeded.delete()
    _sweep()
    late = {run.id: "it has been resumed just now" for run in going if run not in moved}
    return replace(planned, runs=tuple(run.id for run in moved), kept={**kept, **late}, carried_out=True)


def _reason_to_keep(run: Run) -> str:
    if not run.state.ended:
        return f"it is {run.state.status}; stop or cancel it first"
    if run.folder.parent.resolve() != folders.runs().resolve():
        return f"it lies in {run.folder.parent}, not among your runs"
    return ""


def _move_away(run: Run) -> bool:
    """Take the run out of sight at once, as a whole; False where somebody has resumed it in this moment."""
    target = run.folder.with_name(f"{GONE}{run.id}-{secrets.token_hex(2)}")
    try:
        run.folder.rename(target)
    except FileNotFoundError:
        return True  # somebody else has deleted it
    except OSError as error:
        raise PhinbError(
            f"Run {run.id} cannot be deleted: {error.strerror or error}.",
            "Close what has a file of it open, and try again.",
        ) from None
    if RunFolder(target).read_state().ended:
        return True
    target.rename(run.folder)
    return False


def _sweep() -> None:
    """Delete what is out of sight, whoever moved it there."""
    root = folders.runs()
    for path in root.glob(f"{GONE}*") if root.is_dir() else ():
        shutil.rmtree(path, ignore_errors=True)


class _Unneeded:
    """Olive's results, checkpoints and whole caches that none of `staying` needs; within it, nobody works in them."""

    def __init__(self, staying: Sequence[Run]) -> None:
        self.paths: list[Path] = []
        self.results = 0
        self._staying = staying
        self._locks: list[CacheLock] = []

    def __enter__(self) -> _Unneeded:
        users = self._users()
        for cache in _caches() if users is not None else ():
            lock = try_to_lock(cache)
            if lock is None:
                continue  # a run works in it
            self._locks.append(lock)
            self._look(cache, (users or {}).get(cache.name, []))
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._locks:
            lock.release()

    def delete(self) -> None:
        for path in self.paths:
            shutil.rmtree(path, ignore_errors=True)
            # What Olive measured on a result's model stands beside the results.
            (path.parent.parent / "evaluations" / f"{path.name}.json").unlink(missing_ok=True)

    def _users(self) -> dict[str, list[Run]] | None:
        """Cache's name -> the runs that use it. None where a run that goes on has not said yet which one it will."""
        users: dict[str, list[Run]] = {}
        for run in self._staying:
            name = _cache_of(run)
            if name:
                users.setdefault(name, []).append(run)
            elif not run.state.ended:
                return None
        return users

    def _look(self, cache: Path, users: Sequence[Run]) -> None:
        results = list(cache.glob("*/runs/*"))
        if not users:
            self.paths.append(cache)
            self.results += len(results)
            return
        if all(run.state.status == "succeeded" for run in users):
            self.paths += (cache / "checkpoints").glob("*")
        needed = [RunFolder(run.folder).read_results() for run in users]
        if any(names is None for names in needed):
            return  # a run of an earlier version of phinb, which did not note what it uses
        known = {name for names in needed for name in names or ()}
        unneeded = [path for path in results if path.relative_to(cache.parent).as_posix() not in known]
        self.paths += unneeded
        self.results += len(unneeded)


def _cache_root() -> Path:
    return folders.cache() / "olive"


def _caches() -> Iterator[Path]:
    root = _cache_root()
    yield from sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ()


def _cache_of(run: Run) -> str:
    """The name of the folder in Olive's cache that the run worked in; "" where it did not come that far."""
    try:
        olive = json.loads((run.folder / "olive.json").read_text(encoding="utf-8"))
        return Path(str(olive["cache_dir"])).name
    except (OSError, ValueError, KeyError, TypeError):
        return ""
