"""A comparison's live panel: waits for the run, measures in a thread, then gives way to the table and the figure."""

from __future__ import annotations

import contextvars
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.notebook.comparison_output import (
    comparison_bundle,
    describe_comparison,
    figure_bundle,
    has_figure,
    measure,
)
from phinb.notebook.failure import cards_bundle, error_cards
from phinb.notebook.host import replace_shown, show
from phinb.notebook.live_output import NOTHING, LiveOutput
from phinb.notebook.progress_panel import ProgressPanel
from phinb.notebook.run_html import view_html
from phinb.types import RunState
from phinb.workflow.runner import Run
from phinb.workflow.text import view_text
from phinb.workflow.view import Card, View

if TYPE_CHECKING:
    from phinb.evaluation.comparison import Comparison

INTERVAL_S = 0.1


class ComparisonPanel:
    """Compares `run`'s variants on `rows` and shows how far it is; the cell that opened it ends at once.

    asked: the other arguments of phinb.compare.
    """

    def __init__(self, run: Run, rows: Any = None, asked: Mapping[str, Any] | None = None) -> None:
        self.run = run
        self.rows = rows
        self._asked = asked
        self.figure_id = f"phinb-{secrets.token_hex(8)}"
        self._output = LiveOutput()
        self._panel = ProgressPanel(self._act)
        self._stop = threading.Event()
        self._measured = threading.Event()
        self._state = RunState(run_id=run.id, name=run.name)
        self._waiting: str = "" if run.state.ended else run.state.status
        self._result: Comparison | None = None
        self._problems: list[Card] = []

    def open(self) -> None:
        """Display the panel, and below it the empty place of the figure; returns at once."""
        view = self._view()
        self._panel.show(view)
        text = view_text(self._saved(view))
        saved = {"text/html": view_html(self._saved(view), above_panel=True), "text/plain": text}
        self._output.open(saved, self._panel.mimebundle(text))
        # What a thread displays anew belongs to no cell; what it replaces does.
        show(NOTHING, self.figure_id)
        self._start_thread(self._measure)
        self._start_thread(self._follow)

    def _start_thread(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(target,), name="phinb-compare", daemon=True
        )
        thread.start()

    def _act(self, action: str, _number: int = 0) -> None:
        if action == "stop":
            self._stop.set()

    def _take(self, state: RunState) -> None:
        self._state = state

    def _measure(self) -> None:
        try:
            while not (state := self.run.state).ended and not self._stop.is_set():
                self._waiting = state.status
                time.sleep(INTERVAL_S)
            self._waiting = ""
            if state.ended:
                self._result = measure(self.run, self.rows, self._take, self._stop.is_set, self._asked)
            else:
                self._problems = [Card("info", "The comparison was stopped before the run had ended.")]
        except PhinbError as error:
            self._problems = error_cards(error)
        except Exception as error:
            self._problems = [_describe_bug(error)]
        finally:
            self._measured.set()

    def _follow(self) -> None:
        drawn, shown = 0.0, None
        while not self._measured.wait(INTERVAL_S):
            key = (self._state, self._waiting, self._stop.is_set())
            if key != shown or time.monotonic() - drawn >= 1.0:
                self._panel.show(self._view())
                drawn, shown = time.monotonic(), key
        self._settle()

    def _settle(self) -> None:
        """Put the result, or why there is none, in the panel's place."""
        if self._result is not None:
            self._output.settle(comparison_bundle(self._result))
            if has_figure(self._result):
                replace_shown(self._draw(self._result), self.figure_id)
        else:
            self._output.settle(cards_bundle(self._problems, "Comparison"))
        # A page that was reloaded in between does not get the replacement; its panel says where the result is.
        note = f"the result is kept: run %olive_compare {self.run.id} again to see it"
        cards = tuple(self._problems) or (Card("info", "The comparison has ended.", hint=note),)
        view = replace(self._view(), cards=cards, buttons=(), status_text="ended", tone="dim", note="")
        self._panel.show(view, last=True)

    def _draw(self, result: Comparison) -> dict[str, Any]:
        try:
            return figure_bundle(result)
        except Exception as error:
            return cards_bundle([_describe_bug(error)], "Figure")

    def _view(self) -> View:
        return describe_comparison(self._state, self._waiting, self._stop.is_set(), now=time.time())

    def _saved(self, view: View) -> View:
        """The view for whoever opens the notebook later, when nothing of this lives any more."""
        return replace(view, buttons=(), note=f"as it was then; %olive_compare {self.run.id} shows the result")


def _describe_bug(error: Exception) -> Card:
    """A bug of phinb's own, with its traceback: a thread has no cell to raise in."""
    text = "".join(traceback.format_exception(error)[-3:])
    return Card("error", f"phinb itself failed: {type(error).__name__}: {error}", hint=text)
