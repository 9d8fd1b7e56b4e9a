"""Start a run and hold on to it: Run is a view of a folder, and any number of them may look at the same one."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from phinb import folders
from phinb.config import Config, load_config
from phinb.errors import PhinbError
from phinb.types import Event, Queued, RunFinished, RunState, StopRequested, Variant, WorkerLost
from phinb.workflow import store
from phinb.workflow.failures import explain
from phinb.workflow.given import given_texts, read_given
from phinb.workflow.lines import plan_lines
from phinb.workflow.process import (
    describe_death,
    find_worker,
    kill_tree,
    remember_worker,
    start_worker,
    wait_until,
    worker_is_elsewhere,
)
from phinb.workflow.standby import hand_over
from phinb.workflow.state import reduce, reduce_all
from phinb.workflow.store import RunFolder, RunRecord

CANCEL_GRACE_S = 0.8
"""How long a worker may take to end by itself when cancelled. Promised: gone within 2 s, killing included."""


REMOTE_GRACE_S = 5.0
"""How long a cancel waits for the word of a worker on another machine, which cannot be killed from here."""

START_GRACE_S = 10.0
"""How long another process may look at a run whose worker has not been started yet."""

FULL_BYTES = 1_000_000
"""A disk with less left is called full."""


class Run:
    """A run of Olive: one folder on disk, watched from here.

    Nothing of it lives in this object: open the same run twice, or in another kernel, and both see the same.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._record = folder.record
        self._state = RunState()
        self._offset = 0
        self._reading = threading.Lock()

    def __repr__(self) -> str:
        return f"<phinb run {self.id} {self.name!r}: {self.state.status}>"

    @property
    def id(self) -> str:
        return self._record.run_id

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self._record.name

    @property
    def folder(self) -> Path:
        return self._folder.path

    @property
    def config(self) -> Config:
        """The configuration as it was run, in today's form."""
        return read_config(self._folder)

    @property
    def given(self) -> Config:
        """The configuration as the user wrote it, old forms and pieces included."""
        return read_given(self._folder)

    @property
    def state(self) -> RunState:
        """What is known now. Notes it in the events where the worker is found to be gone."""
        state = self._read()
        if not state.ended and not self._may_be_alive():
            state = self._note_lost_worker()
        return state

    @property
    def variants(self) -> dict[str, Variant]:
        """The models of this run by name, base first; what a pass has not made yet is not there."""
        return self._folder.read_variants()

    def events(self, follow: bool = False) -> Iterator[Event]:
        """The events so far; with `follow` also those to come, until the run has ended."""
        offset = 0
        while True:
            ended = self.state.ended if follow else True
            events, offset = self._folder.read_events(offset)
            yield from events
            if ended:
                return
            time.sleep(0.1)

    def wait(self, timeout: float | None = None) -> RunState:
        """Return the state when the run has ended, or after `timeout` seconds, whichever comes first.

        An interrupt (Ctrl-C) ends the waiting, not the run.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (state := self.state).ended:
            if deadline is not None and time.monotonic() >= deadline:
                break
            time.sleep(0.1)
        return state

    def stop(self) -> None:
        """Ask training to end after its current step; what is trained is kept, merged and quantized."""
        if not self.state.ended:
            self._folder.write_control("stop", _user())

    def cancel(self) -> None:
        """End the run within 2 s: no process and no half artefact stays. Its checkpoints are kept for resume()."""
        if self.state.ended:
            return
        # A full disk must not keep a worker alive: whether the wish can be written or not, the process is ended.
        with contextlib.suppress(OSError):
            self._folder.write_control("cancel", _user())
        if worker_is_elsewhere(self._folder):
            wait_until(lambda: self._read().ended, REMOTE_GRACE_S)
            return
        if wait_until(lambda: find_worker(self._folder) is None, CANCEL_GRACE_S):
            self._note_cancelled()
            return
        if worker := find_worker(self._folder):
            kill_tree(worker)
        self._note_cancelled()

    def resume(self) -> Run:
        """Start a new attempt in the same folder: finished passes are reused, training goes on from its checkpoint.

        Raises PhinbError while the run is still going on, where it has succeeded already, and where its run.json is
        damaged: what it was asked to do is not known then.
        """
        self.state  # noqa: B018 - notes a worker that is lost
        # Under the lock, so that of two who press Resume one starts and the other is told.
        with self._folder.lock:
            state = self._read()
            if not state.ended:
                raise PhinbError(f"Run {self.id} is still running.", "Stop or cancel it first.")
            if state.status == "succeeded":
                raise PhinbError(f"Run {self.id} has succeeded; there is nothing to resume.", "Start a new one.")
            try:
                lines = plan_lines(read_config(self._folder).search, self._folder.read_record().passes)
            except (OSError, ValueError) as error:
                raise PhinbError(
                    f"Run {self.id} cannot be resumed: its run.json cannot be read ({error}).",
                    "Start it again: what its passes had finished is reused.",
                ) from None
            (self.folder / "control.json").unlink(missing_ok=True)
            (self.folder / "worker.json").unlink(missing_ok=True)
            self._folder.append(Queued(run_id=self.id, name=self.name, passes=lines, host=socket.gethostname()))
            _start(self._folder, Path(self._record.base))
        return self

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that Olive and its libraries printed."""
        return self._folder.tail_log(lines)

    def _read(self) -> RunState:
        with self._reading:
            events, self._offset = self._folder.read_events(self._offset)
            self._state = reduce_all(events, self._state)
            return self._state

    def _may_be_alive(self) -> bool:
        """False only where it is known that nobody works on the run any more.

        Of a worker on another machine nothing can be known here, and between the making of the folder and the worker's
        first sign of life there is nobody to be missed.
        """
        if find_worker(self._folder) is not None or worker_is_elsewhere(self._folder):
            return True
        if (self.folder / "worker.json").is_file():
            return False
        try:
            # The clock may have been set back since.
            return abs(time.time() - self._folder.events_path.stat().st_mtime) < START_GRACE_S
        except OSError:
            return False

    def _note_lost_worker(self) -> RunState:
        if not self.folder.is_dir():
            lost = WorkerLost(signal=None, exit_code=None, cause="The run's folder was deleted.")
            return replace(reduce(self._state, lost), remedy="Start it again: what its passes had finished is reused.")
        try:
            with self._folder.lock:
                state = self._read()
                if state.ended or self._may_be_alive():
                    return state
                if self._folder.read_control().get("how") == "cancel":
                    return self._write_cancelled(state)
                self._folder.append(self._explain_loss(state))
        except OSError:
            # Nothing can be written there now: it is told, and noted by whoever can.
            state = self._read()
            return reduce(state, replace(self._explain_loss(state), time=time.time()))
        return self._read()

    def _explain_loss(self, state: RunState) -> WorkerLost:
        rss = state.resources.peak_rss_bytes if state.resources else None
        number, code, cause = describe_death(self._folder, rss)
        known, reason, _ = explain(self.log_tail())
        if number is None and known != "unknown":
            cause = reason
        elif number is None and shutil.disk_usage(self.folder).free < FULL_BYTES:
            cause = explain("No space left on device")[1]
        return WorkerLost(signal=number, exit_code=code, cause=cause)

    def _note_cancelled(self) -> None:
        """Write the ending that the worker had no time to write; where the disk is full, whoever looks next does."""
        with contextlib.suppress(OSError), self._folder.lock:
            state = self._read()
            if not state.ended:
                self._write_cancelled(state)

    def _write_cancelled(self, state: RunState) -> RunState:
        if state.stopping != "cancel":
            self._folder.append(StopRequested(how="cancel", by=_user()))
        seconds = max(0.0, time.time() - (state.started_at or state.queued_at or time.time()))
        self._folder.append(RunFinished(status="cancelled", seconds=seconds, message="Cancelled by the user."))
        return self._read()


