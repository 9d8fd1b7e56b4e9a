"""%olive_plain --export: what plain Olive needs is written, and how it is run is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import phinb
from tests.notebook.conftest import Shell
from tests.test_cli import phinb as command


@pytest.fixture
def small(tmp_path: Path, sample_data: Path) -> Path:
    text = (sample_data / "emotion.json").read_text(encoding="utf-8").replace("phinb://demo", "phinb://tiny")
    for name in ("emotion_train.jsonl", "emotion_test.jsonl"):
        (tmp_path / name).write_bytes((sample_data / name).read_bytes())
    path = tmp_path / "emotion.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_magic_command_and_function_write_the_same(shell: Shell, small: Path) -> None:
    told = shell.text(f"%olive_plain {small} --export {small.parent / 'magic'}").strip()
    assert told == f"olive run --config {small.parent / 'magic' / 'olive.json'}"
    done = command("plain", "--export", str(small.parent / "command"), str(small))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(small.parent / "command" / "olive.json")
    phinb.export_plain(phinb.load_config(small), small.parent / "function")
    written = []
    for name in ("magic", "command", "function"):
        folder = small.parent / name
        assert sorted(file.name for file in folder.iterdir()) == ["completion_loss.py", "olive.json"]
        written.append((folder / "olive.json").read_text(encoding="utf-8").replace(str(folder), "FOLDER"))
    assert len(set(written)) == 1
    olive = json.loads(written[0])
    assert "phinb" not in olive
    assert olive["data_configs"][0]["user_script"] == "FOLDER/completion_loss.py"
