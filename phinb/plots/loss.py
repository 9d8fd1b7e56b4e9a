"""The loss of a run: training as a line, evaluation as marks on it, each named at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinb.errors import PhinbError
from phinb.plots.template import Palette, label_of, make_template, title_of
from phinb.types import RunState
from phinb.workflow.wording import agree, write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

SERIES = (
    ("loss", "training", "adapter", "solid"),
    ("eval_loss", "evaluation", "onnx", "dot"),
)
DASHES = ("solid", "dash", "dot", "dashdot")


def plot_loss(state: RunState, palette: Palette) -> go.Figure:
    """x: optimizer step; y: loss in nats a token, as the trainer logged it. Several trained passes differ by dash."""
    import plotly.graph_objects as go

    from phinb.evaluation.colours import BY_KIND

    figure = go.Figure(layout={"template": make_template(palette)})
    passes = list(dict.fromkeys(metric.pass_name for metric in state.metrics))
    last: dict[str, float] = {}
    unknown = 0
    for index, pass_name in enumerate(passes):
        for key, word, kind, _ in SERIES:
            logged = [(m.step, m.values[key]) for m in state.metrics if m.pass_name == pass_name and key in m.values]
            # A loss that was no number is null in the events: it is counted, and leaves a gap in the line.
            points = [(step, value) for step, value in logged if value is not None]
            unknown += len(logged) - len(points)
            if not points:
                continue
            steps, values = zip(*points, strict=True)
            colour = palette.colour(BY_KIND[kind])
            name = f"{pass_name}: {word}" if len(passes) > 1 else word
            last[name] = values[-1]
            figure.add_scatter(
                x=steps,
                y=values,
                name=label_of(name),
                mode="lines" if key == "loss" and len(points) > 1 else "markers",
                line={"color": colour, "width": 2, "dash": DASHES[index % len(DASHES)]},
                marker={"size": 9, "color": colour, "symbol": BY_KIND[kind].symbol},
                hovertemplate=f"step %{{x}}: %{{y:.3f}}<extra>{label_of(name)}</extra>",
            )
            _name_end(figure, steps[-1], values[-1], f"{name} {values[-1]:.2f}", colour, above=key == "loss")
    if not last:
        raise PhinbError("No loss has been logged yet, so there is nothing to plot.", "Wait for the first step.")
    seed = "" if state.seed is None else f" · seed {state.seed}"
    lost = f" · {write_count(unknown, 'value')} {agree(unknown, 'was', 'were')} no number" if unknown else ""
    figure.update_layout(
        title=title_of("Loss", f"{state.name or state.run_id}{seed}{lost}"),
        height=340,
        xaxis={"title": {"text": "step"}, "rangemode": "tozero", "showgrid": False},
        yaxis={"title": {"text": "loss, nats a token"}},
        margin={"r": 120},
    )
    return figure


def _name_end(figure: go.Figure, x: float, y: float, text: str, colour: str, *, above: bool) -> None:
    """Beside the last point; training above the line, evaluation below it, as the two end close together."""
    figure.add_annotation(
        x=x,
        y=y,
        text=label_of(text),
        showarrow=False,
        xanchor="left",
        xshift=9,
        yshift=8 if above else -8,
        font={"size": 12, "color": colour},
    )
