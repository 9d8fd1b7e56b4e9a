"""A row goes to the end of a file, whole, beside others that are added at once, and to no training data."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from phinb.config import load_config
from phinb.errors import PhinbError
from phinb.evaluation.row_file import add_row, list_training_files
from tests.notebook.hostile import HALF, HOSTILE
from tests.workflow.conftest import TINY


def rows_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_appended_and_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert add_row(path, {"phrase": "a", "tone": "joy"}) == 1
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")  # as an editor may leave it
    for number, text in enumerate([*HOSTILE, HALF], 2):
        assert add_row(path, {"phrase": text, "tone": "fear"}) == number
    rows = rows_of(path)
    assert [row["phrase"] for row in rows] == ["a", *HOSTILE, HALF]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_those_who_add_at_once_all_do(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    threads = [threading.Thread(target=add_row, args=(path, {"n": str(n)})) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(row["n"]) for row in rows_of(path)) == list(range(12))


def test_training_data_is_left_alone_unless_it_is_meant(tmp_path: Path) -> None:
    tree = json.loads(json.dumps(TINY))
    (tmp_path / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    (tmp_path / "train.jsonl").write_text('{"phrase": "a", "tone": "joy"}\n', encoding="utf-8")
    training = list_training_files(load_config(tmp_path / "config.json"))
    assert training == [tmp_path / "train.jsonl"]
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "train.jsonl")
    for path in (tmp_path / "train.jsonl", tmp_path / "link.jsonl", tmp_path / "x" / ".." / "train.jsonl"):
        with pytest.raises(PhinbError, match="is training data"):
            add_row(path, {"phrase": "b"}, training)
    assert len(rows_of(tmp_path / "train.jsonl")) == 1
    assert add_row(tmp_path / "link.jsonl", {"phrase": "b"}, training, anyway=True) == 2
    assert (tmp_path / "link.jsonl").is_symlink()


def test_other_files_are_not_harmed(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1, 2]\n", encoding="utf-8")
    (tmp_path / "notes.jsonl").write_text("Dear diary\n", encoding="utf-8")
    (tmp_path / "latin.jsonl").write_bytes(b'{"a": "\xe9"}\n')
    for name, told in {
        "list.json": "does not hold JSON lines",
        "notes.jsonl": "does not hold JSON lines",
        "latin.jsonl": "cannot be read",
        "rows.csv": "JSON lines, not to rows.csv",
        "none/rows.jsonl": "no such folder",
    }.items():
        before = (tmp_path / name).read_bytes() if (tmp_path / name).exists() else None
        with pytest.raises(PhinbError, match=told):
            add_row(tmp_path / name, {"a": "b"})
        assert ((tmp_path / name).read_bytes() if (tmp_path / name).exists() else None) == before
