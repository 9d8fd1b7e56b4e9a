"""The live panel of a configuration: a form, its problems with their remedies, and the way back into the cell.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

import difflib
import secrets
from dataclasses import dataclass
from typing import Any

import traitlets

from phinb.config import Config
from phinb.config.form import Form, describe_form
from phinb.errors import PhinbError
from phinb.notebook.binding import binding_of
from phinb.notebook.cells import Cells
from phinb.notebook.config_html import config_bundle, moved_bundle
from phinb.notebook.config_summary import count, listed_problems
from phinb.notebook.config_view import describe_outline, describe_state, describe_values, from_control
from phinb.notebook.host import replace_shown, show
from phinb.notebook.html import visible
from phinb.notebook.widget import PanelWidget, join_files
from phinb.types import Edit

SCRIPTS = ("elements.js", "cards.js", "cell_editor.js", "config_form.js", "config_panel.js")
STYLES = ("panel.css", "controls.css", "config_panel.css")


class ConfigWidget(PanelWidget):
    """What is sent, and only where it changed; `tab` is the browser's to set, so that it survives a reload.

    outline, values, state: config_view.py. texts: the cells with what they hold and what they should, the diff.
    """

    _esm = join_files(SCRIPTS)
    _css = join_files(STYLES)

    outline = traitlets.Dict().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    texts = traitlets.Dict().tag(sync=True)
    tab = traitlets.Unicode("Passes").tag(sync=True)


@dataclass(frozen=True)
class _Said:
    text: str
    tone: str = ""


class ConfigPanel:
    """The panel of the Config that is bound to `variable`. Each change makes a new Config and binds it anew.

    It shares the variable with other panels (binding.py), whose lock guards all; `settled` waits for it.
    """

    def __init__(self, shell: Any, variable: str, config: Config, cells: Cells) -> None:
        self.variable = variable
        self.binding = binding_of(shell, variable, config, cells)
        self.display_id = f"phinb-{secrets.token_hex(8)}"
        self._cells = cells
        self._cell_id = cells.running
        self._pieces = cells.pieces_of(config)
        self._moved = ""
        self._last: Config | None = None
        self._said: _Said | None = None
        self._acting = False
        self._upgradable = bool(config.changes)
        self._primary: set[str] = set()
        self._known: set[str] = set()
        self._form: Form = describe_form(config)
        self._lock = self.binding.lock
        self._widget = ConfigWidget(self._receive)

    @property
    def config(self) -> Config:
        """What the variable means now; in a panel that hears no more of it, what it meant then."""
        return self._last or self.binding.config

    def open(self) -> None:
        """Display the static twin, and the panel below it, which hides the twin while it is alive."""
        self.binding.listen(self._hear)
        self._draw()
        self._widget.tab = self._first_tab()
        show(config_bundle(self.config, above_panel=True), self.display_id)
        show(self._widget.mimebundle("The form needs a live kernel: run the cell again."))

    def leave(self) -> None:
        """Hear no more of the variable: another panel takes over, and `move` will say where."""
        self._last = self.binding.config
        self.binding.leave(self._hear)

    def move(self, cell_id: str, label: str) -> None:
        """Another panel of the same variable takes over, in the cell that is called `label`; this one says so.

        In the same cell the output is gone already, and with it all that could be said.
        """
        if self._cell_id and self._cell_id == cell_id:
            self._widget.close()
            return
        with self._lock:
            self._moved = f"shown at {label}"
            self._draw()
        replace_shown(moved_bundle(self.variable, self._moved), self.display_id)

    def settled(self) -> Config:
        """The configuration once whatever is under way is done."""
        with self._lock:
            return self.config

    # ---------------------------------------------------------------------------------------- messages

    def _hear(self) -> None:
        """The configuration has changed, by this panel or by another."""
        self._pieces = self._cells.pieces_of(self.config) or self._pieces
        if not self._acting:
            self._draw()

    def _receive(self, content: dict[str, Any]) -> None:
        with self._lock:
            self._said, self._acting = None, True
            try:
                self._act(content)
            except PhinbError as error:
                self._said = _Said(visible(f"{error.message} {error.hint}".strip()), "bad")
            except Exception as error:
                # Nobody sees what a callback raises: it is told where the user looks.
                self._said = _Said(visible(f"phinb itself failed: {type(error).__name__}: {error}"), "bad")
            self._acting = False
            self._draw()

    def _act(self, content: dict[str, Any]) -> None:
        actions = {
            "set": self._set,
            "reset": self._reset,
            "fix": self._fix,
            "undo": self._take_back,
            "upgrade": self._upgrade,
            "written": self._written,
        }
        action = actions.get(str(content.get("action")))
        if action is None or self._moved:
            return
        self.binding.check()
        action(content)

    def _set(self, content: dict[str, Any]) -> None:
        field = self._form.fields.get(str(content.get("path")))
        edit = from_control(field, content.get("value")) if field is not None else None
        if edit is not None:
            self.binding.edit(edit)

    def _reset(self, content: dict[str, Any]) -> None:
        field = self._form.fields.get(str(content.get("path")))
        if field is not None and field.optional and field.origin in ("you", "upgrade"):
            self.binding.edit(Edit("remove", field.path))

    def _fix(self, content: dict[str, Any]) -> None:
        problems = listed_problems(self.config.problems)
        number = content.get("number")
        problem = problems[number] if isinstance(number, int) and 0 <= number < len(problems) else None
        # A press that was under way while the list changed must not mend something else.
        if problem is not None and problem.fix is not None and visible(problem.message) == content.get("of"):
            self.binding.edit(*problem.fix.edits)

    def _upgrade(self, _content: dict[str, Any]) -> None:
        if self.config.changes:
            self.binding.bind(self.config.upgraded())
            self._said = _Said("The text is in today's form now; the cell is as it was until you write to it.")

    def _take_back(self, _content: dict[str, Any]) -> None:
        self.binding.take_back()

    def _written(self, content: dict[str, Any]) -> None:
        """The page has put the texts of these cells into their editors."""
        numbers = content.get("numbers")
        known = [at for at, piece in enumerate(self._pieces) if piece.head is not None]
        done = {at for number, at in enumerate(known) if isinstance(numbers, list) and number in numbers}
        texts = self._texts()
        self._cells.write(self.variable, [texts[at] if at in done else held for at, held in enumerate(self._held())])
        self._pieces = self._cells.pieces_of(self.config)

    # --------------------------------------------------------------------------------------- what is sent

    def _draw(self) -> None:
        self._form = describe_form(self.config)
        fields = self._form.fields
        # What matters first is settled when a field first comes: no row changes its place under the user's hand.
        self._primary |= {path for path, field in fields.items() if field.primary and path not in self._known}
        self._known |= fields.keys()
        self._upgradable = self._upgradable or bool(self.config.changes)
        widget = self._widget
        with widget.hold_sync():
            widget.outline = describe_outline(self._form, self._primary)
            widget.values = describe_values(self._form)
            widget.state = describe_state(self.config, self._form) | {
                "undo": len(self.binding.history),
                "upgradable": self._upgradable,
                "standing": self._standing(),
                "moved": self._moved,
                "said": {"text": self._said.text, "tone": self._said.tone} if self._said else None,
            }
            widget.texts = self._describe_texts()

    def _first_tab(self) -> str:
        """Where the first error is; else what this cell brings, where it is one of several; else the passes."""
        sections = {
            section.title: [field for group in section.groups for field in group.fields]
            for section in self._form.sections
        }
        for title, fields in sections.items():
            if any(field.problem and field.problem.severity == "error" for field in fields):
                return title
        own = next((piece.label for piece in self._pieces if piece.cell_id == self._cell_id), "")
        if len(self._pieces) > 1 or not sections["Passes"]:
            source = own if len(self._pieces) > 1 else ""
            for title, fields in sections.items():
                if any(field.source == source and field.origin in ("you", "upgrade") for field in fields):
                    return title
        return "Passes"

    def _standing(self) -> str:
        if not self._edited():
            return "As it stands in the cell." if self._pieces else "As it was read."
        made = len(self.binding.history)
        told = count(made, "change") if made else "Changed"
        return f"{told}, not in the cell yet." if self._pieces else f"{told}."

    def _edited(self) -> bool:
        return self._held() != self._texts()

    def _held(self) -> list[str]:
        """The texts that stand in the cells; of a file or a dict, those that were read."""
        given = self._cells.written_texts(self.binding.given)
        return [piece.text for piece in self._pieces] or [text for _, text in given]

    def _texts(self) -> list[str]:
        """The texts as they are now."""
        return [text for _, text in self._cells.written_texts(self.config)]

    def _describe_texts(self) -> dict[str, Any]:
        texts = self._texts()
        cells = [
            {"label": piece.label, "read": piece.in_editor(piece.text), "write": piece.in_editor(text)}
            for piece, text in zip(self._pieces, texts, strict=False)
            if piece.head is not None
        ]
        whole = "\n".join(texts)
        return {"cells": cells, "copy": whole, "edited": self._edited(), "diff": visible(self._diff())}

    def _diff(self) -> str:
        """What was edited, then what an upgrade that is still to be applied would change."""
        labels = [piece.label for piece in self._pieces] if len(self._pieces) > 1 else [self.variable]
        parts = [
            _unified(old, new, label) for old, new, label in zip(self._held(), self._texts(), labels, strict=False)
        ]
        return "\n".join(part for part in (*parts, self.config.diff()) if part)


def _unified(before: str, after: str, name: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name} (edited)", lineterm="")
    return "\n".join(lines)
