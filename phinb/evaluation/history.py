"""What earlier runs of a configuration came to: each run keeps its last comparison, and a name finds them all."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison, load_comparison
from phinb.workflow import store
from phinb.workflow.store import RunRecord

LATEST = Path("comparison", "latest.json")
"""In a run's folder: the comparison that was made last, whole."""


@dataclass(frozen=True)
class PastRun:
    """A run with the comparison that was made of it last."""

    record: RunRecord
    comparison: Comparison


def keep_latest(comparison: Comparison, run_folder: Path) -> None:
    """Note the run's last comparison. One that was stopped, or that measured nothing, replaces none.

    A folder that cannot be written costs the note and nothing else: the result itself is the caller's.
    """
    if comparison.stopped or all(measured.error for measured in comparison.measurements):
        return
    with contextlib.suppress(OSError):
        comparison.save(run_folder / LATEST)


def read_history(name: str, most: int = 30) -> tuple[list[PastRun], int]:
    """The last comparisons of the newest `most` runs of that name, oldest first, and how many runs have none."""
    found: list[PastRun] = []
    without = 0
    for record, folder in _runs_of(name):
        if len(found) == most:
            break
        try:
            found.append(PastRun(record, load_comparison(folder / LATEST)))
        except PhinbError:
            without += 1
    return sorted(found, key=lambda past: past.record.created), without


def _runs_of(name: str) -> Iterator[tuple[RunRecord, Path]]:
    for folder in store.iterate():
        record = folder.record
        if record.name == name:
            yield record, folder.path


def hash_task(comparison: Comparison) -> str:
    """What was asked, as eight hex digits: the template, the labels, and each row's true answer in order.

    Figures of two comparisons may be held against each other where it is the same. The rows' other columns are not
    kept in a comparison: rows that changed in nothing but these are not told apart.
    """
    settings = comparison.settings
    measured = next((one for one in comparison.measurements if not one.error), None)
    answers = [getattr(score, "label", None) for score in measured.scores] if measured else []
    asked = [
        settings.get("template"),
        settings.get("answer"),
        list(settings.get("labels") or ()),
        settings["n"],
        answers,
    ]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False, default=str).encode()).hexdigest()[:8]
