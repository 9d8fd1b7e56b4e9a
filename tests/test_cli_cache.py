"""phinb cache in a real process, and the functions behind it: listed, asked for, deleted; not while a run goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import phinb as library
from phinb.data.source import open_rows
from phinb.errors import PhinbError
from tests.golden.replay import Replay
from tests.test_cli import phinb


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own in which a look at a CSV file has left a copy."""
    monkeypatch.setenv("PHINB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    (tmp_path / "rows.csv").write_text("phrase,tone\nSECRET,joy\n", encoding="utf-8")
    loading = {"data_name": "csv", "data_files": "rows.csv", "split": "train"}
    assert len(open_rows({"name": "train", "load_dataset_config": loading}, tmp_path)) == 1
    return tmp_path


def test_copies_are_listed_for_people_and_programs(copied: Path) -> None:
    done = phinb("cache")
    assert done.returncode == 0
    head, line = done.stdout.splitlines()
    assert head.split() == ["size", "made", "from", "folder"]
    assert "rows.csv" in line
    assert str(copied / "home") in line
    (copy,) = json.loads(phinb("cache", "--json").stdout)
    assert copy == {"path": copy["path"], "bytes": library.cached_data()[0].bytes, "source": "rows.csv"}


def test_nothing_is_deleted_unasked(copied: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "phinb.cli", "cache", "--delete"],
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Add --yes." in done.stderr
    assert len(library.cached_data()) == 1
    assert phinb("cache", "--delete", "--yes").returncode == 0
    assert library.cached_data() == ()
    assert (copied / "rows.csv").is_file()
    assert phinb("cache", "--delete", "--yes").stdout == "There is no copy of your rows.\n"


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("", 1), ("yes", 0)])
def test_a_terminal_is_asked(copied: Path, answer: str, left: int) -> None:
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "phinb.cli", "cache", "--delete"], stdin=side, stdout=side, stderr=subprocess.PIPE
    )
    os.close(side)
    os.write(main, f"{answer}\n".encode())
    _, told = process.communicate(timeout=60)
    os.close(main)
    assert b"[y/N]" in told
    assert process.returncode == (1 if left else 0)
    assert len(library.cached_data()) == left


def test_a_cache_of_the_users_own_is_named_and_left_alone(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = copied / "own"
    (own / "csv").mkdir(parents=True)
    (own / "csv" / "rows.arrow").write_bytes(b"mine")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(own))
    done = phinb("cache", "--delete", "--yes")
    assert done.returncode == 0
    assert str(own) in done.stderr
    assert (own / "csv" / "rows.arrow").is_file()


def test_while_a_run_goes_on_nothing_is_deleted(copied: Path) -> None:
    run = Replay("success")
    try:
        run.play(3)
        with pytest.raises(PhinbError, match=f"The run {run.run_id} is going on"):
            library.delete_cached_data()
        done = phinb("cache", "--delete", "--yes")
        assert done.returncode == 1
        assert run.run_id in done.stderr
        assert len(library.cached_data()) == 1
        run.play(1000)
    finally:
        run.end()
    assert library.delete_cached_data() > 0
    assert library.cached_data() == ()
