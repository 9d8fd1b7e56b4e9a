"""The choice on the plot: the chosen one ringed, the bounds as lines, what does not fit paler."""

from __future__ import annotations

import json
from typing import Any

import phinb
from phinb.evaluation.constraints import read_words
from tests.evaluation.examples import make_comparison

FIVE = ("base", "adapter", "merged", "int4", "fp16")


def draw(*constraints: str) -> dict[str, Any]:
    drawn = phinb.figure(phinb.choose(make_comparison(FIVE), under=read_words(constraints)), "quality_latency")
    record: dict[str, Any] = json.loads(drawn.to_json())
    return record


def test_the_chosen_one_is_ringed_and_others_are_pale() -> None:
    drawn = draw("accuracy>=0.8", "ttft_ms<=90", "size<=400MB")
    marks = {trace["name"]: trace for trace in drawn["data"] if trace["mode"] == "markers"}
    assert marks["int4, chosen"]["x"] == marks["int4"]["x"]
    assert marks["int4, chosen"]["y"] == marks["int4"]["y"]
    assert marks["int4"]["marker"]["opacity"] == marks["fp16"]["marker"]["opacity"] == 0.8
    assert marks["base"]["marker"]["opacity"] == marks["adapter"]["marker"]["opacity"] == 0.3
    assert "chosen: int4" in drawn["layout"]["title"]["text"]


def test_bounds_are_lines_with_the_refused_side_shaded() -> None:
    shapes = draw("accuracy>=0.8", "ttft_ms<=90")["layout"]["shapes"]
    lines = [shape for shape in shapes if shape["type"] == "line"]
    assert [(line["y0"], line["y1"]) for line in lines if line["y0"] == line["y1"]] == [(80, 80)]
    assert [(line["x0"], line["x1"]) for line in lines if line["x0"] == line["x1"]] == [(90, 90)]
    areas = [shape for shape in shapes if shape["type"] == "rect"]
    assert max(area["y1"] for area in areas) == 80
    assert {area["x0"] for area in areas} == {0, 90}


def test_where_none_fits_nothing_is_ringed() -> None:
    drawn = draw("accuracy>=0.99")
    assert not [trace for trace in drawn["data"] if "chosen" in (trace.get("name") or "")]
    assert "none fits" in drawn["layout"]["title"]["text"]


def test_the_front_goes_from_the_fastest_to_the_most_accurate() -> None:
    drawn = json.loads(phinb.figure(make_comparison(FIVE), "quality_latency").to_json())
    (front,) = [trace for trace in drawn["data"] if trace.get("line", {}).get("shape") == "hv"]
    assert front["x"] == [51, 80]
