"""Why something is not reused, in words: real files, hashed as the worker does. No Olive is needed for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phinb.workflow import store
from phinb.workflow.differences import explain_difference, find_earlier
from phinb.workflow.inputs import Inputs, gather_inputs, read_inputs, write_inputs
from phinb.workflow.store import RunRecord

ROWS = [json.dumps({"phrase": f"phrase {number}", "tone": "joy"}) for number in range(20)]


def gathered(base: Path, changes: dict[str, Any] | None = None, rows: list[str] | None = None) -> Inputs:
    """The inputs of a small configuration over rows.jsonl in `base`."""
    if rows is not None:
        (base / "rows.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    model = base / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text("{}", encoding="utf-8")
    lora = {"type": "LoRA", "r": 8, "training_args": {"max_steps": 6}} | (changes or {})
    olive = {
        "input_model": {"type": "HfModel", "model_path": str(model)},
        "data_configs": [{"name": "train", "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl"}}],
        "passes": {"lora": lora, "merge": {"type": "MergeAdapterWeights"}},
    }
    return gather_inputs(olive, {"seed": 42}, base, model=str(model), seed=42)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([*ROWS, "{}", '{"a": 1}', '{"a": 2}'], "data changed: 3 rows added in rows.jsonl"),
        (ROWS[1:], "data changed: 1 row removed in rows.jsonl"),
        (['{"a": 1}', *ROWS[1:]], "data changed: 1 row changed in rows.jsonl"),
        (['{"a": 1}', *ROWS[1:], "{}", "{}"], "data changed: 1 row changed, 2 rows added in rows.jsonl"),
        (ROWS[::-1], "data changed: the order of the rows changed in rows.jsonl"),
        (ROWS, ""),
    ],
)
def test_rows_are_told_apart(tmp_path: Path, rows: list[str], told: str) -> None:
    before = gathered(tmp_path, rows=ROWS)
    assert explain_difference(before, gathered(tmp_path, rows=rows), "lora") == told
    assert (before.key("r1") == gathered(tmp_path).key("r2")) == (not told)


def test_without_the_rows_digests_their_numbers_are_compared(tmp_path: Path, phinb_home: Path) -> None:
    before = gathered(tmp_path, rows=ROWS)
    now = gathered(tmp_path, rows=[*ROWS, "{}"])
    for file in (phinb_home / "cache" / "rows").glob("*.bin"):
        file.unlink()
    assert explain_difference(before, now, "lora") == "data changed: rows.jsonl has 21 rows (had 20)"


def test_settings_model_versions_and_seed_are_named(tmp_path: Path) -> None:
    before = gathered(tmp_path, rows=ROWS)
    assert explain_difference(before, gathered(tmp_path, {"r": 16}), "lora") == "passes.lora.r changed: 8 → 16"
    dropped = explain_difference(before, gathered(tmp_path, {"training_args": {}}), "lora")
    assert dropped == "passes.lora.training_args.max_steps is not set (was 6)"
    added = explain_difference(before, gathered(tmp_path, {"lora_dropout": 0.1}), "lora")
    assert added == "passes.lora.lora_dropout is 0.1 (was not set)"
    newer = replace(before, versions={**before.versions, "torch": "9.9"})
    old = before.versions["torch"]
    assert explain_difference(before, newer, "lora") == f"versions changed: torch {old} → 9.9"
    assert explain_difference(before, replace(before, seed=7), "lora") == "the seed changed: 42 → 7"
    (tmp_path / "model" / "weights.bin").write_bytes(b"x")
    assert explain_difference(before, gathered(tmp_path), "merge") == "the model changed"


def test_what_a_later_pass_is_set_to_does_not_count_for_an_earlier_one(tmp_path: Path) -> None:
    before = gathered(tmp_path, rows=ROWS)
    passes = {**before.settings["passes"], "merge": {"type": "MergeAdapterWeights", "x": 1}}
    now = replace(before, settings={**before.settings, "passes": passes})
    assert explain_difference(before, now, "lora") == ""
    assert explain_difference(before, now, "merge") == "passes.merge.x is 1 (was not set)"
    assert now.key("r") == before.key("r")


def test_a_change_of_a_file_is_seen_whatever_its_size_and_time(tmp_path: Path) -> None:
    inputs = gathered(tmp_path, rows=ROWS)
    assert inputs.changed_data() == []
    assert inputs.changed_sources() == []
    file = tmp_path / "rows.jsonl"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("phrase 1", "phrase 2", 1), encoding="utf-8")
    assert inputs.changed_data() == ["rows.jsonl"]
    file.write_text(before, encoding="utf-8")
    assert inputs.changed_data() == [], "written again with the same content"
    file.unlink()
    assert inputs.changed_data() == ["rows.jsonl"]


def test_it_is_compared_with_the_newest_earlier_run_of_the_same_name_and_folder(tmp_path: Path) -> None:
    inputs = gathered(tmp_path, rows=ROWS)

    def make(name: str, created: float, with_inputs: bool = True, base: Path = tmp_path) -> RunRecord:
        record = RunRecord(store.new_id(), name, created, ("lora",), cwd=str(base), base=str(base))
        folder = store.create(record, {})
        if with_inputs:
            write_inputs(folder, inputs)
            assert read_inputs(folder) == inputs
        return record

    make("mine", 1.0)
    last = make("mine", 2.0)
    make("mine", 3.0, with_inputs=False)
    make("other", 4.0)
    make("mine", 5.0, base=tmp_path.parent)
    now = make("mine", 6.0, with_inputs=False)
    found = find_earlier(now)
    assert found is not None
    assert found == (last.run_id, inputs)
    assert find_earlier(make("new", 7.0, with_inputs=False)) is None
