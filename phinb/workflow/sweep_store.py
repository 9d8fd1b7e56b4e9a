"""A sweep's folder: what was asked, what has come of it, how it is listed and opened.

<sweeps>/<id>/sweep.json     SweepRecord: what was asked, never changed
              config.*       the configuration as it was given, and upgraded.json, as in a run's folder
              trials.json    SweepState: each trial's values, seed, run and figures; written whole after each change
              control.json   what the user asked of it (stop, cancel)
              worker.json    which process drives it
              log.txt        what that process printed

Each trial is an ordinary run, in the folder of the runs.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from phinb import folders
from phinb.config import Config, load_config
from phinb.errors import PhinbError
from phinb.workflow.given import given_texts
from phinb.workflow.store import RunFolder, match_folder, read_json, write_atomically
from phinb.workflow.sweep_space import Dimension, Range, Space

TrialStatus = Literal["waiting", "running", "measuring", "done", "failed", "cancelled"]
SweepStatus = Literal["running", "succeeded", "stopped", "cancelled", "failed"]
"""stopped: no further trial was begun by the user's wish; failed: no trial has a figure, or the driver is gone."""

Sampler = Literal["grid", "tpe", "random"]


@dataclass(frozen=True)
class SweepRecord:
    """What a sweep was asked to do. `base` is the folder that the configuration's paths relate to.

    objective: the figure that trials are compared by; variant: the model it is measured on, "" for the last that the
    run makes. trials: how many a sampler draws. seeds: one a repeat. at_once: runs at the same time, at most.
    """

    sweep_id: str
    name: str
    created: float
    base: str
    space: Space
    sampler: Sampler
    trials: int
    seeds: tuple[int, ...]
    objective: str
    variant: str = ""
    until: str | None = None
    at_once: int = 1


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: the `number` of its setting (from 1), its values by path, and its seed.

    metrics: the objective and what else is known, by name. `run_id` is "" until it is started.
    """

    number: int
    values: Mapping[str, Any]
    seed: int
    status: TrialStatus = "waiting"
    run_id: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class SweepState:
    """What is known of a sweep.

    note: what it waits for, or why it ended. expected_s: the forecast of a run.
    """

    status: SweepStatus = "running"
    trials: tuple[Trial, ...] = ()
    note: str = ""
    ended_at: float | None = None
    stopping: Literal["", "stop", "cancel"] = ""
    expected_s: float | None = None

    @property
    def ended(self) -> bool:
        return self.status != "running"


def sweeps_folder() -> Path:
    """The folder with one folder a sweep."""
    return folders.home() / "sweeps"


def new_id() -> str:
    """s-YYYYMMDD-HHMMSS-xxxx."""
    return f"s-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def create(record: SweepRecord, config: Config, state: SweepState) -> RunFolder:
    """Make a sweep's folder; it appears at once and whole. Raises PhinbError where it cannot be written."""
    root = sweeps_folder()
    path, temporary = root / record.sweep_id, root / f".{record.sweep_id}"
    space = {p: asdict(v) if isinstance(v, Range) else list(v) for p, v in record.space.items()}
    texts = {**given_texts(config), "upgraded.json": config.dumps("json")}
    texts["sweep.json"] = json.dumps({**asdict(record), "space": space}, indent=1)
    try:
        temporary.mkdir(parents=True)
        for name, text in texts.items():
            write_atomically(temporary / name, text)
        write_state(RunFolder(temporary), state)
        temporary.rename(path)
    except OSError as error:
        raise PhinbError(
            f"The sweep's folder {path} cannot be made: {error.strerror or error}.",
            "Free some disk space, or set PHINB_HOME to a folder that can be written.",
        ) from None
    return RunFolder(path)


def read_record(folder: RunFolder) -> SweepRecord:
    """Raises PhinbError where sweep.json cannot be read."""
    try:
        values = read_json(folder.path / "sweep.json")
        known = {item.name for item in fields(SweepRecord)}
        values = {key: value for key, value in values.items() if key in known}
        values["space"] = {path: _read_dimension(given) for path, given in values["space"].items()}
        values["seeds"] = tuple(values["seeds"])
        return SweepRecord(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PhinbError(f"{folder.path} holds no sweep that can be read ({error}).", "Start it again.") from None


def read_config(folder: RunFolder) -> Config:
    """The configuration of a sweep, in today's form."""
    record = read_record(folder)
    return load_config(folder.path / "upgraded.json", name=record.name, folder=Path(record.base))


def read_state(folder: RunFolder) -> SweepState:
    """What trials.json says; a sweep without trials where it cannot be read."""
    try:
        values = read_json(folder.path / "trials.json")
        values["trials"] = tuple(Trial(**trial) for trial in values["trials"])
        return SweepState(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return SweepState()


def write_state(folder: RunFolder, state: SweepState) -> None:
    write_atomically(folder.path / "trials.json", json.dumps(asdict(state), indent=1))


def iterate() -> Iterator[RunFolder]:
    """The sweeps' folders, newest first; what cannot be read is passed over, so that one bad folder hides no other."""
    root = sweeps_folder()
    if root.is_dir():
        for path in sorted(root.iterdir(), reverse=True):
            if not path.name.startswith("."):
                with contextlib.suppress(PhinbError):
                    read_record(RunFolder(path))
                    yield RunFolder(path)


def find(reference: str | Path) -> RunFolder:
    """The sweep of an id, a unique start or end of one, a folder, or the newest of a configuration's name.

    Raises PhinbError where none, or more than one id, fits.
    """
    if (Path(reference) / "sweep.json").is_file():
        return RunFolder(Path(reference).resolve())
    everything, text = list(iterate()), str(reference)
    found = match_folder(everything, text, "sweeps", lambda one: read_record(one).name)
    if found is None:
        known = ", ".join(one.path.name for one in everything[:5])
        raise PhinbError(f"There is no sweep {text!r}.", f"The latest are: {known}." if known else "There is none yet.")
    return found


def _read_dimension(given: Any) -> Dimension:
    return Range(**given) if isinstance(given, Mapping) else tuple(given)
