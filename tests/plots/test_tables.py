"""Each figure's table: it holds the numbers that the figure draws, read back from the figure as the browser gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phinb.errors import PhinbError
from phinb.evaluation.choice import Choice
from phinb.evaluation.results import Comparison
from phinb.plots import figure, table
from phinb.plots.figures import KINDS, describe_table, save_table
from phinb.plots.placement import spread_apart
from phinb.plots.tables import TABLES, write_rows
from phinb.types import Latency, Metric, RunState
from tests.evaluation.examples import make_comparison
from tests.plots.examples import FOUR, make_named


def drawn(source: Any, kind: str) -> dict[str, Any]:
    return json.loads(figure(source, kind).to_json())  # type: ignore[no-any-return]


def numbers(values: Any) -> list[float]:
    """plotly sends a list as it is, and numpy's arrays packed."""
    if isinstance(values, Mapping):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).tolist()  # type: ignore[no-any-return]
    return [float(value) for value in values]


def test_every_kind_of_figure_has_its_table() -> None:
    assert {source: set(kinds) for source, kinds in TABLES.items()} == {s: set(kinds) for s, kinds in KINDS.items()}


def test_quality_latency() -> None:
    comparison = make_comparison(FOUR)
    marks = {t["name"]: t for t in drawn(comparison, "quality_latency")["data"] if t.get("name") in FOUR}
    rows = table(comparison, "quality_latency").set_index("variant")
    assert list(rows.index) == list(FOUR)
    for name, mark in marks.items():
        row, y = rows.loc[name], mark["y"][0]
        assert numbers(mark["x"]) == [row["ttft_ms_p50"]]
        assert y == pytest.approx(100 * row["accuracy"])
        assert y + mark["error_y"]["array"][0] == pytest.approx(100 * row["accuracy_high"])
        assert y - mark["error_y"]["arrayminus"][0] == pytest.approx(100 * row["accuracy_low"])
        area = (mark["marker"]["size"] / marks["adapter"]["marker"]["size"]) ** 2
        assert area == pytest.approx(row["needs_bytes"] / rows.loc["adapter", "needs_bytes"], rel=1e-6)
    assert set(rows["n"]) == {240}


def test_stages() -> None:
    comparison = make_comparison(FOUR)
    traces = drawn(comparison, "stages")["data"]
    rows = table(comparison, "stages")
    assert [trace["name"] for trace in traces] == list(rows["variant"])
    assert [trace["x"][0] for trace in traces] == list(rows["points"])
    ends = [(t["x"][0] - t["error_x"]["arrayminus"][0], t["x"][0] + t["error_x"]["array"][0]) for t in traces]
    for (low, high), row in zip(ends, rows.itertuples(), strict=True):
        # The interval is centred a little beside the point; it is drawn no further than to the point itself.
        assert low == pytest.approx(min(row.points_low, row.points))
        assert high == pytest.approx(max(row.points_high, row.points))
    assert list(rows["broken"]) == [6, 0, 19]


def test_latency() -> None:
    comparison = make_comparison(FOUR)
    traces = drawn(comparison, "latency")["data"]
    rows = table(comparison, "latency")
    for axis, measure in (("x", "first token, ms"), ("x2", "decode, tokens/s")):
        own = rows[rows["measure"] == measure]
        marks = [trace for trace in traces if trace["xaxis"] == axis and trace.get("name") in FOUR]
        assert [trace["name"] for trace in marks] == list(own["variant"])
        assert [trace["x"][0] for trace in marks] == list(own["median"])
        bars = [
            numbers(t["x"]) for t in traces if t["xaxis"] == axis and t.get("marker", {}).get("symbol") == "line-ns"
        ]
        assert bars == [[row.slowest_10_percent, row.slowest_1_percent] for row in own.itertuples()]
    assert set(rows["n"]) == {3}
    first = rows.iloc[0]
    times = [0.9 * 96, 96, 1.1 * 96]
    for key, share in (("median", 0.5), ("slowest_10_percent", 0.9), ("slowest_1_percent", 0.99)):
        assert first[key] == pytest.approx(np.quantile(times, share))


def test_first_token_by_length_groups_the_generations_of_a_length() -> None:
    comparison = make_comparison(("base", "int4"))
    lengths = [16, 16, 40, 40, 40]
    latencies = tuple(Latency(tokens, 11, 0.001 * (tokens + at), 0.1) for at, tokens in enumerate(lengths))
    comparison = replace(
        comparison, measurements=tuple(replace(one, latencies=latencies) for one in comparison.measurements)
    )
    rows = table(comparison, "ttft_by_length")
    own = rows[rows["variant"] == "int4"]
    assert list(own["prompt_tokens"]) == [16, 40]
    assert list(own["n"]) == [2, 3]
    assert list(own["median_ms"]) == [pytest.approx(16.5), pytest.approx(43)]
    (trace,) = [t for t in drawn(comparison, "ttft_by_length")["data"] if t["name"] == "int4"]
    assert numbers(trace["x"]) == list(own["prompt_tokens"])
    assert numbers(trace["y"]) == list(own["median_ms"])
    tops = [y + more for y, more in zip(numbers(trace["y"]), numbers(trace["error_y"]["array"]), strict=True)]
    assert tops == [pytest.approx(value) for value in own["slowest_ms"]]


