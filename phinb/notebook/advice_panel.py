"""Advice as a live panel: a button a piece, which writes it into the configuration that the variable is bound to."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from phinb.config import Config
from phinb.errors import PhinbError
from phinb.notebook.advice_html import advice_bundle, advice_card, summarize_advice
from phinb.notebook.binding import binding_of
from phinb.notebook.cells import Cells
from phinb.notebook.host import show
from phinb.notebook.html import visible
from phinb.notebook.live_output import LiveOutput
from phinb.notebook.progress_panel import ProgressPanel
from phinb.workflow.advice import Advice, apply_advice
from phinb.workflow.view import Button, Card, View


class AdvicePanel:
    """The advice on the Config of `variable`. After each press what is left is worked out anew."""

    def __init__(self, shell: Any, variable: str, config: Config, cells: Cells, advice: Sequence[Advice]) -> None:
        self.binding = binding_of(shell, variable, config, cells)
        self._advice = tuple(advice)
        self._done: tuple[Advice, ...] = ()
        self._said: Card | None = None
        self._busy = False
        self._output = LiveOutput()
        self._panel = ProgressPanel(self._act)

    def open(self) -> None:
        """Display the panel with its saved form; advice that nobody can carry out needs no panel."""
        if not any(one.fix for one in self._advice):
            show(advice_bundle(self.binding.config, self._advice))
            return
        saved = self._twin()
        self._panel.show(self._view(), last=True)
        self._output.open(saved, self._panel.mimebundle(saved["text/plain"]))

    def _act(self, action: str, number: int) -> None:
        cards = self._listed()
        if self._busy or action not in ("fix", "all") or (action == "fix" and not 0 <= number < len(cards)):
            return
        chosen = self._advice if action == "all" else tuple(filter(None, [cards[number]]))
        self._said = None
        if self._apply(chosen):
            # What is left depends on what was changed, and the rows may take a while: the button answers at once.
            self._busy = True
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._ask,), name="phinb-advice", daemon=True).start()
        self._panel.show(self._view(), last=True)

    def _apply(self, chosen: Sequence[Advice]) -> bool:
        try:
            with self.binding.lock:
                self.binding.check()
                changed, done = apply_advice(self.binding.config, tuple(chosen))
                if done:
                    self.binding.bind(changed)
        except PhinbError as error:
            self._said = Card("error", visible(error.message), hint=visible(error.hint))
            return False
        self._done = (*self._done, *done)
        if not done:
            self._said = Card("warning", "It cannot be written into this text.", hint="Write it there by hand.")
        return bool(done)

    def _ask(self) -> None:
        from phinb.api import advise

        try:
            self._advice = advise(self.binding.config)
        except Exception as error:
            # The thread has no cell to raise in: what happened is told where the user looks.
            self._advice = ()
            self._said = Card("error", f"What is left could not be worked out: {visible(str(error))}")
        self._busy = False
        self._output.renew(self._twin())
        self._panel.show(self._view(), last=True)

    def _twin(self) -> dict[str, Any]:
        """The saved form, hidden while the panel below it lives."""
        advice = (*self._done, *self._advice)
        return advice_bundle(self.binding.config, advice, self._done or None, above_panel=True)

    def _listed(self) -> list[Advice | None]:
        """What each card is about, in the order of the cards."""
        said: list[Advice | None] = [None] if self._said else []
        return [*said, *(None for _ in self._done), *self._advice]

    def _view(self) -> View:
        cards = [self._said] if self._said else []
        cards += [advice_card(one, done=True) for one in self._done]
        for one in self._advice:
            card = advice_card(one)
            cards.append(replace(card, hint="", fix="" if self._busy or one.fix is None else one.fix.title))
        verdict, told = summarize_advice((*self._done, *self._advice), self._done or None)
        left = sum(one.fix is not None for one in self._advice)
        name = self.binding.variable
        every = Button("all", "Apply all", f"Write all of it into {name}", enabled=not self._busy)
        note = (
            f"{name} is changed; %olive_config {name} --show prints it, its cell is as it was" if self._done else told
        )
        return View(
            name=f"Advice on {name}",
            run_id="",
            status_text="looking again" if self._busy else verdict,
            tone="run" if self._busy else "ok" if self._done and not left else "dim",
            cards=tuple(cards),
            note=note,
            lost_note=note,
            buttons=(every,) if left > 1 else (),
        )
