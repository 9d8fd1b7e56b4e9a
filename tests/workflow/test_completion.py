"""A run whose loss is on the completion: its own olive.json is one that plain Olive understands, and is reused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.data.component import export_plain
from phinb.workflow.runner import Run
from tests.data.training_sets import ask_olive, data_configs
from tests.workflow.conftest import MakeConfig

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick")]


def finished(run: Run) -> Run:
    state = run.wait(timeout=300)
    assert state.status == "succeeded", f"{state.message}\n{run.log_tail()}"
    return run


def said(run: Run, code: str) -> list[str]:
    return [notice.message for notice in run.state.notices if notice.code == code]


def test_a_run_trains_on_the_sequences_of_the_preview_and_of_plain_olive(
    make_config: MakeConfig, empty_cache: Path, tmp_path: Path
) -> None:
    config = make_config({"phinb": {"loss_on": "completion", "eval_split": 0.25}})
    run = finished(phinb.start(config, until="lora"))
    assert said(run, "sequences") == ["45 training sequences, 15 held out for evaluation."]
    own = data_configs(json.loads((run.folder / "olive.json").read_text(encoding="utf-8")))
    plain_path = export_plain(config, tmp_path / "plain")
    plain = data_configs(json.loads(plain_path.read_text(encoding="utf-8")))
    assert set(own) == set(plain) == {"train", "train_held_out"}
    asked = {
        f"{source} {name}": one for source, found in (("own", own), ("plain", plain)) for name, one in found.items()
    }
    answers = ask_olive(asked, tmp_path)
    assert answers["own train"] == answers["plain train"]
    assert answers["own train_held_out"] == answers["plain train_held_out"]
    shown = [[list(one.input_ids), list(one.labels)] for one in phinb.preview(config).sequences]
    assert sorted(answers["own train"] + answers["own train_held_out"]) == sorted(shown)
    trained = sum(label != -100 for _, labels in answers["own train"] for label in labels)
    assert f"{trained:,} of" in said(run, "loss_on")[0]


def test_it_is_reused_where_nothing_has_changed_and_not_where_the_loss_has(
    make_config: MakeConfig, empty_cache: Path
) -> None:
    changes: dict[str, Any] = {"phinb": {"loss_on": "completion"}}
    first = finished(phinb.start(make_config(changes), until="lora"))
    again = finished(phinb.start(make_config(changes), until="lora"))
    assert again.state.passes["lora"].reused
    assert first.id in again.state.passes["lora"].reason
    other = finished(phinb.start(make_config(), until="lora"))
    assert not other.state.passes["lora"].reused
