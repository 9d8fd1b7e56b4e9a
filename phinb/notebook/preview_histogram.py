"""The histogram of tokens a row, with the cut-off: where its bars stand and what it says, before anything draws it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from phinb.data.length_bars import Bar, count_lengths
from phinb.notebook.html import Html, tag
from phinb.workflow.axis import round_ticks
from phinb.workflow.wording import write_count

WIDTH, HEIGHT = 440.0, 118.0
LEFT, RIGHT, TOP, BOTTOM = 6.0, 434.0, 18.0, 96.0
WIDEST = 36.0
"""Of a bar, where there are few."""

SPARE = 30.0
"""Room that the label of a tick takes."""


def draw_lengths(lengths: Sequence[int], cut: int | None) -> dict[str, Any] | None:
    """The bars of these lengths in tokens; `cut` is the longest that training takes whole, None where none is cut.

    bars: x, y, width, height, cut (its rows lose something), text. ticks: at, label. None for no rows.
    """
    values = np.asarray(lengths, dtype=np.int64)
    if not len(values):
        return None
    bars = count_lengths(values, cut)
    wide, most = min((RIGHT - LEFT) / len(bars), WIDEST), max(bar.rows for bar in bars)
    places = {bar.start: LEFT + at * wide for at, bar in enumerate(bars)}
    over = 0 if cut is None else int((values > cut).sum())
    low, middle, high = (f"{value:,.0f}" for value in np.percentile(values, [0, 50, 100]))
    told = f"{write_count(len(values), 'row')}, {low} to {high} tokens, median {middle}"
    if low == high:
        told = f"{write_count(len(values), 'row')} of {write_count(int(values[0]), 'token')}"
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "bottom": BOTTOM,
        "bars": [_place(bar, places[bar.start], wide, most, cut) for bar in bars],
        "ticks": _ticks(bars, wide),
        "limit": None if cut is None or cut + 1 not in places else round(places[cut + 1], 2),
        "title": "tokens a row" if cut is None else f"tokens a row · cut at {cut:,}",
        "description": told if cut is None else f"{told}; {over:,} longer than {cut:,}",
    }


def _place(bar: Bar, x: float, wide: float, most: int, cut: int | None) -> dict[str, Any]:
    height = max((BOTTOM - TOP) * bar.rows / most, 1.5) if bar.rows else 0.0
    return {
        "x": round(x + 0.5, 2),
        "y": round(BOTTOM - height, 2),
        "width": round(max(wide - 1, 0.5), 2),
        "height": round(height, 2),
        "cut": cut is not None and bar.start > cut,
        "text": bar.words,
    }


def _ticks(bars: Sequence[Bar], wide: float) -> list[dict[str, Any]]:
    """Round numbers under the bars that are equally wide, and where the others begin."""
    equal = [bar for bar in bars if not bar.tail]
    first, end, step = equal[0].start, (equal[-1].stop or 0) + 1, (equal[0].stop or 0) + 1 - equal[0].start
    ticks = [
        (LEFT + (value + 0.5 - first) / step * wide, f"{value:,.0f}")
        for value in round_ticks(max(first, 0), end, 6, 1.0)
        if max(first, 0) <= value < end
    ]
    rest = [bar for bar in bars if bar.tail]
    ticks += [(LEFT + (len(equal) + at + 0.5) * wide, "longer") for at, bar in enumerate(rest[-1:], len(rest) - 1)]
    shown: list[dict[str, Any]] = []
    for at, label in sorted(ticks, reverse=True):
        if not shown or shown[-1]["at"] - at > SPARE:
            shown.append({"at": round(max(min(at, RIGHT - 3 * len(label)), LEFT + 3 * len(label)), 2), "label": label})
    return shown[::-1]


def histogram_html(drawn: dict[str, Any]) -> Html:
    """The same as inline SVG; token_view's sibling in JavaScript draws it in the live panel."""
    parts = [
        tag("path", class_="phinb-rule", d=f"M{LEFT} {BOTTOM}H{RIGHT}"),
        *(
            tag(
                "rect",
                tag("title", bar["text"]),
                class_="phinb-over" if bar["cut"] else "phinb-count",
                x=bar["x"],
                y=bar["y"],
                width=bar["width"],
                height=bar["height"],
            )
            for bar in drawn["bars"]
            if bar["height"]
        ),
        *(tag("text", tick["label"], x=tick["at"], y=BOTTOM + 13, text_anchor="middle") for tick in drawn["ticks"]),
    ]
    if drawn["limit"] is not None:
        parts.append(tag("path", class_="phinb-limit", d=f"M{drawn['limit']} {TOP - 10}V{BOTTOM}"))
    svg = tag("svg", *parts, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=drawn["description"])
    return tag("div", tag("div", drawn["title"], class_="phinb-dim"), svg, class_="phinb-chart phinb-histogram")
