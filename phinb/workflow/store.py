"""A run's folder: what it holds, how events are appended and read, listing and opening.

<runs>/<id>/run.json         RunRecord: what was asked, never changed
            config.*         the configuration as it was given; config-1.*, ... where it was given in pieces
            pieces.json      which files the pieces are, and what each is called
            upgraded.json    the same in today's form, phinb's section included
            olive.json       what Olive got, written by the worker
            inputs.json      what the results depend on, by hash: model, data, scripts, versions, seed, settings
            events.jsonl     one event a line; every view is a function of it
            log.txt          all that Olive and its libraries printed
            control.json     what the user asked of the worker (stop, cancel)
            variants.json    the models that the run made
            results.json     which results in Olive's cache it made or used
            worker.json      which process works on it
            artefacts.json   what each artefact was made of, by which run, and the hashes of its files
            swept.json       of a trial: which sweep it belongs to
            tracking/        what experiment trackers were told, and what those keep that have no server
            artefacts/PASS   a pass's output, hard links into the cache where the file system has them

Whatever of it is missing or cut off, the rest can be read.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from phinb import folders
from phinb.errors import PhinbError
from phinb.types import Event, Queued, RunState, Variant
from phinb.workflow.event_lines import decode_event, to_bytes
from phinb.workflow.state import reduce_all

SWEPT = "swept.json"
"""Of a run that a sweep began: {sweep_id, name of the swept configuration, trial}."""


@dataclass(frozen=True)
class RunRecord:
    """What a run was asked to do. `cwd` is the folder it was started in, `base` the one that paths relate to."""

    run_id: str
    name: str
    created: float
    passes: tuple[str, ...]
    cwd: str
    base: str
    until: str | None = None
    from_pass: str | None = None
    fresh: bool = False
    host: str = field(default_factory=socket.gethostname)


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text so that a reader sees the old content or the new, and never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """What a file of JSON holds. Raises OSError or ValueError, whatever is wrong with it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class RunFolder:
    """The files of one run. Any number of processes may hold one; appending takes the folder's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events_path = path / "events.jsonl"
        self.log_path = path / "log.txt"
        self.artefacts = path / "artefacts"
        self.lock = FileLock(path / ".lock", timeout=30)

    @property
    def record(self) -> RunRecord:
        """What the run was asked to do; where run.json is damaged, what the events tell of it.

        Raises PhinbError where neither can be read.
        """
        try:
            return self.read_record()
        except (OSError, ValueError) as error:
            for event in self.read_events()[0]:
                if isinstance(event, Queued):
                    return RunRecord(
                        event.run_id, event.name, event.time, event.passes, cwd="", base=str(self.path), host=event.host
                    )
            raise PhinbError(
                f"{self.path} holds no run that can be read ({error}).", "Name another run; %olive_runs lists them."
            ) from None

    def read_record(self) -> RunRecord:
        """run.json. Raises OSError or ValueError where it is missing, cut off or of another form."""
        text = read_json(self.path / "run.json")
        try:
            known = {item.name for item in fields(RunRecord)}
            values: dict[str, Any] = {k: tuple(v) if k == "passes" else v for k, v in text.items() if k in known}
            record = RunRecord(**values)
            texts = (record.run_id, record.name, record.cwd, record.base, record.host, *record.passes)
        except (TypeError, AttributeError) as error:
            raise ValueError(str(error)) from None
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("a name or a folder is no text")
        return record

    @property
    def is_readable(self) -> bool:
        try:
            return bool(self.record.run_id)
        except PhinbError:
            return False

    def append(self, event: Event) -> Event:
        """Number, stamp and write one event, flushed. A line that a dead writer left half is removed first.

        Raises OSError where it cannot be written; what of it reached the disk is removed by the next one.
        """
        if not self.path.is_dir():
            # The lock would make the folder again, and it would hold a run without a beginning.
            raise FileNotFoundError(errno.ENOENT, "The run's folder is gone", str(self.path))
        with self.lock, self.events_path.open("a+b") as file:
            event = replace(event, seq=_mend_and_count(file), time=event.time or time.time())
            file.write(to_bytes(event))
        return event

    def read_events(self, offset: int = 0) -> tuple[list[Event], int]:
        """The events from byte `offset` on, and the offset to go on from; a line being written is left for later."""
        try:
            with self.events_path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except OSError:
            return [], offset
        end = data.rfind(b"\n") + 1
        lines = data[:end].decode("utf-8", errors="replace").split("\n")
        return [event for line in lines if (event := decode_event(line))], offset + end

    def read_state(self) -> RunState:
        return reduce_all(self.read_events()[0])

    def read_control(self) -> dict[str, Any]:
        """What the user last asked of the worker: {"how": "stop" | "cancel", "by": ..., "time": ...} or {}."""
        try:
            control = read_json(self.path / "control.json")
        except (OSError, ValueError):
            return {}
        return control if isinstance(control, dict) else {}

    def write_control(self, how: str, by: str) -> None:
        write_atomically(self.path / "control.json", json.dumps({"how": how, "by": by, "time": time.time()}))

    def read_variants(self) -> dict[str, Variant]:
        """The models of the run by name; none where variants.json cannot be read."""
        known = {item.name for item in fields(Variant)} - {"parameters"}
        try:
            found = {}
            for row in read_json(self.path / "variants.json"):
                texts: dict[str, Any] = {key: str(value) for key, value in row.items() if key in known}
                found[texts["name"]] = Variant(**texts, parameters=dict(row.get("parameters") or {}))
            return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write_variants(self, variants: dict[str, Variant]) -> None:
        rows = [asdict(variant) for variant in variants.values()]
        write_atomically(self.path / "variants.json", json.dumps(rows, indent=1))

    def read_results(self) -> list[str] | None:
        """The results in Olive's cache that the run made or used, as paths in the folder of the caches.

        None where that was not noted, by an earlier version of phinb.
        """
        try:
            names = read_json(self.path / "results.json")
        except (OSError, ValueError):
            return None
        return [str(name) for name in names] if isinstance(names, list) else None

    def note_result(self, name: str) -> None:
        """Note one more of them."""
        names = self.read_results() or []
        if name not in names:
            write_atomically(self.path / "results.json", json.dumps([*names, name], indent=1))

    def tail_log(self, lines: int = 40) -> str:
        """The last lines of the log; of a progress bar that redrew itself, its last state."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 200 * lines))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")[-lines - 1 :]).strip("\n")


