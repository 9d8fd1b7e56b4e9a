"""A data config that is being counted: a thread takes in its rows, and whoever shows it hears of what there is so far.

The first sequences are there at once; numbers fill in as they come, and can be stopped and gone on with.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from phinb.config import Config
from phinb.data.preview import (
    COMPARED,
    Preview,
    find_data_config,
    judge,
    locate_problems,
    open_scan,
    without_tokenizer,
)
from phinb.data.scan import NOTHING, TELL_EVERY_S, Scan
from phinb.data.trainer import find_trainer
from phinb.errors import ConfigError, PhinbError
from phinb.types import DataStats, Problem
from phinb.types import Sequence as TrainingSequence

Phase = Literal["opening", "counting", "comparing", "stopped", "done", "failed"]
"""comparing: looking for near duplicates, when all else is known. failed: there is nothing to show but problems."""

AT_ONCE_S = 0.4
"""Seconds in which a counting that ends shows nothing between its beginning and its end."""

ALIVE_EVERY_S = 2.0
"""Seconds after which whoever shows it hears that it goes on, though there is nothing new: a row of megabytes takes its
time. The page takes a silence of eight seconds for the end of the kernel."""

FIRST = 3
"""Sequences that are made before any row is counted."""


class Counting:
    """One data config of one configuration, from its opening to its last number; another text needs another one.

    `on_change()` is called from a thread after each change, at most five times a second, and every ALIVE_EVERY_S.
    `data` is the data config's name, None for the training data; `limit` the number of the preview's sequences; `start`
    the first of those that are made at once. The threads take on the context of whoever makes this: what they display
    belongs to that cell.
    """

    def __init__(
        self,
        config: Config,
        data: str | None,
        limit: int,
        on_change: Callable[[], None],
        *,
        start: int = 0,
        context: contextvars.Context | None = None,
    ) -> None:
        self.config, self.data, self.limit, self.start = config, data, limit, start
        self.phase: Phase = "opening"
        self.scan: Scan | None = None
        self.preview = Preview(data or "", (), NOTHING, ())
        self.first: Sequence[TrainingSequence] = ()
        self.told: tuple[str, float | None, float | None] = ("reading the data", None, None)
        """What is going on, how much of it is done, and of how much; None where that is not known."""
        self.ready = threading.Event()
        """Set once there is something to show."""
        self._on_change = on_change
        self._context = context or contextvars.copy_context()
        self._stop = threading.Event()
        self._closed = False
        self._began = self._reported = time.monotonic()

    def begin(self) -> None:
        """Count on, in a thread, from where it was stopped; returns at once."""
        if self.phase == "stopped":
            self.phase = "counting"  # at once: who presses twice must not begin twice
        self._stop = threading.Event()
        stop, ended = self._stop, threading.Event()
        for target, args in ((self._work, (stop, ended)), (self._tell_alive, (ended,))):
            work = self._context.copy().run
            threading.Thread(target=work, args=(target, *args), name="phinb-preview", daemon=True).start()

    def stop(self) -> None:
        """Stop counting; what is counted stays."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and say nothing any more."""
        self._closed = True
        self._stop.set()

    @property
    def is_busy(self) -> bool:
        return self.phase in ("opening", "counting", "comparing")

    @property
    def settled(self) -> bool:
        """Whether what is known so far is worth to be looked at: all of it, or the work takes its time."""
        return not self.is_busy or self.phase == "comparing" or time.monotonic() - self._began > AT_ONCE_S

    @property
    def is_large(self) -> bool:
        return self.preview.stats.rows > COMPARED

    @property
    def can_compare(self) -> bool:
        """Whether near duplicates have not been looked for because there are many rows, and could be."""
        return self.phase == "done" and bool(self.preview.scan) and self.preview.stats.near_duplicates is None

    def compare(self) -> None:
        """Look for near duplicates, however many rows there are."""
        if self.can_compare:
            self.phase = "comparing"
            self.begin()

    # -------------------------------------------------------------------------------------------- in the thread

    def _tell_alive(self, ended: threading.Event) -> None:
        while not ended.wait(ALIVE_EVERY_S) and not self._closed:
            self._change()

    def _work(self, stop: threading.Event, ended: threading.Event) -> None:
        try:
            if self.scan is None:
                self._open(stop)
            if self.scan is not None and self.scan.ok:
                self._count(self.scan, stop)
            else:
                self._end("failed")
        except PhinbError as error:
            self._fail(Problem("error", "unreadable", error.message, hint=error.hint))
        except Exception as error:
            # The thread has no cell to raise in: what happened is told where the user looks.
            self._fail(Problem("error", "bug", f"phinb itself failed: {type(error).__name__}: {error}"))
        finally:
            ended.set()

    def _open(self, stop: threading.Event) -> None:
        try:
            name = str(find_data_config(self.config.to_olive(), self.data)["name"])
        except ConfigError as error:
            self.preview = Preview(self.data or "", (), NOTHING, tuple(error.problems))
            return
        self.preview = Preview(name, (), NOTHING, ())
        try:
            scan = open_scan(self.config, name, progress=self._report)
        except PhinbError as error:
            self.preview = without_tokenizer(name, error, self.config)
            return
        self.first = scan.first(FIRST, start=self.start, should_stop=stop.is_set)
        self.scan = scan
        self.preview = self._locate(Preview(name, (), scan.stats, tuple(scan.problems), scan))

    def _count(self, scan: Scan, stop: threading.Event) -> None:
        if self.phase != "comparing":
            self.phase, self.told = "counting", ("counting", scan.tally.rows, scan.rows.total)
            self.ready.set()
            self._change()
            stats = scan.run(self._hear, stop.is_set)
            if not scan.done and scan.ok:
                self.preview = self._locate(Preview(scan.name, (), stats, tuple(scan.problems), scan))
                self._end("stopped")
                return
            self._judge(scan, stats)
        if scan.ok and (self.phase == "comparing" or self.preview.stats.rows <= COMPARED):
            self._compare(scan, stop)
        self._end("done" if scan.ok else "failed")

    def _compare(self, scan: Scan, stop: threading.Event) -> None:
        self.phase, self.told = "comparing", ("looking for near duplicates", 0.0, 1.0)
        self._change()

        def hear(share: float) -> None:
            self._report("looking for near duplicates", share, 1.0)

        self._judge(scan, scan.find_near(hear, stop.is_set))

    def _judge(self, scan: Scan, stats: DataStats) -> None:
        trainer = find_trainer(self.config, scan.name)
        self.preview = self._locate(judge(scan, stats, self.limit, trainer))

    def _hear(self, done: int, total: int | None, stats: DataStats) -> None:
        self.told = ("counting", done, total)
        scan = self.scan
        self.preview = self._locate(Preview(self.preview.name, (), stats, tuple(scan.problems) if scan else (), scan))
        self._change()

    def _report(self, what: str, done: float | None, total: float | None) -> None:
        self.told = (what, done, total)
        if time.monotonic() - self._reported >= TELL_EVERY_S:
            self._reported = time.monotonic()
            self._change()

    def _locate(self, preview: Preview) -> Preview:
        return locate_problems(preview, self.config)

    def _fail(self, problem: Problem) -> None:
        self.preview = Preview(self.preview.name, (), self.preview.stats, (*self.preview.problems, problem))
        self._end("failed")

    def _end(self, phase: Phase) -> None:
        self.phase = phase
        self.ready.set()
        self._change()

    def _change(self) -> None:
        if not self._closed:
            self._on_change()
