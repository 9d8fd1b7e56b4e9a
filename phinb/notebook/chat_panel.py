"""The chat's live panel: a form of the template's fields, and the replies of up to four variants side by side.

Importing this module loads ipywidgets; it is imported when a panel is first shown, not by %load_ext.
"""

from __future__ import annotations

import contextvars
import queue
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import traitlets

from phinb.errors import PhinbError
from phinb.evaluation.chat import Chat, ChatSettings, Exchange, Reply
from phinb.evaluation.process import Stopped
from phinb.evaluation.row_file import add_row, list_training_files
from phinb.notebook.chat_html import chat_bundle
from phinb.notebook.chat_view import (
    Turn,
    describe_columns,
    describe_form,
    describe_loaded,
    describe_settings,
    describe_turn,
    read_settings,
)
from phinb.notebook.html import visible
from phinb.notebook.live_output import LiveOutput
from phinb.notebook.widget import PanelWidget, join_files
from phinb.notebook.wire_values import make_sendable
from phinb.workflow.runner import Run
from phinb.workflow.wording import agree

SCRIPTS = ("elements.js", "chat_turn.js", "chat_panel.js")
STYLES = ("panel.css", "controls.css", "chat.css", "chat_panel.css")

INTERVAL_S = 0.1
"""A reply that is being made is sent at most ten times a second."""

IDLE_S = 600.0
"""After so long without a prompt the processes end and give their memory back; the next prompt loads again."""

MOST_TURNS = 30
"""Exchanges that the panel shows."""

ROWS_FILE = "chat_rows.jsonl"

_open: WeakValueDictionary[str, ChatPanel] = WeakValueDictionary()
"""The panel of each run whose processes may live: a second one takes their place."""


class ChatWidget(PanelWidget):
    """What the browser sees. turns: newest first; going: the exchange that is being answered, {} where none is."""

    _esm = join_files(SCRIPTS)
    _css = join_files(STYLES)

    state = traitlets.Dict().tag(sync=True)
    prompt = traitlets.Dict().tag(sync=True)
    going = traitlets.Dict().tag(sync=True)
    turns = traitlets.List().tag(sync=True)


