"""The live panel of a preview: tokens, problems with their remedies, numbers that fill in, the template to be edited.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

import contextvars
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import traitlets

from phinb.config import Config
from phinb.data.rows import Rows
from phinb.data.scan import Scan
from phinb.data.texts import named_columns
from phinb.errors import PhinbError
from phinb.notebook.binding import binding_of
from phinb.notebook.cells import Cells
from phinb.notebook.column_choice import read_wanted
from phinb.notebook.config_summary import listed_problems
from phinb.notebook.counting import Counting
from phinb.notebook.host import replace_shown, show
from phinb.notebook.html import visible
from phinb.notebook.open_previews import previews_of
from phinb.notebook.preview_html import preview_bundle
from phinb.notebook.preview_state import describe_progress, describe_state, near_text
from phinb.notebook.preview_view import describe_numbers
from phinb.notebook.rows_view import RowsView
from phinb.notebook.sequence_reader import SequenceReader
from phinb.notebook.template_view import describe_editor, editor_edits, note_answer
from phinb.notebook.widget import PanelWidget, join_files

if TYPE_CHECKING:
    from phinb.models.tokenizers import Tokenizer

SCRIPTS = (
    "elements.js",
    "cards.js",
    "token_view.js",
    "template_text.js",
    "template_editor.js",
    "rows_table.js",
    "preview_numbers.js",
    "preview_panel.js",
)
STYLES = ("panel.css", "controls.css", "token_view.css", "template_editor.css", "rows_table.css", "preview_panel.css")

OPENING_S = 0.25
"""How long the cell waits for the first sequences, so that the panel opens with them; with a fast disk it need not."""

ANSWERING_S = 0.05
"""How long an answer to the user waits for the first sequences of what was changed, to go with them in one message. Two
threads at work at once would get in each other's way: Python takes 5 ms to go from one to the other."""

SAVE_AFTER_S = 1.0
"""Seconds without a change after which the saved form is made anew."""

STILL_CHANGING = "The data have changed on disk again: these are the rows of before. What you do next counts them anew."

EXAMPLES = 20
"""Rows that the template editor has examples from."""


class PreviewWidget(PanelWidget):
    """What is sent, and only where it changed; `spoken` does each time, so that the page knows that it was heard.

    state, numbers: preview_state.py, preview_view.py. place: where in which order. sequence: preview_tokens.py.
    template: template_view.py. rows: rows_view.py, once they are asked for.
    """

    _esm = join_files(SCRIPTS)
    _css = join_files(STYLES)

    state = traitlets.Dict().tag(sync=True)
    place = traitlets.Dict().tag(sync=True)
    sequence = traitlets.Dict().tag(sync=True)
    numbers = traitlets.Dict().tag(sync=True)
    template = traitlets.Dict().tag(sync=True)
    rows = traitlets.Dict().tag(sync=True)
    spoken = traitlets.Int(0).tag(sync=True)


@dataclass(frozen=True)
class Known:
    """The first rows of a data config, as `scan` had them."""

    columns: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    tokenizer: Tokenizer | None = None
    scan: Scan | None = None


