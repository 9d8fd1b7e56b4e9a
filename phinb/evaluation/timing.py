"""Latency of several loaded variants, prompt by prompt in turn: a slow minute hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.latency import LatencySettings, Timing, make_prompt, plan_timings
from phinb.evaluation.machine import share_of
from phinb.evaluation.parts import Ask
from phinb.evaluation.records import decode_latency
from phinb.types import Latency, Progress


@dataclass
class Timed:
    """One variant that is being timed. prompts: the rows' token ids, of its own tokenizer. error: it gave up."""

    name: str
    ask: Ask
    prompts: Sequence[Sequence[int]]
    latencies: list[Latency] = field(default_factory=list)
    processor_s: float = 0.0
    others_s: float = 0.0
    error: PhinbError | None = None

    @property
    def neighbours_share(self) -> float | None:
        """What other programs took of the processor meanwhile."""
        return share_of(self.processor_s, self.others_s)


def time_in_turn(
    timed: Sequence[Timed], texts: Sequence[str], settings: LatencySettings, on_progress: Callable[[Progress], None]
) -> None:
    """Fill in latencies, neighbours and errors. In each turn every variant generates the same prompt; who is first
    moves on by one, so that nobody always comes after the same neighbour."""
    warm_up, counted = plan_timings(texts, settings)
    began = time.perf_counter()
    total = len(warm_up) + len(counted)
    for turn, timing in enumerate([*warm_up, *counted]):
        first = turn % len(timed)
        for one in [*timed[first:], *timed[:first]]:
            if one.error is None:
                _time_one(one, timing, settings, turn >= len(warm_up))
                left = (time.perf_counter() - began) / (turn + 1) * (total - turn - 1)
                on_progress(Progress(one.name, turn + 1, total, "generations", left))


def _time_one(one: Timed, timing: Timing, settings: LatencySettings, counts: bool) -> None:
    asked = {
        "prompts": [make_prompt(timing, one.prompts)],
        "new_tokens": settings.new_tokens,
        "batch": timing.batch,
        "made": timing.length is not None,
    }
    try:
        found: Mapping[str, Any] = one.ask("time", asked)
    except PhinbError as error:
        one.error = error
        return
    if counts:
        one.latencies += map(decode_latency, found["latencies"])
        total, others = found["neighbours"]
        one.processor_s += total
        one.others_s += others
