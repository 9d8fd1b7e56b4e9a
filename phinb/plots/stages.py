"""What each stage gained or lost against the one before, with how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.colours import choose_looks
from phinb.evaluation.results import Comparison
from phinb.evaluation.tables import describe_briefly
from phinb.evaluation.wording import p_value
from phinb.plots.selection import measured
from phinb.plots.template import Palette, label_of, make_template, title_of

if TYPE_CHECKING:
    import plotly.graph_objects as go


def plot_stages(comparison: Comparison, palette: Palette) -> go.Figure:
    """x: accuracy gained or lost in points, paired, with its 95 % interval; a row a stage, the first one on top."""
    import plotly.graph_objects as go

    rows = tabulate_stages(comparison)
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    figure = go.Figure(layout={"template": make_template(palette)})
    for place, row in enumerate(rows):
        look = looks[row["variant"]]
        colour = palette.colour(look)
        at, low, high = row["points"], row["points_low"], row["points_high"]
        figure.add_scatter(
            x=[at],
            y=[place],
            name=label_of(row["variant"]),
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
            hovertemplate=f"{_words(row, '<br>')}<extra></extra>",
        )
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=place,
            yshift=17,
            text=_words(row, " · "),
            showarrow=False,
            font={"size": 11},
        )
    figure.add_vline(x=0, line={"color": palette.ink, "width": 1})
    figure.update_layout(
        title=title_of(
            "Gained and lost, stage by stage", f"{describe_briefly(comparison)} · 95 % intervals, McNemar's p"
        ),
        height=130 + 62 * len(rows),
        xaxis={"title": {"text": "accuracy, points against the stage before"}, "tickformat": "d"},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [f"{_stage(row)} " for row in rows],
            "range": [len(rows) - 0.5, -0.65],
            "showgrid": False,
        },
    )
    return figure


def tabulate_stages(comparison: Comparison) -> list[dict[str, Any]]:
    """A row a stage: the variant, the one before it, the difference in points with its 95 % interval, n rows, how
    many of them broke and were mended, and McNemar's p. Raises PhinbError where there is one stage only."""
    rows = []
    for summary in measured(comparison):
        if change := summary.change:
            points = (100 * value for value in (change.difference, change.low, change.high))
            figures = dict(zip(("points", "points_low", "points_high"), points, strict=True))
            counts = {"n": change.n, "broken": change.broken, "mended": change.mended, "mcnemar_p": change.p}
            rows.append({"variant": summary.name, "before": summary.before, **figures, **counts})
    if not rows:
        raise PhinbError("There is only one stage, so nothing can be gained or lost.", "Compare two variants or more.")
    return rows


def _stage(row: Mapping[str, Any]) -> str:
    return label_of(f"{row['before']} → {row['variant']}")


def _words(row: Mapping[str, Any], joint: str) -> str:
    """`+41.7 points · 5 broken, 105 mended · p < 0.001`; p is McNemar's"""
    parts = [
        f"{row['points']:+.1f} points".replace("-", "−") if row["points"] else "±0 points",
        f"{row['broken']} broken, {row['mended']} mended",
        f"p {p_value(row['mcnemar_p'])}".replace("<", "&lt;"),
    ]
    return joint.join(parts)
