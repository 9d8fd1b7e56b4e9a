"""Who works in one of Olive's cache folders: runs that cannot share a result at the same time, and deletion alone.

Every result is known by the one before it, from a run's first pass on. So two runs on the same model and data are in
each other's way only where a first pass of theirs is the same; then the second waits, and finds the results. A search
tries what it wants, and has the folder to itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from phinb.workflow.reuse import hash_settings

AGAIN_S = 0.2


class CacheLock:
    """The locks that are held; `release` ends that. They end with the process in any case."""

    def __init__(self, locks: list[FileLock]) -> None:
        self._locks = locks

    def release(self) -> None:
        while self._locks:
            self._locks.pop().release()


def lock_run(cache: Path, olive: Mapping[str, Any], *, alone: bool, on_wait: Callable[[], None]) -> CacheLock:
    """Hold what a run of `olive` needs in the folder `cache`; waits while others hold it, after one call of `on_wait`.

    alone: it needs all of it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    names = [] if alone else sorted({f"{cache.name}.{hash_settings(one)}.lock" for one in _first_passes(olive)})
    told = False
    while True:
        # The gate is held for a moment only: who waits for another run must not keep a third from its own.
        if gate := _try(_gate(cache)):
            held = _lock_everything(cache, gate) if alone else _lock_all(cache, names)
            if held is not None:
                if not alone:
                    gate.release()
                return CacheLock(held)
            gate.release()
        if not told:
            on_wait()
            told = True
        time.sleep(AGAIN_S)


def try_to_lock(cache: Path) -> CacheLock | None:
    """Hold a whole folder, which no run can begin to work in then; None where one works in it."""
    gate = _try(_gate(cache))
    if gate is None:
        return None
    held = _lock_everything(cache, gate)
    if held is None:
        gate.release()
        return None
    return CacheLock(held)


def _first_passes(olive: Mapping[str, Any]) -> list[Any]:
    first = next(iter((olive.get("passes") or {}).values()), "no pass")
    return first if isinstance(first, list) else [first]


def _gate(cache: Path) -> Path:
    return cache.with_name(f"{cache.name}.lock")


def _lock_everything(cache: Path, gate: FileLock) -> list[FileLock] | None:
    """The gate, once nobody holds a lock of a pass; no new one can be taken while the gate is held."""
    names = [path.name for path in cache.parent.glob(f"{cache.name}.*.lock")]
    found = _lock_all(cache, names)
    return None if found is None else [*found, gate]


def _lock_all(cache: Path, names: list[str]) -> list[FileLock] | None:
    held: list[FileLock] = []
    for name in names:
        lock = _try(cache.with_name(name))
        if lock is None:
            CacheLock(held).release()
            return None
        held.append(lock)
    return held


def _try(path: Path) -> FileLock | None:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock
