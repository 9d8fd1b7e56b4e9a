"""Which prompts are timed, in which order, and what is made of the times."""

from __future__ import annotations

from collections.abc import Sequence

from phinb.evaluation.latency import LatencySettings, choose_prompts, decode_speed, measure_latency
from phinb.types import Latency


class Recorder:
    """Takes the place of a model where only the procedure is tried: it notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def generate(self, prompt: Sequence[int], new_tokens: int) -> Latency:
        self.asked.append((len(prompt), new_tokens))
        return Latency(len(prompt), new_tokens, 0.1, 1.0)


def test_prompts_are_spread_over_the_lengths() -> None:
    prompts = [[0] * length for length in (9, 3, 5, 1, 7, 2, 8, 4, 6)]
    assert [len(prompt) for prompt in choose_prompts(prompts, 3)] == [1, 5, 9]
    assert [len(prompt) for prompt in choose_prompts(prompts, 1)] == [5]
    assert len(choose_prompts(prompts, 20)) == 9


def test_warm_up_does_not_count_and_lengths_alternate() -> None:
    model = Recorder()
    reported: list[tuple[int, int]] = []
    settings = LatencySettings(prompts=2, repeats=3, new_tokens=5, warm_up=1)
    measured = measure_latency(model, [[1], [1, 2], [1, 2, 3]], settings, lambda *pair: reported.append(pair))
    assert model.asked == [(1, 5), (1, 5), (3, 5), (1, 5), (3, 5), (1, 5), (3, 5)]
    assert [latency.prompt_tokens for latency in measured] == [1, 3, 1, 3, 1, 3]
    assert reported == [(done, 7) for done in range(1, 8)]


def test_decode_speed_counts_the_tokens_after_the_first() -> None:
    assert decode_speed(Latency(4, 11, 0.1, 2.0)) == 5.0
    assert decode_speed(Latency(4, 1, 0.1, 0.0)) is None
