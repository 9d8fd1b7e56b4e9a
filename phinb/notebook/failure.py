"""Errors on purpose become a card: what happened and what to do, and no traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from phinb.errors import ConfigError, PhinbError
from phinb.notebook.host import Host, find_host, show
from phinb.notebook.html import card_html, frame, visible
from phinb.types import Problem
from phinb.workflow.text import card_text
from phinb.workflow.view import Card


class ShownError(Exception):
    """Ends a cell that has already shown what went wrong; its own traceback is one line or a few."""

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


class WaitingEnded(KeyboardInterrupt):
    """Ctrl-C while a cell waited for a run: the cell ends, the cells after it do not run, the run goes on."""

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


def problem_card(problem: Problem) -> Card:
    """A problem with its place."""
    # The message names the key already: where the line is known, the path would only be in the way.
    placed = replace(problem, path="") if problem.line is not None else problem
    place = placed.where if placed.line is not None or placed.path else ""
    return Card(problem.severity, visible(problem.message), hint=visible(problem.hint), place=visible(place))


def error_cards(error: PhinbError) -> list[Card]:
    """One card; for a configuration with errors one for each of them."""
    if isinstance(error, ConfigError):
        return [problem_card(problem) for problem in error.problems if problem.severity == "error"]
    return [Card("error", error.message, hint=error.hint)]


def cards_bundle(cards: Sequence[Card], label: str) -> dict[str, Any]:
    return {
        "text/html": frame(*map(card_html, cards), label=label, bare=True),
        "text/plain": "\n".join(map(card_text, cards)),
    }


def fail(shell: Any, error: PhinbError) -> None:
    """Show `error`; where nobody is there to see it, raise, so that a notebook that runs alone fails."""
    cards = error_cards(error)
    host = find_host(shell)
    if host is not Host.TERMINAL:
        show(cards_bundle(cards, "Error"))
    if host is not Host.PANEL:
        raise ShownError("\n".join(map(card_text, cards))) from None
