"""Latency as a table: which lines there are, of how many generations, and in what order its percentiles are."""

from __future__ import annotations

from dataclasses import replace

from phinb.evaluation.latency import read_clock
from phinb.evaluation.latency_table import tabulate_latency, write_latency
from phinb.types import Latency

from .examples import make_comparison


def timed(length: int, seconds: float, **more: object) -> Latency:
    return replace(read_clock(0.0, [seconds, 2 * seconds, 3 * seconds, 5 * seconds], length, 1), **more)  # type: ignore[arg-type]


def table_of(latencies: tuple[Latency, ...]) -> dict[str, dict[str, object]]:
    comparison = make_comparison(("base",))
    measured = replace(comparison.measurements[0], latencies=latencies)
    return {line["measure"]: line for line in tabulate_latency(replace(comparison, measurements=(measured,)))}


def test_own_prompts_are_told_by_length_and_position() -> None:
    lines = table_of(tuple(timed(length, 0.1 * length) for length in (10, 11, 20, 21, 30, 31)))
    assert [name for name in lines if "first token" in name] == [
        "first token",
        "first token, 10 to 11 tokens",
        "first token, 20 to 21 tokens",
        "first token, 30 to 31 tokens",
    ]
    assert lines["first token"]["n"] == 6
    assert lines["first token, 20 to 21 tokens"]["n"] == 2
    assert lines["first token"]["p50_low"] == 1000.0
    assert lines["first token, 20 to 21 tokens"]["p50_low"] is None  # of two there is no interval
    assert lines["decoding, first half"]["p50"] > lines["decoding, second half"]["p50"]  # type: ignore[operator]
    assert lines["decoding"]["p99"] <= lines["decoding"]["p90"] <= lines["decoding"]["p50"]  # type: ignore[operator]
    assert "energy a new token, whole machine" not in lines


def test_what_was_asked_for_besides_has_lines_of_its_own() -> None:
    own = tuple(timed(10, 0.1, energy_j=8.0) for _ in range(3))
    lines = table_of((*own, timed(128, 0.5, made=True), timed(10, 0.2, batch=4)))
    assert lines["first token"]["n"] == 3
    assert lines["first token, cut to 128 tokens"]["p50"] == 500.0
    assert lines["decoding, 4 at once"]["p50"] == 4 * 3 / 0.8
    assert lines["energy a new token, whole machine"]["p50"] == 2.0


def test_nothing_timed_is_said() -> None:
    comparison = make_comparison(("base",))
    nothing = replace(comparison, measurements=(replace(comparison.measurements[0], latencies=()),))
    assert write_latency(nothing) == "No generation was timed."
    assert comparison.latency["n"].tolist()[0] == 3
