"""What a panel says of a run: words and fractions, nothing invented, small however long the run."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from html.parser import HTMLParser
from random import Random
from typing import Any

import pytest

from phinb.notebook.run_html import RUN_MIME, run_bundle, run_html, run_text
from phinb.types import Metric, Notice, PassState, Progress, Resources, RunState, Sample
from phinb.workflow.axis import find_axis, log_ticks, round_ticks, write_ticks
from phinb.workflow.chart import MOST_POINTS, Chart, draw_charts, thin_metrics, thin_out
from phinb.workflow.state import reduce, reduce_all
from phinb.workflow.view import Line, describe_buttons, describe_run
from tests.golden.replay import GOLDEN, read_golden

NAMES = sorted(path.name.removesuffix(".jsonl") for path in GOLDEN.glob("*.jsonl"))


def state_of(name: str, count: int | None = None) -> RunState:
    return reduce_all(read_golden(name)[:count])


def loss_of(state: RunState) -> Chart:
    return next(chart for chart in draw_charts(state) if chart.key == "loss")


def line_of(state: RunState, name: str) -> Line:
    return next(line for line in describe_run(state).lines if line.name == name)


@pytest.mark.parametrize(
    ("golden", "name", "status", "symbol", "text", "fraction"),
    [
        ("success", "lora", "done", "✓", "60 steps · 2:02", 1.0),
        ("success", "merge", "done", "✓", "5.1 s", 1.0),
        (
            "success",
            "int4",
            "reused",
            "↺",
            "reused: same input, options and versions as in r-20261123-174412-90cd",
            1.0,
        ),
        ("stop_and_keep", "lora", "done", "✓", "31 / 400 steps · 1:04", 1.0),
        ("cancel_in_training", "lora", "waiting", "○", "ended at 10 / 60 steps", 1 / 6),
        ("cancel_in_training", "int4", "waiting", "○", "not run", None),
        ("pass_failed", "int4", "failed", "✗", "failed at 11 / 30 layers", 11 / 30),
        ("foreign_lines", "lora", "running", "●", "3 / 60 steps · 1:48 left", 0.05),
        ("foreign_lines", "merge", "waiting", "○", "waiting", None),
    ],
)
def test_a_pass_in_words(golden: str, name: str, status: str, symbol: str, text: str, fraction: float | None) -> None:
    line = line_of(state_of(golden), name)
    assert (line.status, line.symbol, line.text) == (status, symbol, text)
    assert line.fraction == (None if fraction is None else pytest.approx(fraction))


def test_an_unknown_total_is_running_and_no_share() -> None:
    state = reduce(state_of("success", 6), Progress("lora", done=0, total=None, unit="", eta_s=None, seq=99))
    assert line_of(state, "lora").text == "running"
    assert line_of(state, "lora").fraction is None
    state = reduce(state, Progress("lora", done=7, total=None, unit="steps", eta_s=None, seq=100))
    assert line_of(state, "lora").text == "7 steps · running"
    assert line_of(state, "lora").fraction is None


def test_time_left_goes_down_between_two_reports() -> None:
    state = state_of("foreign_lines")
    assert describe_run(state, eta_age=8.5).lines[0].text == "3 / 60 steps · 1:40 left"
    assert describe_run(state, eta_age=500).lines[0].text == "3 / 60 steps · 0:00 left"


def test_what_is_prepared_stands_in_the_running_pass_or_in_a_line_of_its_own() -> None:
    before = describe_run(state_of("success", 4))
    assert (before.lines[0].kind, before.lines[0].text) == ("phinb://demo: conversion to safetensors", "201 / 201")
    unknown = describe_run(state_of("success", 5)).lines[0]
    assert (unknown.text, unknown.fraction) == ("running", None)
    running = replace(state_of("success", 6), preparing=state_of("success", 5).preparing)
    assert [line.name for line in describe_run(running).lines] == ["lora", "merge", "int4"]
    assert line_of(running, "lora").text == "hashing the data"


def fact_of(state: RunState, label: str, **options: Any) -> str:
    facts = [fact for fact in describe_run(state, **options).facts if fact.label.startswith(label)]
    return f"{facts[0].value} {facts[0].label}" if facts else ""


def test_the_time_left_is_the_whole_pipelines_and_nothing_is_invented() -> None:
    training = state_of("success", 24)
    eta = training.passes["lora"].eta_s
    assert eta is not None
    lora = int(eta - 1)
    known = f"{lora // 60}:{lora % 60:02}"
    assert fact_of(training, "left", now=2e9, eta_age=1) == f"{known} + … left (not known: merge, int4)"
    assert fact_of(training, "left", now=2e9, estimates={"merge": 5}).endswith("+ … left (not known: int4)")
    whole = describe_run(training, now=2e9, eta_age=1, estimates={"merge": 60.0, "int4": 9.0})
    total = int(eta - 1 + 69)
    assert (whole.facts[0].value, whole.facts[0].label) == (f"{total // 60}:{total % 60:02}", "left")
    assert [line.text for line in whole.lines[1:]] == ["waiting · about 1:00", "waiting · about 9 s"]
    preparing = state_of("success", 4)
    assert fact_of(preparing, "left", now=2e9) == "… left"
    assert fact_of(training, "left") == ""  # a saved form has no clock
    assert fact_of(state_of("success"), "left", now=2e9) == ""


def test_what_takes_longer_than_expected_is_unknown_again() -> None:
    state = replace(state_of("success", 6), passes={"int4": PassState("running", "ModelBuilder", started=1000.0)})
    assert fact_of(state, "left", now=1004.0, estimates={"int4": 9}) == "0:05 left"
    assert fact_of(state, "left", now=1010.0, estimates={"int4": 9}) == "… left"


def test_memory_speed_and_gpu_are_told_as_measured() -> None:
    gpu = {"index": 0, "name": "NVIDIA T4", "used_bytes": 9_000_000_000, "total_bytes": 15_800_000_000, "percent": 97}
    metrics = (Metric("lora", 1, {"loss": 3.0, "tokens_per_s": 412.4}), Metric("lora", 2, {"eval_loss": 2.9}))
    state = replace(
        state_of("success", 24), metrics=metrics, resources=Resources(1_900_000_000, 190.0, 2_200_000_000, (gpu,))
    )
    assert fact_of(state, "tokens/s") == "412 tokens/s"
    assert fact_of(state, "memory") == "1.9 GB memory (at most 2.2 GB)"
    assert fact_of(state, "of 15.8 GB") == "9.0 GB of 15.8 GB on NVIDIA T4, 97 % busy"


def test_answers_are_few_in_order_and_the_later_of_two() -> None:
    told = [Sample("lora", step, "ask", f"at {step}") for step in (0, 10, 20, 30, 40, 50)]
    again = [Sample("lora", 50, "ask", "at 50 after resuming"), Sample("lora", 50, "other", "x" * 900)]
    first, other = describe_run(RunState(samples=(*told, *again))).answers
    assert [(answer.step, answer.text) for answer in first.given] == [
        ("step 0", "at 0"),
        ("step 30", "at 30"),
        ("step 40", "at 40"),
        ("step 50", "at 50 after resuming"),
    ]
    assert (other.prompt, len(other.given[0].text)) == ("other", 402)
    assert "at 50 after resuming" in run_html(RunState(samples=tuple(again)))


def test_a_failure_says_what_why_and_what_to_do() -> None:
    card = describe_run(state_of("pass_failed")).cards[0]
    assert card.severity == "error"
    assert card.title.startswith("int4 failed: [Errno 28]")
    assert "disk that holds the cache is full" in card.text
    assert card.hint.startswith("Free some disk space")
    lost = describe_run(state_of("worker_lost")).cards[0]
    assert (lost.title, lost.hint) == (
        "The worker process is gone.",
        "Resume the run: it goes on from the last checkpoint.",
    )


def test_the_buttons_that_a_state_allows() -> None:
    def offered(state: RunState) -> list[tuple[str, bool]]:
        return [(button.action, button.enabled) for button in describe_buttons(state)]

    running = state_of("foreign_lines")
    assert offered(running) == [("log", True), ("stop", True), ("cancel", True)]
    assert offered(replace(running, stopping="stop")) == [("log", True), ("stop", False), ("cancel", True)]
    assert offered(replace(running, stopping="cancel")) == [("log", True), ("stop", False), ("cancel", False)]
    assert offered(state_of("success")) == [("log", True)]
    for ended in ("stop_and_keep", "cancel_in_training", "pass_failed", "worker_lost"):
        assert offered(state_of(ended)) == [("log", True), ("resume", True)]


def test_many_notices_are_told_once_each_and_counted() -> None:
    notices = tuple(Notice("info", f"n{index}", f"Notice {index}") for index in range(9))
    cards = describe_run(replace(state_of("success"), notices=(*notices, *notices))).cards
    assert [card.title for card in cards] == [
        "4 earlier notices are in the run's events.",
        *(f"Notice {index}" for index in range(4, 9)),
    ]


# ------------------------------------------------------------------------------------------------ chart


def test_the_chart_shows_the_last_values_and_where_the_run_is() -> None:
    chart = loss_of(state_of("success", 24))
    assert [label.text for label in sorted(chart.labels, key=lambda label: label.series)] == ["eval 2.87", "loss 2.53"]
    assert [tick.label for tick in chart.x_ticks] == ["0", "20", "40", "60"]
    assert chart.now == chart.line[-1][0] < chart.right
    ended = loss_of(state_of("success"))
    assert ended.now is None
    assert ended.line[-1][0] == ended.right


def test_a_loss_that_is_no_number_is_no_point() -> None:
    chart = loss_of(state_of("foreign_lines"))
    assert len(chart.line) == 1
    assert draw_charts(RunState(metrics=(Metric("lora", 1, {"loss": None}),))) == ()  # type: ignore[dict-item]


def test_labels_that_would_overlap_are_pushed_apart() -> None:
    chart = loss_of(state_of("success"))
    first, second = sorted(label.y for label in chart.labels)
    assert second - first >= 12


def test_every_quantity_that_was_logged_has_its_chart() -> None:
    values = {"loss": 3.0, "learning_rate": 2e-4, "grad_norm": 0.8, "tokens_per_s": 1234.6}
    metrics = [Metric("lora", 1, values), Metric("lora", 2, values | {"learning_rate": 1.9e-5})]
    charts = draw_charts(RunState(metrics=tuple(metrics)))
    assert [chart.label for chart in charts] == ["loss", "learning rate", "gradient norm", "tokens/s"]
    assert [chart.labels[0].text for chart in charts] == ["loss 3.00", "lr 1.9e-5", "norm 0.80", "1,235 /s"]
    assert charts[1].description == "Learning rate of lora: 1.9e-5 at step 2, 2e-4 at step 1."
    assert [chart.key for chart in draw_charts(RunState(metrics=(Metric("lora", 1, {"loss": 3.0}),)))] == ["loss"]


def test_a_loss_that_falls_far_has_a_log_scale_and_a_rate_that_reaches_0_has_not() -> None:
    metrics = [
        Metric("lora", step, {"loss": 8 / step**2, "learning_rate": 1e-4 * (20 - step)}) for step in range(1, 21)
    ]
    loss, rate = draw_charts(RunState(metrics=tuple(metrics)))
    assert loss.x_title == "lora step · log scale"
    assert [tick.label for tick in loss.y_ticks] == ["0.01", "0.1", "1", "10"]
    assert rate.x_title == "lora step"
    assert not find_axis([0.0, 100.0], may_be_log=True).log
    assert not find_axis([2.0, 90.0], may_be_log=True).log


@pytest.mark.parametrize(("low", "high"), [(0.02, 1.0), (3e-7, 4e5), (1.0, 50.0), (0.9, 1001.0)])
def test_log_ticks_enclose_the_values_and_are_few(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 6


def test_ticks_are_written_alike() -> None:
    assert write_ticks([0.0, 0.00005, 0.0001]) == ["0", "5e-5", "1e-4"]
    assert write_ticks([0.0001, 0.00015, 0.0002]) == ["1e-4", "1.5e-4", "2e-4"]
    assert write_ticks([0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert write_ticks([0.0, 1000.0, 2000.0]) == ["0", "1,000", "2,000"]


@pytest.mark.parametrize(
    ("low", "high"), [(2.27, 4.41), (0.001, 0.0042), (11.9, 12.0), (3.0, 3.0), (-2.0, 950.0), (0, 2e-12)]
)
def test_ticks_are_round_and_enclose_the_values(low: float, high: float) -> None:
    ticks = round_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 6
    step = f"{ticks[1] - ticks[0]:.3e}"
    assert step[0] in "125"
    assert step[1:5] == ".000"


def test_a_step_is_whole() -> None:
    assert round_ticks(0.0, 2.0, smallest=1.0) == [0.0, 1.0, 2.0]


def test_thinning_keeps_ends_and_spikes() -> None:
    points = [(float(step), 2.0 + 0.001 * (step % 7)) for step in range(10_000)]
    points[4321] = (4321.0, 9.0)
    kept = thin_out(points)
    assert len(kept) <= MOST_POINTS
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert points[4321] in kept
    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)


def test_thinned_metrics_keep_the_extremes_of_each_quantity() -> None:
    rows = [Metric("lora", step, {"loss": 2.0, "grad_norm": 1.0}) for step in range(1, 5001)]
    rows[1234] = Metric("lora", 1235, {"loss": 9.0, "grad_norm": 1.0})
    rows[3210] = Metric("lora", 3211, {"loss": 2.0, "grad_norm": 77.0})
    rows.insert(2000, Metric("lora", 2000, {"eval_loss": 2.5}))
    kept = thin_metrics(rows, 100)
    assert len(kept) <= 201
    assert [metric.step for metric in kept] == sorted({metric.step for metric in kept})
    by_step = {metric.step: metric.values for metric in kept}
    assert by_step[1235]["loss"] == 9.0
    assert by_step[3211]["grad_norm"] == 77.0
    assert by_step[2000]["eval_loss"] == 2.5
    assert {1, 5000} <= set(by_step)
    assert thin_metrics(rows[:50], 100) == tuple(rows[:50])


def long_state() -> RunState:
    """10,000 steps with all that a step can log, 1,000 samples of two prompts."""
    random = Random(1)
    metrics = [
        Metric("lora", step, {"loss": random.random(), "grad_norm": random.random(), "learning_rate": random.random()})
        for step in range(1, 10_001)
    ]
    metrics = [replace(metric, values={**metric.values, "tokens_per_s": 100 * random.random()}) for metric in metrics]
    samples = [Sample("lora", step, prompt, "word " * 20) for step in range(0, 10_001, 20) for prompt in ("a", "b")]
    passes = {"lora": PassState("running", done=1, total=10_000, unit="steps")}
    notices = tuple(Notice("info", "x", f"Notice {index}") for index in range(50))
    return RunState("r-1", "long", "running", passes, tuple(metrics), notices, tuple(samples))


def test_ten_thousand_steps_stay_small_on_the_wire_and_in_the_notebook() -> None:
    view = describe_run(long_state(), now=1.0)
    assert len(json.dumps(asdict(view))) < 30_000
    assert len(json.dumps(asdict(replace(view, charts=())))) < 4_000  # what goes over ten times a second
    assert len(json.dumps(run_bundle(long_state(), above_panel=True))) < 100_000


# --------------------------------------------------------------------------------------------- saved form


class Checker(HTMLParser):
    """Every element is closed, none is a script, no attribute holds code or another host."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        for key, value in attrs:
            assert not key.startswith("on")
            assert key not in ("src", "href")
            assert "url(" not in (value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(html: str) -> set[str]:
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert "script" not in checker.seen
    return checker.seen


@pytest.mark.parametrize("name", NAMES)
def test_the_saved_form_is_whole_and_without_scripts(name: str) -> None:
    state = state_of(name)
    check(run_html(state))
    text = run_text(state)
    for line in describe_run(state).lines:
        assert f"{line.symbol} {line.name}" in text
        assert line.text in text
    bundle = run_bundle(state)
    assert json.loads(json.dumps(bundle[RUN_MIME], allow_nan=False))["run_id"] == state.run_id


def test_hostile_text_stays_text() -> None:
    evil = "</style></b><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    state = replace(
        state_of("pass_failed"),
        name=evil,
        message=evil,
        cause=evil,
        remedy=evil,
        passes={evil: PassState("failed", evil, error=evil)},
        notices=(Notice("error", "x", evil, evil),),
        samples=(Sample("lora", 1, evil, evil),),
    )
    html = run_html(state)
    assert "img" not in check(html)
    assert "<script" not in html


def test_the_saved_form_of_a_living_run_says_how_to_see_it_now() -> None:
    state = state_of("success", 24)
    assert f"%olive_attach {state.run_id}" in run_html(state)
    assert run_html(state) == run_html(state)  # a function of the state: no clock in it
