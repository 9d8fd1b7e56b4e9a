"""How long passes took in this user's earlier runs on this machine, by what they did."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from phinb.types import Event, PassFinished, PassStarted, Progress
from phinb.workflow import store
from phinb.workflow.store import RunFolder

NAME = "forecast.json"
"""In a run's folder: what was expected of each pass when it was started (Forecast.to_json)."""

MOST_RUNS = 100
FEWEST_STEPS = 4
"""The first step is slower than the rest: fewer say little."""


@dataclass(frozen=True)
class Took:
    """seconds: the whole pass, None where it did not finish by itself. step_s: seconds a step, evaluations and
    checkpoints included. step_tokens: what the forecast of that run counted. run_id: where it was seen."""

    run_id: str
    seconds: float | None = None
    step_s: float | None = None
    step_tokens: float | None = None
    steps: float | None = None

    @property
    def token_s(self) -> float | None:
        """Seconds a token, padding counted."""
        return self.step_s / self.step_tokens if self.step_s and self.step_tokens else None


def read_estimates(folder: RunFolder) -> dict[str, float]:
    """Pass name -> seconds that it was expected to take when the run was started, where that was known."""
    found = {}
    for name, expected in _read_noted(folder).items():
        seconds = expected.get("seconds")
        if isinstance(seconds, int | float):
            found[name] = float(seconds)
    return found


def find_took(keys: Collection[str], within_s: float = 0.2) -> dict[str, Took]:
    """The newest pass of each key that ran here; looks at no more runs than there is time for."""
    until, host = time.monotonic() + within_s, socket.gethostname()
    found: dict[str, Took] = {}
    for number, folder in enumerate(store.iterate()):
        if number >= MOST_RUNS or time.monotonic() > until or found.keys() >= set(keys):
            break
        noted = _read_noted(folder)
        wanted = {name: one for name, one in noted.items() if one.get("key") in keys and one["key"] not in found}
        if not wanted or folder.record.host != host:
            continue
        events = folder.read_events()[0]
        for name, one in wanted.items():
            took = _read_pass(events, name, folder.path.name, one)
            if took is not None:
                found[str(one["key"])] = took
    return found


def _read_noted(folder: RunFolder) -> Mapping[str, Mapping[str, Any]]:
    try:
        passes = json.loads((folder.path / NAME).read_text(encoding="utf-8"))["passes"]
        return {str(name): one for name, one in passes.items() if isinstance(one, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _read_pass(events: list[Event], name: str, run_id: str, noted: Mapping[str, Any]) -> Took | None:
    """What the events tell of one pass; None where it was reused or has not come far."""
    steps: list[Progress] = []
    seconds: float | None = None
    for event in events:
        if isinstance(event, PassStarted) and event.pass_name == name:
            steps.clear()
        elif isinstance(event, Progress) and event.pass_name == name and event.unit == "steps":
            steps.append(event)
        elif isinstance(event, PassFinished) and event.pass_name == name:
            if event.reused:
                return None
            seconds = event.seconds
    step_s = None
    began = next((one for one in steps if one.done > steps[0].done), None)
    if began is not None and steps[-1].done - began.done >= FEWEST_STEPS:
        step_s = (steps[-1].time - began.time) / (steps[-1].done - began.done)
    if seconds is None and step_s is None:
        return None
    tokens = noted.get("step_tokens")
    count = steps[-1].done - steps[0].done if steps else None
    return Took(run_id, seconds, step_s, float(tokens) if isinstance(tokens, int | float) else None, count)
