"""The list of runs as a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from phinb.notebook.html import frame, table_html, tag
from phinb.types import RunState
from phinb.workflow.runner import Run
from phinb.workflow.text import table_text
from phinb.workflow.view import TONES
from phinb.workflow.wording import write_clock

HEAD = ("run", "configuration", "status", "passes", "started", "took")


def runs_bundle(runs: Sequence[Run], total: int, now: float) -> dict[str, Any]:
    """HTML and text of `runs`, the newest of `total`; `now` (Unix seconds) tells how long a living one has run."""
    if not runs:
        text = "There are no runs yet. %olive_run NAME starts one."
        return {"text/html": frame(tag("div", text, class_="phinb-card"), label="Runs", bare=True), "text/plain": text}
    states = [run.state for run in runs]
    rows = [_row(run, state, now) for run, state in zip(runs, states, strict=True)]
    styled = [
        (
            tag("span", row[0], class_="phinb-mono"),
            row[1],
            tag("span", row[2], class_=f"phinb-{TONES[state.status]}"),
            *row[3:],
        )
        for row, state in zip(rows, states, strict=True)
    ]
    more = f"{total - len(runs)} older: %olive_runs --all" if total > len(runs) else ""
    note = [tag("div", more, class_="phinb-strip phinb-dim")] if more else []
    html = frame(table_html(HEAD, styled, "Runs", numbers={5}), *note, label="Runs")
    return {"text/html": html, "text/plain": "\n".join(filter(None, [table_text(HEAD, rows, numbers={5}), more]))}


def _row(run: Run, state: RunState, now: float) -> tuple[str, ...]:
    done = sum(item.status == "done" for item in state.passes.values())
    began = state.started_at or state.queued_at
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(began)) if began else ""
    until = state.ended_at if state.ended else now
    took = write_clock(until - began) if began and until else ""
    return run.id, run.name, state.status, f"{done} of {len(state.passes)}", started, took
