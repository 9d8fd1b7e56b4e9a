"""The story of a sweep for terminals and notebooks that run alone: a line for each run that begins or ends."""

from __future__ import annotations

from collections.abc import Callable

from phinb.workflow.sweep import Sweep
from phinb.workflow.sweep_store import SweepState
from phinb.workflow.sweep_view import describe_sweep
from phinb.workflow.text import line_text

POLL_S = 0.3


def follow_in_text(sweep: Sweep, write: Callable[[str], None], sleep: Callable[[float], None]) -> SweepState:
    """Write what happens until the sweep has ended. An interrupt comes through; the sweep goes on then."""
    told: set[tuple[str, str, str]] = set()
    while True:
        state = sweep.state
        lines = describe_sweep(sweep.record, state, {}).lines
        for line in lines:
            happened = line.status in ("running", "done", "failed")
            if happened and (line.name, line.kind, line.status) not in told:
                told.add((line.name, line.kind, line.status))
                write(line_text(line))
        if state.ended:
            return state
        sleep(POLL_S)
