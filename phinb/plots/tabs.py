"""Several figures in one, of which buttons show one at a time: nothing but plotly's own JSON, so that a saved notebook
needs neither kernel nor widget to switch between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phinb.plots.template import Palette, make_template

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROOM = 40
"""Pixels above each figure's title that the buttons take."""
RIGHT = 24
"""The right margin of all: the buttons hang on it, and must not move under the mouse that presses them."""
AXIS = re.compile(r"([xy])axis(\d*)")
HIDDEN = [0.0, 0.0001]
"""The domain of an axis that is not shown: where it would lie it would take the mouse from those that are."""


def join_figures(figures: Mapping[str, go.Figure], palette: Palette) -> go.Figure:
    """The figures by the labels of their buttons, the first one shown. Each keeps its size, its title and its axes."""
    import plotly.graph_objects as go

    parts = [_renumber(drawn.to_plotly_json(), index) for index, drawn in enumerate(figures.values())]
    axes = {name: axis for part in parts for name, axis in part["axes"].items()}
    traces = [
        trace | {"visible": number == 0, "showlegend": False}
        for number, part in enumerate(parts)
        for trace in part["data"]
    ]
    top = ROOM + max(part["layout"].get("margin", {}).get("t", 70) for part in parts)
    layouts = [_layout_of(part, axes, top) for part in parts]
    buttons = []
    for number, label in enumerate(figures):
        visible = [own == number for own, part in enumerate(parts) for _ in part["data"]]
        buttons.append({"label": label, "method": "update", "args": [{"visible": visible}, layouts[number]]})
    joint = go.Figure(layout={"template": make_template(palette)})
    joint.add_traces(traces)
    joint.update_layout(axes)
    joint.update_layout(layouts[0])
    joint.update_layout(updatemenus=[_menu(buttons, palette, top)])
    return joint


def _renumber(drawn: dict[str, Any], index: int) -> dict[str, Any]:
    """A figure's data, axes and the rest, the axes renamed so that no other has them: x2 of the fourth is x32."""
    layout = dict(drawn["layout"])
    offset = 10 * index

    def rename(name: str) -> str:
        """x -> x10, x2 -> x12, "x domain" -> "x10 domain"; paper, and what is no axis, stays"""
        return re.sub(r"^([xy])(\d*)(?= domain$|$)", lambda m: f"{m[1]}{_number(offset + int(m[2] or 1))}", name)

    axes = {}
    for key in [key for key in layout if AXIS.fullmatch(key)] or ["xaxis", "yaxis"]:
        letter, number = AXIS.fullmatch(key).groups()  # type: ignore[union-attr]
        axis = dict(layout.pop(key, {}))
        for reference in ("anchor", "matches", "overlaying", "scaleanchor"):
            if isinstance(axis.get(reference), str):
                axis[reference] = rename(axis[reference])
        axes[f"{letter}axis{_number(offset + int(number or 1))}"] = {
            "domain": [0.0, 1.0],
            "anchor": rename(("y" if letter == "x" else "x") + number),
            **axis,
        }
    data = [
        dict(trace) | {key: rename(trace.get(key, key[0])) for key in ("xaxis", "yaxis")} for trace in drawn["data"]
    ]
    for group in ("annotations", "shapes"):
        layout[group] = [
            dict(item) | {key: rename(item.get(key, key[0])) for key in ("xref", "yref")}
            for item in layout.get(group, ())
        ]
    return {"data": data, "axes": axes, "layout": layout}


def _number(number: int) -> str:
    return "" if number == 1 else str(number)


def _layout_of(part: Mapping[str, Any], axes: Mapping[str, Any], top: int) -> dict[str, Any]:
    """What the layout becomes when this figure is shown: its own title, size and notes, the others' axes away."""
    own = part["layout"]
    margin = {"l": 16, "t": 70, "b": 16, **own.get("margin", {}), "r": RIGHT}
    changes: dict[str, Any] = {
        "title": dict(own["title"]) | {"pad": {"l": 12, "t": 12 + ROOM}},
        "height": own.get("height", 450) + top - margin["t"],
        "margin": margin | {"t": top},
        "annotations": own["annotations"],
        "shapes": own["shapes"],
    }
    for name, axis in axes.items():
        shown = name in part["axes"]
        changes[f"{name}.visible"] = shown
        changes[f"{name}.automargin"] = shown  # else its labels would keep their room
        changes[f"{name}.domain"] = list(axis["domain"]) if shown else HIDDEN
    return changes


def _menu(buttons: list[dict[str, Any]], palette: Palette, top: int) -> dict[str, Any]:
    return {
        "type": "buttons",
        "direction": "right",
        "buttons": buttons,
        "showactive": True,
        "active": 0,
        "x": 1,
        "xanchor": "right",
        "y": 1,
        "yanchor": "bottom",
        "pad": {"t": 0, "b": top - ROOM + 2, "l": 0, "r": 0},
        "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": palette.line,
        "font": {"size": 12, "color": palette.ink},
    }
