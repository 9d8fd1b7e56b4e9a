"""What each stage gained or lost against the one before, with how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinb.errors import PhinbError
from phinb.evaluation.colours import choose_looks
from phinb.evaluation.results import Comparison, Summary
from phinb.evaluation.statistics import PairedChange
from phinb.evaluation.tables import describe_briefly
from phinb.evaluation.wording import p_value
from phinb.plots.selection import measured
from phinb.plots.template import Palette, label_of, make_template, title_of

if TYPE_CHECKING:
    import plotly.graph_objects as go


def plot_stages(comparison: Comparison, palette: Palette) -> go.Figure:
    """x: accuracy gained or lost in points, paired, with its 95 % interval; a row a stage, the first one on top."""
    import plotly.graph_objects as go

    stages = [(summary, summary.change) for summary in measured(comparison) if summary.change]
    if not stages:
        raise PhinbError("There is only one stage, so nothing can be gained or lost.", "Compare two variants or more.")
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    figure = go.Figure(layout={"template": make_template(palette)})
    for row, (summary, change) in enumerate(stages):
        look = looks[summary.name]
        colour = palette.colour(look)
        at, low, high = (100 * value for value in (change.difference, change.low, change.high))
        figure.add_scatter(
            x=[at],
            y=[row],
            name=label_of(summary.name),
            mode="markers",
            marker={"size": 13, "color": colour, "symbol": look.symbol},
            # The interval is centred a little beside the point: it must never point the wrong way.
            error_x={
                "array": [max(0.0, high - at)],
                "arrayminus": [max(0.0, at - low)],
                "color": colour,
                "thickness": 2,
                "width": 5,
            },
            hovertemplate=f"{_words(change, '<br>')}<extra></extra>",
        )
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=row,
            yshift=17,
            text=_words(change, " · "),
            showarrow=False,
            font={"size": 11},
        )
    figure.add_vline(x=0, line={"color": palette.ink, "width": 1})
    figure.update_layout(
        title=title_of(
            "Gained and lost, stage by stage", f"{describe_briefly(comparison)} · 95 % intervals, McNemar's p"
        ),
        height=130 + 62 * len(stages),
        xaxis={"title": {"text": "accuracy, points against the stage before"}, "tickformat": "d"},
        yaxis={
            "tickvals": list(range(len(stages))),
            "ticktext": [f"{_stage(summary)} " for summary, _ in stages],
            "range": [len(stages) - 0.5, -0.65],
            "showgrid": False,
        },
    )
    return figure


def _stage(summary: Summary) -> str:
    return label_of(f"{summary.before} → {summary.name}")


def _words(change: PairedChange, joint: str) -> str:
    """`+41.7 points · 5 broken, 105 mended · p < 0.001`; p is McNemar's"""
    parts = [
        f"{100 * change.difference:+.1f} points".replace("-", "−") if change.difference else "±0 points",
        f"{change.broken} broken, {change.mended} mended",
        f"p {p_value(change.p)}".replace("<", "&lt;"),
    ]
    return joint.join(parts)
