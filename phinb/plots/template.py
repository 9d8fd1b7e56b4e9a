"""One plotly template for every figure: it works on light and dark grounds, and lets the figure speak.

Ground and paper are transparent. Where the theme is not known, ink and colours have a contrast of 3:1 or more on
white and on JupyterLab's dark ground (text 4.3:1), so that a figure saved under one theme can be read under the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from phinb.data.signs import spell_out
from phinb.evaluation.colours import Look

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Palette:
    """`ink` for text, `line` for grids; `dark`: variants take their brighter shade."""

    ink: str
    line: str
    dark: bool = False

    def colour(self, look: Look) -> str:
        return look.dark if self.dark else look.colour


ANY_THEME = Palette("#7b7b86", "rgba(128,128,140,0.28)")
LIGHT = Palette("#55555f", "rgba(0,0,0,0.12)")
DARK = Palette("#b6b6c2", "rgba(255,255,255,0.16)", dark=True)


def choose_palette(dark: bool | None) -> Palette:
    """For a dark theme, a light one, or (None) for whichever it will be."""
    return ANY_THEME if dark is None else DARK if dark else LIGHT


def make_template(palette: Palette = ANY_THEME) -> go.layout.Template:
    """The template, anew each time: plotly lets a figure change what it is given."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 12}},
    }
    title = {
        "font": {"size": 14},
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "pad": {"l": 12, "t": 12},
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "subtitle": {"font": {"size": 11, "color": palette.ink}},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": palette.ink},
            "title": title,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 16, "r": 24, "t": 70, "b": 16},
            "xaxis": axis,
            "yaxis": axis,
            "showlegend": False,
            "hoverlabel": {"font": {"family": FONT, "size": 12}},
            "colorway": ["#0072b2", "#c77f00", "#a3507f", "#008a65", "#d55e00", "#3a8fc2", "#7a7a85"],
        }
    )


def label_of(text: str, most: int | None = None) -> str:
    """A name or a label that plotly shows as it is: no markup, no formula, no placeholder, nothing unseen.

    Of more than `most` characters the first ones.
    """
    return escape(spell_out(text, most), quote=False).replace("$", "&#36;").replace("%{", "&#37;{")


def title_of(text: str, small: str) -> dict[str, object]:
    """A figure's title with what it was measured on below; a long line is broken at a middle dot."""
    parts = small.split(" · ")
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) > 92:
            lines.append(part)
        else:
            lines[-1] += f" · {part}"
    return {"text": label_of(text), "subtitle": {"text": "<br>".join(map(label_of, lines))}}


def top_margin(title: Mapping[str, object], beneath: int = 0) -> int:
    """Pixels above the plot that hold the title with all its lines, and `beneath` more for what stands under it."""
    lines = 1 + str(title["subtitle"]).count("<br>")
    return max(70, 42 + 15 * lines) + beneath


def log_ticks(values: Sequence[float]) -> dict[str, object]:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each power of ten, written out, from below to above the values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [step * 10.0**power for power in range(low, high + 1) for step in (1, 2, 5)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks]}


def spans_decades(values: list[float], ratio: float = 12.0) -> bool:
    """Whether values are so far apart that a linear axis would squeeze the small ones together."""
    return len(values) > 1 and min(values) > 0 and max(values) / min(values) > ratio
