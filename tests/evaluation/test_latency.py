"""Which prompts are timed, in which order, by whom first, and what is made of the times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.latency import (
    LatencySettings,
    Timing,
    choose_rows,
    decode_speed,
    decode_speeds_by_position,
    make_prompt,
    own_latencies,
    plan_timings,
    read_clock,
)
from phinb.evaluation.timing import Timed, time_in_turn
from phinb.types import Latency, Progress


def test_prompts_are_spread_over_the_lengths() -> None:
    prompts = ["x" * length for length in (9, 3, 5, 1, 7, 2, 8, 4, 6)]
    assert [len(prompts[row]) for row in choose_rows(prompts, 3)] == [1, 5, 9]
    assert [len(prompts[row]) for row in choose_rows(prompts, 1)] == [5]
    assert len(choose_rows(prompts, 20)) == 9


def test_everything_is_timed_once_before_anything_is_timed_again() -> None:
    settings = LatencySettings(prompts=2, repeats=2, new_tokens=5, warm_up=1, lengths=(32,), batches=(4,))
    warm_up, counted = plan_timings(["a", "bb", "ccc"], settings)
    assert warm_up == [Timing(0)]
    assert counted[: len(counted) // 2] == counted[len(counted) // 2 :]
    assert counted[:4] == [Timing(0), Timing(2), Timing(2, 1, 32), Timing(2, 4)]


def test_a_prompt_of_a_given_length_is_made_of_the_rows_in_turn() -> None:
    prompts = [[1, 2], [3, 4, 5]]
    assert make_prompt(Timing(1), prompts) == [3, 4, 5]
    assert make_prompt(Timing(1, 1, 2), prompts) == [3, 4]
    assert make_prompt(Timing(1, 1, 7), prompts) == [3, 4, 5, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "wrong", [{"prompts": 0}, {"repeats": 0}, {"new_tokens": 1}, {"warm_up": -1}, {"lengths": (0,)}, {"batches": (0,)}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PhinbError, match=f"{next(iter(wrong))} of the latency"):
        LatencySettings(**wrong)


class Recorder:
    """Takes the place of a serving process where only the procedure is tried: it notes what it is asked."""

    def __init__(self, name: str, log: list[tuple[str, int, int]], fails_at: int = -1) -> None:
        self.name, self.log, self.fails_at, self.count = name, log, fails_at, 0

    def __call__(self, op: str, payload: Mapping[str, Any] | None = None, **_: Any) -> dict[str, Any]:
        assert op == "time"
        assert payload is not None
        self.count += 1
        if self.count == self.fails_at:
            raise PhinbError("It broke.")
        (prompt,) = payload["prompts"]
        self.log.append((self.name, len(prompt), payload["batch"]))
        latency = Latency(len(prompt), payload["new_tokens"], 0.1, 1.0, made=payload["made"], batch=payload["batch"])
        return {"latencies": [asdict(latency)], "neighbours": [2.0, 0.5]}


def test_variants_take_turns_at_each_prompt_and_at_being_first() -> None:
    log: list[tuple[str, int, int]] = []
    timed = [Timed(name, Recorder(name, log), [[1], [1, 2]]) for name in ("base", "int4", "int8")]
    told: list[Progress] = []
    settings = LatencySettings(prompts=2, repeats=2, new_tokens=5, warm_up=1)
    time_in_turn(timed, ["a", "bb"], settings, told.append)
    turns = [log[start : start + 3] for start in range(0, len(log), 3)]
    assert len(turns) == 5
    assert all({name for name, _, _ in turn} == {"base", "int4", "int8"} for turn in turns)
    assert all(len({length for _, length, _ in turn}) == 1 for turn in turns)
    assert [turn[0][0] for turn in turns] == ["base", "int4", "int8", "base", "int4"]
    assert [one.prompt_tokens for one in timed[0].latencies] == [1, 2, 1, 2]  # the warm-up does not count
    assert timed[0].neighbours_share == 0.25
    assert [event.done for event in told if event.pass_name == "int8"] == [1, 2, 3, 4, 5]


def test_who_breaks_leaves_the_others_alone() -> None:
    log: list[tuple[str, int, int]] = []
    broken = Timed("int4", Recorder("int4", log, fails_at=2), [[1]])
    sound = Timed("base", Recorder("base", log), [[1]])
    time_in_turn([broken, sound], ["a"], LatencySettings(prompts=1, repeats=3, warm_up=1), lambda _: None)
    assert broken.error is not None
    assert broken.latencies == []
    assert len(sound.latencies) == 3


def test_decode_speed_counts_the_tokens_after_the_first() -> None:
    assert decode_speed(Latency(4, 11, 0.1, 2.0)) == 5.0
    assert decode_speed(Latency(4, 11, 0.1, 2.0, batch=4)) == 20.0
    assert decode_speed(Latency(4, 1, 0.1, 0.0)) is None


def test_the_clock_gives_each_tokens_time_and_halves() -> None:
    latency = read_clock(10.0, [10.5, 10.75, 11.0, 11.5, 12.0], 7, 1)
    assert latency == Latency(7, 5, 0.5, 1.5, (0.25, 0.25, 0.5, 0.5))
    assert decode_speeds_by_position(latency) == (4.0, 2.0)
    assert decode_speeds_by_position(read_clock(0.0, [1.0, 2.0], 7, 1)) is None


def test_batches_and_made_prompts_are_not_the_rows_own() -> None:
    own = Latency(4, 2, 0.1, 0.1)
    assert own_latencies([own, Latency(4, 2, 0.1, 0.1, batch=2), Latency(4, 2, 0.1, 0.1, made=True)]) == [own]
