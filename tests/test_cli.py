"""The command line: what it prints, on which stream, and with which exit code. Each command in a real process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.replay import Replay


def phinb(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "phinb.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.fixture
def small(tmp_path: Path, sample_data: Path) -> Path:
    """A configuration file on the tiny model, with its data beside it."""
    rows = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_text("".join(rows[:30]), encoding="utf-8")
    text = """{
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"},
  "data_configs": [{
    "name": "train",
    "type": "HuggingfaceContainer",
    "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
    "pre_process_data_config": {"text_template": "{phrase} is {tone}", "strategy": "line-by-line", "max_seq_len": 160}
  }],
  "passes": {"lora": {"type": "LoRA", "r": 4, "torch_dtype": "float32", "train_data_config": "train", "training_args":
    {"max_steps": 2, "per_device_train_batch_size": 2, "gradient_checkpointing": false, "logging_steps": 1}}}
}"""
    path = tmp_path / "small.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_check_names_the_line_and_exits_1(small: Path) -> None:
    assert phinb("check", str(small)).returncode == 0
    small.write_text(small.read_text(encoding="utf-8").replace('"r": 4', '"rr": 4'), encoding="utf-8")
    done = phinb("check", str(small))
    assert done.returncode == 1
    assert "line 9" in done.stdout
    assert "rr" in done.stdout
    told = json.loads(phinb("check", "--json", str(small)).stdout)
    assert told["ok"] is False
    assert told["problems"][0]["line"] == 9


@pytest.mark.parametrize("content", [b"no configuration at all", b"\xff\xfe\x00nope", b"", b"[1, 2]", b'{"passes": '])
def test_what_is_no_configuration_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    done = phinb("check", str(path))
    assert done.returncode == 1
    assert "error" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_missing_file_and_a_missing_run_get_one_sentence(tmp_path: Path) -> None:
    for arguments in (("check", str(tmp_path / "nowhere.json")), ("attach", "r-none"), ("compare", "nothing")):
        done = phinb(*arguments)
        assert done.returncode == 1
        assert (done.stdout + done.stderr).strip()
        assert "Traceback" not in done.stdout + done.stderr


def test_upgrade_prints_a_diff_and_writes_what_checks(tmp_path: Path, sample_data: Path) -> None:
    target = tmp_path / "today.yaml"
    done = phinb("upgrade", "--write", str(target), str(sample_data / "tutorial_2024.json"))
    assert done.returncode == 0
    assert "lora_alpha" in done.stderr
    assert done.stdout.startswith("---")
    again = phinb("upgrade", str(target))
    assert "Nothing to upgrade" in again.stdout


def test_show_tells_value_origin_and_line(sample_data: Path) -> None:
    lines = phinb("show", str(sample_data / "tutorial_2024.json")).stdout.splitlines()
    alpha = next(line for line in lines if line.startswith("passes.lora.alpha "))
    assert " 64 " in alpha
    assert "upgrade" in alpha


def test_preview_prints_numbers_and_text(small: Path) -> None:
    done = phinb("preview", "--limit", "1", str(small))
    assert done.returncode == 0
    assert "30 rows → 30 sequences" in done.stdout


@pytest.mark.slow
def test_run_follows_lists_and_compares(small: Path) -> None:
    done = phinb("run", str(small))
    assert done.returncode == 0, done.stderr
    assert "lora" in done.stdout
    listed = phinb("runs")
    assert "small" in listed.stdout
    assert "succeeded" in listed.stdout
    told = phinb("attach", "small")
    assert told.returncode == 0
    target = small.with_name("comparison.json")
    compared = phinb("compare", "small", "--rows", str(small.with_name("rows.jsonl")), "--save", str(target))
    assert compared.returncode == 0, compared.stderr
    assert "adapter" in compared.stdout
    told = [line for line in compared.stdout.splitlines() if line.strip()]
    assert sorted(set(told)) == sorted(told), "a line stands there twice"
    assert target.is_file()


def test_runs_are_deleted_only_where_somebody_says_yes(replay: Callable[..., Replay]) -> None:
    ended, living = replay("worker_lost", name="first"), replay("success", name="second")
    ended.play_all()
    living.play(9)
    listed = phinb("runs").stdout
    assert "disk" in listed.splitlines()[0]
    assert ended.run_id in listed
    asked = phinb("runs", "--delete", ended.run_id)
    assert asked.returncode == 1
    assert "Nothing is deleted yet" in asked.stdout
    assert ended.folder.path.is_dir()
    done = phinb("runs", "--delete", ended.run_id, living.run_id, "--yes")
    assert done.returncode == 1, "one of them stays"
    assert "stays: it is running" in done.stdout
    assert not ended.folder.path.exists()
    assert living.folder.path.is_dir()
    assert phinb("runs", "--older", "soon").returncode == 1
    assert "There is nothing to delete" in phinb("runs", "--older", "50w", "--yes").stdout


@pytest.mark.slow
def test_plain_says_what_olive_alone_makes(sample_data: Path) -> None:
    done = phinb("plain", "--model", "phinb://tiny", str(sample_data / "tutorial_2024.json"))
    assert done.returncode == 0, done.stderr
    alpha = next(line for line in done.stdout.splitlines() if "passes.lora.alpha" in line)
    assert alpha.split()[0] == "≠"
    assert "lora_alpha: 64" in alpha
    assert " 16 " in alpha
    assert "rejected" in done.stdout


def test_doctor_speaks_json() -> None:
    findings = json.loads(phinb("doctor", "--json").stdout)
    assert findings
