"""The list of runs, and what a deletion does, in words: the same in a notebook and in a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping

from phinb.types import RunState
from phinb.workflow.tidying import Deletion, Usage
from phinb.workflow.view import Card
from phinb.workflow.wording import write_bytes, write_clock, write_count

HEAD = ("run", "configuration", "status", "passes", "started", "took", "disk")
NUMBERS = (5, 6)
"""The columns that are aligned to the right."""

NO_RUNS = "There are no runs yet. %olive_run NAME, or `phinb run FILE`, starts one."
MOST_NAMED = 8


def list_runs(states: Mapping[str, RunState], usage: Usage, now: float) -> list[tuple[str, ...]]:
    """A row a run; `now` (Unix seconds) tells how long a living one has run."""
    return [_row(run_id, state, usage, now) for run_id, state in states.items()]


def describe_usage(usage: Usage) -> str:
    """What all runs take. Their artefacts share files with Olive's cache: that is told apart from what it has alone."""
    text = f"{write_count(len(usage.runs), 'run')}: {write_bytes(usage.runs_bytes)}"
    return f"{text}, and {write_bytes(usage.cache_bytes)} more in Olive's cache" if usage.cache_bytes else text


def describe_deletion(deletion: Deletion, how: str) -> tuple[Card, ...]:
    """What goes or has gone, and what stays though it was asked for; `how` says what carries it out."""
    cards = [Card("warning", f"Run {run_id} stays: {why}.") for run_id, why in deletion.kept.items()]
    if not deletion.runs and not deletion.results:
        return (*cards, Card("info", "There is nothing to delete."))
    parts = [write_count(len(deletion.runs), "run")] if deletion.runs else []
    if deletion.results:
        parts.append(f"{write_count(deletion.results, 'result')} in Olive's cache that no other run needs")
    verb = "Deleted" if deletion.carried_out else "To be deleted"
    title = f"{verb}: {' and '.join(parts)}; {write_bytes(deletion.freed_bytes)} freed."
    named = ", ".join(deletion.runs[:MOST_NAMED])
    if len(deletion.runs) > MOST_NAMED:
        named += f" and {len(deletion.runs) - MOST_NAMED} more"
    hint = "" if deletion.carried_out else f"Nothing is deleted yet: {how}"
    return (*cards, Card("info" if deletion.carried_out else "warning", title, named, hint))


def _row(run_id: str, state: RunState, usage: Usage, now: float) -> tuple[str, ...]:
    done = sum(item.status == "done" for item in state.passes.values())
    began = state.started_at or state.queued_at
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(began)) if began else ""
    until = state.ended_at if state.ended else now
    took = write_clock(until - began) if began and until else ""
    size = write_bytes(usage.runs[run_id]) if run_id in usage.runs else ""
    return run_id, state.name, state.status, f"{done} of {len(state.passes)}", started, took, size
