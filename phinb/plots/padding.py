"""How much of a training step is padding, by how batches are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.colours import BY_KIND
from phinb.plots.selection import describe_preview
from phinb.plots.template import Palette, make_template, title_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

WORDS = {
    "max": "all filled to max_seq_len",
    "random": "batches in random order",
    "sequential": "batches in the data's order",
    "grouped": "batches grouped by length",
}


def plot_padding(preview: Preview, palette: Palette) -> go.Figure:
    """x: padding's share of all tokens of a step, in %; a bar a way. What the configuration does is on top and filled,
    what else it could do is outlined."""
    import plotly.graph_objects as go

    shares = dict(preview.stats.padding)
    if not shares:
        raise PhinbError("The padding is not known: there is no sequence.", "Look at the preview's problems.")
    bars = _order(preview, shares)
    colours = [palette.colour(BY_KIND["adapter" if configured else "base"]) for _, _, configured in bars]
    figure = go.Figure(layout={"template": make_template(palette)})
    figure.add_bar(
        x=[100 * share for _, share, _ in bars],
        y=list(range(len(bars))),
        orientation="h",
        width=0.6,
        marker={
            "color": [
                colour if configured else "rgba(0,0,0,0)"
                for colour, (_, _, configured) in zip(colours, bars, strict=True)
            ],
            "line": {"color": colours, "width": 1.5},
        },
        text=[f" {100 * share:.1f} %" for _, share, _ in bars],
        textposition="outside",
        cliponaxis=False,
        customdata=[words for words, _, _ in bars],
        hovertemplate="%{customdata}: %{x:.1f} % padding<extra></extra>",
    )
    parts = [describe_preview(preview, "sequences")]
    batching = preview.scan.batching if preview.scan else None
    if batching and batching.size:
        parts.append(f"batches of {batching.size}, {batching.accumulation or 1} a step")
    figure.update_layout(
        title=title_of("Padding", " · ".join(parts)),
        height=130 + 42 * len(bars),
        xaxis={
            "title": {"text": "padding, % of the tokens of a step (less is better)"},
            "ticksuffix": " %",
            "range": [0, max(5.0, 1.18 * max(100 * share for _, share, _ in bars))],
        },
        yaxis={
            "tickvals": list(range(len(bars))),
            "ticktext": [f"{'<b>as configured</b>: ' if configured else ''}{words} " for words, _, configured in bars],
            "range": [len(bars) - 0.4, -0.6],
            "showgrid": False,
        },
    )
    return figure


def _order(preview: Preview, shares: dict[str, float]) -> list[tuple[str, float, bool]]:
    """(words, share, whether the configuration does it): that first, then the others, the most padding first."""
    own = _configured(preview)
    bars = []
    if "configured" in shares:
        bars.append((WORDS.get(own, "the trainer's own way"), shares["configured"], True))
    others = [key for key in ("max", "random", "grouped") if key in shares and (key != own or not bars)]
    return bars + [(WORDS[key], shares[key], False) for key in sorted(others, key=lambda key: -shares[key])]


def _configured(preview: Preview) -> str:
    """Which of the ways it is that the configuration says; "" where nobody knows."""
    if preview.scan is None:
        return ""
    if preview.scan.recipe.pads:
        return "max"
    return {"random": "random", "sequential": "sequential", "group_by_length": "grouped"}.get(
        preview.scan.batching.sampling, ""
    )
