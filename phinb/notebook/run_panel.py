"""A run's live panel: a thread reads the run's folder, the panel shows it, the buttons act on the run."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from phinb.errors import PhinbError
from phinb.notebook.failure import WaitingEnded
from phinb.notebook.host import show
from phinb.notebook.live_output import LiveOutput
from phinb.notebook.progress_panel import ProgressPanel
from phinb.notebook.remedy import Remedy
from phinb.notebook.run_html import run_bundle, run_text
from phinb.notebook.waiting import check_usable, waiting_ended_text
from phinb.types import RunState
from phinb.workflow.history import read_estimates
from phinb.workflow.runner import Run
from phinb.workflow.store import RunFolder
from phinb.workflow.view import Card, View, describe_buttons, describe_run

INTERVAL_S = 0.1
"""The panel is sent at most ten times a second."""

FAREWELL_S = 1.0
"""How long an ended panel stays before the saved form takes its place: a screen reader must hear how it ended."""

RENEW_S = 15.0
"""How old the saved form below a living panel may be: it is what a notebook that is saved now will show."""

LOG_LINES = 200


class RunPanel:
    """Shows `run` and follows it until it ends; then what is displayed becomes static HTML.

    A run that ended early keeps its panel, with a Resume button, until the next cell is executed. `busy` is set
    where the cell itself waits for the run: then no button's message is read, and the panel says so.
    """

    def __init__(self, run: Run, shell: Any, busy: bool = False) -> None:
        self.run = run
        self.busy = busy
        self._shell = shell
        self._output = LiveOutput()
        self._panel = ProgressPanel(self._act)
        self._panel.observe(self._open_log, "log_open")
        self._asked = ""
        self._told: Card | None = None
        self._remedy = Remedy(shell, run)
        self._estimates = read_estimates(RunFolder(run.folder))
        self._told_eta: tuple[Any, float] = (None, 0.0)
        self._wake = threading.Event()

    def open(self) -> None:
        """Display the panel with its static twins and begin to follow; returns at once."""
        state = self.run.state
        if state.status == "succeeded":
            show(run_bundle(state))
            return
        self._panel.show(self._view(state))
        self._output.open(run_bundle(state, above_panel=True), self._panel.mimebundle(run_text(state)))
        self._start_thread(self._follow)

    def wait(self) -> None:
        """Wait in the cell until the run has ended. Raises WaitingEnded on an interrupt, ShownError as check_usable."""
        try:
            state = self.run.wait()
        except KeyboardInterrupt:
            raise WaitingEnded(waiting_ended_text(self.run)) from None
        finally:
            self.busy = False
            self._wake.set()
        check_usable(state)

    def _start_thread(self, target: Callable[[], None]) -> None:
        # The context carries the cell that this output belongs to: messages from the thread go to that cell.
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(target,), name="phinb-panel", daemon=True
        )
        thread.start()

    def _follow(self) -> None:
        try:
            state = self._follow_to_end()
        except Exception as error:
            # The thread has no cell to raise in: what happened is told where the user looks.
            self._told = Card("error", f"The panel cannot follow the run any more: {type(error).__name__}: {error}")
            self._panel.show(self._view(RunState(run_id=self.run.id, name=self.run.name, status="failed")), last=True)
            return
        if state.status == "succeeded":
            time.sleep(FAREWELL_S)
            self._settle()
        else:
            self._shell.events.register("pre_run_cell", self._settle)

    def _follow_to_end(self) -> RunState:
        shown: RunState | None = None
        drawn = saved = time.monotonic()
        while True:
            state, now = self.run.state, time.monotonic()
            if now - saved >= RENEW_S and not state.ended:
                self._output.renew(run_bundle(state, above_panel=True))
                saved = now
            elif state is not shown or self._wake.is_set() or now - drawn >= 1.0:
                self._wake.clear()
                self._panel.show(self._view(state), self._log(), last=state.ended)
                shown, drawn = state, now
            if state.ended and shown is state:
                return state
            # A long run's chart takes its time: at most a fifth of the kernel's goes into drawing.
            pause = max(INTERVAL_S, 4 * (time.monotonic() - now))
            if self._wake.wait(pause):
                time.sleep(max(0.0, INTERVAL_S - (time.monotonic() - now)))

    def _draw(self) -> None:
        """Draw once more, out of turn: perhaps nobody follows the run any more."""
        state = self.run.state
        self._panel.show(self._view(state), last=state.ended)

    def _view(self, state: RunState) -> View:
        if self._asked and not state.ended and not state.stopping:
            state = replace(state, stopping="cancel" if self._asked == "cancel" else "stop")
        view = describe_run(state, time.time(), self._eta_age(state), self._estimates)
        buttons = describe_buttons(state)
        note = view.note
        if self.busy and not state.ended:
            buttons = tuple(replace(button, enabled=False) for button in buttons)
            note = "this cell waits: interrupt the kernel to use the buttons; the run goes on"
        cards = self._remedy.offer(state, view.cards)
        cards = (self._told, *cards) if self._told else cards
        return replace(view, buttons=buttons, note=note, cards=cards)

    def _eta_age(self, state: RunState) -> float:
        """Seconds since the running pass last told its time left."""
        told = next(((name, item.done, item.eta_s) for name, item in state.passes.items() if item.eta_s), None)
        if told != self._told_eta[0]:
            self._told_eta = (told, time.monotonic())
        return time.monotonic() - self._told_eta[1]

    def _open_log(self, _change: Any) -> None:
        """The log is opened, perhaps of a run that has ended and that nobody follows any more."""
        if self._panel.log_open:
            self._panel.log_text = self.run.log_tail(LOG_LINES)

    def _log(self) -> str | None:
        return self.run.log_tail(LOG_LINES) if self._panel.log_open else None

    def _act(self, action: str, _number: int = 0) -> None:
        """A button was pressed: acknowledge at once, do what may take a second or two in a thread."""
        actions = {"stop": self.run.stop, "cancel": self.run.cancel, "resume": self._resume}
        if action == "fix":
            self._start_thread(lambda: self._try(self._fix))
        elif action in actions:
            self._asked = action if action != "resume" else ""
            self._told = None
            self._wake.set()
            self._start_thread(lambda: self._try(actions[action]))

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except PhinbError as error:
            self._asked = ""
            self._told = Card("error", error.message, hint=error.hint)
            self._draw()
        except OSError as error:
            self._asked = ""
            self._told = Card("error", f"The wish could not be written: {error}.", hint="Is the disk full?")
            self._draw()
        self._wake.set()

    def _fix(self) -> None:
        self._told = self._remedy.carry_out(self.run.state)
        self._draw()

    def _resume(self) -> None:
        self._stay()
        self.run.resume()
        self._start_thread(self._follow)

    def _stay(self) -> None:
        if self._settle in self._shell.events.callbacks["pre_run_cell"]:
            self._shell.events.unregister("pre_run_cell", self._settle)

    def _settle(self, _info: Any = None) -> None:
        """Put the saved form in the panel's place."""
        self._stay()
        self._output.settle(run_bundle(self.run.state))
