"""TensorBoard: event files in the run's folder, written by TensorBoard's own writer; torch is not loaded for it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from phinb.workflow.trackers.tracker import Begun, Ending, Fact, Measured, Subject, write_value

FOLDER = "tensorboard"


class TensorboardTracker:
    """Scalars at their own times; parameters as hyperparameters and as a table; facts and texts as text."""

    def begin(self, subject: Subject, key: str) -> Begun:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = subject.own / FOLDER
        continues = bool(key) and any(folder.glob("events.out.tfevents.*"))
        self._writer = EventFileWriter(str(folder))
        self._notes = 0
        if not continues:
            self._describe(subject)
        place = f"TensorBoard's files of this run lie in {folder}."
        return Begun(FOLDER, continues, place, f"To look at all runs: tensorboard --logdir {subject.folder.parent}")

    def log(self, measured: Sequence[Measured]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        for one in measured:
            values = [Summary.Value(tag=name, simple_value=value) for name, value in one.values.items()]
            self._write(Summary(value=values), one.step, one.time)
        self._writer.flush()

    def note(self, facts: Mapping[str, Fact]) -> None:
        groups: dict[str, dict[str, Fact]] = defaultdict(dict)
        for name, value in facts.items():
            groups[name.partition(".")[0]][name] = value
        for group, members in groups.items():
            self._write_text(group, _table(members), self._notes)
        self._notes += 1
        self._writer.flush()

    def end(self, ending: Ending) -> None:
        self._writer.close()

    def _describe(self, subject: Subject) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        plain = {
            path: value if isinstance(value, bool | int | float | str) else write_value(value)
            for path, value in subject.parameters.items()
        }
        self._write(hparams_pb(plain, trial_id=subject.run_id), 0, time.time())
        self._write_text("parameters", _table(subject.parameters), 0)
        for path in subject.texts:
            text = path.read_text(encoding="utf-8", errors="replace")
            self._write_text(f"configuration/{path.name}", "".join(f"    {line}\n" for line in text.splitlines()), 0)
        self._writer.flush()

    def _write_text(self, tag: str, text: str, step: int) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(text_pb(tag, text), step, time.time())

    def _write(self, summary: Any, step: int, at: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=at, step=step)
        event.summary.MergeFromString(summary.SerializeToString())
        self._writer.add_event(event)


def _table(values: Mapping[str, Any]) -> str:
    """A table in Markdown; what would end a cell is taken out of it."""
    lines = ["| name | value |", "| --- | --- |"]
    for name, value in values.items():
        text = write_value(value).replace("|", "\\|").replace("\n", " ⏎ ")
        lines.append(f"| {name} | {text} |")
    return "\n".join(lines)
