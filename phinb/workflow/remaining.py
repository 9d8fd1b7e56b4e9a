"""How long a run still takes: what each pass says of itself, what a forecast expected, and what nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from phinb.types import RunState


@dataclass(frozen=True)
class Remaining:
    """Seconds. `passes` has those that are known, `known` is their sum; `unknown` names the passes that are missing."""

    passes: Mapping[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def known(self) -> float:
        return sum(self.passes.values())


def find_remaining(state: RunState, now: float | None, eta_age: float, estimates: Mapping[str, float]) -> Remaining:
    """What is left of each pass that is not over; nothing once the run has ended.

    A running pass tells it itself (`eta_age` seconds ago); until it does, and for one that waits, `estimates` has the
    seconds that the whole of it was expected to take. What has taken longer than expected already is unknown.
    """
    passes: dict[str, float] = {}
    unknown: list[str] = []
    for name, item in state.passes.items() if not state.ended else ():
        if item.status not in ("waiting", "running"):
            continue
        left = estimates.get(name)
        if item.status == "running" and item.eta_s is not None:
            left = max(0.0, item.eta_s - eta_age)
        elif item.status == "running" and left is not None:
            left = left - (now - item.started) if now is not None and item.started is not None else None
        if left is None or left < 0:
            unknown.append(name)
        else:
            passes[name] = left
    return Remaining(passes, tuple(unknown))
