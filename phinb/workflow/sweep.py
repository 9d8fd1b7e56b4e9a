"""Sweeps: many runs of one configuration with other settings, driven by a process of their own.

A Sweep is a view of a folder, as a Run is: open it in another kernel, and it is the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phinb import folders
from phinb.config import Config
from phinb.errors import PhinbError
from phinb.workflow import sweep_store
from phinb.workflow.process import find_worker, kill_tree, remember_worker, start_worker, wait_until
from phinb.workflow.runner import Run, open_run
from phinb.workflow.store import RunFolder
from phinb.workflow.sweep_results import Setting, judge, summarize
from phinb.workflow.sweep_space import (
    MOST_RUNS,
    Space,
    check_space,
    check_trial,
    count_settings,
    list_grid,
    make_trial,
    shorten,
    write_values,
)
from phinb.workflow.sweep_store import Sampler, SweepRecord, SweepState, Trial

if TYPE_CHECKING:
    import pandas

MODULE = "phinb.sweep_worker"
START_GRACE_S = 10.0
"""How long another process may look at a sweep whose driver has not been noted yet."""

CANCEL_GRACE_S = 5.0
"""A driver cancels its runs, each within 2 s, before it is ended itself."""

LOST = "The process that drives the sweep is gone. Its runs are kept: resume() goes on."


class Sweep:
    """A sweep: one folder on disk, watched from here; each of its trials is an ordinary run."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.record = sweep_store.read_record(folder)

    def __repr__(self) -> str:
        done = sum(trial.status == "done" for trial in self.trials)
        return f"<phinb sweep {self.id} {self.name!r}: {self.state.status}, {done} of {len(self.trials)} runs done>"

    @property
    def id(self) -> str:
        return self.record.sweep_id

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self.record.name

    @property
    def folder(self) -> Path:
        return self._folder.path

    @property
    def config(self) -> Config:
        """The configuration whose settings are varied, in today's form."""
        return sweep_store.read_config(self._folder)

    @property
    def state(self) -> SweepState:
        """What is known now; `failed`, with a note, where the driver is gone."""
        state = sweep_store.read_state(self._folder)
        if state.ended or self._is_driven():
            return state
        state = sweep_store.read_state(self._folder)  # it may have ended between the two looks
        return state if state.ended else replace(state, status="failed", note=LOST)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """One a run: number of its setting, values by path, seed, status, run_id and metrics."""
        return self.state.trials

    @property
    def settings(self) -> list[Setting]:
        """The settings with the means over their seeds, the best first."""
        return summarize(self.record, self.state)

    @property
    def best(self) -> Setting:
        """The setting with the best mean. Raises PhinbError while none has a figure."""
        first = next(iter(self.settings), None)
        if first is None or first.mean is None:
            raise PhinbError("No setting has a figure yet.", "Wait for the first run to be measured.")
        return first

    def best_config(self) -> Config:
        """The configuration with the best setting's values, to go on with. Raises PhinbError as `best`."""
        return make_trial(self.config, self.best.values)

    def run(self, trial: Trial) -> Run:
        """The run of a trial. Raises PhinbError where it has none."""
        if not trial.run_id:
            raise PhinbError(f"Trial {trial.number} has no run: it is {trial.status}.", trial.message)
        return open_run(trial.run_id)

    def sentences(self) -> list[str]:
        """The best setting, how far it is ahead, and whether that may be luck."""
        return judge(self.record, self.state)

    @property
    def frame(self) -> pandas.DataFrame:
        """A row a run: trial, a column a path (by its short end), seed, status, the metrics, run, message."""
        import pandas

        short = shorten(self.record.space)
        rows = []
        for trial in self.trials:
            values = {short[path]: value for path, value in trial.values.items()}
            told = {"status": trial.status, **trial.metrics, "run": trial.run_id, "message": trial.message}
            rows.append({"trial": trial.number, **values, "seed": trial.seed, **told})
        return pandas.DataFrame(rows)

    def wait(self, timeout: float | None = None) -> SweepState:
        """Return the state when the sweep has ended, or after `timeout` seconds, whichever comes first.

        An interrupt (Ctrl-C) ends the waiting, not the sweep.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (state := self.state).ended:
            if deadline is not None and time.monotonic() >= deadline:
                break
            time.sleep(0.2)
        return state

    def stop(self) -> None:
        """Begin no further run; those that go on are finished and measured."""
        if not self.state.ended:
            self._folder.write_control("stop", "user")

    def cancel(self) -> None:
        """End the sweep and its runs now; what is measured is kept, and resume() goes on."""
        if self.state.ended:
            return
        self._folder.write_control("cancel", "user")
        if wait_until(lambda: find_worker(self._folder) is None, CANCEL_GRACE_S):
            return
        # It measures, or hangs. Its runs first: what is killed with it would be missed, not cancelled.
        state = sweep_store.read_state(self._folder)
        trials = list(state.trials)
        for index, trial in enumerate(trials):
            if trial.status in ("running", "measuring"):
                with contextlib.suppress(PhinbError):
                    open_run(trial.run_id).cancel()
                trials[index] = replace(trial, status="cancelled")
        if driver := find_worker(self._folder):
            kill_tree(driver)
        ended = SweepState("cancelled", tuple(trials), ended_at=time.time())
        sweep_store.write_state(self._folder, ended)

    def resume(self) -> Sweep:
        """Go on where the sweep was stopped or cancelled, or its driver was lost. Failed runs stay failed.

        Raises PhinbError while it is still going on, and where nothing is left to do.
        """
        with self._folder.lock:
            state = self.state
            if not state.ended:
                raise PhinbError(f"Sweep {self.id} is still going on.", "Stop or cancel it first.")
            if state.status == "succeeded":
                raise PhinbError(f"Sweep {self.id} is done; there is nothing to resume.", "Start a new one.")
            (self.folder / "control.json").unlink(missing_ok=True)
            (self.folder / "worker.json").unlink(missing_ok=True)
            sweep_store.write_state(self._folder, SweepState(trials=state.trials))
            _start(self._folder)
        return self

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that the driver and the measuring processes printed."""
        return self._folder.tail_log(lines)

    def _is_driven(self) -> bool:
        if find_worker(self._folder) is not None:
            return True
        if (self.folder / "worker.json").is_file():
            return False
        try:
            return abs(time.time() - (self.folder / "trials.json").stat().st_mtime) < START_GRACE_S
        except OSError:
            return False


