"""Plays a golden file into a run's folder: a run that goes on exactly as far as a test wants.

Its worker is a real process, this file run as a script: it trains nothing, but it hears what the user asks and says
goodbye, as phinb's own worker does. A deaf one only sleeps, as a worker does that hangs in native code.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from phinb.types import Event, Queued, RunFinished, StopRequested
from phinb.workflow import store
from phinb.workflow.event_lines import decode_event
from phinb.workflow.process import remember_worker, worker_environment
from phinb.workflow.store import RunFolder, RunRecord

GOLDEN = Path(__file__).resolve().parent


def read_golden(name: str) -> list[Event]:
    lines = (GOLDEN / f"{name}.jsonl").read_bytes().decode("utf-8").split("\n")[:-1]
    return [event for line in lines if (event := decode_event(line))]


class Replay:
    """A run with the events of `golden`, made in the folder of the runs; its times are today's.

    `play` appends the next events; `end` takes the worker away. The run counts as alive until then.
    """

    def __init__(self, golden: str, name: str = "emotion", deaf: bool = False) -> None:
        self.name = name
        self._events = read_golden(golden)
        self._next = 0
        first = self._events[0]
        assert isinstance(first, Queued)
        record = RunRecord(
            run_id=store.new_id(),
            name=name,
            created=time.time(),
            passes=first.passes,
            cwd=str(Path.cwd()),
            base=str(Path.cwd()),
        )
        self.folder: RunFolder = store.create(record, {"config.json": "{}", "upgraded.json": "{}"})
        self.folder.log_path.write_text(
            "Loading weights\n 10%|#         | 20/201\r100%|##########| 201/201\n", encoding="utf-8"
        )
        command = ["-c", "import time; time.sleep(600)"] if deaf else [__file__, str(self.folder.path)]
        self.worker = subprocess.Popen([sys.executable, *command], env=worker_environment())
        remember_worker(self.folder, self.worker.pid)

    @property
    def run_id(self) -> str:
        return self.folder.path.name

    @property
    def last(self) -> Event:
        """The event that was played last."""
        return self._events[self._next - 1]

    @property
    def over(self) -> bool:
        return self._next == len(self._events)

    def play(self, count: int = 1, pause: float = 0.0) -> None:
        """Append the next `count` events, as if they happened now."""
        for event in self._events[self._next : self._next + count]:
            if isinstance(event, Queued):
                event = replace(event, run_id=self.run_id, name=self.name)
            self.folder.append(replace(event, seq=-1, time=0.0))
            time.sleep(pause)
        self._next = min(len(self._events), self._next + count)

    def play_until(self, reached: Callable[[Event], bool], pause: float = 0.0) -> None:
        """Append events up to and with the first for which `reached` is true."""
        while not self.over:
            event = self._events[self._next]
            self.play(1, pause)
            if reached(event):
                return

    def play_all(self, pause: float = 0.0) -> None:
        self.play(len(self._events) - self._next, pause)

    def control(self) -> str:
        """What the user asked of the worker: stop, cancel or nothing."""
        try:
            return str(json.loads((self.folder.path / "control.json").read_text(encoding="utf-8"))["how"])
        except OSError:
            return ""

    def end(self) -> None:
        self.worker.kill()
        self.worker.wait(10)


def listen(folder: RunFolder) -> None:
    """The worker: note a wish once, end on a cancel or once the run has ended, or after ten minutes."""
    heard = ""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not folder.read_state().ended:
        how = folder.read_control().get("how", "")
        if how in ("stop", "cancel") and how != heard:
            heard = how
            folder.append(StopRequested(how=how, by="tester"))
        if how == "cancel":
            folder.append(RunFinished(status="cancelled", seconds=1.0, message="Cancelled by the user."))
            return
        time.sleep(0.05)


if __name__ == "__main__":
    listen(RunFolder(Path(sys.argv[1])))
