"""%olive_sweep in a shell that runs alone, and its panel without a page."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from phinb.config import load_config
from phinb.notebook.sweep_panel import SweepPanel, sweep_bundle
from phinb.workflow import sweep_store
from phinb.workflow.process import wait_until
from phinb.workflow.store import RunFolder
from phinb.workflow.sweep import Sweep
from phinb.workflow.sweep_space import read_space
from phinb.workflow.sweep_store import SweepRecord, SweepState, Trial
from tests.notebook.conftest import Shell
from tests.notebook.hostile import HOSTILE
from tests.notebook.test_config_magics import GOOD, ROWS


@pytest.fixture
def folder(phinb_home: Path, tmp_path: Path) -> RunFolder:
    """A sweep on disk, three of whose runs are done; nobody drives it."""
    record = SweepRecord(
        sweep_store.new_id(), "tones", time.time(), str(tmp_path), read_space({"passes.lora.r": [4, 8]}), "grid", 2,
        (42, 43), "accuracy",
    )  # fmt: skip
    scores = [(1, 4, 42, 0.80), (1, 4, 43, 0.84), (2, 8, 42, 0.81)]
    trials = [
        Trial(
            number,
            {"passes.lora.r": rank},
            seed,
            "done",
            f"r-{seed}",
            {"accuracy": score, "loss": 2.1, "seconds": 40.0},
        )
        for number, rank, seed, score in scores
    ]
    trials.append(Trial(2, {"passes.lora.r": 8}, 43, "failed", "r-x", {}, "".join(HOSTILE[:3])))
    return sweep_store.create(record, load_config(GOOD, name="tones"), SweepState(trials=tuple(trials)))


def end(folder: RunFolder, status: Any) -> None:
    state = sweep_store.read_state(folder)
    sweep_store.write_state(folder, replace(state, status=status, ended_at=time.time()))


def test_the_panel_follows_and_then_gives_way_to_the_table(folder: RunFolder, shell: Shell) -> None:
    panel = SweepPanel(Sweep(folder))
    with capture_output() as captured:
        panel.open()
    view = panel._panel.view
    assert [line["status"] for line in view["lines"]] == ["done", "done", "done", "failed"]
    assert [button["action"] for button in view["buttons"]] == ["log", "stop", "cancel"]
    assert view["facts"][0]["value"] == "4 of 4"
    assert any("Best so far: r=4" in card["title"] for card in view["cards"])
    assert "phinb-twin" in captured.outputs[0].data["text/html"]
    panel._panel._handle_custom_msg({"action": "stop"}, [])
    assert wait_until(lambda: folder.read_control().get("how") == "stop", 5)
    end(folder, "succeeded")
    assert wait_until(lambda: panel._panel.beat == -1, 10)
    assert panel._panel.view["status_text"] == "succeeded"


def test_what_stays_is_a_table_that_does_nothing(folder: RunFolder, shell: Shell) -> None:
    end(folder, "succeeded")
    bundle = sweep_bundle(Sweep(folder))
    assert "82.0 %" in bundle["text/plain"]
    assert "80.0 % to 84.0 %" in bundle["text/plain"]
    assert "<script" not in bundle["text/html"]
    assert "onerror=" not in bundle["text/html"].replace("&quot;", "").split("<style>")[0]
    with capture_output() as captured:
        SweepPanel(Sweep(folder)).open()
    shown = [output.data for output in captured.outputs]
    assert any("application/vnd.plotly.v1+json" in data for data in shown)


def test_the_newest_sweep_is_shown_where_none_is_named(folder: RunFolder, shell: Shell) -> None:
    end(folder, "succeeded")
    assert "82.0 %" in shell.text("%olive_sweep")
    assert "82.0 %" in shell.text("%olive_sweep tones")
    assert "82.0 %" in shell.text(f"%olive_sweep {folder.path.name}")
    shell.execute("%olive_sweep nowhere")
    assert "There is no sweep" in str(shell.result.error_in_exec)


def test_a_mistake_is_told_before_anything_starts(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    shell.execute(f"%%olive_config tones\n{GOOD}")
    before = [one.path.name for one in sweep_store.iterate()]
    for line, message in (
        ("tones passes.lora.rr=4", "passes.lora.rr"),
        ("tones passes.lora.r=-4", "-4"),
        ("tones passes.lora.r=4..8", "cannot try all"),
        ("tones passes.lora.r", "no path with values"),
        ("tones passes.lora.r=4 --objective beauty", "beauty"),
    ):
        shell.execute(f"%olive_sweep {line}")
        assert message in str(shell.result.error_in_exec), line
    assert [one.path.name for one in sweep_store.iterate()] == before
