"""The worker's voice and ear: events out (throttled where they could be many), the user's wishes in."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

import psutil

from phinb.types import (
    Event,
    Notice,
    Progress,
    ResourcesMeasured,
    RunFinished,
    Severity,
    StopRequested,
    WorkerLost,
)
from phinb.workflow.gpus import measure_gpus
from phinb.workflow.signals import Signals
from phinb.workflow.store import RunFolder

PROGRESS_INTERVAL_S = 0.1
CONTROL_INTERVAL_S = 0.1
RESOURCES_INTERVAL_S = 2.0
MAX_NOTICES = 50
RETRY_S = 1.0
"""Between two attempts to write where the folder cannot be written."""
RESERVE_BYTES = 65_536
"""What is set aside on the disk, so that a worker that finds it full can still say so."""
GONE_S = 2.0
"""For how long a run's folder must be missing until its worker takes it for deleted."""


@dataclass
class _Pace:
    """What is needed to tell the time left of one pass: when and where its count began, and when it was last told."""

    began: float
    first: float
    told: float = 0.0


class Reporter:
    """Appends events to a run's folder for the worker. Safe to be used from several threads.

    Where the folder cannot be written (a full disk, a lost permission), training is not disturbed: what is to be said
    waits in memory, in its order and with its times, and is written when that is possible again.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._paces: dict[str, _Pace] = {}
        self._notices: set[tuple[str, str]] = set()
        self._writing = threading.RLock()
        self._waiting: list[Event] = []
        self._failed_at: float | None = None
        self._ended = False
        self._reserve = folder.path / ".reserve"
        with contextlib.suppress(OSError):
            self._reserve.write_bytes(b"\0" * RESERVE_BYTES)

    @property
    def trouble(self) -> bool:
        """Whether something is still to be written."""
        return bool(self._waiting)

    def emit(self, event: Event) -> None:
        """Append the event, after those that wait. Raises nothing where it cannot be written.

        Nothing follows the last word: what another thread still says while the process ends is dropped.
        """
        with self._writing:
            if self._ended:
                return
            self._ended = isinstance(event, RunFinished | WorkerLost)
            self._waiting.append(replace(event, time=event.time or time.time()))
            if self._failed_at is None or time.monotonic() - self._failed_at >= RETRY_S:
                self._write()
            if self._failed_at is not None:
                # How far it was and what it held is soon out of date; the rest is worth keeping.
                self._waiting = [one for one in self._waiting if not isinstance(one, Progress | ResourcesMeasured)]

    def settle(self, timeout: float) -> bool:
        """Try for `timeout` seconds to write what waits, and give the reserve back; says whether all is written."""
        deadline = time.monotonic() + timeout
        while True:
            with self._writing:
                self._write()
                if not self._waiting:
                    self._reserve.unlink(missing_ok=True)
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)

    def _write(self) -> None:
        while self._waiting:
            try:
                self.folder.append(self._waiting[0])
            except OSError as error:
                if self._spend_reserve():
                    continue
                if self._failed_at is None:
                    _print(f"The run's events cannot be written for now: {error}")
                self._failed_at = time.monotonic()
                return
            del self._waiting[0]
        self._failed_at = None

    def _spend_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

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

    `stopping` is set when the user asks for either. In the thread, and once, are called: `on_cancel`; `on_signal` with
    the number of a signal that asks the process to end; `on_gone` where somebody has deleted the run's folder.
    """

    def __init__(
        self,
        reporter: Reporter,
        on_cancel: Callable[[], None],
        on_signal: Callable[[int], None],
        on_gone: Callable[[], None],
    ) -> None:
        self.stopping = threading.Event()
        self._reporter = reporter
        self._on_cancel, self._on_signal, self._on_gone = on_cancel, on_signal, on_gone
        self._signals = Signals()
        self._there = time.monotonic()
        self._ended = threading.Event()
        self._seen: set[str] = set()
        self._measured = 0.0
        self._thread = threading.Thread(target=self._watch, name="phinb-control", daemon=True)

    def start(self) -> None:
        """To be called in the main thread."""
        self._signals.catch()
        self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(CONTROL_INTERVAL_S):
            try:
                self._look()
            except Exception:
                # A disk that is full for a moment must not make the worker deaf to the user.
                with contextlib.suppress(OSError):
                    traceback.print_exc()

    def _look(self) -> None:
        if (number := self._signals.heard()) is not None:
            self._on_signal(number)
        if self._reporter.folder.path.is_dir():
            self._there = time.monotonic()
        elif time.monotonic() - self._there > GONE_S:
            self._on_gone()
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
    return ResourcesMeasured(rss_bytes=rss, cpu_percent=own.cpu_percent(), gpu=measure_gpus())


def _print(text: str) -> None:
    """Into the log, where that can be written."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


_process: psutil.Process | None = None


def _own_process() -> psutil.Process:
    global _process
    if _process is None:
        _process = psutil.Process()
        _process.cpu_percent()
    return _process
