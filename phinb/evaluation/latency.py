"""Time to the first token and decode speed, as a user feels them: by generating, greedily, one prompt at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from phinb.types import Latency


@dataclass(frozen=True)
class LatencySettings:
    """`prompts` prompts of the rows, spread over their lengths, each generated `repeats` times with `new_tokens`
    new tokens (an end token does not shorten it), after `warm_up` generations that do not count."""

    prompts: int = 6
    repeats: int = 2
    new_tokens: int = 12
    warm_up: int = 2


class Generating(Protocol):
    """A loaded model that can be timed."""

    def generate(self, prompt: Sequence[int], new_tokens: int) -> Latency: ...


def choose_prompts(prompts: Sequence[Sequence[int]], count: int) -> list[Sequence[int]]:
    """`count` of the prompts, evenly spread from the shortest to the longest; all where there are fewer."""
    ordered = sorted(prompts, key=lambda ids: (len(ids), list(ids)))
    if len(ordered) <= count:
        return ordered
    if count == 1:
        return [ordered[len(ordered) // 2]]
    return [ordered[round(index * (len(ordered) - 1) / (count - 1))] for index in range(count)]


def measure_latency(
    model: Generating,
    prompts: Sequence[Sequence[int]],
    settings: LatencySettings,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Latency, ...]:
    """One Latency a generation, in the order they ran: all prompts once, then all again, so that a slow minute
    does not hit one length alone. report(done, total) counts generations, the warm-up's included."""
    chosen = choose_prompts(prompts, settings.prompts)
    total = settings.warm_up + settings.repeats * len(chosen)
    for index in range(settings.warm_up):
        model.generate(chosen[index % len(chosen)], settings.new_tokens)
        report(index + 1, total)
    measured: list[Latency] = []
    for _ in range(settings.repeats):
        for prompt in chosen:
            measured.append(model.generate(prompt, settings.new_tokens))
            report(settings.warm_up + len(measured), total)
    return tuple(measured)


def decode_speed(latency: Latency) -> float | None:
    """Tokens a second after the first one; None where there was only one token, or no time was seen to pass."""
    if latency.new_tokens < 2 or latency.decode_s <= 0:
        return None
    return (latency.new_tokens - 1) / latency.decode_s
