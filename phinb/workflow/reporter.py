"""The worker's voice and ear: events out (throttled where they could be many), the user's wishes in."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from phinb.types import Event, Notice, Progress, ResourcesMeasured, Severity, StopRequested
from phinb.workflow.store import RunFolder

PROGRESS_INTERVAL_S = 0.1
CONTROL_INTERVAL_S = 0.1
RESOURCES_INTERVAL_S = 2.0
MAX_NOTICES = 50


@dataclass
class _Pace:
    """What is needed to tell the time left of one pass: when and where its count began, and when it was last told."""

    began: float
    first: float
    told: float = 0.0


class Reporter:
    """Appends events to a run's folder for the worker. Safe to be used from several threads."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._paces: dict[str, _Pace] = {}
        self._notices: set[tuple[str, str]] = set()

    def emit(self, event: Event) -> None:
        self.folder.append(event)

    def notice(self, severity: Severity, code: str, message: str, hint: str = "") -> None:
        """Say something once: the same notice again is dropped, and so is what comes after MAX_NOTICES."""
        key = (code, message)
        if key not in self._notices and len(self._notices) < MAX_NOTICES:
            self._notices.add(key)
            self.emit(Notice(severity=severity, code=code, message=message, hint=hint))

    def progress(self, pass_name: str, done: float, total: float | None, unit: str) -> None:
        """Report progress at most ten times a second; the last step is always told.

        The time left is the mean pace so far times what remains; unknown until a tenth of a second has passed.
        """
        now = time.monotonic()
        pace = self._paces.get(pass_name)
        if pace is None or done < pace.first:
            pace = self._paces[pass_name] = _Pace(began=now, first=done)
        last = total is not None and done >= total
        if now - pace.told < PROGRESS_INTERVAL_S and not last:
            return
        pace.told = now
        elapsed, counted = now - pace.began, done - pace.first
        eta = (total - done) * elapsed / counted if total is not None and counted > 0 and elapsed > 0.1 else None
        self.emit(Progress(pass_name=pass_name, done=done, total=total, unit=unit, eta_s=eta))


class Control:
    """Polls control.json and measures memory, in a thread of its own, while Olive has the main one.

    `stopping` is set when the user asks for either; `on_cancel` is called, once, in the thread.
    """

    def __init__(self, reporter: Reporter, on_cancel: Callable[[], None]) -> None:
        self.stopping = threading.Event()
        self._reporter = reporter
        self._on_cancel = on_cancel
        self._ended = threading.Event()
        self._seen: set[str] = set()
        self._measured = 0.0
        self._thread = threading.Thread(target=self._watch, name="phinb-control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(CONTROL_INTERVAL_S):
            try:
                self._look()
            except Exception:
                # A disk that is full for a moment must not make the worker deaf to the user.
                traceback.print_exc()

    def _look(self) -> None:
        control = self._reporter.folder.read_control()
        how = control.get("how")
        if how in ("stop", "cancel") and how not in self._seen:
            self._seen.add(how)
            self.stopping.set()
            self._reporter.emit(StopRequested(how=how, by=str(control.get("by", ""))))
            if how == "cancel":
                self._on_cancel()
        if time.monotonic() - self._measured >= RESOURCES_INTERVAL_S:
            self._measured = time.monotonic()
            self._reporter.emit(measure_resources())


def measure_resources() -> ResourcesMeasured:
    """Resident memory of this process and its children, and its processor use since the last call."""
    own = _own_process()
    rss = own.memory_info().rss
    with contextlib.suppress(psutil.Error):
        for child in own.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                rss += child.memory_info().rss
    return ResourcesMeasured(rss_bytes=rss, cpu_percent=own.cpu_percent())


_process: psutil.Process | None = None


def _own_process() -> psutil.Process:
    global _process
    if _process is None:
        _process = psutil.Process()
        _process.cpu_percent()
    return _process
