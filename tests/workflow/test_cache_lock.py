"""Who waits for whom in a cache folder."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from phinb.workflow.cache_lock import CacheLock, lock_run, try_to_lock
from phinb.workflow.process import wait_until


def olive(*ranks: int) -> dict[str, Any]:
    passes = [{"type": "LoRA", "r": rank} for rank in ranks]
    return {"passes": {"lora": passes if len(passes) > 1 else passes[0], "merge": {"type": "MergeAdapterWeights"}}}


class Waiting:
    """A run that asks for its lock in a thread."""

    def __init__(self, cache: Path, asked: dict[str, Any], *, alone: bool = False) -> None:
        self.waits = False
        self.held: CacheLock | None = None
        self._arguments = (cache, asked, alone)
        threading.Thread(target=self._take, daemon=True).start()
        assert wait_until(lambda: self.waits or self.held, 5)

    def _take(self) -> None:
        cache, asked, alone = self._arguments
        self.held = lock_run(cache, asked, alone=alone, on_wait=self._wait)

    def _wait(self) -> None:
        self.waits = True

    def gets_it(self) -> bool:
        return wait_until(lambda: self.held is not None, 5)


def test_only_who_has_a_first_pass_in_common_waits(tmp_path: Path) -> None:
    cache = tmp_path / "k1"
    first = lock_run(cache, olive(4), alone=False, on_wait=lambda: None)
    other = Waiting(cache, olive(8))
    assert not other.waits
    same, either = Waiting(cache, olive(4)), Waiting(cache, olive(2, 4))
    assert same.waits
    assert either.waits
    third = Waiting(cache, olive(16))
    assert not third.waits, "those who wait keep nobody from work"
    first.release()
    assert wait_until(lambda: same.held or either.held, 5)
    (same.held or either.held).release()  # type: ignore[union-attr]
    assert same.gets_it()
    assert either.gets_it()


def test_a_search_and_a_deletion_are_alone(tmp_path: Path) -> None:
    cache = tmp_path / "k1"
    run = lock_run(cache, olive(4), alone=False, on_wait=lambda: None)
    search = Waiting(cache, olive(4, 8), alone=True)
    assert search.waits
    assert try_to_lock(cache) is None
    run.release()
    assert search.gets_it()
    later = Waiting(cache, olive(16))
    assert later.waits
    assert try_to_lock(cache) is None
    assert search.held is not None
    search.held.release()
    assert later.gets_it()
    assert later.held is not None
    later.held.release()
    whole = try_to_lock(cache)
    assert whole is not None
    assert Waiting(cache, olive(16)).waits
    whole.release()
    assert try_to_lock(tmp_path / "k2") is not None


def test_a_run_without_passes_waits_for_its_like(tmp_path: Path) -> None:
    cache = tmp_path / "k1"
    lock_run(cache, {"passes": {}}, alone=False, on_wait=lambda: None)
    assert not Waiting(cache, olive(4)).waits
