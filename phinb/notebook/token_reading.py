"""Reading a row's tokens in a thread, for a panel that goes on answering: what is kept, what is at work, Stop."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Literal

from phinb.errors import PhinbError
from phinb.evaluation.row_tokens import RowTokens, TokenReader
from phinb.types import Event, Preparing

IDLE_S = 120.0
"""Seconds without a reading after which the variants' processes end."""

Phase = Literal["looking", "unread", "reading", "read"]


class TokenReading:
    """The tokens of the row that is chosen. `on_change()` is called in other threads.

    Another row may be chosen while one is read: the reading goes on for the first, and what it finds is kept.
    """

    def __init__(self, reader: TokenReader, on_change: Callable[[], None]) -> None:
        self.row: int | None = None
        self.phase: Phase = "unread"
        self.found: tuple[RowTokens, ...] = ()
        self.error = ""
        self.doing = ""
        self.busy_row: int | None = None
        self._reader = reader
        self._on_change = on_change
        self._stop = threading.Event()
        self._using = threading.Lock()
        self._idle: threading.Timer | None = None
        self._taken: tuple[RowTokens, ...] = ()
        self._closed = False

    @property
    def total(self) -> int:
        """Variants to be read."""
        return sum(bool(measured.scores) for measured in self._reader.comparison.measurements)

    @property
    def done(self) -> int:
        """Variants of the row at work that are read."""
        return len(self._taken)

    def choose(self, row: int | None) -> None:
        """Show another row's tokens, where they are kept."""
        self.row, self.found, self.error = row, (), ""
        if row is not None and row == self.busy_row:
            self.phase, self.found = "reading", self._taken
        elif row is not None:
            self.phase = "looking"
            self._start_thread(self._look, row)

    def begin(self) -> None:
        """Read the chosen row, unless one is being read."""
        if self.row is None or self.busy_row is not None or self._closed:
            return
        if self._idle is not None:
            self._idle.cancel()
        self.busy_row, self.phase, self.found, self.error = self.row, "reading", (), ""
        self._taken, self.doing = (), "beginning"
        self._stop.clear()
        self._start_thread(self._read, self.row)

    def stop(self) -> None:
        """End the reading; what is read so far stays."""
        if self.busy_row is not None:
            self._stop.set()
            self.doing = "stopping"

    def close(self) -> None:
        """Nobody sees it any more: the processes end."""
        self._closed = True
        self._stop.set()
        if self._idle is not None:
            self._idle.cancel()
        self._start_thread(self._end_processes)

    def _start_thread(self, target: Callable[..., None], *given: Any) -> None:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(target, *given), name="phinb-tokens", daemon=True).start()

    def _look(self, row: int) -> None:
        found: tuple[RowTokens, ...] = ()
        try:
            found = self._reader.look_up(row)
        finally:
            if self.row == row and self.phase == "looking":
                self.found, self.phase = found, "read" if found else "unread"
                self._on_change()

    def _read(self, row: int) -> None:
        error = ""
        try:
            with self._using:
                self._reader.read(row, self._hear, self._stop.is_set, self._take)
        except PhinbError as problem:
            error = f"{problem.message} {problem.hint}".strip()
        except Exception as problem:
            # The thread has no cell to raise in: what happened is told where the user looks.
            error = f"phinb itself failed: {type(problem).__name__}: {problem}"
        self.busy_row, self.doing = None, ""
        if self.row == row:
            self.error, self.phase = error, "read" if len(self.found) == self.total else "unread"
        self._wait_idle()
        self._on_change()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Preparing) and not self._stop.is_set():
            self.doing = event.what
            self._on_change()

    def _take(self, found: RowTokens) -> None:
        self._taken = (*self._taken, found)
        if self.row == self.busy_row:
            self.found = self._taken
        self._on_change()

    def _wait_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(IDLE_S, self._end_processes)
        self._idle.daemon = True
        self._idle.start()

    def _end_processes(self) -> None:
        with self._using:
            self._reader.close()
