"""The runs of one name over time: what is found on disk, what may be held against each other, and how it is drawn."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

import pytest

from phinb.errors import PhinbError
from phinb.evaluation.history import LATEST, hash_task, keep_latest, read_history
from phinb.evaluation.results import load_comparison
from phinb.plots import figure, table
from phinb.types import RunState
from phinb.workflow import store
from tests.evaluation.examples import make_comparison
from tests.plots.examples import FOUR, keep_run, make_named


@pytest.fixture
def name() -> str:
    """A configuration's name that no other test has."""
    return f"config-{secrets.token_hex(4)}"


def test_the_runs_of_a_name_are_found_oldest_first(name: str) -> None:
    first = make_named(name)
    faster = [replace(m, latencies=tuple(replace(one, ttft_s=one.ttft_s / 2) for one in m.latencies))
              for m in first.measurements]  # fmt: skip
    second = replace(first, measurements=tuple(faster))
    newer, older = keep_run(second, 2_000_000.0), keep_run(first, 1_000_000.0)
    keep_run(first, 3_000_000.0, compared=False)
    keep_run(make_named(f"{name}-other"), 1_500_000.0)
    past, without = read_history(name)
    assert [one.record.run_id for one in past] == [older, newer]
    assert past[0].comparison == first
    assert without == 1
    rows = table(first, "history")
    assert list(rows["run"]) == [older] * 4 + [newer] * 4
    assert list(rows["ttft_ms_p50"][4:]) == [pytest.approx(value / 2) for value in rows["ttft_ms_p50"][:4]]
    small = json.loads(figure(first, "history").to_json())["layout"]["title"]["subtitle"]["text"].replace("<br>", " · ")
    assert small.startswith("n 240 · Example 9000, 2 cores")
    assert "2 runs of this name" in small
    assert "1 more run has none" in small


def test_a_run_shows_its_history_too(name: str) -> None:
    run = keep_run(make_named(name), 1_000_000.0)
    assert set(table(RunState(run_id=run, name=name), "history")["run"]) == {run}


def test_lines_join_only_what_was_asked_the_same_on_the_same_machine(name: str) -> None:
    first = make_named(name)
    other_task = replace(make_comparison(FOUR, labels=("anger", "joy", "sadness", "surprise")), name=name)
    other_machine = replace(first, settings={**first.settings, "machine": {"processor": "Other", "cores": 8}})
    for number, comparison in enumerate((first, other_task, other_machine, first)):
        keep_run(comparison, 1_000_000.0 + number)
    traces = json.loads(figure(first, "history").to_json())["data"]
    base = [trace for trace in traces if trace["name"] == "base"]
    by_panel = {axis: [trace["x"] for trace in base if trace["yaxis"] == axis] for axis in ("y", "y2", "y3")}
    runs = {axis: [[round(x + 0.1875) for x in xs] for xs in traces] for axis, traces in by_panel.items()}
    assert runs["y"] == [[0, 2, 3], [1]], "accuracy: the same task"
    assert runs["y2"] == [[0, 3], [1], [2]], "speed: the same machine, too"
    assert runs["y3"] == [[0, 1, 2, 3]], "size: all"


def test_a_stopped_or_failed_comparison_replaces_none(name: str) -> None:
    whole = make_named(name)
    folder = store.find(keep_run(whole, 1_000_000.0)).path
    failed = replace(whole, measurements=tuple(replace(m, scores=(), error="It broke.") for m in whole.measurements))
    for worse in (replace(whole, stopped=True, measurements=whole.measurements[:1]), failed):
        keep_latest(worse, folder)
        assert load_comparison(folder / LATEST) == whole


def test_a_damaged_comparison_hides_no_other_run(name: str) -> None:
    whole = make_named(name)
    good = keep_run(whole, 1_000_000.0)
    bad = store.find(keep_run(whole, 2_000_000.0)).path
    (bad / LATEST).write_text("{", encoding="utf-8")
    past, without = read_history(name)
    assert [one.record.run_id for one in past] == [good]
    assert without == 1


def test_without_name_or_comparison_it_says_so(name: str) -> None:
    with pytest.raises(PhinbError, match="no name"):
        figure(make_comparison(FOUR), "history")
    with pytest.raises(PhinbError, match=f"No run of {name} has been compared yet"):
        figure(make_named(name), "history")


def test_the_task_is_known_by_template_labels_and_answers() -> None:
    comparison = make_comparison(FOUR)
    assert hash_task(comparison) == hash_task(make_comparison(("base",)))
    changed = {**comparison.settings, "template": "{tone} {phrase}"}
    assert hash_task(replace(comparison, settings=changed)) != hash_task(comparison)
