"""A sweep's live panel, and what stays of it: a table a setting a row, and the parallel coordinates."""

from __future__ import annotations

import contextvars
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from phinb.errors import PhinbError
from phinb.notebook.comparison_output import PLOTLY_MIME
from phinb.notebook.host import replace_shown, show
from phinb.notebook.html import frame, table_html, tag
from phinb.notebook.live_output import NOTHING, LiveOutput
from phinb.notebook.progress_panel import ProgressPanel
from phinb.notebook.run_html import view_html
from phinb.types import RunState
from phinb.workflow.runner import Run, open_run
from phinb.workflow.sweep import Sweep
from phinb.workflow.sweep_results import table
from phinb.workflow.sweep_view import describe_sweep, describe_sweep_buttons
from phinb.workflow.text import table_text, view_text
from phinb.workflow.view import Card, View

INTERVAL_S = 0.25
RENEW_S = 15.0
"""How old the saved form below a living panel may be."""

LOG_LINES = 200


def sweep_bundle(sweep: Sweep) -> dict[str, Any]:
    """The table of a sweep and what it says, as HTML and text."""
    state = sweep.state
    head, rows = table(sweep.record, state)
    numbers = range(len(head) - 1)
    told = [*sweep.sentences(), *([state.note] if state.note else [])]
    styled = [(*row[:-1], tag("span", row[-1], class_="phinb-mono phinb-dim")) for row in rows]
    paragraphs = [tag("p", text, class_="phinb-told") for text in told]
    strip = tag("div", tag("span", f"sweep {sweep.id}, {state.status}"), class_="phinb-strip phinb-dim")
    html = frame(*paragraphs, table_html(head, styled, "Sweep", numbers=numbers), strip, label="Sweep")
    return {"text/html": html, "text/plain": "\n".join([table_text(head, rows, numbers), *told])}


def sweep_figure(sweep: Sweep) -> dict[str, Any] | None:
    """The parallel coordinates for JupyterLab's own renderer; None while no run has a figure."""
    import plotly.io

    from phinb.api import figure

    try:
        drawn = figure(sweep, "parallel")
    except PhinbError:
        return None
    bundle: dict[str, Any] = dict(plotly.io.renderers["plotly_mimetype"].to_mimebundle(drawn.to_dict()))
    return {PLOTLY_MIME: bundle[PLOTLY_MIME], "text/plain": "\n".join(sweep.sentences())}


class SweepPanel:
    """Shows `sweep` and follows it until it ends; then its table and figure take the panel's place."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.figure_id = f"phinb-{secrets.token_hex(8)}"
        self._output = LiveOutput()
        self._panel = ProgressPanel(self._act)
        self._panel.observe(self._open_log, "log_open")
        self._runs: dict[str, Run] = {}
        self._wake = threading.Event()
        self._told: Card | None = None

    def open(self) -> None:
        """Display the panel with its saved form, and the empty place of the figure; returns at once."""
        if self.sweep.state.status == "succeeded":
            show(sweep_bundle(self.sweep))
            if drawn := sweep_figure(self.sweep):
                show(drawn)
            return
        view = self._view()
        self._panel.show(view)
        self._output.open(self._saved(view), self._panel.mimebundle(view_text(view)))
        show(NOTHING, self.figure_id)
        self._start_thread(self._follow)

    def _start_thread(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(target,), name="phinb-sweep", daemon=True
        )
        thread.start()

    def _follow(self) -> None:
        saved = time.monotonic()
        while True:
            ended = self.sweep.state.ended
            view = self._view()
            self._panel.show(view, self._log(), last=ended)
            if ended:
                break
            if time.monotonic() - saved >= RENEW_S:
                self._output.renew(self._saved(view))
                saved = time.monotonic()
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
        if self.sweep.state.status == "succeeded":
            self._output.settle(sweep_bundle(self.sweep))
        if drawn := sweep_figure(self.sweep):
            replace_shown(drawn, self.figure_id)

    def _view(self) -> View:
        state = self.sweep.state
        going_on = {trial.run_id for trial in state.trials if trial.status == "running"}
        view = describe_sweep(self.sweep.record, state, self._look(going_on), time.time())
        cards = (self._told, *view.cards) if self._told else view.cards
        return replace(view, buttons=describe_sweep_buttons(state), cards=cards)

    def _look(self, run_ids: set[str]) -> dict[str, RunState]:
        """The states of these runs; each is held on to, so that its events are read once."""
        self._runs = {run_id: run for run_id, run in self._runs.items() if run_id in run_ids}
        for run_id in run_ids - self._runs.keys():
            with suppress(PhinbError):
                self._runs[run_id] = open_run(run_id)
        return {run_id: run.state for run_id, run in self._runs.items()}

    def _saved(self, view: View) -> dict[str, Any]:
        note = f"as it was then; now: %olive_sweep {self.sweep.id}"
        kept = replace(view, buttons=(), note=note)
        return {"text/html": view_html(kept, above_panel=True), "text/plain": view_text(kept)}

    def _open_log(self, _change: Any) -> None:
        if self._panel.log_open:
            self._panel.log_text = self.sweep.log_tail(LOG_LINES)

    def _log(self) -> str | None:
        return self.sweep.log_tail(LOG_LINES) if self._panel.log_open else None

    def _act(self, action: str, _number: int = 0) -> None:
        actions = {"stop": self.sweep.stop, "cancel": self.sweep.cancel, "resume": self._resume}
        if action in actions:
            self._told = None
            self._start_thread(lambda: self._try(actions[action]))

    def _resume(self) -> None:
        self.sweep.resume()
        self._start_thread(self._follow)

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except PhinbError as error:
            self._told = Card("error", error.message, hint=error.hint)
        except Exception as error:
            # The thread has no cell to raise in: what happened is told where the user looks.
            self._told = Card("error", f"phinb itself failed: {type(error).__name__}: {error}")
        self._wake.set()
        if self._told:
            self._panel.show(self._view(), last=self.sweep.state.ended)
