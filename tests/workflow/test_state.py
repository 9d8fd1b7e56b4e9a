"""The golden event files and the states that they reduce to; extension/ reads the same files with its own reducer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from phinb.types import MetricLogged, Progress, Queued, RunState
from phinb.workflow.event_lines import decode_event, encode_event
from phinb.workflow.state import reduce, reduce_all
from phinb.workflow.store import RunFolder

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = sorted(path.name.removesuffix(".jsonl") for path in GOLDEN.glob("*.jsonl"))


def lines_of(name: str) -> list[str]:
    """The whole lines of a golden file; one being written has no end yet and is not one of them."""
    return (GOLDEN / f"{name}.jsonl").read_bytes().decode("utf-8").split("\n")[:-1]


def plain(state: RunState) -> Any:
    """The state as JSON has it: tuples are lists, an event's type is the field's name it stands in."""
    return json.loads(json.dumps(asdict(state), allow_nan=False))


def test_the_golden_files_tell_every_ending() -> None:
    wanted = {"success", "stop_and_keep", "cancel_in_training", "pass_failed", "worker_lost", "resume"}
    assert wanted | {"repeated_lines", "foreign_lines"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_events_reduce_to_the_golden_state(name: str) -> None:
    events = [event for line in lines_of(name) if (event := decode_event(line))]
    expected = json.loads((GOLDEN / f"{name}.state.json").read_text(encoding="utf-8"))
    assert plain(reduce_all(events)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_reading_everything_twice_changes_nothing(name: str) -> None:
    events = [event for line in lines_of(name) if (event := decode_event(line))]
    assert reduce_all([*events, *events]) == reduce_all(events)


@pytest.mark.parametrize("name", ["success", "resume", "worker_lost"])
def test_a_line_survives_writing_and_reading(name: str) -> None:
    for line in lines_of(name):
        event = decode_event(line)
        assert event is not None
        assert json.loads(encode_event(event)) == json.loads(line)


def test_a_file_cut_off_at_any_byte_opens_as_far_as_it_goes(tmp_path: Path) -> None:
    data = (GOLDEN / "cancel_in_training.jsonl").read_bytes()
    folder = RunFolder(tmp_path)
    ends = [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
    every = [event for line in data.splitlines() if (event := decode_event(line.decode()))]
    states = [reduce_all(every[:count]) for count in range(len(ends) + 1)]
    for size in range(len(data) + 1):
        folder.events_path.write_bytes(data[:size])
        whole = sum(end <= size for end in ends)
        read, offset = folder.read_events()
        assert len(read) == whole
        assert offset == (ends[whole - 1] if whole else 0)
        assert folder.read_state() == states[whole]


def test_a_reader_goes_on_where_the_half_line_began(tmp_path: Path) -> None:
    data = (GOLDEN / "success.jsonl").read_bytes()
    folder, state, offset = RunFolder(tmp_path), RunState(), 0
    for size in [*range(0, len(data), 97), len(data)]:
        folder.events_path.write_bytes(data[:size])
        events, offset = folder.read_events(offset)
        state = reduce_all(events, state)
    assert plain(state) == json.loads((GOLDEN / "success.state.json").read_text(encoding="utf-8"))


def test_appending_after_a_half_line_numbers_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.events_path.write_bytes((GOLDEN / "foreign_lines.jsonl").read_bytes())
    before = folder.read_state()
    event = folder.append(Progress(pass_name="lora", done=7, total=60, unit="steps", eta_s=99.0))
    assert event.seq > before.last_seq
    assert folder.events_path.read_bytes().endswith(encode_event(event).encode() + b"\n")
    assert folder.read_state().passes["lora"].done == 7


def test_an_unknown_number_becomes_null() -> None:
    line = encode_event(MetricLogged(pass_name="lora", step=1, values={"loss": float("nan")}, seq=3))
    assert json.loads(line)["values"] == {"loss": None}


def test_a_long_run_is_read_in_time() -> None:
    """10,000 steps, each with its metric: whoever opens the run must not wait for it."""
    import time

    state = reduce(RunState(), Queued(run_id="r", name="n", passes=("lora",), host="h", seq=0))
    events = [MetricLogged(pass_name="lora", step=step, values={"loss": 1.0}, seq=step) for step in range(1, 10_001)]
    began = time.perf_counter()
    state = reduce_all(events, state)
    assert len(state.metrics) == 10_000
    assert time.perf_counter() - began < 2.0
