"""Waiting for a run in the words of its story, for notebooks that run alone and for terminals."""

from __future__ import annotations

import time

from phinb.notebook.failure import ShownError, WaitingEnded
from phinb.notebook.host import show
from phinb.notebook.run_html import run_bundle
from phinb.types import RunState
from phinb.workflow.narration import Chronicle
from phinb.workflow.runner import Run

POLL_S = 0.2


def wait_in_text(run: Run, chronicle: Chronicle) -> RunState:
    """Wait until `run` has ended and write its story.

    Raises WaitingEnded on an interrupt; the run itself goes on then.
    """
    try:
        while not (state := run.state).ended:
            chronicle.tell(state)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise WaitingEnded(waiting_ended_text(run)) from None
    chronicle.tell(state)
    return state


def wait_and_show(run: Run) -> None:
    """Wait in text, then show the run's saved form. Raises as wait_in_text and check_usable do."""
    print(f"{run.name}: run {run.id}")
    state = wait_in_text(run, Chronicle())
    show(run_bundle(state))
    check_usable(state)


def check_usable(state: RunState) -> None:
    """Raise ShownError where the cells after this one would find nothing: the run failed or was cancelled."""
    if state.status in ("failed", "cancelled"):
        how = "failed" if state.status == "failed" else "was cancelled"
        reason = " ".join(text for text in (state.message, state.cause, state.remedy) if text)
        raise ShownError(f"Run {state.run_id} {how}. {reason}".rstrip())


def waiting_ended_text(run: Run) -> str:
    return (
        f"The waiting has ended; run {run.id} goes on.\n"
        f"%olive_attach {run.id} shows it, %olive_stop {run.id} ends its training and keeps what is trained,\n"
        f"%olive_stop {run.id} --cancel ends it now."
    )