def test_confusion() -> None:
    comparison = make_comparison(FOUR)
    rows = table(comparison, "confusion")
    assert rows.groupby("variant")["rows"].sum().to_dict() == dict.fromkeys(FOUR, 240)
    shown: dict[tuple[str, str, str], int] = {}
    for name, trace in zip(FOUR, drawn(comparison, "confusion")["data"], strict=True):
        for true, line in zip(trace["y"], trace["customdata"], strict=True):
            shown |= {(name, true, guess): count for guess, count in zip(trace["x"], line, strict=True) if count}
    assert {(row.variant, row.true, row.predicted): row.rows for row in rows.itertuples()} == shown
    by_true = rows.groupby(["variant", "true"])["share"].sum()
    assert by_true.tolist() == [pytest.approx(1.0)] * len(by_true)


def test_answers_that_are_no_labels_have_no_confusion() -> None:
    comparison = make_comparison(FOUR)
    free = replace(comparison, settings={**comparison.settings, "labels": []})
    for door in (figure, table):
        with pytest.raises(PhinbError, match="no labels"):
            door(free, "confusion")


def test_what_has_no_accuracy_has_no_place_on_a_plot_of_it() -> None:
    """Never at 0 %, as if that had been measured."""
    comparison = make_comparison(("base", "int4"))
    none = replace(comparison, measurements=tuple(replace(m, scores=()) for m in comparison.measurements))
    for door in (figure, table):
        with pytest.raises(PhinbError, match="No variant has both"):
            door(none, "quality_latency")


def test_batches_and_made_prompts_are_no_generations_of_the_rows() -> None:
    comparison = make_comparison(("base", "int4"))
    more = (Latency(20, 11, 9.0, 9.0, batch=4), Latency(512, 11, 7.0, 7.0, made=True))
    extended = replace(
        comparison, measurements=tuple(replace(m, latencies=(*m.latencies, *more)) for m in comparison.measurements)
    )
    assert table(extended, "latency").equals(table(comparison, "latency"))
    by_length = table(extended, "ttft_by_length")
    assert list(by_length["prompt_tokens"]) == [20, 512, 20, 512]
    assert list(by_length["n"]) == [3, 1, 3, 1]


def test_loss() -> None:
    metrics = (
        Metric("lora", 5, {"loss": 4.0}),
        Metric("lora", 10, {"loss": 3.0}),
        Metric("lora", 10, {"eval_loss": 2.9}),
    )
    rows = table(RunState(name="emotion", metrics=metrics), "loss")
    assert list(rows["step"]) == [5, 10, 10]
    assert rows["loss"].dropna().tolist() == [4.0, 3.0]
    assert rows["eval_loss"].dropna().tolist() == [2.9]


def test_a_choice_says_which_one_fits_and_which_is_chosen() -> None:
    from phinb.evaluation.choice import choose

    choice: Choice = choose(make_comparison(FOUR), {"accuracy": ">=0.8", "ttft_ms_p50": "<=100"})
    rows = table(choice, "quality_latency").set_index("variant")
    assert rows["fits"].to_dict() == {"base": False, "adapter": False, "merged": True, "int4": True}
    assert list(rows.index[rows["chosen"]]) == [choice.variant] == ["int4"]


def test_what_is_unknown_is_a_dash_and_numbers_say_their_unit() -> None:
    head, cells, right = write_rows([{"variant": "int4", "accuracy": 0.8, "size_bytes": 198_000_000, "ttft_ms": None}])
    assert head == ["variant", "accuracy", "size bytes", "ttft ms"]
    assert cells == [["int4", "80.0 %", "198 MB", "–"]]
    assert right == [False, True, True, False]


def test_as_text_and_as_csv(tmp_path: Path) -> None:
    comparison = make_comparison(FOUR)
    lines = describe_table(comparison, "stages").splitlines()
    assert len(lines) == 5
    assert "int4" in lines[4]
    save_table(comparison, "stages", tmp_path / "stages.csv")
    import pandas

    pandas.testing.assert_frame_equal(pandas.read_csv(tmp_path / "stages.csv"), table(comparison, "stages"))
    with pytest.raises(PhinbError, match="cannot be written"):
        save_table(comparison, "stages", tmp_path / "no" / "stages.csv")


@pytest.mark.parametrize("names", [("a\u202eb",), ("\x1b[31mred",)])
def test_a_name_does_nothing_to_a_terminal(names: tuple[str, ...]) -> None:
    comparison = make_named("emotion")
    first = comparison.measurements[0]
    hostile = replace(first, variant=replace(first.variant, name=names[0]))
    shown = replace(comparison, measurements=(hostile, *comparison.measurements[1:]))
    assert not {"\u202e", "\x1b"} & set(describe_table(shown, "latency"))


def test_names_are_spread_as_little_as_it_takes() -> None:
    assert spread_apart([0.0, 100.0], 15) == [0.0, 100.0]
    assert spread_apart([50.0, 50.0], 15) == [42.5, 57.5]
    assert spread_apart([60.0, 0.0, 61.0], 15) == [53.0, 0.0, 68.0]
    generator = np.random.default_rng(0)
    for _ in range(200):
        places = list(generator.uniform(0, 100, size=generator.integers(1, 9)))
        moved = spread_apart(places, 15)
        assert list(np.argsort(places)) == list(np.argsort(moved))
        assert all(after - before >= 15 - 1e-9 for before, after in pairwise(sorted(moved)))
        assert sum(moved) == pytest.approx(sum(places))


def test_comparisons_are_the_only_source_of_their_tables() -> None:
    with pytest.raises(PhinbError, match="no figure of a dict"):
        table({}, "stages")
    with pytest.raises(PhinbError, match="'pie'"):
        table(make_comparison(FOUR), "pie")
    assert set(TABLES[Comparison]) >= {"quality_latency", "stages", "latency", "confusion", "history"}
