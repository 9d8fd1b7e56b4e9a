"""What an earlier result depends on, and which cache entries are whole. No Olive is needed for it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from phinb.workflow import reuse
from phinb.workflow.checkpoints import place_checkpoints
from phinb.workflow.inputs import gather_inputs


def config_of(**params: Any) -> dict[str, Any]:
    return {"data_configs": [{"name": "train", "load_dataset_config": {"data_name": "json", **params}}]}


def key_of(olive: dict[str, Any], base: Path, run: str = "r1", seed: int = 1) -> str:
    return gather_inputs(olive, {"seed": seed}, base, model="m", seed=seed).key(run)


@pytest.mark.parametrize(
    "params",
    [
        {"data_files": "rows.jsonl"},
        {"data_files": ["rows.jsonl"]},
        {"data_files": {"train": "rows.jsonl"}},
        {"data_files": "*.jsonl"},
        {"data_dir": "."},
        {"data_dir": ".", "data_files": "rows.jsonl"},
        {"data_files": "data[1].jsonl"},
        {"data_name": "."},
    ],
)
def test_a_changed_row_changes_the_key_however_the_file_is_named(tmp_path: Path, params: dict[str, Any]) -> None:
    for name in ("rows.jsonl", "data[1].jsonl"):
        (tmp_path / name).write_text('{"a": 1}\n', encoding="utf-8")
    olive = config_of(**params)
    before = key_of(olive, tmp_path)
    assert key_of(olive, tmp_path, run="r2") == before
    for name in ("rows.jsonl", "data[1].jsonl"):
        (tmp_path / name).write_text('{"a": 2}\n', encoding="utf-8")
    assert key_of(olive, tmp_path) != before


def test_data_of_the_hub_are_never_reused_by_another_run(tmp_path: Path) -> None:
    olive = config_of(data_name="imdb")
    assert key_of(olive, tmp_path, run="r1") == key_of(olive, tmp_path, run="r1")
    assert key_of(olive, tmp_path, run="r1") != key_of(olive, tmp_path, run="r2")


def test_scripts_and_seeds_count(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1", encoding="utf-8")
    olive = {"passes": {"lora": {"type": "LoRA", "user_script": "mine.py"}}}
    before = key_of(olive, tmp_path)
    assert key_of(olive, tmp_path, seed=2) != before
    (tmp_path / "mine.py").write_text("x = 2", encoding="utf-8")
    assert key_of(olive, tmp_path) != before


def make_entry(folder: Path) -> Path:
    entry = folder / "entry"
    (entry / "models").mkdir(parents=True)
    (entry / "run.json").write_text("{}", encoding="utf-8")
    (entry / "models" / "config.json").write_text('{"length": 2048}', encoding="utf-8")
    return entry


def test_a_cache_entry_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    entry = make_entry(tmp_path)
    assert reuse.check_manifest(entry)[0] == ""
    reuse.write_manifest(entry, "r1")
    assert reuse.check_manifest(entry) == ("r1", "")
    (entry / "models" / "config.json").write_text('{"length": 1024}', encoding="utf-8")
    assert "config.json has changed" in reuse.check_manifest(entry)[1]
    (entry / "models" / "config.json").unlink()
    assert "lacks" in reuse.check_manifest(entry)[1]


def test_weights_of_the_same_size_are_told_apart_and_a_copy_is_as_good(tmp_path: Path) -> None:
    entry = make_entry(tmp_path)
    weights = entry / "models" / "model.safetensors"
    weights.write_bytes(b"\x01" * 2_000_000)
    reuse.write_manifest(entry, "r1")
    os.utime(weights, (1, 1))
    assert reuse.check_manifest(entry) == ("r1", ""), "the same content with another time"
    with weights.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\x00")
    assert "model.safetensors has changed" in reuse.check_manifest(entry)[1]
    for content in ("[]", '{"files": 3, "run_id": "r1"}', '{"files": {"run.json": [1]}, "run_id": "r1"}', "{"):
        (entry / "phinb.json").write_text(content, encoding="utf-8")
        assert reuse.check_manifest(entry) == ("", "an earlier result was never finished")


def test_editing_an_artefact_does_not_reach_the_cache(tmp_path: Path) -> None:
    entry = make_entry(tmp_path)
    reuse.write_manifest(entry, "r1")
    reuse.link_tree(entry / "models", tmp_path / "artefact")
    (tmp_path / "artefact" / "config.json").write_text("edited", encoding="utf-8")
    assert reuse.check_manifest(entry) == ("r1", "")


def test_nothing_of_the_users_is_deleted_from_an_output_dir(tmp_path: Path) -> None:
    mine = tmp_path / "results"
    (mine / "checkpoint-best").mkdir(parents=True)
    (mine / "thesis.txt").write_text("do not lose me", encoding="utf-8")
    olive = {"passes": {"lora": {"type": "LoRA", "training_args": {"output_dir": "results"}}}}
    for _ in range(2):
        again = json.loads(json.dumps(olive))
        assert place_checkpoints(again, "key", tmp_path / "cache", tmp_path, seed=1, anew=("lora",)) is None
    assert (mine / "thesis.txt").is_file()
    assert (mine / "checkpoint-best").is_dir()
    placed = Path(again["passes"]["lora"]["training_args"]["output_dir"])
    assert placed.parent == mine
    assert not placed.exists()


def write_checkpoint(folder: Path) -> None:
    """As the trainer leaves one: two archives of torch's, the weights, and the state last."""
    folder.mkdir(parents=True)
    for name in ("optimizer.pt", "scheduler.pt"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("data", b"x" * 100)
    save_file({"lora": np.ones((4, 4), dtype=np.float32)}, folder / "adapter_model.safetensors")
    (folder / "trainer_state.json").write_text("{}", encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["optimizer.pt", "scheduler.pt", "adapter_model.safetensors", "trainer_state.json", None]
)
def test_a_half_checkpoint_is_passed_over(tmp_path: Path, name: str | None) -> None:
    olive: dict[str, Any] = {"passes": {"lora": {"type": "LoRA", "training_args": {}}}}
    first = json.loads(json.dumps(olive))
    place_checkpoints(first, "key", tmp_path, tmp_path, seed=1)
    folder = Path(first["passes"]["lora"]["training_args"]["output_dir"])
    for step in (5, 10):
        write_checkpoint(folder / f"checkpoint-{step}")
    if name is None:
        assert place_checkpoints(json.loads(json.dumps(olive)), "key", tmp_path, tmp_path, seed=1) == 10
        return
    cut = folder / "checkpoint-10" / name
    cut.write_bytes(cut.read_bytes()[:-1])
    assert place_checkpoints(json.loads(json.dumps(olive)), "key", tmp_path, tmp_path, seed=1) == 5
    assert not (folder / "checkpoint-10").exists()
    assert place_checkpoints(json.loads(json.dumps(olive)), "other data", tmp_path, tmp_path, seed=1) is None
