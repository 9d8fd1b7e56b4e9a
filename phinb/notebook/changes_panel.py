"""What changed between stages as a live panel: the rows, one of them in full, its tokens, and the export.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

import contextvars
import secrets
import threading
from pathlib import Path
from typing import Any

import traitlets

from phinb.errors import PhinbError
from phinb.evaluation.artefacts import measure_size
from phinb.evaluation.results import Comparison
from phinb.evaluation.row_tokens import TokenReader
from phinb.evaluation.wording import size
from phinb.notebook.changes_details import describe_details, describe_tokens
from phinb.notebook.changes_html import changes_bundle
from phinb.notebook.changes_view import ChangesView
from phinb.notebook.host import replace_shown, show
from phinb.notebook.html import visible
from phinb.notebook.token_reading import TokenReading
from phinb.notebook.widget import PanelWidget, join_files

SCRIPTS = ("elements.js", "rows_table.js", "changes_table.js", "changes_details.js", "changes_panel.js")
STYLES = ("panel.css", "controls.css", "rows_table.css", "changes_panel.css")

SAVE_AFTER_S = 1.0
"""Seconds without a change after which the saved form is made anew."""

EXPORTS = {"csv": ".csv", "jsonl": ".jsonl"}


class ChangesWidget(PanelWidget):
    """What is sent, and only where it changed.

    table: changes_view.py. details: changes_details.py, {} where no row is chosen. tokens: the chosen row's, with how
    far the reading is. state: the panel's name and what it says.
    """

    _esm = join_files(SCRIPTS)
    _css = join_files(STYLES)

    state = traitlets.Dict().tag(sync=True)
    table = traitlets.Dict().tag(sync=True)
    details = traitlets.Dict().tag(sync=True)
    tokens = traitlets.Dict().tag(sync=True)


class ChangesPanel:
    """The rows of a comparison. folder: where read tokens are kept, None: only as long as the panel lives.

    `note` says of what the comparison is. Raises PhinbError where fewer than two variants answered.
    """

    def __init__(self, comparison: Comparison, folder: Path | None = None, note: str = "") -> None:
        self.display_id = f"phinb-{secrets.token_hex(8)}"
        self.view = ChangesView(comparison)
        self.note = note
        self._lock = threading.RLock()
        self._context = contextvars.copy_context()
        self._said: dict[str, str] | None = None
        self._reading = TokenReading(TokenReader(comparison, folder), self._hear)
        self._cost = ""
        self._saving: threading.Timer | None = None
        self._closed = False
        self._widget = ChangesWidget(self._receive)

    def open(self) -> None:
        """Display the static twin, and the panel below it, which hides the twin while it is alive."""
        with self._lock:
            if self.view.chosen is not None:
                self._reading.choose(self.view.chosen)
            self._draw()
            show(self._bundle(), self.display_id)
            show(self._widget.mimebundle())

    def close(self) -> None:
        """Nobody sees this panel any more: its variants' processes end."""
        with self._lock:
            self._closed = True
            if self._saving is not None:
                self._saving.cancel()
        self._reading.close()
        self._widget.close()

    # ----------------------------------------------------------------------------------------- what is heard

    def _receive(self, content: dict[str, Any]) -> None:
        with self._lock:
            self._said = None
            try:
                self._act(content)
            except PhinbError as error:
                self._said = {"text": visible(f"{error.message} {error.hint}".strip()), "tone": "bad"}
            except Exception as error:
                # Nobody sees what a callback raises: it is told where the user looks.
                self._said = {"text": visible(f"phinb itself failed: {type(error).__name__}: {error}"), "tone": "bad"}
            self._draw()
            self._save_later()

    def _act(self, content: dict[str, Any]) -> None:
        match content:
            case {"action": "tokens"}:
                self._reading.begin()
            case {"action": "stop"}:
                self._reading.stop()
            case {"action": "export", "as": str(kind)} if kind in EXPORTS:
                path = self.view.export(EXPORTS[kind], Path.cwd())
                rows = len(self.view.shown)
                text = f"{rows:,} {'row is' if rows == 1 else 'rows are'} written: {path}"
                self._said = {"text": visible(text), "tone": "ok"}
            case _:
                chosen = self.view.chosen
                self.view.receive(content)
                if self.view.chosen != chosen:
                    self._reading.choose(self.view.chosen)

    def _hear(self) -> None:
        """In the thread that reads."""
        with self._lock:
            if self._closed:
                return
            self._draw()
            if self._reading.busy_row is None:
                self._save_later()

    # ------------------------------------------------------------------------------------------ what is sent

    def _draw(self) -> None:
        view, widget = self.view, self._widget
        with widget.hold_sync():
            widget.state = {
                "name": visible(view.rows.comparison.name or "comparison"),
                "told": visible(f"{view.changes.describe()} {self.note}".strip()),
                "said": self._said,
            }
            widget.table = view.describe()
            if view.chosen is None:
                widget.details, widget.tokens = {}, {}
            else:
                widget.details = describe_details(view.rows, view.chosen, view.before, view.after)
                widget.tokens = self._describe_reading()

    def _describe_reading(self) -> dict[str, Any]:
        reading = self._reading
        busy = reading.busy_row
        doing = ""
        if busy is not None:
            row = "" if busy == reading.row else f"row {self.view.rows.number(busy) + 1}: "
            doing = f"{row}{reading.doing}, {reading.done} of {reading.total} variants read"
        return {
            **describe_tokens(self.view.rows, reading.found),
            "phase": reading.phase,
            "busy": busy is not None,
            "doing": visible(doing),
            "fraction": reading.done / reading.total if busy is not None else None,
            "error": visible(reading.error),
            "cost": self._tell_cost() if reading.phase == "unread" else "",
        }

    def _tell_cost(self) -> str:
        """What reading takes, before it is begun."""
        if not self._cost:
            names = self.view.rows.names
            try:
                files = size(sum(measure_size(self.view.rows.answered[name].variant) for name in names))
            except PhinbError:
                files = "some files are not there any more"
            many = f"{len(names)} variants, one after the other ({files})"
            self._cost = (
                f"Loads {many}; further rows take a moment while they are loaded, which ends after two idle minutes."
            )
        return self._cost

    def _save_later(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
        self._saving = threading.Timer(SAVE_AFTER_S, self._context.copy().run, (self._save,))
        self._saving.daemon = True
        self._saving.start()

    def _save(self) -> None:
        with self._lock:
            if not self._closed:
                replace_shown(self._bundle(), self.display_id)

    def _bundle(self) -> dict[str, Any]:
        return changes_bundle(self.view, self._reading.found, note=self.note, above_panel=True)
