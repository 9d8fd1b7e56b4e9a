"""The curves of a training as geometry: points, ticks and labels in a frame, drawn alike by Python and JavaScript.

A run of 10,000 steps must stay small on the wire and in a saved notebook: a curve has at most 240 points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phinb.types import Metric, RunState
from phinb.workflow.axis import Axis, find_axis, round_ticks, write_small
from phinb.workflow.wording import write_loss, write_number

WIDTH, HEIGHT = 340.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 62.0, 10.0, 28.0
MOST_POINTS = 240
"""More than the frame's plot area has pixels across."""
LABEL_HEIGHT = 13.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Quantity:
    """What a chart can show: `key` is the metric's, `label` its tab's, `title` how a sentence calls it.

    `short` and `write` make the text at the end of the curve. `may_be_log`: a value next to 0 says something.
    """

    key: str
    label: str
    title: str
    short: str
    write: Callable[[float], str]
    may_be_log: bool = False


def _write_rate(value: float) -> str:
    return write_small(value) if abs(value) < 1e-3 else f"{value:.3g}"


QUANTITIES = (
    Quantity("loss", "loss", "Loss", "loss", write_loss, may_be_log=True),
    Quantity("learning_rate", "learning rate", "Learning rate", "lr", _write_rate),
    Quantity("grad_norm", "gradient norm", "Gradient norm", "norm", write_loss, may_be_log=True),
    Quantity("tokens_per_s", "tokens/s", "Tokens a second", "", lambda value: f"{value:,.0f} /s"),
)


@dataclass(frozen=True)
class Tick:
    """A round value's place along its axis, in the frame's units."""

    at: float
    label: str


@dataclass(frozen=True)
class Label:
    """Direct text at the end of a series; `series` is the metric's key and gives its colour."""

    x: float
    y: float
    text: str
    series: str


@dataclass(frozen=True)
class Chart:
    """A frame of width × height with its plot area from (left, top) to (right, bottom).

    `line` is the quantity `key`, `dots` the eval_loss beside a loss; `label` is the chart's tab. `description` says
    the same in words, for who cannot see it.
    """

    key: str
    label: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    line: tuple[Point, ...]
    dots: tuple[Point, ...]
    labels: tuple[Label, ...]
    now: float | None
    description: str


def draw_charts(state: RunState) -> tuple[Chart, ...]:
    """The charts of the pass that logged a loss last, the loss first; empty where there is none yet."""
    name = next((metric.pass_name for metric in reversed(state.metrics) if _series([metric], "loss")), None)
    if name is None:
        return ()
    metrics = [metric for metric in state.metrics if metric.pass_name == name]
    series = {quantity: _series(metrics, quantity.key) for quantity in QUANTITIES}
    eval_loss = _series(metrics, "eval_loss")
    item = state.passes.get(name)
    last = max(points[-1][0] for points in [*series.values(), eval_loss] if points)
    total = item.total if item and item.total and item.unit == "steps" else None
    running = item is not None and item.status == "running"
    x_high = max(total, last) if total and running else last
    now = last if running and last < x_high else None
    return tuple(
        _lay_out(name, quantity, points, eval_loss if quantity.key == "loss" else [], x_high, now)
        for quantity, points in series.items()
        if points
    )


