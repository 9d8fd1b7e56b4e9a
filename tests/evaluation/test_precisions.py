"""The search over precisions: real runs of the tiny model, each with another ModelBuilder pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import phinb
from phinb.errors import PhinbError
from phinb.evaluation.precision_search import find_earlier, make_config
from phinb.evaluation.precisions import PRECISIONS, find_precisions, order
from phinb.models.shape import ModelShape
from phinb.types import Event
from phinb.workflow.runner import Run
from tests.workflow.conftest import MakeConfig, no_worker_is_left, nursery, quick
from tests.workflow.conftest import make_config as tiny_config

__all__ = ["no_worker_is_left", "nursery", "quick", "tiny_config"]

DEMO = ModelShape(30, 576, 1536, 9, 3, 64, 49152, True, "float32", "phi3")


def test_the_smallest_by_expectation_comes_first() -> None:
    """The bytes of model.onnx.data are those that ModelBuilder wrote of the demo model."""
    ordered = order(PRECISIONS, DEMO, 4)
    assert [one.name for one, _ in ordered][:4] == ["int4-128", "int4-32", "int4-k-last", "int4-k-mixed"]
    sizes = {one.name: size or 0 for one, size in ordered}
    assert sizes["int4-32"] == pytest.approx(198e6, rel=0.02)
    assert sizes["fp32"] == pytest.approx(651_830_528, rel=0.02)
    assert sizes["int4-k-last"] == pytest.approx(214_660_352, rel=0.02)
    assert list(sizes.values()) == sorted(sizes.values())


def test_without_a_shape_bits_decide() -> None:
    assert [one.name for one, size in order(PRECISIONS, None, 4)][:2] == ["int4-128", "int4-32"]


def test_unknown_precisions_name_the_nearest() -> None:
    with pytest.raises(PhinbError, match="Did you mean int4-128"):
        find_precisions(["int4_128"])


@pytest.fixture
def run(quick: None, tiny_config: MakeConfig, tmp_path: Path) -> Run:
    """A run that has ended, with rows to compare on."""
    rows = (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "test.jsonl").write_text("".join(rows[:8]), encoding="utf-8")
    tree = json.loads(tiny_config().dumps("json"))
    test = json.loads(json.dumps(tree["data_configs"][0]))
    test["name"] = "test"
    test["load_dataset_config"]["data_files"] = "test.jsonl"
    tree["data_configs"].append(test)
    run = phinb.run(_load(tree, tmp_path))
    assert run.state.status == "succeeded", run.log_tail()
    return run


def _load(tree: dict[str, Any], folder: Path) -> Any:
    from phinb.config import load_config

    return load_config(json.dumps(tree), name="small", folder=folder)


@pytest.mark.slow
def test_only_what_can_win_is_built_and_training_is_reused(run: Run) -> None:
    told: list[Event] = []
    names = ["int4-32", "int4-128", "fp16", "fp32"]
    found = phinb.search_precisions(run, candidates=names, accuracy=">=0", on_event=told.append)
    outcomes = {one.name: one.outcome for one in found.tried}
    assert outcomes == {
        "int4-128": "measured",
        "int4-32": "not built",
        "fp16": "does not run here",
        "fp32": "not built",
    }
    assert found.choice.variant == "int4-128"
    assert "int4-128 fits with" in next(one.reason for one in found.tried if one.name == "fp32")
    built = phinb.open_run(found.runs["int4-128"])
    assert built.config.to_olive()["passes"]["int4"]["int4_block_size"] == 128
    assert built.state.passes["lora"].reused
    assert built.state.passes["merge"].reused
    assert [event.seq for event in told] == list(range(len(told)))
    assert told[-1].type == "run_finished"

    # Asked for more, it goes on from there; what was built is built no more.
    known = {one.id for one in phinb.runs()}
    more = phinb.search_precisions(run, candidates=["int4-128", "fp32"], accuracy=">=1.0")
    assert {one.name: one.outcome for one in more.tried} == {"int4-128": "measured", "fp32": "measured"}
    assert more.runs["int4-128"] == built.id
    assert len({one.id for one in phinb.runs()} - known) == 1
    assert more.choice.variant is None
    assert more.choice.relaxations
    sizes = [summary.size_bytes or 0 for summary in more.comparison.summaries]
    assert sizes[0] < sizes[1]


@pytest.mark.slow
def test_a_size_that_cannot_be_met_is_not_built(run: Run) -> None:
    with pytest.raises(PhinbError, match="are expected, and size_bytes<=10kB was asked for"):
        phinb.search_precisions(run, candidates=["int4-128", "fp32"], size="<=10kB")


@pytest.mark.slow
def test_stopping_keeps_what_was_measured(run: Run) -> None:
    told: list[Event] = []
    found = phinb.search_precisions(
        run,
        candidates=["int4-128", "fp32"],
        accuracy=">=1.0",
        on_event=told.append,
        should_stop=lambda: any(event.type == "pass_finished" for event in told),
    )
    assert found.stopped
    assert [one.outcome for one in found.tried] == ["measured", "stopped"]
    assert getattr(told[-1], "status", "") == "cancelled"


@pytest.mark.slow
def test_changed_data_is_no_earlier_run(run: Run, tmp_path: Path) -> None:
    config = make_config(run.config, "int4", find_precisions(["int4-32"])[0], "other")
    same = make_config(run.config, "int4", find_precisions(["int4-32"])[0], "again")
    assert find_earlier(config, "int4", [run]) is None
    made = phinb.run(config)
    found = find_earlier(same, "int4", [run, made])
    assert found is not None
    assert found.id == made.id
    with (tmp_path / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"phrase": "It rains", "tone": "sadness"}\n')
    assert find_earlier(same, "int4", [run, made]) is None
