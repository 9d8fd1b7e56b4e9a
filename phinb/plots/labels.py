"""How many rows have each value of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.colours import BY_KIND
from phinb.plots.selection import describe_preview
from phinb.plots.template import Palette, label_of, make_template, title_of
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_LABELS = 30
"""Labels that have a bar of their own; the rarest of more are one bar together."""

MOST_CHARACTERS = 40


def plot_labels(preview: Preview, palette: Palette) -> go.Figure:
    """x: rows; a bar a label, the most frequent on top, with its rows and its share of all."""
    import plotly.graph_objects as go

    labels = list(preview.stats.labels.items())
    if not labels:
        raise PhinbError(
            "The answers are no labels: there are too many different ones, or the template has none.",
            'Name the column that holds them: "phinb": {"answer": COLUMN}.',
        )
    bars = [(label_of(label, MOST_CHARACTERS) or "(empty)", count) for label, count in labels[:MOST_LABELS]]
    if rest := labels[MOST_LABELS:]:
        bars.append((f"{len(rest)} rarer ones", sum(count for _, count in rest)))
    rows = sum(count for _, count in labels)
    most, least = labels[0][1], labels[-1][1]
    figure = go.Figure(layout={"template": make_template(palette)})
    figure.add_bar(
        x=[count for _, count in bars],
        y=list(range(len(bars))),
        orientation="h",
        marker={"color": palette.colour(BY_KIND["adapter"])},
        width=0.62,
        text=[f" {count:,} · {100 * count / rows:.1f} %" for _, count in bars],
        textposition="outside",
        cliponaxis=False,
        customdata=[f"{label}: {write_count(count, 'row')}" for label, count in bars],
        hovertemplate="%{customdata}<extra></extra>",
    )
    balance = "equally frequent" if most == least else f"the first is {most / least:.1f} times as frequent as the last"
    parts = [describe_preview(preview, "rows"), write_count(len(labels), "label"), balance]
    figure.update_layout(
        title=title_of("Label balance", " · ".join(parts)),
        height=120 + 30 * len(bars),
        # Room behind the longest bar for its number.
        xaxis={"title": {"text": "rows"}, "range": [0, 1.22 * max(count for _, count in bars)], "tickformat": ",d"},
        yaxis={
            "tickvals": list(range(len(bars))),
            "ticktext": [f"{label} " for label, _ in bars],
            "range": [len(bars) - 0.4, -0.6],
            "showgrid": False,
        },
    )
    return figure
