"""The copies that datasets keeps: where they lie, how they are listed, and that one call deletes them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from phinb import folders
from phinb.data.cache import cached_copies, datasets_cache, delete_cached
from phinb.data.source import open_rows


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    return tmp_path


def read(folder: Path) -> int:
    (folder / "rows.csv").write_text("phrase,tone\nSECRET,joy\n", encoding="utf-8")
    loading = {"data_name": "csv", "data_files": "rows.csv", "split": "train"}
    return len(open_rows({"name": "train", "load_dataset_config": loading}, folder))


def test_copies_are_listed_and_deleted(home: Path) -> None:
    assert (cached_copies(), delete_cached()) == ([], 0)
    assert read(home) == 1
    (copy,) = cached_copies()
    assert copy.source == "rows.csv"
    assert copy.path.is_relative_to(home / "home" / "cache" / "datasets")
    assert any(b"SECRET" in file.read_bytes() for file in copy.path.iterdir())
    assert copy.bytes == sum(file.stat().st_size for file in copy.path.iterdir())
    assert delete_cached() >= copy.bytes
    assert cached_copies() == []
    assert not any(file.is_file() for file in (home / "home").rglob("*"))
    assert read(home) == 1  # and it is made anew


def test_looking_at_json_lines_leaves_no_copy(home: Path) -> None:
    (home / "rows.json").write_text('{"a": "x"}\n', encoding="utf-8")
    loading = {"data_name": "json", "data_files": "rows.json", "split": "train"}
    assert len(open_rows({"name": "train", "load_dataset_config": loading}, home)) == 1
    assert cached_copies() == []


def test_what_a_worker_leaves_is_listed_too(home: Path) -> None:
    """The worker has this environment (workflow/process.py); Olive calls load_dataset and map."""
    from phinb.workflow.process import worker_environment

    (home / "rows.csv").write_text("phrase,tone\nx,joy\n", encoding="utf-8")
    code = (
        "from datasets import load_dataset\n"
        "load_dataset('csv', data_files='rows.csv', split='train').map(lambda row: {'text': row['phrase'] * 2})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=home, env=worker_environment(), check=True, capture_output=True)
    (copy,) = cached_copies()
    assert copy.source == "csv: 1 row of phrase, tone"
    assert len(list(copy.path.glob("*.arrow"))) == 2
    assert delete_cached() > 0
    assert cached_copies() == []


def test_the_users_own_cache_is_used_and_never_deleted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(home / "own"))
    assert datasets_cache() == home / "own"
    assert read(home) == 1
    assert list((home / "own").rglob("*.arrow"))
    assert (cached_copies(), delete_cached()) == ([], 0)
    assert list((home / "own").rglob("*.arrow"))


def test_the_place_is_the_workers(home: Path) -> None:
    from phinb.workflow.process import worker_environment

    assert worker_environment()["HF_DATASETS_CACHE"] == str(datasets_cache()) == str(folders.cache() / "datasets")
    assert "HF_DATASETS_CACHE" not in os.environ


def test_links_are_not_followed(home: Path) -> None:
    outside = home / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("mine", encoding="utf-8")
    place = home / "home" / "cache" / "datasets"
    place.mkdir(parents=True)
    try:
        (place / "link").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    delete_cached()
    assert (outside / "keep.txt").is_file()
    assert not (place / "link").is_symlink()


OLIVE = """
import json, os, sys
from olive.data.config import DataConfig
from olive.passes.pytorch.train_utils import get_training_dataset

assert len(get_training_dataset(DataConfig(**json.loads(sys.argv[1])))) == 3
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_all_that_olive_keeps_of_rows_is_listed_and_deleted(home: Path, tiny: Path) -> None:
    """Whatever Olive's own training data leave in any folder of the user's is in the cache that is phinb's."""
    from phinb.workflow.process import worker_environment

    mine = home / "mine"
    mine.mkdir()
    lines = ["phrase,tone", *(f"SECRETWORD{number},joy" for number in range(3))]
    (mine / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    config = {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "csv", "data_files": "rows.csv", "split": "train"},
        "pre_process_data_config": {
            "text_template": "{phrase} {tone}",
            "strategy": "line-by-line",
            "max_seq_len": 64,
            "model_name": str(tiny),
            "task": "text-generation",
        },
    }
    temporary = home / "temporary"
    temporary.mkdir()
    environment = worker_environment() | {"HOME": str(home), "HF_HOME": str(home / "hf"), "TMPDIR": str(temporary)}
    done = subprocess.run(
        [sys.executable, "-c", OLIVE, json.dumps(config)], cwd=mine, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]

    def leftovers() -> set[Path]:
        return {path for path in home.rglob("*") if path.is_file() and path.parent != mine and path.suffix == ".arrow"}

    copies = cached_copies()
    assert len(leftovers()) >= 2, "the rows, and the tokens that Olive made of them"
    assert any(b"SECRETWORD1" in path.read_bytes() for path in leftovers())
    assert all(any(path.is_relative_to(copy.path) for copy in copies) for path in leftovers())
    assert {copy.source.split(":")[0] for copy in copies} == {"csv", "generator"}
    delete_cached()
    assert leftovers() == set()
    assert not any(
        b"SECRETWORD" in path.read_bytes() for path in home.rglob("*") if path.is_file() and path.parent != mine
    )
    assert (mine / "rows.csv").is_file()
