"""The button under a failed run that changes the configuration, where the remedy is a change of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from phinb.config import Config
from phinb.errors import PhinbError
from phinb.notebook.binding import Binding, binding_of
from phinb.notebook.cells import cells_of
from phinb.types import RunState
from phinb.workflow.fixes import offer_fix
from phinb.workflow.runner import Run
from phinb.workflow.view import Card


class Remedy:
    """Acts on the variable of the notebook that bears the name of the run's configuration, if there is one."""

    def __init__(self, shell: Any, run: Run) -> None:
        self._shell = shell
        self._run = run

    def offer(self, state: RunState, cards: Sequence[Card]) -> tuple[Card, ...]:
        """The cards, the first of them with a button where a change of the variable would be the remedy."""
        binding = self._binding() if state.status == "failed" and cards else None
        fix = offer_fix(state, binding.config) if binding else None
        return (replace(cards[0], fix=fix.title), *cards[1:]) if fix else tuple(cards)

    def carry_out(self, state: RunState) -> Card:
        """Change the variable; returns what to say then. Raises PhinbError where it is not what it was any more."""
        binding = self._binding()
        fix = offer_fix(state, binding.config) if binding else None
        if binding is None or fix is None:
            raise PhinbError("The configuration has changed by now.", f"%olive_config {self._run.name} shows it.")
        with binding.lock:
            binding.edit(*fix.edits)
        name = self._run.name
        return Card(
            "info", f"Done in {name}: {fix.title}.", hint=f"%olive_run {name} starts it; its cell is as it was."
        )

    def _binding(self) -> Binding | None:
        config = self._shell.user_ns.get(self._run.name)
        if not isinstance(config, Config):
            return None
        return binding_of(self._shell, self._run.name, config, cells_of(self._shell))
