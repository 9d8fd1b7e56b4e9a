"""Time to the first token against the length of the prompt: what a longer prompt costs each variant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.results import Comparison
from phinb.evaluation.statistics import quantile
from phinb.evaluation.tables import describe_briefly
from phinb.evaluation.wording import milliseconds
from phinb.plots.placement import spread_apart
from phinb.plots.selection import measured, measurement_of
from phinb.plots.template import Palette, label_of, log_ticks, make_template, spans_decades, title_of, top_margin
from phinb.workflow.wording import write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH, HEIGHT = 720, 380


def plot_ttft_by_length(comparison: Comparison, palette: Palette) -> go.Figure:
    """x: tokens of the prompt; y: ms to the first token, the median of its generations; whiskers: all of them."""
    import plotly.graph_objects as go

    rows = tabulate_ttft_by_length(comparison)
    looks = choose_looks((summary.name, summary.kind) for summary in comparison.summaries)
    figure = go.Figure(layout={"template": make_template(palette)})
    ends: dict[str, tuple[float, float]] = {}
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name]
        look, colour = looks[name], palette.colour(looks[name])
        medians = [row["median_ms"] for row in own]
        ends[name] = (own[-1]["prompt_tokens"], medians[-1])
        figure.add_scatter(
            x=[row["prompt_tokens"] for row in own],
            y=medians,
            name=label_of(name),
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"size": 9, "color": colour, "symbol": look.symbol},
            error_y={
                "array": [row["slowest_ms"] - row["median_ms"] for row in own],
                "arrayminus": [row["median_ms"] - row["fastest_ms"] for row in own],
                "color": colour,
                "thickness": 1.2,
                "width": 3,
            },
            customdata=[f"{milliseconds(row['median_ms'])}, {write_count(row['n'], 'generation')}" for row in own],
            hovertemplate=f"<b>{label_of(name)}</b>, %{{x}} tokens: %{{customdata}}<extra></extra>",
        )
    log = spans_decades([row["median_ms"] for row in rows], 8.0)
    _name_ends(figure, ends, looks, palette, _find_ends(rows, log), log)
    counts = sorted({row["n"] for row in rows})
    told = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    small = (
        f"median of {told} generation{'' if told == '1' else 's'} a length, whiskers from the fastest to the slowest"
    )
    title = title_of("First token by prompt length", f"{describe_briefly(comparison)} · {small}")
    figure.update_layout(
        title=title,
        height=HEIGHT,
        margin={"t": top_margin(title)},
        xaxis={
            "title": {"text": "tokens of the prompt"},
            "showgrid": False,
            "tickformat": ",d",
            "range": _make_room(rows),
        },
        yaxis={
            "title": {"text": "first token, ms (less is better)"},
            "type": "log" if log else "linear",
            "rangemode": "normal" if log else "tozero",
            **(log_ticks([row["fastest_ms"] for row in rows]) if log else {}),
        },
    )
    return figure


def tabulate_ttft_by_length(comparison: Comparison) -> list[dict[str, Any]]:
    """A row a variant and prompt length: n generations, median_ms, fastest_ms, slowest_ms, the shortest prompt first.

    Raises PhinbError where nothing was timed.
    """
    rows = []
    for summary in measured(comparison):
        by_length: dict[int, list[float]] = {}
        for latency in measurement_of(comparison, summary.name).latencies:
            if latency.batch > 1:
                continue  # the whole batch's first tokens, not one prompt's
            by_length.setdefault(latency.prompt_tokens, []).append(1000 * latency.ttft_s)
        for length, times in sorted(by_length.items()):
            figures = {"median_ms": quantile(times, 0.5), "fastest_ms": min(times), "slowest_ms": max(times)}
            rows.append({"variant": summary.name, "prompt_tokens": length, "n": len(times), **figures})
    if not rows:
        raise PhinbError("No generation was timed, so there is nothing to plot.", "Compare again, with latency.")
    return rows


def _make_room(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """The range of lengths, with room for the names on the right."""
    lengths = [row["prompt_tokens"] for row in rows]
    span = max(lengths) - min(lengths) or 1
    characters = max(len(row["variant"]) for row in rows)
    return [min(lengths) - 0.05 * span, max(lengths) + span * min(0.45, (40 + 7 * characters) / (WIDTH - 160))]


def _find_ends(rows: Sequence[Mapping[str, Any]], log: bool) -> tuple[float, float]:
    """About where the axis of the times begins and ends, as plotly will choose it; in powers of ten where log."""
    low, high = min(row["fastest_ms"] for row in rows), 1.05 * max(row["slowest_ms"] for row in rows)
    return (math.log10(max(low, 1e-9)), math.log10(max(high, 1e-9))) if log else (0.0, high)


def _name_ends(
    figure: go.Figure,
    ends: Mapping[str, tuple[float, float]],
    looks: Mapping[str, Look],
    palette: Palette,
    axis: tuple[float, float],
    log: bool,
) -> None:
    """Each line's mark and name beside its last point, moved up or down where two would lie on each other."""
    heights = {name: math.log10(max(y, 1e-9)) if log else y for name, (_, y) in ends.items()}
    per_unit = (HEIGHT - 140) / ((axis[1] - axis[0]) or 1.0)
    pixels = [per_unit * (heights[name] - axis[0]) for name in ends]
    right = max(x for x, _ in ends.values())
    for (name, at), place, moved in zip(heights.items(), pixels, spread_apart(pixels, 15.0), strict=True):
        figure.add_annotation(
            x=right,
            y=at,
            text=f"{looks[name].mark} {label_of(name)}",
            showarrow=False,
            xanchor="left",
            xshift=10,
            yshift=moved - place,
            font={"size": 12, "color": palette.ink},
        )
