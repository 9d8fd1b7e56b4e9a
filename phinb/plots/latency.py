"""Time to the first token and decode speed of each variant: every generation, the median, and the slow tenth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.latency import decode_speed
from phinb.evaluation.results import Comparison
from phinb.evaluation.statistics import quantile
from phinb.evaluation.tables import describe_briefly
from phinb.evaluation.wording import milliseconds, speed
from phinb.plots.selection import measured
from phinb.plots.template import Palette, label_of, make_template, spans_decades, title_of

if TYPE_CHECKING:
    import plotly.graph_objects as go


def plot_latency(comparison: Comparison, palette: Palette) -> go.Figure:
    """Left: first token in ms, p50 (mark) and p90 (bar); right: decode in tokens/s, p50 and p10. Dots: generations."""
    from plotly.subplots import make_subplots

    shown = [summary.name for summary in measured(comparison)]
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    firsts: list[float] = []
    speeds: list[float] = []
    for row, name in enumerate(shown):
        latencies = next(m.latencies for m in comparison.measurements if m.variant.name == name)
        ttft = [1000 * latency.ttft_s for latency in latencies]
        decode = [value for latency in latencies if (value := decode_speed(latency)) is not None]
        _add_row(figure, row, 1, ttft, 0.9, looks[name], palette)
        _add_row(figure, row, 2, decode, 0.1, looks[name], palette)
        firsts, speeds = firsts + ttft, speeds + decode
    figure.update_layout(
        template=make_template(palette),
        title=title_of("Latency", f"{describe_briefly(comparison)} · mark: median, bar: the slow tenth begins"),
        height=140 + 52 * len(shown),
    )
    ticks = {"tickvals": list(range(len(shown))), "ticktext": [f"{label_of(name)} " for name in shown]}
    figure.update_yaxes(range=[len(shown) - 0.5, -0.6], showgrid=False, **ticks)
    for column, text, values in (
        (1, "first token, ms (less is better)", firsts),
        (2, "decode, tokens/s (more is better)", speeds),
    ):
        log = spans_decades(values)
        figure.update_xaxes(
            title={"text": text}, type="log" if log else "linear", dtick=1 if log else None,
            rangemode="normal" if log else "tozero", col=column,
        )  # fmt: skip
    return figure


def _add_row(
    figure: go.Figure, row: int, column: int, values: Sequence[float], tail: float, look: Look, palette: Palette
) -> None:
    """One variant in one half: its generations as faint dots, its median as its mark, the tail's quantile as a bar."""
    if not values:
        return
    colour = palette.colour(look)
    median, slow = quantile(values, 0.5), quantile(values, tail)
    write = milliseconds if column == 1 else speed
    dots = {"size": 5, "color": colour, "opacity": 0.3}
    figure.add_scatter(
        x=list(values), y=[row] * len(values), mode="markers", marker=dots, hoverinfo="skip", row=1, col=column
    )
    figure.add_scatter(
        x=[median, slow],
        y=[row, row],
        mode="lines",
        line={"color": colour, "width": 2},
        hoverinfo="skip",
        row=1,
        col=column,
    )
    figure.add_scatter(
        x=[slow],
        y=[row],
        mode="markers",
        marker={"symbol": "line-ns", "size": 12, "line": {"color": colour, "width": 2}},
        hovertemplate=f"p{round(100 * tail)} {write(slow)}<extra></extra>",
        row=1,
        col=column,
    )
    figure.add_scatter(
        x=[median],
        y=[row],
        mode="markers+text",
        marker={"size": 12, "color": colour, "symbol": look.symbol},
        text=[write(median)],
        textposition="top center",
        textfont={"size": 11},
        cliponaxis=False,
        hovertemplate=f"p50 {write(median)}<extra></extra>",
        row=1,
        col=column,
    )
