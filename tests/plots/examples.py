"""Runs with comparisons, as folders on disk."""

from __future__ import annotations

from dataclasses import replace

from phinb.evaluation.history import keep_latest
from phinb.evaluation.results import Comparison
from phinb.types import Queued
from phinb.workflow import store
from phinb.workflow.store import RunRecord
from tests.evaluation.examples import make_comparison

FOUR = ("base", "adapter", "merged", "int4")


def make_named(name: str, names: tuple[str, ...] = FOUR) -> Comparison:
    return replace(make_comparison(names), name=name)


def keep_run(comparison: Comparison, created: float, *, compared: bool = True) -> str:
    """A run's folder with that comparison in it; returns its id."""
    record = RunRecord(store.new_id(created), comparison.name, created, ("lora",), "", "")
    folder = store.create(record, {})
    folder.append(Queued(record.run_id, record.name, record.passes, record.host))
    if compared:
        keep_latest(comparison, folder.path)
    return record.run_id
