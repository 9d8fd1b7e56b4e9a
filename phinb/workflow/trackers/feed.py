"""From a run's events to what a tracker is told: names of metrics, each step once, artefacts with their kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from phinb.config import Config
from phinb.types import (
    AttemptStarted,
    Event,
    MetricLogged,
    PassFailed,
    PassFinished,
    PassStarted,
    Queued,
    RunFinished,
    WorkerLost,
)
from phinb.workflow.checkpoints import is_training
from phinb.workflow.store import RunFolder
from phinb.workflow.trackers.tracker import Ending, Fact, Measured, Tracker

OWN_SECONDS = ("check_s", "hash_s")
"""What phinb itself took after a pass, which is no part of a training's curves."""


class Feed:
    """Hands the events of a run to one tracker.

    Events up to `seq` were told by an earlier attempt: they are not told again, and neither is a step that this one
    trains again after its checkpoint. several: whether more than one pass may train; names tell them apart then.
    """

    def __init__(self, tracker: Tracker, folder: RunFolder, *, several: bool, seq: int = -1) -> None:
        self.seq = seq
        self._tracker = tracker
        self._folder = folder
        self._several = several
        self._training: set[str] = set()
        self._told: set[tuple[str, int]] = set()

    def tell(self, events: Iterable[Event]) -> bool:
        """Hand on what is new among `events`; whether there was any."""
        measured: list[Measured] = []
        facts: dict[str, Fact] = {}
        for event in events:
            new = event.seq > self.seq
            if isinstance(event, PassStarted) and is_training(event.pass_type):
                self._training.add(event.pass_name)
            if isinstance(event, MetricLogged):
                found = self._measure(event)
                if new and found.values:
                    measured.append(found)
            elif new:
                facts |= self._find_facts(event)
            self.seq = max(self.seq, event.seq)
        if measured:
            self._tracker.log(measured)
        if facts:
            self._tracker.note(facts)
        return bool(measured or facts)

    def end(self, last: Event | None) -> None:
        """The run is over; None: its worker is gone without a word."""
        ending: Ending = last.status if isinstance(last, RunFinished) else "lost"
        facts: dict[str, Fact] = {"run.status": "failed" if ending == "lost" else ending}
        if isinstance(last, RunFinished):
            facts |= {"run.seconds": last.seconds, "run.message": last.message}
        else:
            facts["run.message"] = last.cause if isinstance(last, WorkerLost) else "The worker process is gone."
        self._tracker.note(facts)
        self._tracker.end(ending)

    def _measure(self, event: MetricLogged) -> Measured:
        """The event under the tracker's names, without what was told at that step before, and what is no number."""
        names, axis = name_metrics(
            event.pass_name, event.values, trains=event.pass_name in self._training, several=self._several
        )
        values = {}
        for key, value in event.values.items():
            told = (names[key], event.step)
            if isinstance(value, int | float) and told not in self._told:
                values[names[key]] = float(value)
                self._told.add(told)
        return Measured(axis, event.step, event.time, values)

    def _find_facts(self, event: Event) -> Mapping[str, Fact]:
        match event:
            case Queued():
                return {"run.host": event.host}
            case AttemptStarted():
                versions = {f"versions.{name}": version for name, version in event.versions.items()}
                return {"run.attempt": event.attempt, "run.seed": event.seed, **versions}
            case PassFinished():
                told: dict[str, Fact] = {"seconds": event.seconds, "reused": event.reused, "reason": event.reason}
                return _prefixed(f"passes.{event.pass_name}", told) | self._find_artefacts(event)
            case PassFailed():
                return _prefixed(f"passes.{event.pass_name}", {"error": event.message, "cause": event.cause})
        return {}

    def _find_artefacts(self, event: PassFinished) -> dict[str, Fact]:
        """Path and kind of what a pass made; of one that makes no variant, the folder that the event names."""
        facts: dict[str, Fact] = {}
        for variant in self._folder.read_variants().values():
            if variant.from_pass == event.pass_name:
                told = {"path": variant.path, "kind": variant.kind, "pass": variant.from_pass}
                if variant.precision:
                    told["precision"] = variant.precision
                facts |= _prefixed(f"artefacts.{variant.name}", told)
        return facts or {f"artefacts.{event.pass_name}.path": str(self._folder.path / event.artefact)}


def name_metrics(
    pass_name: str, keys: Iterable[str], *, trains: bool, several: bool = False
) -> tuple[dict[str, str], str]:
    """({key of an event: name at a tracker}, what counts its steps).

    train/loss, eval/loss, merge/check_s, input_model/perplexity. Where several passes may train, a training pass's name
    comes first: lora/train/loss.
    """
    place = pass_name or "input_model"
    if not trains:
        return {key: f"{place}/{key}" for key in keys}, f"{place}/step"
    start = f"{place}/" if several else ""
    names = {}
    for key in keys:
        if key in OWN_SECONDS:
            names[key] = f"{place}/{key}"
        elif key.startswith("eval_"):
            names[key] = f"{start}eval/{key.removeprefix('eval_')}"
        else:
            names[key] = f"{start}train/{key}"
    return names, f"{start}train/step"


def trains_several(config: Config, passes: Iterable[str]) -> bool:
    """Whether more than one pass of a run trains, trials of a search counted."""
    kinds = [config.passes.get(name, "") for name in passes]
    training = [kind for kind in kinds if any(map(is_training, [kind] if isinstance(kind, str) else kind))]
    return len(training) > 1 or (bool(training) and config.search is not None)


def _prefixed(prefix: str, facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {f"{prefix}.{key}": value for key, value in facts.items()}
