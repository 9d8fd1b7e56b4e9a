"""Which labels a variant takes for which: a matrix a variant, rows the truth, columns the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison
from phinb.evaluation.statistics import confuse
from phinb.evaluation.tables import describe_briefly
from phinb.plots.selection import measured, measurement_of
from phinb.plots.template import Palette, label_of, make_template, title_of
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

PALE, FULL = (226, 239, 248), (86, 180, 233)
INK = "#1d1d22"
"""The grounds are opaque, so that the numbers read alike on any theme; a cell without rows stays empty."""


def plot_confusion(comparison: Comparison, palette: Palette) -> go.Figure:
    """Counts in the cells; the colour is the share of the true label's rows."""
    from plotly.subplots import make_subplots

    labels, matrices = _count(comparison)
    summaries = [summary for summary in measured(comparison) if summary.name in matrices]
    columns = min(2, len(summaries))
    lines = -(-len(summaries) // columns)
    names = [label_of(summary.name) for summary in summaries]
    cell = 44 if len(labels) <= 8 else 26
    height = 130 + lines * (cell * len(labels) + 100)
    figure = make_subplots(
        rows=lines, cols=columns, subplot_titles=names, horizontal_spacing=0.16, vertical_spacing=90 / height
    )
    ticks = [label_of(label) for label in labels]
    for index, summary in enumerate(summaries):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        _add_matrix(figure, matrices[summary.name], ticks, place)
    # A label may look like a number or a date, and is none.
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category")
    figure.update_xaxes(showgrid=False, side="bottom", tickangle=0 if max(map(len, labels)) < 12 else -40)
    figure.update_yaxes(showgrid=False, autorange="reversed", ticks="outside", ticklen=5, tickcolor="rgba(0,0,0,0)")
    figure.update_xaxes(title={"text": "predicted"}, row=lines)
    figure.update_yaxes(title={"text": "true"}, col=1)
    figure.update_layout(
        template=make_template(palette),
        title=title_of("Which labels are taken for which", f"{describe_briefly(comparison)} · rows of the data"),
        height=height,
        margin={"t": 96},
    )
    figure.update_annotations(selector={"xref": "paper"}, font={"size": 12})
    return figure


def tabulate_confusion(comparison: Comparison) -> list[dict[str, Any]]:
    """A row a variant, true label and prediction, with how many rows of the data that is and its share of the true
    label's rows; what never happened is left out. Raises PhinbError where the answers are no labels."""
    labels, matrices = _count(comparison)
    return [
        {"variant": name, "true": labels[true], "predicted": labels[guess], "rows": count, "share": count / sum(row)}
        for name, counts in matrices.items()
        for true, row in enumerate(counts)
        for guess, count in enumerate(row)
        if count
    ]


def _count(comparison: Comparison) -> tuple[list[str], dict[str, list[list[int]]]]:
    """The labels, and a matrix for each variant that was scored on them."""
    labels = list(comparison.settings.get("labels") or ())
    scored = {s.name: measurement_of(comparison, s.name).scores for s in measured(comparison)}
    if not labels or not any(scored.values()):
        raise PhinbError(
            "The answers are no labels, so none can be taken for another.", "Give labels=[...] to phinb.compare."
        )
    return labels, {
        name: confuse([score.label for score in scores], [score.predicted for score in scores], labels)
        for name, scores in scored.items()
        if scores
    }


def _add_matrix(figure: go.Figure, counts: list[list[int]], ticks: list[str], place: dict[str, int]) -> None:
    shares = [[value / (sum(row) or 1) if value else None for value in row] for row in counts]
    figure.add_heatmap(
        z=shares,
        x=ticks,
        y=ticks,
        customdata=counts,
        text=[[str(value) if value else "" for value in row] for row in counts],
        texttemplate="%{text}",
        textfont={"size": 12, "color": INK},
        hovertext=[[write_count(value, "row") for value in row] for row in counts],
        zmin=0,
        zmax=1,
        colorscale=[[0, f"rgb{PALE}"], [1, f"rgb{FULL}"]],
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{hovertext}: %{y} taken for %{x}<extra></extra>",
        **place,
    )
