"""Time to the first token and decode speed of each variant: every generation, the median, and how slow it gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.latency import decode_speed, own_latencies
from phinb.evaluation.results import Comparison
from phinb.evaluation.statistics import quantile
from phinb.evaluation.tables import describe_briefly
from phinb.evaluation.wording import milliseconds, speed
from phinb.plots.selection import measured, measurement_of
from phinb.plots.template import Palette, label_of, log_ticks, make_template, spans_decades, title_of, top_margin
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

MEASURES = ("first token, ms", "decode, tokens/s")
ENOUGH = 100
"""Generations from which on a p99 is more than the name of the slowest one."""


def plot_latency(comparison: Comparison, palette: Palette) -> go.Figure:
    """Left: first token in ms, p50 (mark), p90, p99; right: decode in tokens/s, p50, p10, p1. Dots: generations."""
    from plotly.subplots import make_subplots

    rows = tabulate_latency(comparison)
    shown = list(dict.fromkeys(row["variant"] for row in rows))
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    everything: tuple[list[float], list[float]] = ([], [])
    for row in rows:
        column = MEASURES.index(row["measure"])
        values = collect_generations(comparison, row["variant"])[column]
        _add_row(figure, shown.index(row["variant"]), column + 1, values, row, looks[row["variant"]], palette)
        everything[column].extend(values)
    title = title_of("Latency", f"{describe_briefly(comparison)} · {_explain(rows)}")
    figure.update_layout(
        template=make_template(palette),
        title=title,
        height=80 + top_margin(title) + 56 * len(shown),
        margin={"t": top_margin(title)},
    )
    ticks = {"tickvals": list(range(len(shown))), "ticktext": [f"{label_of(name)} " for name in shown]}
    figure.update_yaxes(range=[len(shown) - 0.5, -0.65], showgrid=False, **ticks)
    for column, text in ((1, "first token, ms (less is better)"), (2, "decode, tokens/s (more is better)")):
        values = everything[column - 1]
        log = spans_decades(values)
        figure.update_xaxes(
            title={"text": text}, type="log" if log else "linear",
            rangemode="normal" if log else "tozero", col=column, **(log_ticks(values) if log else {}),
        )  # fmt: skip
    return figure


def tabulate_latency(comparison: Comparison) -> list[dict[str, Any]]:
    """Two rows a variant, one a measure: n generations, their median, and where the slowest 10 % and 1 % begin.

    Of the time to the first token those are p90 and p99 (ms), of the decode speed p10 and p1 (tokens/s). Raises
    PhinbError where nothing was timed.
    """
    rows = []
    for summary in measured(comparison):
        for measure, values, tail in zip(MEASURES, collect_generations(comparison, summary.name), (1, -1), strict=True):
            if values:
                slow = [quantile(values, 0.5 + tail * share) for share in (0.0, 0.4, 0.49)]
                figures = dict(zip(("median", "slowest_10_percent", "slowest_1_percent"), slow, strict=True))
                rows.append({"variant": summary.name, "measure": measure, "n": len(values), **figures})
    if not rows:
        raise PhinbError("No generation was timed, so there is nothing to plot.", "Compare again, with latency.")
    return rows


def collect_generations(comparison: Comparison, name: str) -> tuple[list[float], list[float]]:
    """(times to the first token in ms, decode speeds in tokens/s) of a variant's generations."""
    latencies = own_latencies(measurement_of(comparison, name).latencies)
    speeds = [value for latency in latencies if (value := decode_speed(latency)) is not None]
    return [1000 * latency.ttft_s for latency in latencies], speeds


def _explain(rows: Sequence[dict[str, Any]]) -> str:
    counts = sorted({row["n"] for row in rows})
    n = write_count(counts[0], "generation") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} generations"
    few = f", of under {ENOUGH} about the slowest one" if counts[0] < ENOUGH else ""
    return f"dots: {n} a variant · mark: median · bars: the slowest 10 % and 1 % begin{few}"


def _add_row(
    figure: go.Figure,
    row: int,
    column: int,
    values: Sequence[float],
    figures: dict[str, Any],
    look: Look,
    palette: Palette,
) -> None:
    """One variant in one half: its generations as faint dots, its median as its mark, the slow ones as two bars."""
    colour = palette.colour(look)
    write = milliseconds if column == 1 else speed
    median, slow, slowest = (figures[key] for key in ("median", "slowest_10_percent", "slowest_1_percent"))
    place = {"row": 1, "col": column}
    dots = {"size": 5, "color": colour, "opacity": 0.3}
    figure.add_scatter(x=list(values), y=[row] * len(values), mode="markers", marker=dots, hoverinfo="skip", **place)
    for end, width in ((slowest, 1), (slow, 2.5)):
        line = {"color": colour, "width": width}
        figure.add_scatter(x=[median, end], y=[row, row], mode="lines", line=line, hoverinfo="skip", **place)
    names = ("p90", "p99") if column == 1 else ("p10", "p1")
    figure.add_scatter(
        x=[slow, slowest],
        y=[row, row],
        mode="markers",
        marker={"symbol": "line-ns", "size": [14, 8], "line": {"color": colour, "width": 2}},
        customdata=[f"{name} {write(value)}" for name, value in zip(names, (slow, slowest), strict=True)],
        hovertemplate="%{customdata}<extra></extra>",
        **place,
    )
    figure.add_scatter(
        x=[median],
        y=[row],
        name=label_of(figures["variant"]),
        mode="markers+text",
        marker={"size": 12, "color": colour, "symbol": look.symbol},
        text=[write(median)],
        textposition="top center",
        textfont={"size": 11},
        cliponaxis=False,
        hovertemplate=f"p50 {write(median)} of {write_count(figures['n'], 'generation')}<extra></extra>",
        **place,
    )