def thin_out(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` of the points: of each equal stretch its lowest and its highest, so that spikes stay.

    What remains was measured; nothing is averaged. The first and the last point always stay.
    """
    if len(points) <= most:
        return list(points)
    inner = points[1:-1]
    stretches = (most - 2) // 2
    kept = [points[0]]
    for index in range(stretches):
        part = inner[index * len(inner) // stretches : (index + 1) * len(inner) // stretches]
        low, high = min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])
        kept += sorted({low, high})
    return [*kept, points[-1]]


def thin_metrics(metrics: Sequence[Metric], most: int = 100) -> tuple[Metric, ...]:
    """Of each metric of each pass at most `most` values, its extremes, first and last among them; nothing is averaged.

    Steps are whole again: a step's values that stay are one Metric. The order is that of the passes, then of steps.
    """
    if len(metrics) <= most:
        return tuple(metrics)
    kept: dict[tuple[str, int], dict[str, float]] = {}
    for name in dict.fromkeys(metric.pass_name for metric in metrics):
        own = [metric for metric in metrics if metric.pass_name == name]
        steps: dict[int, dict[str, float]] = {}
        for key in dict.fromkeys(key for metric in own for key in metric.values):
            for step, value in thin_out(_series(own, key), most):
                steps.setdefault(int(step), {})[key] = value
        kept |= {(name, step): steps[step] for step in sorted(steps)}
    return tuple(Metric(name, step, values) for (name, step), values in kept.items())


def _series(metrics: Sequence[Metric], key: str) -> list[Point]:
    """(step, value) of one metric; null (a NaN in training) leaves a gap in the record, not a point."""
    return [
        (float(metric.step), float(value))
        for metric in metrics
        if isinstance(value := metric.values.get(key), int | float) and math.isfinite(value)
    ]


def _lay_out(
    name: str, quantity: Quantity, points: list[Point], others: list[Point], x_high: float, now: float | None
) -> Chart:
    y_axis = find_axis([value for _, value in [*points, *others]], quantity.may_be_log)
    x_high = max(x_high, 1.0)
    x_values = [value for value in round_ticks(0.0, x_high, smallest=1.0) if value <= x_high]
    x_axis = Axis((0.0, x_high))

    def place(point: Point) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * x_axis.place(point[0])
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y_axis.place(point[1])
        return round(x, 1), round(y, 1)

    line, dots = tuple(map(place, thin_out(points))), tuple(map(place, thin_out(others)))
    ticks = zip(y_axis.ticks, y_axis.labels(), strict=True)
    return Chart(
        key=quantity.key,
        label=quantity.label,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_title=f"{name} step" + (" · log scale" if y_axis.log else ""),
        x_ticks=tuple(Tick(place((value, y_axis.ticks[0]))[0], write_number(value)) for value in x_values),
        y_ticks=tuple(Tick(place((0.0, value))[1], label) for value, label in ticks),
        line=line,
        dots=dots,
        labels=_labels(quantity, line, dots, points, others),
        now=place((now, y_axis.ticks[0]))[0] if now is not None else None,
        description=_describe(name, quantity, points, others),
    )


def _labels(
    quantity: Quantity, line: Sequence[Point], dots: Sequence[Point], points: list[Point], others: list[Point]
) -> tuple[Label, ...]:
    """The last values right of the last point, pushed apart where they would overlap."""
    x = max(place[0] for place in [*line, *dots]) + 8
    text = f"{quantity.short} {quantity.write(points[-1][1])}".strip()
    entries = [(quantity.key, line[-1][1], text)]
    if others:
        entries.append(("eval_loss", dots[-1][1], f"eval {write_loss(others[-1][1])}"))
    entries.sort(key=lambda entry: entry[1])
    heights = [height for _, height, _ in entries]
    if len(heights) == 2 and heights[1] - heights[0] < LABEL_HEIGHT:
        middle = min(sum(heights) / 2, HEIGHT - BOTTOM - LABEL_HEIGHT / 2)
        heights = [middle - LABEL_HEIGHT / 2, middle + LABEL_HEIGHT / 2]
    return tuple(
        Label(round(x, 1), round(height + 4, 1), text, series)
        for (series, _, text), height in zip(entries, heights, strict=True)
    )


def _describe(name: str, quantity: Quantity, points: list[Point], others: list[Point]) -> str:
    text = f"{quantity.title} of {name}: {quantity.write(points[-1][1])} at step {write_number(points[-1][0])}"
    if len(points) > 1:
        text += f", {quantity.write(points[0][1])} at step {write_number(points[0][0])}"
    if others:
        text += f"; eval loss {write_loss(others[-1][1])} at step {write_number(others[-1][0])}"
    return f"{text}."
