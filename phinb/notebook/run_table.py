"""The list of runs as a table, and what a deletion does, as cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phinb.notebook.failure import cards_bundle
from phinb.notebook.html import frame, table_html, tag
from phinb.types import RunState
from phinb.workflow.run_list import HEAD, NO_RUNS, NUMBERS, describe_deletion, describe_usage, list_runs
from phinb.workflow.text import table_text
from phinb.workflow.tidying import Deletion, Usage
from phinb.workflow.view import TONES


def runs_bundle(states: Mapping[str, RunState], usage: Usage, now: float) -> dict[str, Any]:
    """HTML and text of these runs, the newest of all that `usage` counts; `now` (Unix seconds) makes the time pass."""
    if not states:
        card = tag("div", NO_RUNS, class_="phinb-card")
        return {"text/html": frame(card, label="Runs", bare=True), "text/plain": NO_RUNS}
    rows = list_runs(states, usage, now)
    styled = [
        (
            tag("span", row[0], class_="phinb-mono phinb-whole"),
            row[1],
            tag("span", row[2], class_=f"phinb-{TONES[state.status]}"),
            *row[3:],
        )
        for row, state in zip(rows, states.values(), strict=True)
    ]
    left = len(usage.runs) - len(states)
    facts = [describe_usage(usage), f"{left} older ones: %olive_runs --all" if left > 0 else ""]
    hint = "to delete old ones: --delete RUN, --keep 5, --older 30d"
    told = [tag("span", fact) for fact in facts if fact]
    strip = tag("div", *told, tag("span", hint, class_="phinb-note"), class_="phinb-strip phinb-dim")
    table = table_html(HEAD, styled, "Runs", numbers=NUMBERS)
    text = "\n".join(filter(None, [table_text(HEAD, rows, numbers=NUMBERS), *facts]))
    return {"text/html": frame(table, strip, label="Runs"), "text/plain": text}


def deletion_bundle(deletion: Deletion) -> dict[str, Any]:
    """What goes or has gone."""
    return cards_bundle(describe_deletion(deletion, "add --yes to the line."), "Deletion")