class ChatPanel:
    """Asks `chat` what the panel's user asks. One thread talks to the variants, messages come on another.

    chosen: the variants that are asked, by default the first four. exchanges: all that was asked. idle_s: see IDLE_S.
    """

    def __init__(
        self,
        run: Run,
        chat: Chat,
        settings: ChatSettings | None = None,
        chosen: Sequence[str] | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self.run = run
        self.chat = chat
        self.settings = settings or ChatSettings()
        self.chosen = chat.choose(chosen)
        self.exchanges: list[Exchange] = []
        self._idle_s = idle_s
        self._turns: list[Turn] = []
        self._status: dict[str, tuple[str, str]] = {}
        self._note = ""
        self._problem: dict[str, str] = {}
        self._busy = ""
        self._lock = threading.RLock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._going: dict[str, Reply] = {}
        self._sent = 0.0
        self._output = LiveOutput()
        self.widget = ChatWidget(self._receive)

    def open(self) -> None:
        """Display the panel with its saved form, and begin to load; returns at once."""
        earlier = _open.get(self.run.id)
        if earlier is not None:
            earlier.rest("another panel of this run is open")
        _open[self.run.id] = self
        plan = self.chat.plan(self.chosen)
        self._note = plan.told
        self._show()
        self._output.open(self._bundle(above_panel=True), self.widget.mimebundle())
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._work,), name="phinb-chat", daemon=True
        )
        thread.start()
        self._jobs.put(lambda: self._load(plan.fits))

    def rest(self, why: str) -> None:
        """End the processes; the next prompt loads again."""
        self.chat.stop()
        self._jobs.put(lambda: self._rest(why))

    def close(self) -> None:
        """End the processes and the thread for good."""
        self.chat.close()
        self._jobs.put(None)

    # ------------------------------------------------------------------------------- the thread that asks

    def _work(self) -> None:
        used = time.monotonic()
        while True:
            try:
                job = self._jobs.get(timeout=max(self._idle_s - (time.monotonic() - used), 0.05))
            except queue.Empty:
                if self.chat.loaded:
                    self._rest(f"nothing was asked for {self._idle_s / 60:.0f} minutes")
                    self._show()
                job = self._jobs.get()
            if job is None:
                return
            try:
                job()
            except PhinbError as error:
                self._tell(error)
            except Exception as error:  # the thread has no cell to raise in
                self._problem = {"text": f"phinb itself failed: {type(error).__name__}: {error}", "hint": ""}
            self._busy, self._going = "" if self._jobs.empty() else self._busy, {}
            self._show()
            used = time.monotonic()

    def _rest(self, why: str) -> None:
        self.chat.rest()
        self._status = dict.fromkeys(self._status, ("absent", f"not loaded: {why}"))

    def _load(self, names: Sequence[str]) -> None:
        for name in names:
            if self.chat.is_loaded(name):
                continue
            self._busy = "loading"
            self._status[name] = ("loading", "is being loaded …")
            self._show()
            try:
                found = self.chat.load(name, should_stop=self.chat.stopping)
                self._status[name] = ("ready", describe_loaded(found))
            except Stopped:
                self._status[name] = ("absent", "not loaded: stopped")
                return
            except PhinbError as error:
                self._status[name] = ("failed", str(error))
            self._note_absent()

    def _note_absent(self) -> None:
        """One may have had to give way to another, or have died."""
        for name, (status, _) in list(self._status.items()):
            if status == "ready" and not self.chat.is_loaded(name):
                self._status[name] = ("absent", "not loaded: memory did not do for it, too, or its process has ended")

    def _ask(self, values: Mapping[str, str], names: Sequence[str], settings: ChatSettings) -> None:
        prompt: Any = values if self.chat.form.kind != "text" else values.get("text", "")
        written = self.chat.write(prompt, names[0])
        self._going = {name: Reply(name, prompt_tokens=len(written.ids)) for name in names}
        whole = Exchange(written, (), settings, self.chat.name)
        number = len(self.exchanges) + 1

        def take(reply: Reply) -> None:
            with self._lock:
                self._going[reply.variant] = reply
                now = time.monotonic()
                if now - self._sent >= INTERVAL_S or reply.finish:
                    self._sent = now
                    self._show_going(number, whole)

        self._busy = "answering"
        self._show_going(number, whole)
        plan = self.chat.plan(names)
        if not plan.later:  # else each is loaded in its turn
            self._load(plan.fits)
        self._busy = "answering"
        self._show()
        exchange = self.chat.ask(prompt, settings, names, take, fresh=False)
        for reply in exchange.replies:
            if self.chat.is_loaded(reply.variant):
                self._status[reply.variant] = ("ready", describe_loaded(self.chat.loaded[reply.variant]))
        self._note_absent()
        with self._lock:
            self.exchanges.append(exchange)
            self._turns = [Turn(number, exchange), *self._turns][:MOST_TURNS]
            self._going = {}
            self._problem = {}
            self._show_turns()
        self._output.renew(self._bundle(above_panel=True))

    # -------------------------------------------------------------------------------------- messages

    def _receive(self, content: dict[str, Any]) -> None:
        actions = {
            "send": self._send,
            "stop": lambda _content: self.chat.stop(),
            "write": self._write,
            "choose": self._choose,
            "rest": lambda _content: self.rest("ended by hand"),
            "add_row": self._add_row,
        }
        action = actions.get(str(content.get("action")))
        if action is None:
            return
        try:
            action(content)
        except PhinbError as error:
            self._tell(error)
            self._show()

    def _send(self, content: Mapping[str, Any]) -> None:
        values = _texts(content.get("values"))
        settings = self.settings = read_settings(content.get("settings"))
        with self._lock:
            if self._busy == "answering":
                raise PhinbError("A prompt is being answered.", "Wait for it, or press Stop.")
            names = [name for name in self.chat.variants if name in self.chosen]
            self.chat.choose(names)
            self.chat.write(values if self.chat.form.kind != "text" else values.get("text", ""), names[0])
            self._busy, self._problem = "answering", {}
        self.chat.begin()
        self._show()
        self._jobs.put(lambda: self._ask(values, names, settings))

    def _write(self, content: Mapping[str, Any]) -> None:
        """The prompt as it would be sent."""
        values = _texts(content.get("values"))
        try:
            given: Any = values if self.chat.form.kind != "text" else values.get("text", "")
            written = self.chat.write(given, next(iter(self.chosen)))
            count = f"{len(written.ids):,} {agree(len(written.ids), 'token', 'tokens')}"
            ends = " or where this begins: " + " ".join(map(repr, written.stops)) if written.stops else ""
            told = f"{count} to {self.chosen[0]}; a reply ends at the model's end token{ends}"
            self.widget.prompt = {"text": visible(written.text), "told": visible(told), "problem": ""}
        except PhinbError as error:
            self.widget.prompt = {"text": "", "told": "", "problem": visible(str(error))}

    def _choose(self, content: Mapping[str, Any]) -> None:
        wanted = content.get("names")
        names = [name for name in self.chat.variants if isinstance(wanted, list) and name in wanted]
        try:
            self.chosen = self.chat.choose(names)
            self._problem = {}
            self._note = "" if self._busy else self.chat.plan(self.chosen).told
        finally:
            self._show()

    def _add_row(self, content: Mapping[str, Any]) -> None:
        number = content.get("number")
        turn = next((one for one in self._turns if one.number == number), None)
        if turn is None or turn.exchange.prompt.values is None:
            return
        given = _texts(content.get("values"))
        path, anyway = str(content.get("path") or ROWS_FILE), content.get("anyway") is True
        missing = [name for name in self.chat.form.row_fields if not given.get(name, "").strip()]
        try:
            if missing:
                raise PhinbError(f"What is the right {missing[0]}?", "A row to measure by needs its answer.")
            row = {**turn.exchange.prompt.values, **{name: given[name] for name in self.chat.form.row_fields}}
            training = list_training_files(self.run.config)
            count = add_row(Path(path), row, training, anyway=anyway)
            text = f"Added: {path} has {count:,} {agree(count, 'row', 'rows')}."
            told = {"text": text, "tone": "ok", "hint": f"%olive_compare {self.run.id} --rows {shlex.quote(path)}"}
        except PhinbError as error:
            told = {"text": error.message, "tone": "bad", "hint": error.hint}
            told |= {"anyway": "yes"} if "is training data" in error.message else {}
        with self._lock:
            shown = {key: visible(text) for key, text in told.items()}
            self._turns = [replace(one, told=shown) if one.number == number else one for one in self._turns]
            self._show_turns()

    # -------------------------------------------------------------------------------------- showing

    def _tell(self, error: PhinbError) -> None:
        self._problem = {"text": visible(error.message), "hint": visible(error.hint)}

    def _show(self) -> None:
        with self._lock:
            ends = f"they end with the kernel, or {self._idle_s / 60:.0f} minutes after the last prompt"
            self.widget.state = make_sendable(
                {
                    "name": visible(self.chat.name),
                    "run_id": self.run.id,
                    "form": describe_form(self.chat),
                    "columns": describe_columns(self.chat, self.chosen, self._status),
                    "busy": self._busy,
                    "note": visible(self._note),
                    "problem": self._problem,
                    "settings": describe_settings(self.settings),
                    "rows_file": ROWS_FILE,
                    "idle": f"each variant in a process of its own; {ends}",
                    "rests": not self.chat.loaded,
                }
            )

    def _show_going(self, number: int, whole: Exchange) -> None:
        with self._lock:
            exchange = replace(whole, replies=tuple(self._going.values()))
            self.widget.going = make_sendable(describe_turn(Turn(number, exchange), self.chat))

    def _show_turns(self) -> None:
        with self.widget.hold_sync():
            self.widget.turns = make_sendable([describe_turn(turn, self.chat) for turn in self._turns])
            if not self._going:
                self.widget.going = {}

    def _bundle(self, *, above_panel: bool = False) -> dict[str, Any]:
        note = f"as it was then; %olive_chat {self.run.id} asks again"
        return chat_bundle(self.chat, self.exchanges, note, above_panel=above_panel)


def _texts(given: Any) -> dict[str, str]:
    """The fields that a message brings."""
    return (
        {str(key): value for key, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
    )
