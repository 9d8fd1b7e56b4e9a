"""Every kind of figure, from made-up measurements; what it draws is read back from the figure itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.colours import BY_KIND
from phinb.evaluation.results import Comparison
from phinb.plots.figures import KINDS, figure
from phinb.plots.placement import Mark, Place, place_names
from phinb.types import Metric, RunState
from tests.evaluation.examples import make_comparison

# What a comparison shows of itself; its history is on disk (test_history.py).
OWN = [kind for kind in KINDS[Comparison] if kind != "history"]
FOUR = ("base", "adapter", "merged", "int4")
ALL = (*FOUR, "int8", "fp16")
STATE = RunState(
    run_id="r-1",
    name="emotion",
    seed=42,
    metrics=(
        Metric("lora", 5, {"loss": 4.0}),
        Metric("lora", 10, {"loss": 3.0, "grad_norm": 1.0}),
        Metric("lora", 10, {"eval_loss": 2.9}),
    ),
)


def drawn(shown: Any) -> dict[str, Any]:
    """The figure as the browser gets it."""
    return json.loads(shown.to_json())  # type: ignore[no-any-return]


def marks(shown: Any) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in drawn(shown)["data"] if trace.get("name")}


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("names", [FOUR, ALL, ("base", "int4")])
@pytest.mark.parametrize("dark", [None, False, True])
def test_every_figure_says_n_machine_and_settings(kind: str, names: tuple[str, ...], dark: bool | None) -> None:
    shown = drawn(figure(make_comparison(names), kind, dark=dark))
    small = shown["layout"]["title"]["subtitle"]["text"]
    assert small.startswith("n 240 · Example 9000, 2 cores")
    assert "11 new tokens, 3 prompts × 1" in small.replace("<br>", " · ")
    assert shown["layout"]["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    texts = [trace.get("name") or "" for trace in shown["data"]] + [
        note["text"] for note in shown["layout"].get("annotations", [])
    ]
    texts += [str(text) for axis in ("yaxis", "yaxis2") for text in shown["layout"].get(axis, {}).get("ticktext", [])]
    for name in names[1:]:
        assert any(name in text for text in texts), name


def test_quality_against_latency_shows_the_measured_figures() -> None:
    comparison = make_comparison(FOUR)
    found = marks(figure(comparison, "quality_latency"))
    assert set(found) == set(FOUR)
    for summary in comparison.summaries:
        mark = found[summary.name]
        assert mark["x"] == [summary.ttft_ms_p50]
        assert mark["y"] == [pytest.approx(100 * (summary.accuracy or 0))]
        up, down = mark["error_y"]["array"][0], mark["error_y"]["arrayminus"][0]
        assert mark["y"][0] + up == pytest.approx(100 * (summary.accuracy_high or 0))
        assert mark["y"][0] - down == pytest.approx(100 * (summary.accuracy_low or 0))
        assert mark["marker"]["color"] == BY_KIND[summary.kind].colour
    # Area goes with bytes; the adapter needs its base.
    size = {name: mark["marker"]["size"] for name, mark in found.items()}
    assert (size["int4"] / size["base"]) ** 2 == pytest.approx(198 / 517, rel=0.01)
    assert size["adapter"] > size["base"]
    assert len({mark["marker"]["symbol"] for mark in found.values()}) == 4


def test_the_dashed_path_goes_from_stage_to_stage() -> None:
    traces = drawn(figure(make_comparison(FOUR), "quality_latency"))["data"]
    paths = [trace["x"] for trace in traces if trace["mode"] == "lines" and "dash" in trace["line"]]
    assert paths == [[96, 118], [118, 97], [97, 51]]


def test_latencies_far_apart_get_a_logarithmic_axis() -> None:
    comparison = make_comparison(("base", "int4"))
    slow = comparison.measurements[0]
    slower = replace(slow, latencies=tuple(replace(one, ttft_s=40 * one.ttft_s) for one in slow.latencies))
    comparison = replace(comparison, measurements=(slower, comparison.measurements[1]))
    layout = drawn(figure(comparison, "quality_latency"))["layout"]
    assert layout["xaxis"]["type"] == "log"
    low, high = layout["xaxis"]["range"]
    assert low < 1.708 < 3.584 < high  # log10 of 51 and of 3840


def test_stages_show_paired_differences_with_their_intervals() -> None:
    comparison = make_comparison(FOUR)
    found = marks(figure(comparison, "stages"))
    change = comparison.summaries[3].change
    assert change is not None
    assert found["int4"]["x"] == [pytest.approx(-100 * 9 / 240)]
    assert found["int4"]["x"][0] + found["int4"]["error_x"]["array"][0] == pytest.approx(100 * change.high)
    assert "19 broken, 10 mended" in found["int4"]["hovertemplate"]


def test_confusion_counts_every_row_once_a_variant() -> None:
    shown = drawn(figure(make_comparison(FOUR), "confusion"))
    for trace in shown["data"]:
        assert sum(map(sum, trace["customdata"])) == 240
    numbers = [int(text) for trace in shown["data"] for row in trace["text"] for text in row if text]
    assert sum(numbers) == 4 * 240


def test_loss_of_a_run_and_of_its_state() -> None:
    class Run:
        state = STATE

    for source in (STATE, Run()):
        found = marks(figure(source, "loss"))
        assert (found["training"]["x"], found["training"]["y"]) == ([5, 10], [4.0, 3.0])
        assert (found["evaluation"]["x"], found["evaluation"]["y"]) == ([10], [2.9])
    with pytest.raises(PhinbError, match="No loss has been logged yet"):
        figure(RunState(), "loss")


def test_unknown_kinds_and_objects_name_what_is_known() -> None:
    with pytest.raises(PhinbError) as caught:
        figure(make_comparison(FOUR), "pie")
    assert "'pie'" in caught.value.message
    assert caught.value.hint == "The kinds are: quality_latency, stages, latency, ttft_by_length, confusion, history."
    with pytest.raises(PhinbError, match="loss"):
        figure(STATE, "stages")
    with pytest.raises(PhinbError, match="no figure of a dict"):
        figure({}, "loss")


def test_what_failed_is_left_out_and_nothing_at_all_is_an_error() -> None:
    comparison = make_comparison(FOUR)
    failed = [replace(m, scores=(), latencies=(), error="It broke.") for m in comparison.measurements]
    partly = replace(comparison, measurements=(*comparison.measurements[:3], failed[3]))
    assert set(marks(figure(partly, "quality_latency"))) == {"base", "adapter", "merged"}
    for kind in OWN:
        figure(partly, kind)
        with pytest.raises(PhinbError, match="No variant was measured"):
            figure(replace(comparison, measurements=tuple(failed)), kind)


@pytest.mark.parametrize("kind", OWN)
def test_names_and_labels_are_shown_and_not_obeyed(kind: str) -> None:
    hostile = "<b>joy</b><a href='x'>"
    comparison = make_comparison(FOUR, labels=(hostile, "joy", "sadness", "surprise"))
    first = comparison.measurements[0]
    renamed = replace(first, variant=replace(first.variant, name=hostile))
    comparison = replace(comparison, measurements=(renamed, *comparison.measurements[1:]))
    assert not re.search(r"<a |<b>joy", json.dumps(drawn(figure(comparison, kind)), ensure_ascii=False))


@pytest.mark.parametrize("labels", [("0", "5", "10", "200"), ("2024-05-01", "2024-05-02", "2025-01-01", "2026-01-01")])
def test_labels_that_look_like_numbers_or_dates_are_labels(labels: tuple[str, ...]) -> None:
    layout = drawn(figure(make_comparison(FOUR, labels=labels), "confusion"))["layout"]
    axes = [axis for name, axis in layout.items() if re.fullmatch(r"[xy]axis\d*", name)]
    assert len(axes) == 8
    assert {axis["type"] for axis in axes} == {"category"}


def boxes(names: list[str], positions: list[Mark], places: list[Place]) -> list[tuple[float, float, float, float]]:
    found = []
    for name, mark, place in zip(names, positions, places, strict=True):
        wide = 7.0 * len(name)
        x = mark.x + place.xshift - {"left": 0.0, "center": wide / 2, "right": wide}[place.xanchor]
        y = mark.y - place.yshift
        found.append((x, y - 7, x + wide, y + 7))
    return found


def test_names_lie_neither_on_each_other_nor_on_marks() -> None:
    """Base, adapter and merged close together, as they are on real rows."""
    names = ["base", "adapter", "merged", "int4"]
    positions = [
        Mark(300, 200, 20, 12, 12),
        Mark(420, 50, 20, 9, 9),
        Mark(390, 52, 20, 9, 9),
        Mark(120, 70, 12, 14, 14),
    ]
    placed = boxes(names, positions, place_names(names, positions, 600, 270, [(0, 1), (1, 2), (2, 3)]))
    bodies = [(m.x - m.radius, m.y - m.radius, m.x + m.radius, m.y + m.radius) for m in positions]
    for index, box in enumerate(placed):
        others = placed[:index] + placed[index + 1 :] + bodies
        assert not [o for o in others if box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3]], names[
            index
        ]
        assert box[0] >= 0
        assert box[2] <= 600
