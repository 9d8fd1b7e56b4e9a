"""Following a run line by line, for notebooks that run alone and for terminals."""

from __future__ import annotations

import time
from collections.abc import Callable

from phinb.notebook.failure import ShownError, WaitingEnded
from phinb.notebook.host import show
from phinb.notebook.run_html import run_bundle
from phinb.notebook.run_view import describe_run
from phinb.notebook.text import card_text, line_text
from phinb.notebook.wording import write_loss
from phinb.types import RunState
from phinb.workflow.runner import Run

LINE_INTERVAL_S = 5.0
"""A pass that only moves on gets a line this often; what changes its status gets one at once."""

POLL_S = 0.2


class Chronicle:
    """Writes a line for each thing that changed since the state it saw before."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write
        self._told: dict[str, tuple[str, str, float]] = {}
        self._cards: set[str] = set()

    def tell(self, state: RunState) -> None:
        """Write what is new. A waiting pass is not worth a line, nor is what was said already."""
        view = describe_run(state)
        now = time.monotonic()
        for line in view.lines:
            status, text, at = self._told.get(line.name, ("waiting", "", 0.0))
            moved = line.text != text and now - at >= LINE_INTERVAL_S
            if line.status == "waiting" or not (line.status != status or moved):
                continue
            self._told[line.name] = (line.status, line.text, now)
            self._write(line_text(line) + (_last_loss(state, line.name) if line.status == "running" else ""))
        for card in view.cards if not state.ended else ():
            text = card_text(card)
            if text not in self._cards:
                self._cards.add(text)
                self._write(text)


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


def _last_loss(state: RunState, pass_name: str) -> str:
    for metric in reversed(state.metrics):
        loss = metric.values.get("loss")
        if metric.pass_name == pass_name and loss is not None:
            return f" · loss {write_loss(loss)}"
    return ""
