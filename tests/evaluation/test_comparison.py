"""Four real variants compared in processes of their own: figures, reuse, broken artefacts, stopping."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from phinb.errors import PhinbError
from phinb.evaluation.comparison import Comparison, compare_variants, load_comparison
from phinb.evaluation.latency import LatencySettings
from phinb.types import Event, PassFailed, PassFinished, PassStarted, Progress, Queued, RunFinished, Variant
from phinb.workflow.state import reduce_all

from .conftest import TEMPLATE

pytestmark = pytest.mark.slow
QUICK = LatencySettings(prompts=2, repeats=1, new_tokens=4, warm_up=1)
STAGES = ("base", "adapter", "merged", "int4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def compared(variants: dict[str, Variant], rows: list[dict[str, str]], folder: Path) -> tuple[Comparison, list[Event]]:
    events: list[Event] = []
    chosen = [variants[name] for name in reversed(STAGES)]
    comparison = compare_variants(chosen, rows, template=TEMPLATE, folder=folder, latency=QUICK, on_event=events.append)
    return comparison, events


def compare(variants: list[Variant], rows: list[dict[str, str]], folder: Path, **more: Any) -> Comparison:
    return compare_variants(variants, rows, template=TEMPLATE, folder=folder, latency=QUICK, **more)


def test_every_figure_is_there_and_plausible(compared: tuple[Comparison, list[Event]], rows: list[Any]) -> None:
    frame = compared[0].frame
    assert tuple(frame.index) == STAGES
    assert (frame["n"] == len(rows)).all()
    assert ((frame["accuracy_low"] <= frame["accuracy"]) & (frame["accuracy"] <= frame["accuracy_high"])).all()
    for column in ("ttft_ms_p50", "decode_tokens_per_s", "load_s", "size_bytes", "peak_memory_bytes"):
        assert (frame[column] > 0).all(), column
    assert (frame["ttft_ms_p90"] >= frame["ttft_ms_p50"]).all()
    assert frame.loc["int4", "size_bytes"] < frame.loc["merged", "size_bytes"]
    # torch alone is larger than this; the ONNX variant must not carry it.
    assert frame.loc["int4", "peak_memory_bytes"] < 250e6 < frame.loc["merged", "peak_memory_bytes"]


def test_merged_agrees_with_the_adapter(compared: tuple[Comparison, list[Event]]) -> None:
    frame = compared[0].frame
    assert list(frame["before"]) == ["", "base", "adapter", "merged"]
    assert frame.loc["merged", "agreement"] == 1.0
    assert frame.loc["merged", "mcnemar_p"] == 1.0
    assert frame["broken"].isna().tolist() == [True, False, False, False]


def test_the_events_are_those_of_a_run(compared: tuple[Comparison, list[Event]], rows: list[Any]) -> None:
    events = compared[1]
    assert [event.seq for event in events] == list(range(len(events)))
    assert isinstance(events[0], Queued)
    assert events[0].passes == STAGES
    assert isinstance(events[-1], RunFinished)
    assert [e.pass_name for e in events if isinstance(e, PassStarted)] == list(STAGES)
    ends = {(e.pass_name, e.done, e.total) for e in events if isinstance(e, Progress) and e.unit == "rows"}
    scored = len(rows) + 1  # and the prompt whose fields are empty
    assert {(name, scored, scored) for name in STAGES} <= ends
    state = reduce_all(events)
    assert state.status == "succeeded"
    assert {passed.status for passed in state.passes.values()} == {"done"}


def test_what_was_measured_is_not_measured_again(
    compared: tuple[Comparison, list[Event]], variants: dict[str, Variant], rows: list[dict[str, str]], folder: Path
) -> None:
    events: list[Event] = []
    began = time.monotonic()
    renamed = replace(variants["int4"], name="again")
    comparison = compare([variants["base"], renamed], rows, folder, on_event=events.append)
    assert time.monotonic() - began < 5
    assert comparison.reused == ("base", "again")
    finished = [event for event in events if isinstance(event, PassFinished)]
    assert all(event.reused and "same artefact" in event.reason for event in finished)
    first = compared[0]
    assert comparison.measurements[1].scores == first.measurements[3].scores
    assert "Measured before" in comparison.to_text()


def test_other_rows_are_measured_anew(
    compared: tuple[Comparison, list[Event]], variants: dict[str, Variant], rows: list[dict[str, str]], folder: Path
) -> None:
    comparison = compare([variants["int4"]], rows[:-1], folder)
    assert comparison.reused == ()
    assert comparison.summaries[0].n == len(rows) - 1


def test_saved_and_loaded_is_the_same(compared: tuple[Comparison, list[Event]], tmp_path: Path) -> None:
    compared[0].save(tmp_path / "deep" / "comparison.json")
    loaded = load_comparison(tmp_path / "deep" / "comparison.json")
    assert loaded == compared[0]
    assert loaded.frame.equals(compared[0].frame)
    assert loaded.to_html() == compared[0].to_html()


def test_broken_artefacts_have_errors_and_no_figures(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = {}
    for name, source in (("mute", "merged"), ("torn", "merged"), ("cut", "int4")):
        shutil.copytree(variants[source].path, tmp_path / name)
        broken[name] = replace(variants[source], name=name, path=str(tmp_path / name))
    (tmp_path / "mute" / "tokenizer.json").unlink()
    _truncate(tmp_path / "torn" / "model.safetensors")
    _truncate(tmp_path / "cut" / "model.onnx")
    events: list[Event] = []
    given = [variants["int4"], replace(variants["base"], name="hollow", path=str(empty)), *broken.values()]
    comparison = compare(given, rows[:8], tmp_path / "kept", on_event=events.append)
    errors = {summary.name: summary.error for summary in comparison.summaries if summary.error}
    assert set(errors) == {"hollow", "mute", "torn", "cut"}
    assert "holds no model weights" in errors["hollow"]
    assert "no tokenizer" in errors["mute"]
    assert "cannot be loaded" in errors["torn"]
    assert "cannot be loaded" in errors["cut"]
    assert all("Traceback" not in error for error in errors.values())
    assert {event.pass_name for event in events if isinstance(event, PassFailed)} == set(errors)
    frame = comparison.frame
    assert frame.loc[list(errors), ["accuracy", "ttft_ms_p50", "size_bytes"]].isna().all(axis=None)
    assert frame.loc["int4", "accuracy"] >= 0
    # A failure is not kept: mended, the same variant is measured.
    shutil.copy(Path(variants["merged"].path) / "tokenizer.json", tmp_path / "mute")
    again = compare([broken["mute"]], rows[:8], tmp_path / "kept")
    assert again.summaries[0].error == ""


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_weights_that_are_not_numbers_are_an_error(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(variants["merged"].path, tmp_path / "nan")
    weights = load_file(tmp_path / "nan" / "model.safetensors")
    name = next(name for name in weights if "down_proj" in name)
    weights[name] = weights[name] * float("nan")
    save_file(weights, tmp_path / "nan" / "model.safetensors", {"format": "pt"})
    comparison = compare([replace(variants["merged"], path=str(tmp_path / "nan"))], rows[:8], tmp_path / "kept")
    assert "gives no number" in comparison.summaries[0].error


def children() -> list[psutil.Process]:
    """Measuring processes that descend from this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "phinb.evaluation.server" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def test_stop_ends_it_at_once_and_leaves_no_process(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    events: list[Event] = []
    asked: list[float] = []

    def should_stop() -> bool:
        asked.append(time.monotonic())
        return any(isinstance(event, Progress) for event in events)

    given = [variants["base"], variants["int4"]]
    comparison = compare(given, rows, tmp_path, on_event=events.append, should_stop=should_stop)
    ended = time.monotonic()
    seen = next(event.time for event in events if isinstance(event, Progress))
    assert time.time() - seen - (time.monotonic() - ended) < 2
    assert children() == []
    assert comparison.stopped
    assert all("stopped" in summary.error for summary in comparison.summaries)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].status == "cancelled"
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert len(gaps) > 5
    assert sorted(gaps)[int(0.9 * len(gaps))] < 0.2


