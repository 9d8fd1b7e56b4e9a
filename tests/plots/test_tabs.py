"""Several figures in one: each button shows one of them as it is alone."""

from __future__ import annotations

import json
import re
from typing import Any

from phinb.notebook.comparison_output import PLOTLY_MIME, TABS, figure_bundle
from phinb.plots import figure
from phinb.plots.tabs import HIDDEN, join_figures
from phinb.plots.template import ANY_THEME
from tests.evaluation.examples import make_comparison
from tests.plots.examples import FOUR

KINDS = ("quality_latency", "stages", "latency", "confusion")
AXES = re.compile(r"([xy]axis\d*)\.(visible|domain)")


def joined() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    comparison = make_comparison(FOUR)
    alone = {kind: figure(comparison, kind) for kind in KINDS}
    joint = json.loads(join_figures(alone, ANY_THEME).to_json())
    return {kind: json.loads(drawn.to_json()) for kind, drawn in alone.items()}, joint


def test_each_button_shows_the_traces_and_the_title_of_one_figure() -> None:
    alone, joint = joined()
    buttons = joint["layout"]["updatemenus"][0]["buttons"]
    assert [button["label"] for button in buttons] == list(KINDS)
    for button, shown in zip(buttons, alone.values(), strict=True):
        visible, layout = button["args"]
        own = [trace for trace, on in zip(joint["data"], visible["visible"], strict=True) if on]
        apart = {"xaxis", "yaxis", "visible", "showlegend"}
        assert [{k: v for k, v in trace.items() if k not in apart} for trace in own] == [
            {k: v for k, v in trace.items() if k not in apart} for trace in shown["data"]
        ]
        assert layout["title"]["text"] == shown["layout"]["title"]["text"]
        assert [note["text"] for note in layout["annotations"]] == [
            note["text"] for note in shown["layout"].get("annotations", [])
        ]


def test_no_two_figures_share_an_axis_and_what_is_hidden_takes_no_room() -> None:
    _, joint = joined()
    seen: set[str] = set()
    for button in joint["layout"]["updatemenus"][0]["buttons"]:
        visible, layout = button["args"]
        used = {
            f"{trace[key][0]}axis{trace[key][1:]}"
            for trace, on in zip(joint["data"], visible["visible"], strict=True)
            if on
            for key in ("xaxis", "yaxis")
        }
        assert not used & seen
        seen |= used
        state: dict[str, dict[str, Any]] = {}
        for key, value in layout.items():
            if found := AXES.fullmatch(key):
                state.setdefault(found[1], {})[found[2]] = value
        assert {name for name, axis in state.items() if axis["visible"]} == used
        assert all(axis["domain"] == HIDDEN for name, axis in state.items() if name not in used)


def test_the_notebook_gets_the_plots_that_there_are_and_stays_small() -> None:
    bundle = figure_bundle(make_comparison(FOUR))
    labels = [button["label"] for button in bundle[PLOTLY_MIME]["layout"]["updatemenus"][0]["buttons"]]
    assert labels == [label for kind, label in TABS.items() if kind != "history"], "it has no name, so no history"
    assert "int4 loses 3.8 points" in bundle["text/plain"]
    assert len(json.dumps(bundle)) < 120_000