def launch_sweep(
    config: Config,
    space: Space,
    *,
    seeds: Sequence[int],
    sampler: Sampler,
    trials: int | None,
    objective: str,
    variant: str = "",
    until: str | None = None,
    at_once: int = 1,
) -> Sweep:
    """Make a sweep's folder and start its driver; returns at once. The configuration must be ok.

    Raises PhinbError where a path leads nowhere, a value would be refused, or the space does not fit the sampler.
    """
    config.to_olive()
    if until is not None and until not in config.passes:
        raise PhinbError(f"The configuration has no pass {until!r}.", f"Its passes are: {', '.join(config.passes)}.")
    check_space(config, space)
    known: tuple[Trial, ...] = ()
    grid = list_grid(space) if sampler == "grid" else []
    if sampler == "grid":
        for values in grid:
            if wrong := check_trial(make_trial(config, values)):
                raise PhinbError(f"{write_values(values)} cannot be run: {wrong}", "Leave the value out.")
        trials = len(grid)
    elif not trials or trials < 1:
        raise PhinbError(f"The sampler {sampler} needs to know how many settings to draw.", "Give trials=20.")
    else:
        # No setting is drawn twice: of few there are no more.
        trials = min(trials, count_settings(space) or trials)
    if trials * len(seeds) > MOST_RUNS:
        raise PhinbError(f"The sweep has {trials * len(seeds):,} runs.", f"Up to {MOST_RUNS:,} are kept track of.")
    if sampler == "grid":
        known = tuple(Trial(number, values, seed) for number, values in enumerate(grid, 1) for seed in seeds)
    record = SweepRecord(
        sweep_id=sweep_store.new_id(),
        name=config.name,
        created=time.time(),
        base=str(config.folder),
        space=space,
        sampler=sampler,
        trials=trials,
        seeds=tuple(seeds),
        objective=objective,
        variant=variant,
        until=until,
        at_once=at_once,
    )
    folder = sweep_store.create(record, config, SweepState(trials=known))
    _start(folder)
    return Sweep(folder)


def open_sweep(reference: str | Path) -> Sweep:
    """Open a sweep by its id (or a unique part of it), its folder, or the name of its configuration (the newest)."""
    return Sweep(sweep_store.find(reference))


def sweeps() -> list[Sweep]:
    """All sweeps of this user that can be read, newest first."""
    return [Sweep(folder) for folder in sweep_store.iterate()]


def _start(folder: RunFolder) -> None:
    pid = start_worker(MODULE, [str(folder.path)], cwd=folders.home(), log=folder.log_path)
    remember_worker(folder, pid)
