"""phinb new and phinb gallery, each in a real process: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phinb.config import load_config
from tests.test_cli import phinb


@pytest.fixture
def rows(tmp_path: Path, sample_data: Path) -> Path:
    lines = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(lines[:40]), encoding="utf-8")
    return path


def test_new_prints_a_configuration_that_checks(rows: Path) -> None:
    done = phinb("new", "--data", rows.name, "--answer", "tone", "--model", "phinb://tiny", cwd=rows.parent)
    assert done.returncode == 0, done.stderr
    assert load_config(done.stdout, name="mine").ok
    assert "// mine.jsonl: 40 rows." in done.stdout
    assert done.stderr == ""


def test_new_writes_a_file_with_paths_from_its_own_folder_and_never_over_another(rows: Path) -> None:
    target = rows.parent / "configs" / "mine.json"
    arguments = ("new", "--data", rows.name, "--model", "phinb://tiny", "-o", str(target))
    done = phinb(*arguments, cwd=rows.parent)
    assert done.returncode == 1
    assert "no such folder" in done.stderr
    target.parent.mkdir()
    done = phinb(*arguments, cwd=rows.parent)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"phinb check --files {target}" in done.stderr
    assert '"../mine.jsonl"' in target.read_text(encoding="utf-8")
    assert phinb("check", "--files", str(target)).returncode == 0
    target.write_text("mine", encoding="utf-8")
    done = phinb(*arguments, cwd=rows.parent)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert target.read_text(encoding="utf-8") == "mine"
    assert phinb(*arguments, "--force", cwd=rows.parent).returncode == 0
    assert target.read_text(encoding="utf-8") != "mine"


def test_a_mistake_gets_a_sentence_on_the_other_stream(rows: Path) -> None:
    for arguments in (
        ("--data", "none.csv"),
        ("--data", rows.name, "--answer", "tonn"),
        ("--data", rows.name, "--recipe", "x"),
    ):
        done = phinb("new", *arguments, "--model", "phinb://tiny", cwd=rows.parent)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr
    assert phinb("new").returncode == 2


def test_the_gallery_lists_prints_and_writes(tmp_path: Path) -> None:
    listed = phinb("gallery").stdout.splitlines()
    assert len(listed) == 25
    assert any(line.startswith("lora-phi-4-mini ") for line in listed)
    told = json.loads(phinb("gallery", "--json").stdout)
    assert [set(point) for point in told] == [{"name", "title", "purpose", "needs"}] * 24
    text = phinb("gallery", "quantize-demo").stdout
    assert load_config(text, name="start").ok
    target = tmp_path / "start.json"
    assert phinb("gallery", "quantize-demo", "-o", str(target)).returncode == 0
    assert target.read_text(encoding="utf-8") == text
    done = phinb("gallery", "quantise-demo")
    assert done.returncode == 1
    assert "Did you mean quantize-demo?" in done.stderr
