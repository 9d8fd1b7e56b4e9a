"""Following a run line by line, for terminals and for notebooks that run alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from phinb.types import RunState
from phinb.workflow.text import card_text, line_text
from phinb.workflow.view import describe_run
from phinb.workflow.wording import write_loss

LINE_INTERVAL_S = 5.0
"""A pass that only moves on gets a line this often; what changes its status gets one at once."""


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

    def close(self, state: RunState) -> None:
        """Write how the run ended: its status and time, and for one that failed the cause and the remedy."""
        self.tell(state)
        view = describe_run(state)
        facts = " · ".join(f"{fact.value} {fact.label}" for fact in view.facts)
        self._write(f"{view.name}: {view.status_text}" + (f" · {facts}" if facts else ""))
        for card in view.cards:
            text = card_text(card)
            if text not in self._cards:
                self._write(text)


def _last_loss(state: RunState, pass_name: str) -> str:
    for metric in reversed(state.metrics):
        loss = metric.values.get("loss")
        if metric.pass_name == pass_name and loss is not None:
            return f" · loss {write_loss(loss)}"
    return ""
