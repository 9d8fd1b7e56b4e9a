"""Tokens a row as a histogram, with the length at which training cuts rows off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phinb.data.length_bars import Bar, count_lengths
from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.colours import BY_KIND, FURTHER
from phinb.plots.selection import describe_preview
from phinb.plots.template import Palette, make_template, title_of
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

SPARE = 1.5
"""Widths of a bar between the equal ones and the long tail."""


def plot_lengths(preview: Preview, palette: Palette) -> go.Figure:
    """x: tokens of a row before anything is cut; y: rows. What training cuts is hatched and stands behind a line."""
    import plotly.graph_objects as go

    stats = preview.stats
    if not stats.lengths:
        raise PhinbError("No row has been counted, so there is nothing to plot.", "Look at the preview's problems.")
    values = np.asarray(stats.lengths, dtype=np.int64)
    joins = preview.scan is not None and preview.scan.recipe.joins
    cut = None if joins else stats.max_seq_len
    bars = count_lengths(values, cut)
    figure = go.Figure(layout={"template": make_template(palette)})
    places = _place(bars)
    for over in (False, True):
        chosen = [bar for bar in bars if (cut is not None and bar.start > cut) == over]
        if chosen:
            _add_bars(figure, chosen, places, palette, over=over)
    line = next((places[bar][0] - places[bar][1] / 2 for bar in bars if cut is not None and bar.start == cut + 1), None)
    if line is not None:
        _add_line(figure, line, f"cut at {cut:,}", palette)
    low, median, high = (f"{value:,.0f}" for value in (values.min(), np.median(values), values.max()))
    told = f"{low} to {high} tokens, median {median}" if low != high else write_count(int(values[0]), "token")
    parts = [describe_preview(preview, "rows"), told]
    if joins and stats.max_seq_len is not None:
        parts.append(f"joined to sequences of {stats.max_seq_len:,}")
    elif cut is not None:
        lost = "" if not stats.lost_tokens else f": training loses {write_count(stats.lost_tokens, 'token')}"
        parts.append(f"{int((values > cut).sum()):,} longer than {cut:,}{lost}")
    title = title_of("Tokens a row", " · ".join(parts))
    figure.update_layout(
        title=title,
        # Room for the line's label below a second line of the title.
        height=340,
        margin={"t": 94 if "<br>" in str(title) else 82},
        bargap=0,
        xaxis={"title": {"text": "tokens of a row"}, "showgrid": False, **_ticks(bars, places)},
        yaxis={"title": {"text": "rows"}, "rangemode": "tozero"},
    )
    return figure


def _place(bars: list[Bar]) -> dict[Bar, tuple[float, float]]:
    """The middle and the width of each bar; the long tail has the width of the others, a little apart."""
    step = (bars[0].stop or bars[0].start) + 1 - bars[0].start
    end = max((bar.stop or 0) + 1 for bar in bars if not bar.tail)
    places, tail = {}, 0
    for bar in bars:
        start = bar.start if not bar.tail else end + step * (SPARE * (tail + 1) + tail)
        places[bar] = (start - 0.5 + step / 2, float(step))
        tail += bar.tail
    return places


def _add_bars(
    figure: go.Figure, bars: list[Bar], places: dict[Bar, tuple[float, float]], palette: Palette, *, over: bool
) -> None:
    colour = palette.colour(FURTHER[1] if over else BY_KIND["adapter"])
    figure.add_bar(
        x=[places[bar][0] for bar in bars],
        y=[bar.rows for bar in bars],
        width=[places[bar][1] * 0.92 for bar in bars],
        name="cut off" if over else "whole",
        # Hatched as well as coloured: neither says it alone.
        marker={
            "color": colour,
            "line": {"color": colour, "width": 1 if over else 0},
            "pattern": {"shape": "/" if over else "", "size": 6, "solidity": 0.35},
        },
        customdata=[bar.words for bar in bars],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _add_line(figure: go.Figure, x: float, text: str, palette: Palette) -> None:
    figure.add_vline(x=x, line={"color": palette.ink, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=x,
        y=1,
        yref="paper",
        yanchor="bottom",
        text=text,
        showarrow=False,
        font={"size": 11},
    )


def _ticks(bars: list[Bar], places: dict[Bar, tuple[float, float]]) -> dict[str, object]:
    """Plotly's own, unless there is a tail, which stands out of the scale and says what it holds."""
    tail = [bar for bar in bars if bar.tail]
    if not tail:
        return {"tickformat": ",d"}
    equal = [bar for bar in bars if not bar.tail]
    shown = equal[:: max(1, len(equal) // 6)]
    return {
        "tickvals": [places[bar][0] for bar in (*shown, *tail)],
        "ticktext": [
            *(f"{max(bar.start, 0):,}" for bar in shown),
            *(bar.span.replace(" or more", "+") for bar in tail),
        ],
    }
