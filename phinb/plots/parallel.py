"""A sweep as parallel coordinates: an axis a setting, the last one what came of it, a line a run.

Drawn of plain lines: plotly's own trace of that name gives its ticks a white shadow, which no theme can change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.colours import BY_KIND
from phinb.plots.template import Palette, label_of, make_template, title_of
from phinb.workflow.sweep import Sweep
from phinb.workflow.sweep_driver import is_higher_better
from phinb.workflow.sweep_results import WORDS, write_score
from phinb.workflow.sweep_space import Dimension, Range, shorten, write_value, write_values
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """One axis: its name, each run's place on it (0 to 1), and its ticks as (place, text)."""

    name: str
    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]


def plot_parallel(sweep: Sweep, palette: Palette) -> go.Figure:
    """Axes: the paths by their short ends, in the order of the space, then the objective, the better the higher.

    The runs of the best setting are drawn strong, and named at the end; the others faint. Raises PhinbError where no
    run has a figure.
    """
    import plotly.graph_objects as go

    record = sweep.record
    trials = [one for one in sweep.trials if record.objective in one.metrics and one.status == "done"]
    if not trials:
        raise PhinbError("No run of the sweep has a figure yet, so there is nothing to plot.", "Wait for the first.")
    names = shorten(record.space)
    axes = [
        _place_values(names[path], [one.values[path] for one in trials], values)
        for path, values in record.space.items()
    ]
    axes.append(_place_scores(record.objective, [one.metrics[record.objective] for one in trials]))
    best = sweep.best.number
    strong, faint = palette.colour(BY_KIND["adapter"]), palette.ink
    figure = go.Figure(layout={"template": make_template(palette)})
    for index in sorted(range(len(trials)), key=lambda index: trials[index].number == best):
        trial = trials[index]
        chosen = trial.number == best
        score = write_score(record.objective, trial.metrics[record.objective])
        told = label_of(f"{write_values(trial.values)} · seed {trial.seed} · {WORDS[record.objective]} {score}")
        figure.add_scatter(
            x=list(range(len(axes))),
            y=[axis.places[index] for axis in axes],
            mode="lines+markers",
            line={"color": strong if chosen else faint, "width": 3 if chosen else 1.2},
            marker={"size": 8 if chosen else 5, "color": strong if chosen else faint},
            opacity=1.0 if chosen else 0.55,
            hovertemplate=f"{told}<extra></extra>",
            name=told,
        )
    for number, axis in enumerate(axes):
        _draw_axis(figure, number, axis, palette)
    seeds = sorted({trial.seed for trial in trials})
    small = f"{record.name} · {write_count(len(trials), 'run')} · seed{'s' if len(seeds) > 1 else ''} "
    figure.update_layout(
        title=title_of(f"Sweep: best {write_values(sweep.best.values)}", small + ", ".join(map(str, seeds))),
        height=400,
        margin={"l": 60, "r": 90, "t": 110, "b": 24},
        xaxis={"visible": False, "range": [-0.1, len(axes) - 0.75]},
        yaxis={"visible": False, "range": [-0.06, 1.06]},
        hovermode="closest",
    )
    return figure


def _draw_axis(figure: go.Figure, number: int, axis: Axis, palette: Palette) -> None:
    figure.add_shape(
        type="line", x0=number, x1=number, y0=0, y1=1, line={"color": palette.ink, "width": 1}, layer="below"
    )
    size = {"showarrow": False, "font": {"size": 12, "color": palette.ink}}
    figure.add_annotation(x=number, y=1.06, yshift=14, text=f"<b>{label_of(axis.name, 28)}</b>", **size)
    for place, text in axis.ticks:  # above the lines that leave an axis
        figure.add_annotation(x=number, y=place, text=label_of(text, 18), xanchor="left", xshift=7, yshift=9, **size)


def _place_values(name: str, values: Sequence[Any], dimension: Dimension) -> Axis:
    """A list of values has them evenly spaced; a range is laid out as it is drawn from."""
    if isinstance(dimension, Range):
        ends = (dimension.low, dimension.high)
        scale = (lambda value: math.log(value)) if dimension.is_logarithmic else float
        low, high = map(scale, ends)
        middle = math.sqrt(ends[0] * ends[1]) if dimension.is_logarithmic else sum(ends) / 2
        places = [(scale(value) - low) / (high - low) for value in values]
        return Axis(name, places, [(0.0, f"{ends[0]:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{ends[1]:.3g}")])
    keys = [json.dumps(value) for value in dimension]
    last = max(len(keys) - 1, 1)
    every = math.ceil(len(keys) / MOST_TICKS)
    ticks = [(at / last, write_value(value)) for at, value in enumerate(dimension) if at % every == 0]
    return Axis(name, [keys.index(json.dumps(value)) / last for value in values], ticks)


def _place_scores(objective: str, scores: Sequence[float]) -> Axis:
    """From the worst at the foot to the best at the top."""
    worst, best = (min(scores), max(scores)) if is_higher_better(objective) else (max(scores), min(scores))
    if worst == best:
        return Axis(WORDS[objective], [0.5] * len(scores), [(0.5, write_score(objective, best))])
    places = [(score - worst) / (best - worst) for score in scores]
    ticks = [(at, write_score(objective, worst + at * (best - worst))) for at in (0.0, 0.5, 1.0)]
    return Axis(WORDS[objective], places, ticks)