def test_a_killed_process_is_said_to_be(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_when_it_works(event: Event) -> None:
        if isinstance(event, Progress) and not killed:
            first = min(children(), key=lambda child: child.pid)
            killed.append(first.pid)
            first.kill()

    comparison = compare([variants["base"], variants["int4"]], rows, tmp_path, on_event=kill_when_it_works)
    first, second = comparison.summaries
    assert killed
    assert "base: the measuring process" in first.error
    assert second.error == ""
    assert children() == []


def test_an_interrupt_leaves_no_process(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare([variants["base"]], rows, tmp_path, on_event=interrupt)
    assert children() == []


def test_what_cannot_be_asked_is_refused_before_a_process_starts(variants: dict[str, Variant], tmp_path: Path) -> None:
    with pytest.raises(PhinbError, match="Two variants are called 'base'"):
        compare([variants["base"], variants["base"]], [{"phrase": "x", "tone": "joy"}], tmp_path)
    with pytest.raises(PhinbError, match="no variant"):
        compare([], [{"phrase": "x", "tone": "joy"}], tmp_path)


def test_a_foreign_file_is_no_comparison(tmp_path: Path) -> None:
    for text, words in (("{", "not JSON"), ("[]", "no comparison"), ('{"format": "phinb.comparison"}', "version")):
        (tmp_path / "file.json").write_text(text, encoding="utf-8")
        with pytest.raises(PhinbError, match=words):
            load_comparison(tmp_path / "file.json")
    damaged = {"format": "phinb.comparison", "version": 1, "measurements": [{}]}
    (tmp_path / "file.json").write_text(json.dumps(damaged), encoding="utf-8")
    with pytest.raises(PhinbError, match="damaged"):
        load_comparison(tmp_path / "file.json")
    with pytest.raises(PhinbError, match="cannot be read"):
        load_comparison(tmp_path / "none.json")


def test_another_metric_times_nothing_anew_and_other_times_score_nothing_anew(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    def units(**more: Any) -> tuple[set[str], Comparison]:
        events: list[Event] = []
        given = [variants["merged"], variants["int4"]]
        found = compare_variants(
            given, rows[:8], template=TEMPLATE, folder=tmp_path, on_event=events.append, **{"latency": QUICK} | more
        )
        return {event.unit for event in events if isinstance(event, Progress)}, found

    first, plain = units()
    assert first == {"generations", "rows"}
    more, with_loss = units(metrics=["accuracy", "perplexity"])
    assert more == {"sequences"}
    assert with_loss.reused == ()
    assert with_loss.measurements[0].latencies == plain.measurements[0].latencies
    assert with_loss.measurements[1].scores == plain.measurements[1].scores
    longer = replace(QUICK, new_tokens=6, lengths=(16,), batches=(2,))
    timed, other = units(latency=longer)
    assert timed == {"generations"}
    assert [(one.batch, one.made) for one in other.measurements[1].latencies] == [(1, False)] * 2 + [
        (1, True),
        (2, False),
    ]
    assert "first token, cut to 16 tokens" in set(other.latency["measure"])
    assert other.summaries[0].ttft_ms_p50 == pytest.approx(other.latency["p50"][0])
    anew, again = units(fresh=True)
    assert anew == {"generations", "rows"}
    assert again.reused == ()
    assert again.measurements[0].latencies != plain.measurements[0].latencies


def test_who_fits_is_timed_in_turn_and_else_one_after_the_other(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Progress) and event.unit == "generations" and event.done:
            alive.append(len(children()))

    given = [variants["merged"], variants["int4"]]
    beside = compare(given, rows[:4], tmp_path / "beside", on_event=watch)
    assert set(alive) == {2}
    assert beside.settings["latency"]["order"] == "in turn"
    assert "timed in turn" in beside.to_text()
    alive.clear()
    monkeypatch.setattr("phinb.evaluation.memory_plan.memory_free", lambda: 1_000)
    alone = compare(given, rows[:4], tmp_path / "alone", on_event=watch)
    assert set(alive) == {1}
    assert alone.settings["latency"]["order"] == "one after the other"
    assert [one.scores for one in alone.measurements] == [one.scores for one in beside.measurements]


def test_another_runs_stages_are_held_against_their_own(
    variants: dict[str, Variant], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    other = replace(variants["int4"], name="r-2/int4", origin="r-2")
    given = [variants["base"], variants["merged"], replace(variants["merged"], name="r-2/merged", origin="r-2"), other]
    before = compare(given, rows[:4], tmp_path).frame["before"]
    assert before.to_dict() == {"base": "", "merged": "base", "r-2/merged": "", "r-2/int4": "r-2/merged"}
