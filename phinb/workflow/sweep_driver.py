"""The process that drives a sweep: proposes settings, starts their runs as memory allows, has each measured.

What it knows stands in trials.json after each step, so that another driver can go on where this one ended.
"""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean

import psutil

from phinb.config import load_config
from phinb.errors import PhinbError
from phinb.types import RunState
from phinb.workflow.runner import Run, open_run
from phinb.workflow.starting import look, start_run
from phinb.workflow.store import SWEPT, RunFolder
from phinb.workflow.sweep_sampler import Sampling, make_sampler
from phinb.workflow.sweep_space import make_trial, write_values
from phinb.workflow.sweep_store import (
    SweepRecord,
    SweepState,
    SweepStatus,
    Trial,
    TrialStatus,
    read_config,
    read_record,
    read_state,
    write_state,
)

POLL_S = 0.25
SPARE_BYTES = 1_000_000_000
"""What stays free for all else when a further run is begun."""

Measure = Callable[[Run, SweepRecord], Mapping[str, float]]
"""The figures of a run that has ended, the objective's among them. Raises PhinbError where it cannot be had."""


def is_higher_better(objective: str) -> bool:
    """Whether more of a figure is better: an accuracy or a speed, and not a loss, a time or a size."""
    return objective == "accuracy" or objective.endswith("_per_s")