class PreviewPanel:
    """The data of the Config that `variable` is bound to, by default its training data; "" stands for a file's.

    It shares the variable with other panels (binding.py), whose lock guards all. `limit`: sequences in the saved form.
    """

    def __init__(
        self, shell: Any, variable: str, config: Config, cells: Cells, data: str | None = None, limit: int = 3
    ) -> None:
        self.display_id = f"phinb-{secrets.token_hex(8)}"
        self.data, self.limit = data, limit
        self.binding = binding_of(shell, variable, config, cells)
        self._lock = self.binding.lock
        self._context = contextvars.copy_context()
        self._reader = SequenceReader()
        self._said: dict[str, str] | None = None
        self._answers: Mapping[str, int] = {}
        self._looking_for = ""
        self._described: tuple[Any, ...] = ()
        self._known: dict[str, Known] = {}
        self._rows: RowsView | None = None
        self._named = data or ""
        self._closed = False
        self._others = previews_of(shell)
        self._again = False
        self._widget = PreviewWidget(self._receive)
        self._counting = self._count()

    def open(self) -> None:
        """Display the static twin, and the panel below it, which hides the twin while it is alive."""
        self._counting.begin()
        self._counting.ready.wait(OPENING_S)
        with self._lock:
            self.binding.listen(self._hear)
            self._others.enter(self)
            self._draw()
            show(self._bundle(), self.display_id)
            show(self._widget.mimebundle())

    def close(self) -> None:
        """Nobody sees this panel any more."""
        with self._lock:
            self._closed = True
            self.binding.leave(self._hear)
            self._others.leave(self)
            self._counting.close()
            self._widget.close()

    def is_of(self, config: Config) -> bool:
        """Whether the panel shows data of this configuration, or of the same file."""
        own = self.binding.config
        return own is config or (not self.binding.variable and own.path is not None and own.path == config.path)

    def look(self) -> str:
        """Whether the data have changed on disk: then they are counted anew, and their name is the answer; else ""."""
        with self._lock:
            if not self._look_for_changes():
                return ""
            self._draw()
            return visible(self._name)

    def _count(self, start: int = 0) -> Counting:
        counting = Counting(
            self.binding.config,
            self.data,
            self.limit,
            lambda: self._hear_count(counting),
            start=start,
            context=self._context,
        )
        return counting

    # ------------------------------------------------------------------------------------------- what is heard

    def _hear(self) -> None:
        """The configuration has changed, by this panel or by another: everything is counted anew."""
        self._counting.close()
        self._counting = self._count(self._reader.start)
        self._counting.begin()

    def _hear_count(self, counting: Counting) -> None:
        """In the thread that counts."""
        with self._lock:
            if counting is not self._counting or self._closed:
                return
            if not counting.is_busy and counting.scan is not None and counting.scan.outdated:
                # Once by itself: who writes to a file all the time would have it counted all the time.
                if not self._again:
                    self._again = True
                    self._look_for_changes()
                    return
                self._said = {"text": STILL_CHANGING, "tone": "warn"}
            self._draw()
            if not counting.is_busy:
                saving = threading.Timer(SAVE_AFTER_S, self._context.copy().run, (self._save, counting))
                saving.daemon = True
                saving.start()

    def _save(self, counting: Counting) -> None:
        with self._lock:
            if counting is self._counting and not counting.is_busy and not self._closed:
                replace_shown(self._bundle(), self.display_id)

    def _receive(self, content: dict[str, Any]) -> None:
        with self._lock:
            self._said = None
            self._again = False
            try:
                self._look_for_changes()
                self._act(content)
            except PhinbError as error:
                self._said = {"text": visible(f"{error.message} {error.hint}".strip()), "tone": "bad"}
            except Exception as error:
                # Nobody sees what a callback raises: it is told where the user looks.
                self._said = {"text": visible(f"phinb itself failed: {type(error).__name__}: {error}"), "tone": "bad"}
            if self._counting.phase == "opening":
                self._counting.ready.wait(ANSWERING_S)
            self._draw()

    def _look_for_changes(self) -> bool:
        """What is shown must not be of files that are others by now: training would get these."""
        scan = self._counting.scan
        if scan is None or not scan.outdated or self._closed:
            return False
        self._said = {"text": "The data have changed on disk: they are counted anew.", "tone": "warn"}
        self._hear()
        return True

    def _act(self, content: dict[str, Any]) -> None:
        actions = {
            "show": self._show,
            "stop": lambda _content: self._counting.stop(),
            "go_on": self._go_on,
            "compare": lambda _content: self._counting.compare(),
            "data": self._choose_data,
            "fix": self._fix,
            "template": self._edit_template,
            "rows": self._turn_rows,
            "row": self._choose_row,
            "undo": self._take_back,
        }
        action = actions.get(str(content.get("action")))
        if action is not None and not self._closed:
            action(content)

    def _show(self, content: dict[str, Any]) -> None:
        self._reader.move(content.get("order"), content.get("position"))

    def _go_on(self, _content: dict[str, Any]) -> None:
        if self._counting.phase == "stopped":
            self._counting.begin()

    def _choose_data(self, content: dict[str, Any]) -> None:
        names, number = self._names(), content.get("number")
        if isinstance(number, int) and 0 <= number < len(names):
            self.data = self._named = names[number]
            self._reader.go_to(0)
            self._rows = RowsView(Rows(None)) if self._rows is not None else None
            self._hear()

    def _fix(self, content: dict[str, Any]) -> None:
        problems = listed_problems(self._counting.preview.problems)
        number = content.get("number")
        problem = problems[number] if isinstance(number, int) and 0 <= number < len(problems) else None
        # A press that was under way while the list changed must not mend something else.
        if problem is not None and problem.fix is not None and visible(problem.message) == content.get("of"):
            self.binding.edit(*problem.fix.edits)
            self._tell_changed()

    def _edit_template(self, content: dict[str, Any]) -> None:
        self._answers = note_answer(self._answers, content)
        self._looking_for = read_wanted(content, "looking_for", self._looking_for)
        known = self._look_at_rows()
        edits = editor_edits(self.binding.config, content, known.columns, rows=known.rows, tokenizer=known.tokenizer)
        if edits:
            self.binding.edit(*edits, merge="template")
            self._tell_changed()

    def _turn_rows(self, content: dict[str, Any]) -> None:
        scan = self._counting.scan
        if self._rows is None and scan is not None:
            self._rows = self._view_rows(scan)
        if self._rows is not None:
            self._rows.receive(content)

    def _view_rows(self, scan: Scan) -> RowsView:
        used: tuple[str, ...] = ()
        with suppress(PhinbError):  # a template that cannot be read names none
            used = named_columns(scan.recipe)
        return RowsView(scan.rows, used)

    def _choose_row(self, content: dict[str, Any]) -> None:
        """Show the sequence that a row begins in."""
        row, scan = content.get("row"), self._counting.scan
        if self._rows is None or scan is None or not isinstance(row, int):
            return
        self._rows.receive(content)
        index = scan.find_sequence(row)
        if index is None:
            told = "is in no sequence." if scan.done else "is not counted yet, or is in no sequence."
            self._said = {"text": f"Row {row + 1:,} {told}", "tone": "warn"}
        else:
            self._reader.go_to(index)

    def _take_back(self, _content: dict[str, Any]) -> None:
        self.binding.take_back()

    def _tell_changed(self) -> None:
        name = self.binding.variable
        text = f"{name} is changed; its cell is as it was until the panel of %olive_config {name} writes to it."
        self._said = {"text": text, "tone": ""}

    # --------------------------------------------------------------------------------------------- what is sent

    @property
    def _name(self) -> str:
        """The data config's; the one before, while the text as it is now names none."""
        self._named = self._counting.preview.name or self._named
        return self._named

    def _names(self) -> list[str]:
        config = self.binding.config
        return [str(one.get("name")) for one in config.to_olive().get("data_configs") or []] if config.ok else []

    def _draw(self) -> None:
        counting, widget = self._counting, self._widget
        with widget.hold_sync():
            # While a text is being typed, numbers that are there for a tenth of a second would only flicker.
            if counting.settled or not widget.state:
                names = self._names()
                chosen = names.index(counting.preview.name) if counting.preview.name in names else -1
                fixed = describe_state(counting, list(map(visible, names)), chosen, fixable=bool(self.binding.variable))
                widget.numbers = self._describe_numbers()
            else:
                fixed = {**widget.state, "stale": True}
            widget.state = fixed | {
                "name": visible(self.binding.variable or self.binding.config.name),
                "undo": len(self.binding.history),
                "progress": describe_progress(counting),
                "said": self._said,
            }
            self._draw_sequence()
            self._draw_template()
            self._draw_rows()
            widget.spoken += 1

    def _describe_numbers(self) -> dict[str, Any]:
        counting = self._counting
        scan, stats = counting.scan, counting.preview.stats
        return describe_numbers(stats, scan.recipe, near=near_text(counting)) if scan and stats.rows else {}

    def _draw_sequence(self) -> None:
        try:
            place, sequence = self._reader.read(self._counting)
        except PhinbError as error:
            self._said = {"text": visible(f"{error.message} {error.hint}".strip()), "tone": "bad"}
            return
        if place is not None:
            self._widget.place = place
        if sequence is not None:
            self._widget.sequence = sequence

    def _look_at_rows(self) -> Known:
        """What the template editor knows of the rows; where the text cannot be read now, what was known before."""
        name, scan = self._name, self._counting.scan
        if scan is not None and scan.rows.columns and self._known.get(name, Known()).scan is not scan:
            with suppress(PhinbError):  # the panel says so where the problem is
                rows = scan.rows.page(0, EXAMPLES)
                self._known[name] = Known(scan.rows.columns, rows, scan.tally.tokenizer, scan)
        return self._known.get(name, Known())

    def _draw_template(self) -> None:
        if not self.binding.variable or not self._name:
            return
        known = self._look_at_rows()
        described = (self.binding.config, self._name, known, self._answers, self._looking_for)
        if described == self._described:
            return
        self._described = described
        try:
            self._widget.template = describe_editor(
                self.binding.config,
                self._name,
                known.columns,
                rows=known.rows,
                tokenizer=known.tokenizer,
                answers=self._answers,
                looking_for=self._looking_for,
            )
        except PhinbError:
            self._widget.template = {}

    def _draw_rows(self) -> None:
        """The rows of the newest scan, where the user was in those of the one before."""
        before, scan = self._rows, self._counting.scan
        if before is None or scan is None:
            return
        if before.rows is not scan.rows:
            self._rows = self._view_rows(scan)
            self._rows.looking_for = before.looking_for
            self._rows.start, self._rows.search, self._rows.chosen = before.start, before.search, before.chosen
        self._widget.rows = (self._rows or before).describe()

    def _bundle(self) -> dict[str, Any]:
        counting = self._counting
        return preview_bundle(
            self.binding.variable or self.binding.config.name,
            counting.preview,
            self.limit,
            first=counting.first,
            note=describe_progress(counting)["text"] if counting.phase != "done" else "",
            above_panel=True,
        )
