"""A run's folder of which anything is missing, cut off or foreign: it opens as far as it goes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phinb
from phinb.errors import PhinbError
from phinb.types import EVENT_TYPES, Notice, RunState, Variant, WorkerLost
from phinb.workflow import process
from phinb.workflow.event_lines import decode_event
from phinb.workflow.process import describe_death, find_process, note_process
from phinb.workflow.reporter import Reporter
from phinb.workflow.state import reduce, reduce_all
from phinb.workflow.store import RunFolder, iterate
from phinb.workflow.view import describe_run
from tests.golden.replay import Replay


@pytest.fixture
def folder() -> RunFolder:
    """A run that has succeeded, with all its files."""
    replay = Replay("success")
    replay.play_all()
    replay.folder.write_control("stop", "ada")
    replay.folder.write_variants(
        {"base": Variant("base", "/m", "base", ""), "int4": Variant("int4", "/i", "onnx", "q")}
    )
    replay.end()
    return replay.folder


@pytest.mark.parametrize("name", ["run.json", "control.json", "variants.json", "worker.json", "inputs.json", "log.txt"])
def test_a_file_cut_off_at_any_byte_hides_nothing_else(folder: RunFolder, name: str) -> None:
    whole = (folder.path / name).read_bytes() if (folder.path / name).exists() else b'{"model": {"path": "/m"}}'
    for size in range(len(whole)):
        (folder.path / name).write_bytes(whole[:size])
        run = phinb.open_run(folder.path.name)
        assert run.name == "emotion"
        assert run.state.status == "succeeded"
        assert isinstance(run.variants, dict)
        assert isinstance(folder.read_control(), dict)
        assert describe_run(run.state).run_id == run.id
    (folder.path / name).unlink()
    assert phinb.open_run(folder.path).state.status == "succeeded"


@pytest.mark.parametrize("name", ["run.json", "control.json", "variants.json", "worker.json", "inputs.json"])
@pytest.mark.parametrize("text", ["null", "[]", "5", '"x"', "{}", '[{"name": 1}]', '{"passes": 7}', "[" * 100_000])
def test_a_file_of_another_form_hides_nothing_else(folder: RunFolder, name: str, text: str) -> None:
    (folder.path / name).write_text(text, encoding="utf-8")
    run = phinb.open_run(folder.path.name)
    assert run.state.status == "succeeded"
    assert isinstance(run.variants, dict)
    assert folder.path in [one.path for one in iterate()]


def test_without_its_record_a_run_is_shown_but_not_resumed() -> None:
    replay = Replay("pass_failed")
    replay.play_all()
    replay.end()
    (replay.folder.path / "run.json").write_text('{"run_id": "r-', encoding="utf-8")
    run = phinb.open_run(replay.run_id)
    assert run.state.status == "failed"
    with pytest.raises(PhinbError, match=r"run\.json cannot be read"):
        run.resume()


def test_without_events_a_run_is_lost_and_says_so(folder: RunFolder) -> None:
    folder.events_path.unlink()
    assert phinb.open_run(folder.path.name).state.status == "failed"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for kind in EVENT_TYPES.values() for key in kind.__dataclass_fields__} | {"type", "extra"})


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda kind, values: {**values, "type": kind},
            st.sampled_from(sorted(EVENT_TYPES)),
            st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
        ),
        max_size=6,
    )
)
def test_lines_of_any_content_reduce_to_a_state_that_can_be_shown(records: list[dict[str, object]]) -> None:
    events = [event for record in records if (event := decode_event(json.dumps(record)))]
    state = reduce_all(events)
    describe_run(state, now=1.0)
    assert isinstance(state, RunState)


@pytest.mark.parametrize(
    "line", ["", "[]", "7", "null", "{", '{"type": []}', "[" * 100_000, '{"type": "queued", "seq": 1e999}']
)
def test_a_line_that_is_no_event_is_passed_over(line: str) -> None:
    assert decode_event(line) is None


def test_text_that_utf8_has_no_bytes_for_survives(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append(Notice(severity="info", code="x", message="half a pair \ud83d, a NUL \0, a line\u2028end"))
    (event,), _ = folder.read_events()
    assert isinstance(event, Notice)
    assert event.message == "half a pair \ud83d, a NUL \0, a line\u2028end"


def test_a_folder_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    reporter = Reporter(folder)
    shutil.rmtree(folder.path)
    reporter.notice("info", "x", "said to nobody")
    assert not folder.path.exists()
    folder.path.mkdir()
    assert reporter.settle(2.0)
    assert [event.type for event in folder.read_events()[0]] == ["notice"]


def test_nothing_follows_the_last_word(tmp_path: Path) -> None:
    """A worker that leaves on a signal says so in one thread, while another may still be training."""
    reporter = Reporter(RunFolder(tmp_path))
    reporter.notice("info", "x", "before")
    reporter.emit(WorkerLost(signal=15, exit_code=None, cause="It was asked to end."))
    reporter.notice("info", "x", "after")
    assert [event.type for event in reporter.folder.read_events()[0]] == ["notice", "worker_lost"]


def test_a_worker_is_known_by_its_boot_and_start_whatever_the_clock_says() -> None:
    note = note_process(os.getpid())
    assert find_process(note | {"created": note["created"] - 3600}) is not None, "the clock was set"
    assert find_process(note | {"identity": "another-boot:1"}) is None, "the machine was restarted, the pid given anew"
    assert find_process({**note, "identity": ""}) is not None
    assert find_process({**note, "identity": "", "created": note["created"] - 3600}) is None


def test_a_kill_by_the_system_for_want_of_memory_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = psutil.Popen(["sleep", "60"])
    folder = RunFolder(tmp_path)
    process.remember_worker(folder, child.pid)
    child.kill()
    child.wait()
    assert "memory" not in describe_death(folder, 10**9)[2]
    kills = process._count_oom_kills() or 0
    monkeypatch.setattr(process, "_count_oom_kills", lambda: kills + 1)
    cause = describe_death(folder, 10**9)[2]
    assert cause.startswith("The system ended it because memory ran out. It held 1.0 GB")


def test_an_ending_is_an_ending_wherever_the_events_were_cut(folder: RunFolder) -> None:
    events, _ = folder.read_events()
    for count in range(len(events)):
        state = reduce_all(events[:count])
        assert reduce(state, events[-1]).ended