class Driver:
    """Drives the sweep of a folder to its end, or until it is asked to stop."""

    def __init__(self, folder: RunFolder, measure: Measure) -> None:
        self.folder, self.measure = folder, measure
        self.record = read_record(folder)
        self.config = read_config(folder)
        # Runs of a driver that is gone have gone on by themselves.
        trials = tuple(replace(one, status="running") if one.status == "measuring" else one for one in self._known())
        self.state = SweepState(trials=trials)
        self._needs: dict[str, int] = {}
        self._told: set[int] = set()
        self._sampler = self._make_sampler()
        self._tell_finished()

    def drive(self) -> None:
        """Return when nothing is left to do. What goes wrong in one trial is that trial's; the others go on."""
        self._write()
        while not self.state.ended:
            how = self.folder.read_control().get("how", "")
            if how == "cancel":
                self._cancel()
                break
            if how and self.state.stopping != "stop":
                self.state = replace(self.state, stopping="stop")
            self._collect()
            begun = not how and self._begin_next()
            if not begun and not self._running():
                self._finish("stopped" if how else "succeeded")
            self._write()
            if not begun:
                time.sleep(POLL_S)

    # ---------------------------------------------------------------------------------------------- its steps

    def _begin_next(self) -> bool:
        """Start the next run if there is one and room for it; says whether there is more to be begun at once."""
        running = self._running()
        if len(running) >= self.record.at_once:
            return False
        index = next((i for i, trial in enumerate(self.state.trials) if trial.status == "waiting"), None)
        if index is None:
            values = self._sampler.ask()
            if values is None:
                return False
            number = max((trial.number for trial in self.state.trials), default=0) + 1
            added = tuple(Trial(number, values, seed) for seed in self.record.seeds)
            self.state = replace(self.state, trials=(*self.state.trials, *added))
            return True
        trial = self.state.trials[index]
        try:
            started = self._start(trial, alone=not running)
        except Exception as error:
            self._change(index, replace(trial, status="failed", message=_tell(error)))
            return True
        if started is None:
            return False
        self._change(index, replace(trial, status="running", run_id=started.id))
        return True

    def _start(self, trial: Trial, *, alone: bool) -> Run | None:
        """The run of a trial; None where it has to wait for memory. Raises PhinbError where it cannot be started."""
        if trial.run_id:
            run = open_run(trial.run_id)
            return run if not run.state.ended or run.state.status == "succeeded" else run.resume()
        config = make_trial(self.config, trial.values, trial.seed)
        config = load_config(config.dumps("json"), name=self._name(trial), folder=config.folder)
        found = look(config)
        need = found.forecast.memory_bytes
        if not alone:
            reserved = sum(max(0, self._needs.get(one.run_id, 0) - _held(one.run_id)) for one in self._running())
            if need is None or psutil.virtual_memory().available - reserved < need + SPARE_BYTES:
                self.state = replace(self.state, note="the next run waits for memory")
                return None
        self.state = replace(self.state, note="", expected_s=found.forecast.seconds)
        note = {"sweep_id": self.record.sweep_id, "name": self.record.name, "trial": trial.number}
        notes = {SWEPT: json.dumps(note, ensure_ascii=False)}
        run = start_run(config, until=self.record.until, found=found, notes=notes)
        self._needs[run.id] = need or 0
        return run

    def _collect(self) -> None:
        """Measure the runs that have ended."""
        for index, trial in enumerate(self.state.trials):
            if trial.status != "running":
                continue
            try:
                run = open_run(trial.run_id)
                ended = run.state
            except PhinbError as error:
                self._change(index, replace(trial, status="failed", message=f"Its run is gone: {error.message}"))
                continue
            if ended.ended:
                self._measure(index, run, ended)

    def _measure(self, index: int, run: Run, ended: RunState) -> None:
        trial = self.state.trials[index]
        if ended.status not in ("succeeded", "stopped"):
            message = " ".join(filter(None, (ended.message, ended.cause, ended.remedy))) or f"It {ended.status}."
            status: TrialStatus = "cancelled" if ended.status == "cancelled" else "failed"
            self._change(index, replace(trial, status=status, message=message))
            return
        self._change(index, replace(trial, status="measuring"))
        try:
            metrics = dict(self.measure(run, self.record))
        except Exception as error:
            self._change(index, replace(trial, status="failed", message=_tell(error)))
            return
        # A run that was ended early has trained less than its setting says.
        message = "Its training was stopped early." if ended.status == "stopped" else ""
        self._change(index, replace(trial, status="done", metrics=metrics, message=message))

    def _cancel(self) -> None:
        for index, trial in enumerate(self.state.trials):
            if trial.status == "running":
                with contextlib.suppress(PhinbError):  # its folder was removed
                    open_run(trial.run_id).cancel()
                self._change(index, replace(trial, status="cancelled"))
        self._finish("cancelled")
        self._write()

    def _finish(self, status: SweepStatus) -> None:
        done = any(trial.status == "done" for trial in self.state.trials)
        if status == "succeeded" and not done:
            status = "failed"
        note = "" if done or status == "cancelled" else "No trial came to a figure."
        self.state = replace(self.state, status=status, ended_at=time.time(), note=note)

    # ------------------------------------------------------------------------------------------ what is known

    def _known(self) -> tuple[Trial, ...]:
        """The trials so far; what was cancelled with the sweep is to be done."""
        known = read_state(self.folder).trials
        return tuple(replace(one, status="waiting") if one.status == "cancelled" else one for one in known)

    def _make_sampler(self) -> Sampling:
        settings: dict[int, Mapping[str, object]] = {trial.number: trial.values for trial in self.state.trials}
        return make_sampler(self.record, list(settings.values()), is_higher_better(self.record.objective))

    def _tell_finished(self) -> None:
        """Let the sampler know of the settings whose runs have all ended, once each."""
        for number in {trial.number for trial in self.state.trials} - self._told:
            mine = [trial for trial in self.state.trials if trial.number == number]
            if all(trial.status in ("done", "failed", "cancelled") for trial in mine):
                self._told.add(number)
                self._sampler.tell(mine[0].values, self._score(number))

    def _score(self, number: int) -> float | None:
        """The mean of a setting's runs that are done."""
        mine = [trial for trial in self.state.trials if trial.number == number and trial.status == "done"]
        scores = [trial.metrics[self.record.objective] for trial in mine if self.record.objective in trial.metrics]
        return fmean(scores) if scores else None

    def _change(self, index: int, trial: Trial) -> None:
        trials = list(self.state.trials)
        trials[index] = trial
        self.state = replace(self.state, trials=tuple(trials))
        self._tell_finished()
        self._write()

    def _running(self) -> list[Trial]:
        return [trial for trial in self.state.trials if trial.status == "running"]

    def _name(self, trial: Trial) -> str:
        seed = f" seed={trial.seed}" if len(self.record.seeds) > 1 else ""
        return f"{self.record.name} {write_values(trial.values)}{seed}"

    def _write(self) -> None:
        write_state(self.folder, self.state)


def _tell(error: Exception) -> str:
    """What went wrong, in a trial's message; of an error that is nobody's plan the log has the whole."""
    if isinstance(error, PhinbError):
        return f"{error.message} {error.hint}".strip()
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}. The sweep's log says more."


def _held(run_id: str) -> int:
    """Bytes that a run's worker holds now; 0 where it is gone."""
    try:
        resources = open_run(run_id).state.resources
    except PhinbError:
        return 0
    return resources.rss_bytes if resources else 0