def create(record: RunRecord, texts: dict[str, str]) -> RunFolder:
    """Make the folder of a new run with its texts (file name -> content); it appears at once and whole.

    Raises PhinbError where the folder of the runs cannot be written.
    """
    root = folders.runs()
    path, temporary = root / record.run_id, root / f".{record.run_id}.{secrets.token_hex(4)}"
    try:
        (temporary / "artefacts").mkdir(parents=True)
        for name, text in {**texts, "results.json": "[]", "run.json": json.dumps(asdict(record), indent=1)}.items():
            write_atomically(temporary / name, text)
        temporary.rename(path)
    except OSError as error:
        raise PhinbError(
            f"The run's folder {path} cannot be made: {error.strerror or error}.",
            "Free some disk space, or set PHINB_HOME to a folder that can be written.",
        ) from None
    return RunFolder(path)


def new_id(now: float | None = None) -> str:
    """r-YYYYMMDD-HHMMSS-xxxx: sorts by time, is typed without quoting, and does not collide."""
    return f"r-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{secrets.token_hex(2)}"


def iterate() -> Iterator[RunFolder]:
    """The runs' folders, newest first."""
    root = folders.runs()
    if root.is_dir():
        for path in sorted(root.iterdir(), reverse=True):
            # A folder whose record is damaged must not hide the others; it can still be named, and says what it is.
            # What begins with a dot is being made, or being deleted.
            if path.is_dir() and not path.name.startswith(".") and RunFolder(path).is_readable:
                yield RunFolder(path)


def find(reference: str | Path) -> RunFolder:
    """The run of an id, a unique start or end of one, a folder, or the newest of a configuration's name.

    Raises PhinbError where none, or more than one id, fits.
    """
    path = Path(reference)
    if any((path / name).is_file() for name in ("run.json", "events.jsonl")) and RunFolder(path).is_readable:
        return RunFolder(path.resolve())
    text = str(reference)
    found = match_folder(list(iterate()), text, "runs", lambda run: run.record.name)
    if found is not None:
        return found
    raise PhinbError(f"There is no run {text!r}.", "%olive_runs, or `phinb runs`, lists those there are.")


def match_folder(
    folders: Sequence[RunFolder], text: str, kind: str, name_of: Callable[[RunFolder], str]
) -> RunFolder | None:
    """The one of this id, else the newest of this name, else the one whose id begins or ends so.

    folders: the newest first. kind: what they are, for the error.

    Raises PhinbError where more than one id begins or ends so.
    """
    exact = next((one for one in folders if one.path.name == text), None)
    found = exact or next((one for one in folders if name_of(one) == text), None)
    if found is not None or not text:
        return found
    matching = [one for one in folders if one.path.name.startswith(text) or one.path.name.endswith(text)]
    if len(matching) > 1:
        names = ", ".join(one.path.name for one in matching[:5])
        raise PhinbError(f"{text!r} fits {len(matching)} {kind}: {names}.", "Write more of the id.")
    return next(iter(matching), None)


def _mend_and_count(file: Any) -> int:
    """The seq that comes next; cuts off what stands behind the last whole line."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - 65536)
    while True:
        file.seek(start)
        data = file.read(end - start)
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].rstrip(b"\n").rsplit(b"\n", 1)
        if start == 0 or len(lines) > 1:
            break
        start = max(0, start - 65536 * 16)
    if start + whole < end:
        file.truncate(start + whole)
        file.seek(0, os.SEEK_END)
    last = lines[-1].decode("utf-8", errors="replace") if whole else ""
    if not last:
        return 0
    try:
        return int(json.loads(last)["seq"]) + 1
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        # A line of somebody else's: the last number of ours, and never one that was given before.
        file.seek(0)
        text = file.read().decode("utf-8", errors="replace")
        seen = [event.seq for line in text.split("\n") if (event := decode_event(line))]
        return max(seen, default=-1) + 1
