"""A choice on the plot of quality against latency: what was asked for, what does not meet it, which one it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from phinb.errors import PhinbError
from phinb.evaluation.choice import Choice
from phinb.evaluation.constraints import Constraint
from phinb.plots.quality_latency import plot_quality_latency
from phinb.plots.template import Palette, label_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHADE = "rgba(213,94,0,0.10)"
BOUND = "#d55e00"


def plot_choice(choice: Choice, palette: Palette) -> go.Figure:
    """Quality against latency with the chosen variant ringed, those that do not fit paler, and the bounds on accuracy
    and time to first token as lines with the refused side shaded. Other bounds stand in the title."""
    if choice.comparison is None:
        raise PhinbError("This choice has no comparison to draw.", "Choose again: phinb.choose(comparison, ...).")
    figure = plot_quality_latency(choice.comparison, palette)
    for constraint in choice.constraints:
        _add_bound(figure, constraint, palette)
    for trace in figure.data:
        if trace.mode == "markers" and trace.name in map(label_of, choice.failing):
            trace.marker.opacity = 0.3
    asked = ", ".join(map(str, choice.constraints)) or "no constraint"
    chosen = f"chosen: {choice.variant}" if choice.variant else "none fits"
    title = figure.layout.title
    title.text = f"{label_of(chosen)} <span style='font-size:12px'>({label_of(asked)})</span>"
    if choice.variant:
        _ring(figure, choice.variant, palette)
    return figure


def _ring(figure: go.Figure, name: str, palette: Palette) -> None:
    mark = next((t for t in figure.data if t.mode == "markers" and t.name == label_of(name)), None)
    if mark is None:  # without a latency it has no place here
        return
    figure.add_scatter(
        x=mark.x,
        y=mark.y,
        mode="markers",
        name=f"{mark.name}, chosen",
        marker={
            "size": mark.marker.size + 12,
            "symbol": "circle-open",
            "color": palette.ink,
            "line": {"width": 2.5, "color": palette.ink},
        },
        hoverinfo="skip",
    )


def _add_bound(figure: go.Figure, constraint: Constraint, palette: Palette) -> None:
    name, bound = constraint.figure.name, constraint.bound
    line = {"color": BOUND, "width": 1.5, "dash": "dash"}
    label = {"text": str(constraint), "font": {"size": 11, "color": palette.ink}}
    if name == "accuracy":
        low, high = figure.layout.yaxis.range
        at = 100 * bound
        figure.layout.yaxis.range = [min(low, at - 3), max(high, at + 3)]
        refused = (low - 100, at) if constraint.is_lower_bound else (at, high + 100)
        figure.add_hrect(y0=refused[0], y1=refused[1], fillcolor=SHADE, line_width=0, layer="below")
        figure.add_hline(at, line=line)  # the axis tells its height, and names stand where a label would
    elif name == "ttft_ms_p50" and bound > 0:
        log = figure.layout.xaxis.type == "log"
        low, high = figure.layout.xaxis.range
        # plotly takes a line on a logarithmic axis by its value, and the axis's range by its logarithm.
        place = math.log10(bound) if log else bound
        margin = 0.06 * (high - low)
        low, high = min(low, place - margin), max(high, place + margin)
        figure.layout.xaxis.range = [low, high]
        ends = [10**low / 10, 10**high * 10] if log else [low - (high - low), high + (high - low)]
        refused = (ends[0], bound) if constraint.is_lower_bound else (bound, ends[1])
        figure.add_vrect(x0=refused[0], x1=refused[1], fillcolor=SHADE, line_width=0, layer="below")
        figure.add_vline(bound, line=line, annotation=label, annotation_position="bottom right")
