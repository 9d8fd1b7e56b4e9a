"""The worker's side of the trackers: a process for each that is installed, and a bounded wait for them at the end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping

import psutil

from phinb.types import Event, Preparing
from phinb.workflow.event_lines import to_bytes
from phinb.workflow.process import kill_tree
from phinb.workflow.reporter import Reporter
from phinb.workflow.trackers.packages import PACKAGES, describe_missing, is_installed
from phinb.workflow.trackers.process import HUNG, LAST_S, OWN, TOLD

SILENT_S = 1.0
"""After which it is said that the run waits for a tracker."""


class Tracking:
    """The trackers of a run, each in a process that follows the run's events. Raises nothing."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = threading.Lock()

    def start(self, names: Iterable[str]) -> None:
        """Begin to tell these trackers of the run; of one that is not installed a notice says so."""
        for name in dict.fromkeys(names):
            if not is_installed(name):
                self._reporter.notice("warning", "tracker_missing", *describe_missing(name))
                continue
            try:
                self._processes[name] = self._start(name)
            except OSError as error:
                self._give_up(name, f"its process cannot be started: {error}")

    def finish(self, last: Event) -> None:
        """Tell them how the run ended, and wait until they have told the rest; of one that fails a notice says so."""
        for name, reason in self._wait(self._say(last)).items():
            self._give_up(name, reason)

    def leave(self, last: Event) -> set[int]:
        """Tell them, and do not wait: they go within LEAVING_S by themselves. Returns their process ids."""
        return {process.pid for process in self._say(last).values()}

    def _say(self, last: Event) -> dict[str, subprocess.Popen[bytes]]:
        """Hand the last event to the trackers, once; returns them."""
        with self._ending:
            waiting, self._processes = self._processes, {}
        for process in waiting.values():
            with contextlib.suppress(OSError, ValueError):
                assert process.stdin is not None
                process.stdin.write(to_bytes(last))
                process.stdin.close()
        return waiting

    def _wait(self, waiting: Mapping[str, subprocess.Popen[bytes]]) -> dict[str, str]:
        """{tracker: why it did not get all of the run}."""
        began, failed = time.monotonic(), {}
        for name, process in waiting.items():
            if not _is_over(process, began + SILENT_S):
                what = f"telling {PACKAGES[name].title} the rest"
                self._reporter.emit(Preparing(what=what, done=None, total=None))
            if not _is_over(process, began + LAST_S + 1):
                with contextlib.suppress(psutil.NoSuchProcess):
                    kill_tree(psutil.Process(process.pid))
            if process.poll() in (None, HUNG) or process.returncode == -getattr(signal, "SIGKILL", 9):
                failed[name] = f"it did not take the rest within {LAST_S:.0f} s"
            elif process.returncode not in (0, TOLD):
                failed[name] = f"its process ended with exit code {process.returncode}"
        return failed

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        folder = self._reporter.folder.path
        (folder / OWN).mkdir(exist_ok=True)
        with (folder / OWN / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "phinb.workflow.trackers.process", str(folder), name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _give_up(self, name: str, reason: str) -> None:
        text = f"{PACKAGES[name].title} did not get all of this run: {reason}."
        hint = f"{self._reporter.folder.path / OWN / name}.log says more; the metrics are in the run's events."
        self._reporter.notice("warning", "tracker_failed", text, hint)


def _is_over(process: subprocess.Popen[bytes], until: float) -> bool:
    """Whether the process has ended by `until` (of time.monotonic)."""
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
