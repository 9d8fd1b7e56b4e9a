"""Quality against latency: where each variant stands, how sure that is, how big it is, and the way it came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.evaluation.colours import choose_looks
from phinb.evaluation.pareto import find_front
from phinb.evaluation.results import Comparison, Summary
from phinb.evaluation.tables import describe_briefly
from phinb.evaluation.wording import milliseconds, percent, size, speed
from phinb.plots.placement import Mark, place_names
from phinb.plots.selection import placed
from phinb.plots.template import Palette, label_of, make_template, spans_decades, title_of
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

# The picture that names are placed in; a wider one only has more room.
WIDTH, HEIGHT = 600, 270
LARGEST = 40.0
SMALLEST = 11.0
FRONT = "#008a65"


def plot_quality_latency(comparison: Comparison, palette: Palette) -> go.Figure:
    """x: median time to first token in ms; y: accuracy in % with its 95 % interval; area: what it needs on disk."""
    import plotly.graph_objects as go

    summaries = placed(comparison)
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    needed = _bytes_needed(summaries)
    largest = max(needed.values(), default=1) or 1
    diameters = {name: max(SMALLEST, LARGEST * math.sqrt(count / largest)) for name, count in needed.items()}
    figure = go.Figure(layout={"template": make_template(palette)})
    _add_paths(figure, summaries, palette)
    _add_front(figure, comparison, palette)
    for summary in sorted(summaries, key=lambda summary: -diameters[summary.name]):
        look = looks[summary.name]
        colour = palette.colour(look)
        y, low, high = _points(summary)
        figure.add_scatter(
            x=[summary.ttft_ms_p50],
            y=[y],
            name=label_of(summary.name),
            mode="markers",
            marker={"size": diameters[summary.name], "color": colour, "symbol": look.symbol, "opacity": 0.8},
            error_y={"array": [high - y], "arrayminus": [y - low], "color": colour, "thickness": 1.5, "width": 4},
            hovertemplate=_hover(summary, needed[summary.name]),
        )
    log = spans_decades([summary.ttft_ms_p50 or 0.0 for summary in summaries])
    x_range, y_range = _ranges(summaries, log)
    _add_names(figure, summaries, diameters, (x_range, y_range), log, palette)
    figure.update_layout(
        title=title_of(
            "Quality against latency", describe_briefly(comparison) + " · area: size on disk · steps: Pareto front"
        ),
        height=HEIGHT + 130,
        xaxis={
            "title": {"text": "first token, ms, median (less is better)"},
            "type": "log" if log else "linear",
            "range": x_range,
            "dtick": "D2" if log else None,
        },
        yaxis={"title": {"text": "accuracy, %"}, "range": y_range, "ticksuffix": " %"},
    )
    return figure


def _bytes_needed(summaries: Sequence[Summary]) -> dict[str, int]:
    """An adapter needs its base, too, where that was measured."""
    base = next((summary.size_bytes or 0 for summary in summaries if summary.kind == "base"), 0)
    return {s.name: (s.size_bytes or 0) + (base if s.kind == "adapter" else 0) for s in summaries}


def _points(summary: Summary) -> tuple[float, float, float]:
    """accuracy, low and high in percent"""
    values = (summary.accuracy, summary.accuracy_low, summary.accuracy_high)
    accuracy, low, high = (100 * (value or 0.0) for value in values)
    return accuracy, low, high


def _add_paths(figure: go.Figure, summaries: Sequence[Summary], palette: Palette) -> None:
    by_name = {summary.name: summary for summary in summaries}
    for summary in summaries:
        if before := by_name.get(summary.before):
            figure.add_scatter(
                x=[before.ttft_ms_p50, summary.ttft_ms_p50],
                y=[_points(before)[0], _points(summary)[0]],
                mode="lines",
                line={"color": palette.ink, "width": 1, "dash": "4px,4px"},
                opacity=0.7,
                hoverinfo="skip",
            )


def _add_front(figure: go.Figure, comparison: Comparison, palette: Palette) -> None:
    """The Pareto front of the two axes, as the steps below which a variant is dominated."""
    members = set(find_front(comparison, ("accuracy", "ttft_ms_p50")).members)
    front = sorted((s.ttft_ms_p50 or 0.0, _points(s)[0]) for s in comparison.summaries if s.name in members)
    if len(front) > 1:
        figure.add_scatter(
            x=[x for x, _ in front],
            y=[y for _, y in front],
            mode="lines",
            line={"color": FRONT, "width": 2, "shape": "hv"},
            opacity=0.6,
            hovertemplate="Pareto front of accuracy and first token<extra></extra>",
        )


def _ranges(summaries: Sequence[Summary], log: bool) -> tuple[list[float], list[float]]:
    """Axis ranges (x in powers of ten where log) with room for the marks, whiskers and names."""
    xs = [summary.ttft_ms_p50 or 0.0 for summary in summaries]
    low, high = min(xs), max(xs)
    if log:
        low, high = math.log10(low), math.log10(high)
    margin = 0.18 * (high - low) or (0.3 if log else 0.3 * high or 1.0)
    x_range = [low - margin if log else max(0.0, low - margin), high + margin]
    bottom = min(_points(summary)[1] for summary in summaries)
    top = max(_points(summary)[2] for summary in summaries)
    space = max(3.0, 0.12 * (top - bottom))
    return x_range, [max(-4.0, bottom - space), min(104.0, top + space)]


def _add_names(
    figure: go.Figure,
    summaries: Sequence[Summary],
    diameters: dict[str, float],
    ranges: tuple[list[float], list[float]],
    log: bool,
    palette: Palette,
) -> None:
    (left, right), (bottom, top) = ranges
    places_x = [math.log10(s.ttft_ms_p50 or 1.0) if log else s.ttft_ms_p50 or 0.0 for s in summaries]
    marks = []
    for summary, x in zip(summaries, places_x, strict=True):
        y, low, high = _points(summary)
        per_point = HEIGHT / (top - bottom)
        radius = diameters[summary.name] / 2
        across = WIDTH * (x - left) / (right - left)
        marks.append(Mark(across, (top - y) * per_point, radius, (high - y) * per_point, (y - low) * per_point))
    names = [summary.name for summary in summaries]
    lines = [(names.index(s.before), index) for index, s in enumerate(summaries) if s.before in names]
    places = place_names(names, marks, WIDTH, HEIGHT, lines)
    for summary, x, place in zip(summaries, places_x, places, strict=True):
        shown: dict[str, Any] = vars(place)
        figure.add_annotation(
            x=x,
            y=_points(summary)[0],
            text=label_of(summary.name),
            showarrow=False,
            font={"size": 12, "color": palette.ink},
            **shown,
        )


def _hover(summary: Summary, needed: int) -> str:
    low, high = percent(summary.accuracy_low), percent(summary.accuracy_high)
    lines = [
        f"<b>{label_of(summary.name)}</b>",
        f"{percent(summary.accuracy)} of {write_count(summary.n or 0, 'row')} (95 %: {low} to {high})",
        f"first token {milliseconds(summary.ttft_ms_p50)}, p90 {milliseconds(summary.ttft_ms_p90)}",
        f"decode {speed(summary.decode_tokens_per_s)}",
        f"{size(needed)} on disk",
    ]
    return "<br>".join(lines) + "<extra></extra>"
