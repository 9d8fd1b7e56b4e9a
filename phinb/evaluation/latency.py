"""Time to the first token and decode speed, as a user feels them: by generating, greedily, one prompt at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from phinb.errors import PhinbError
from phinb.types import Latency


@dataclass(frozen=True)
class LatencySettings:
    """What is timed.

    `prompts` prompts of the rows, spread over their lengths, each generated `repeats` times with `new_tokens` new
    tokens (an end token does not shorten it), after `warm_up` generations that do not count. lengths: prompts of so
    many tokens besides, made of the rows' own text. batches: how many copies of a prompt are generated at once; 1 is
    timed in any case. Raises PhinbError for numbers that make no sense.
    """

    prompts: int = 6
    repeats: int = 2
    new_tokens: int = 12
    warm_up: int = 2
    lengths: tuple[int, ...] = ()
    batches: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", tuple(sorted(set(self.lengths))))
        object.__setattr__(self, "batches", tuple(sorted({1, *self.batches})))
        least = {"prompts": 1, "repeats": 1, "new_tokens": 2, "warm_up": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise PhinbError(f"{name} of the latency is {getattr(self, name)}.", f"Give {lowest} or more.")
        for name, values in (("lengths", self.lengths), ("batches", self.batches)):
            if values and values[0] < 1:
                raise PhinbError(f"{name} of the latency has {values[0]}.", "Give 1 or more.")


@dataclass(frozen=True)
class Timing:
    """One generation that is to be timed: of a row's prompt, or (length) of a prompt that is cut to so many tokens."""

    row: int
    batch: int = 1
    length: int | None = None


def plan_timings(prompts: Sequence[str], settings: LatencySettings) -> tuple[list[Timing], list[Timing]]:
    """(warm-up, what counts), in the order to be run: everything once, then everything again, so that a slow minute
    does not hit one length alone.

    prompts: the rows' texts; by their characters, not their tokens, so that the plan is the same for every tokenizer.
    """
    rows = choose_rows(prompts, settings.prompts)
    median = rows[len(rows) // 2]
    once = [Timing(row) for row in rows]
    once += [Timing(median, 1, length) for length in settings.lengths]
    once += [Timing(median, batch) for batch in settings.batches if batch > 1]
    return [once[index % len(once)] for index in range(settings.warm_up)], once * settings.repeats


def choose_rows(prompts: Sequence[str], count: int) -> list[int]:
    """The numbers of `count` prompts, evenly spread from the shortest to the longest; all where there are fewer."""
    ordered = sorted(range(len(prompts)), key=lambda row: (len(prompts[row]), prompts[row]))
    if len(ordered) <= count:
        return ordered
    if count == 1:
        return [ordered[len(ordered) // 2]]
    return [ordered[round(index * (len(ordered) - 1) / (count - 1))] for index in range(count)]


def make_prompt(timing: Timing, prompts: Sequence[Sequence[int]]) -> list[int]:
    """The token ids to be timed. A prompt of a given length begins with the row's and goes on with the next rows',
    again from the first where they do not suffice."""
    if timing.length is None:
        return list(prompts[timing.row])
    ids: list[int] = []
    row = timing.row
    while len(ids) < timing.length:
        ids += prompts[row % len(prompts)]
        row += 1
    return ids[: timing.length]


def read_clock(began: float, times: Sequence[float], prompt_tokens: int, batch: int) -> Latency:
    """A Latency of the moments at which tokens came, all by the same clock in seconds."""
    steps = tuple(after - before for before, after in pairwise(times))
    return Latency(prompt_tokens, len(times), times[0] - began, times[-1] - times[0], steps, batch)


def own_latencies(latencies: Sequence[Latency]) -> list[Latency]:
    """Those of the rows' own prompts, one at a time: what TTFT and decode speed are said of."""
    return [latency for latency in latencies if latency.batch == 1 and not latency.made]


def decode_speed(latency: Latency) -> float | None:
    """Tokens a second after the first one, of the whole batch; None of one token, or where no time passed."""
    if latency.new_tokens < 2 or latency.decode_s <= 0:
        return None
    return latency.batch * (latency.new_tokens - 1) / latency.decode_s


def decode_speeds_by_position(latency: Latency) -> tuple[float, float] | None:
    """(tokens a second in the first half of the later tokens, in the second half); None of fewer than two of them.

    The middle one of an odd number counts with the second half.
    """
    steps = latency.token_s
    half = len(steps) // 2
    early, late = sum(steps[:half]), sum(steps[half:])
    if half == 0 or early <= 0 or late <= 0:
        return None
    return latency.batch * half / early, latency.batch * (len(steps) - half) / late
