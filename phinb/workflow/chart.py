"""The loss curve as geometry: points, ticks and labels in a fixed frame, drawn alike by Python and JavaScript.

A run of 10,000 steps must stay small on the wire and in a saved notebook: a curve has at most 400 points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from phinb.types import Metric, RunState
from phinb.workflow.wording import write_loss, write_number

WIDTH, HEIGHT = 340.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 62.0, 10.0, 28.0
MOST_POINTS = 400
LABEL_HEIGHT = 13.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A round value's place along its axis, in the frame's units."""

    at: float
    label: str


@dataclass(frozen=True)
class Label:
    """Direct text at the end of a series; `series` is loss or eval_loss and gives its colour."""

    x: float
    y: float
    text: str
    series: str


@dataclass(frozen=True)
class Chart:
    """A frame of width × height with its plot area from (left, top) to (right, bottom).

    `line` is the loss, `dots` the eval_loss; `description` says the same in words, for who cannot see it.
    """

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


def draw_losses(state: RunState) -> Chart | None:
    """The chart of the pass that logged a loss last; None where there is none yet."""
    name = next((metric.pass_name for metric in reversed(state.metrics) if _series([metric], "loss")), None)
    if name is None:
        return None
    metrics = [metric for metric in state.metrics if metric.pass_name == name]
    loss, eval_loss = thin_out(_series(metrics, "loss")), thin_out(_series(metrics, "eval_loss"))
    item = state.passes.get(name)
    last = max(step for step, _ in [*loss, *eval_loss])
    total = item.total if item and item.total and item.unit == "steps" else None
    running = item is not None and item.status == "running"
    x_high = max(total, last) if total and running else last
    return _lay_out(name, loss, eval_loss, x_high, now=last if running and last < x_high else None)


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


def round_ticks(low: float, high: float, most: int = 4, smallest: float = 0.0) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that enclose [low, high]; up to `most`, none below `smallest`."""
    span = high - low if high > low else max(abs(high), 1e-3)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = max(smallest, next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= most))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(index * step, 10) for index in range(first, last + 1)]


def _series(metrics: Sequence[Metric], key: str) -> list[Point]:
    """(step, value) of one metric; null (a NaN in training) leaves a gap in the record, not a point."""
    return [
        (float(metric.step), float(value))
        for metric in metrics
        if isinstance(value := metric.values.get(key), int | float) and math.isfinite(value)
    ]


def _lay_out(name: str, loss: list[Point], eval_loss: list[Point], x_high: float, now: float | None) -> Chart:
    values = [value for _, value in [*loss, *eval_loss]]
    y_values = round_ticks(min(values), max(values))
    x_values = [value for value in round_ticks(0.0, max(x_high, 1.0), smallest=1.0) if value <= max(x_high, 1.0)]
    y_low, y_high = y_values[0], y_values[-1]
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(point: Point) -> Point:
        x = LEFT + plot_width * point[0] / max(x_high, 1.0)
        y = TOP + plot_height * (y_high - point[1]) / (y_high - y_low)
        return round(x, 1), round(y, 1)

    line, dots = tuple(map(place, loss)), tuple(map(place, eval_loss))
    decimals = max((len(f"{value:g}".partition(".")[2]) for value in y_values), default=0)
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_title=f"{name} step",
        x_ticks=tuple(Tick(place((value, y_low))[0], write_number(value)) for value in x_values),
        y_ticks=tuple(Tick(place((0.0, value))[1], f"{value:.{decimals}f}") for value in y_values),
        line=line,
        dots=dots,
        labels=_labels(line, dots, loss, eval_loss),
        now=place((now, y_low))[0] if now is not None else None,
        description=_describe(name, loss, eval_loss),
    )


def _labels(
    line: Sequence[Point], dots: Sequence[Point], loss: list[Point], eval_loss: list[Point]
) -> tuple[Label, ...]:
    """The last values right of the last point, pushed apart where they would overlap."""
    x = max(place[0] for place in [*line, *dots]) + 8
    entries = [("loss", line[-1][1], f"loss {write_loss(loss[-1][1])}")]
    if eval_loss:
        entries.append(("eval_loss", dots[-1][1], f"eval {write_loss(eval_loss[-1][1])}"))
    entries.sort(key=lambda entry: entry[1])
    heights = [height for _, height, _ in entries]
    if len(heights) == 2 and heights[1] - heights[0] < LABEL_HEIGHT:
        middle = min(sum(heights) / 2, HEIGHT - BOTTOM - LABEL_HEIGHT / 2)
        heights = [middle - LABEL_HEIGHT / 2, middle + LABEL_HEIGHT / 2]
    return tuple(
        Label(round(x, 1), round(height + 4, 1), text, series)
        for (series, _, text), height in zip(entries, heights, strict=True)
    )


def _describe(name: str, loss: list[Point], eval_loss: list[Point]) -> str:
    text = f"Loss of {name}: {write_loss(loss[-1][1])} at step {write_number(loss[-1][0])}"
    if len(loss) > 1:
        text += f", {write_loss(loss[0][1])} at step {write_number(loss[0][0])}"
    if eval_loss:
        text += f"; eval loss {write_loss(eval_loss[-1][1])} at step {write_number(eval_loss[-1][0])}"
    return f"{text}."