def launch(
    config: Config,
    *,
    until: str | None = None,
    from_pass: str | None = None,
    fresh: bool = False,
    notes: Mapping[str, str] | None = None,
) -> Run:
    """Make a run's folder and start its worker; returns at once. The configuration must be ok.

    notes: texts that the run's folder keeps beside the configuration, by file name.

    Raises ConfigError for a configuration with errors, PhinbError for a pass name that it does not have.
    """
    config.to_olive()
    passes = tuple(config.passes)
    for name in (until, from_pass):
        if name is not None and name not in passes:
            raise PhinbError(f"The configuration has no pass {name!r}.", f"Its passes are: {', '.join(passes)}.")
    if until is not None:
        passes = passes[: passes.index(until) + 1]
    if from_pass is not None and from_pass not in passes:
        raise PhinbError(f"Pass {from_pass!r} comes after {until!r}.", "Leave --until out, or name a later pass.")
    run_id = store.new_id()
    record = RunRecord(
        run_id=run_id,
        name=config.name,
        created=time.time(),
        passes=passes,
        cwd=str(Path.cwd()),
        base=str(config.folder),
        until=until,
        from_pass=from_pass,
        fresh=fresh,
    )
    folder = store.create(record, {**(notes or {}), **given_texts(config), "upgraded.json": config.dumps("json")})
    lines = plan_lines(config.search, passes)
    folder.append(Queued(run_id=run_id, name=config.name, passes=lines, host=record.host))
    _start(folder, Path(config.folder))
    return Run(folder)


def read_config(folder: RunFolder) -> Config:
    """The configuration of a run as it was run, with the name and the base folder that it had then."""
    record = folder.record
    return load_config(folder.path / "upgraded.json", name=record.name, folder=Path(record.base))


def open_run(reference: str | Path) -> Run:
    """Open a run by its id (or a unique part of it), its folder, or the name of its configuration (the newest)."""
    return Run(store.find(reference))


def runs() -> list[Run]:
    """All runs of this user, newest first."""
    return [Run(folder) for folder in store.iterate()]


def _start(folder: RunFolder, base: Path) -> None:
    cwd = base if base.is_dir() else folders.home()
    pid = hand_over(folder.path, cwd, folder.log_path)
    if pid is None:
        pid = start_worker("phinb.workflow.worker", [str(folder.path)], cwd=cwd, log=folder.log_path)
    remember_worker(folder, pid)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"
