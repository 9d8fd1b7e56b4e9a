"""python -m phinb.workflow.trackers.process FOLDER TRACKER: follows a run's events and hands them to one tracker.

A process of its own, so that no library that raises, hangs, crashes or takes its time can cost the run anything: the
events lie on disk, and whoever is slow reads them later. The worker says the last word on standard input; where that
ends without one, the worker is gone, and the tracker is told so.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import psutil
from filelock import FileLock

from phinb.config import Config
from phinb.types import Event, Notice, WorkerLost
from phinb.workflow.event_lines import decode_event
from phinb.workflow.runner import read_config
from phinb.workflow.store import SWEPT, RunFolder, read_json, write_atomically
from phinb.workflow.trackers.feed import Feed, trains_several
from phinb.workflow.trackers.mlflow_tracker import MlflowTracker
from phinb.workflow.trackers.packages import PACKAGES
from phinb.workflow.trackers.tensorboard_tracker import TensorboardTracker
from phinb.workflow.trackers.tracker import Subject, Tracker, without_credentials
from phinb.workflow.trackers.wandb_tracker import WandbTracker

TRACKERS: dict[str, type[Tracker]] = {
    "mlflow": MlflowTracker,
    "tensorboard": TensorboardTracker,
    "wandb": WandbTracker,
}
OWN = "tracking"
"""The folder in the run's own where trackers write, and where is noted what they were told."""

POLL_S = 0.3
LAST_S = 10.0
"""How long a tracker may take for the rest once the run is over."""

LEAVING_S = 1.0
"""The same where the run was cancelled, or asked to end by a signal: within two seconds no process may be left."""

TOLD = 1
"""The exit code of a process that has said itself what went wrong."""

HUNG = 2
"""The exit code of one that was not through after LAST_S."""


class LastWord:
    """What the worker says when the run is over; `event` stays None where it went without a word."""

    def __init__(self) -> None:
        self.event: Event | None = None
        self._said = threading.Event()
        threading.Thread(target=self._listen, name="phinb-last-word", daemon=True).start()

    @property
    def is_said(self) -> bool:
        return self._said.is_set()

    @property
    def is_hurried(self) -> bool:
        """Whether the run has been told to be over already, by the same word."""
        return isinstance(self.event, WorkerLost) or getattr(self.event, "status", "") == "cancelled"

    def wait(self, seconds: float) -> None:
        self._said.wait(seconds)

    def _listen(self) -> None:
        line = sys.stdin.buffer.readline()
        self.event = decode_event(line.decode("utf-8", errors="replace"))
        self._said.set()
        # Nobody else ends this process where the worker is gone.
        timer = threading.Timer(LEAVING_S if self.is_hurried else LAST_S, _give_up)
        timer.daemon = True
        timer.start()


def main(folder_path: str, name: str) -> int:
    """Follow the run until it is over. What the tracker raises becomes a notice, and the exit code is TOLD."""
    folder, last = RunFolder(Path(folder_path)), LastWord()
    own = folder.path / OWN
    try:
        own.mkdir(exist_ok=True)
        # Of a worker that was killed the tracker may still be at its last words.
        with FileLock(own / f".{name}.lock", timeout=LAST_S):
            follow(folder, name, last)
    except Exception as error:  # of any class, by a library's own code
        print(without_credentials(traceback.format_exc()), file=sys.stderr)
        reason = without_credentials((str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
        text = f"{PACKAGES[name].title} gets nothing more of this run: {reason}"
        hint = f"The run goes on without. {own / name}.log says more; the metrics are in the run's events."
        _say(folder, last, Notice(severity="warning", code="tracker_failed", message=text, hint=hint))
        return TOLD
    return 0


def follow(folder: RunFolder, name: str, last: LastWord) -> None:
    """Begin, hand on the events as they come, and end. Raises whatever the tracker raises."""
    config, passes, note = read_config(folder), folder.record.passes, folder.path / OWN / f"{name}.json"
    tracker = TRACKERS[name]()
    key, seq = _read_note(note)
    begun = tracker.begin(describe_subject(folder, config), key)
    feed = Feed(tracker, folder, several=trains_several(config, passes), seq=seq if begun.continues else -1)
    _write_note(note, begun.key, feed.seq)
    _say(folder, last, Notice(severity="info", code="tracked", message=begun.place, hint=begun.look))
    offset = 0
    while True:
        # Asked before reading, so that nothing of what was written until then is left out.
        over = last.is_said
        events, offset = folder.read_events(offset)
        if feed.tell(events):
            _write_note(note, begun.key, feed.seq)
        if over:
            break
        last.wait(POLL_S)
    feed.end(last.event)


def _give_up() -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    os._exit(HUNG)


def describe_subject(folder: RunFolder, config: Config) -> Subject:
    """What trackers are told of a run when they begin."""
    texts = [*sorted(folder.path.glob("config*.*")), folder.path / "upgraded.json", folder.path / "olive.json"]
    return Subject(
        run_id=folder.record.run_id,
        name=_find_name(folder),
        folder=folder.path,
        own=folder.path / OWN,
        parameters={path: entry.value for path, entry in config.effective().items()},
        texts=[path for path in texts if path.is_file()],
    )


def _find_name(folder: RunFolder) -> str:
    """The configuration's name: of a sweep's trials one for all, so that a tracker has them side by side."""
    try:
        return str(read_json(folder.path / SWEPT)["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.record.name


def _read_note(path: Path) -> tuple[str, int]:
    """(key of the tracker's account, number of the last event that it was told); ("", -1) where there is none."""
    try:
        note = read_json(path)
        return str(note["key"]), int(note["seq"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", -1


def _write_note(path: Path, key: str, seq: int) -> None:
    write_atomically(path, json.dumps({"key": key, "seq": seq}))


def _say(folder: RunFolder, last: LastWord, notice: Notice) -> None:
    """A notice of the run, unless that is over and has had its last event."""
    with contextlib.suppress(OSError):
        if not last.is_hurried:
            folder.append(notice)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where the whole machine is told to end, the worker still has a last word to say.
        signal.signal(number, signal.SIG_IGN)
    exit_code = main(*sys.argv[1:3])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # At a normal exit the libraries' own threads may hold the process.
    os._exit(exit_code)
