"""The commands on configurations: several files as pieces, mending, upgrading in place, comparing. Real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from phinb.config import load_config
from tests.test_cli import phinb

MODEL = '"input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"},\n'
DATA = """// the rows
"data_configs": [{
  "name": "train",
  "type": "HuggingfaceContainer",
  "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
  "pre_process_data_config": {"text_template": "{phrase} is {tone}", "strategy": "line-by-line", "max_seq_len": 160}
}],
"""
PASSES = """"passes": {
  "lora": {
    "type": "LoRA",
    "r": 4, // small
    "torch_dtype": "float32",
    "train_data_config": "train",
    "training_args": {"max_steps": 2, "per_device_train_batch_size": 2}
  }
},
"""


@pytest.fixture
def pieces(tmp_path: Path, sample_data: Path) -> list[Path]:
    """A configuration in three files, with its rows beside them."""
    rows = (sample_data / "emotion_train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_text("".join(rows[:30]), encoding="utf-8")
    files = []
    for name, text in (("model.json", MODEL), ("data.json", DATA), ("passes.json", PASSES)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        files.append(tmp_path / name)
    return files


@pytest.fixture
def whole(pieces: list[Path]) -> Path:
    path = pieces[0].with_name("whole.json")
    path.write_text(f"{{\n{MODEL}{DATA}{PASSES.rstrip().removesuffix(',')}\n}}\n", encoding="utf-8")
    return path


def names(files: list[Path]) -> list[str]:
    return [str(file) for file in files]


def test_several_files_are_one_configuration(pieces: list[Path], whole: Path) -> None:
    assert phinb("check", *names(pieces)).returncode == 0
    shown = phinb("show", *names(pieces)).stdout
    alone = phinb("show", str(whole)).stdout
    assert [line.split()[:2] for line in shown.splitlines()] == [line.split()[:2] for line in alone.splitlines()]
    (line,) = [line for line in shown.splitlines() if line.startswith("passes.lora.r ")]
    assert "[you, passes.json, line 4]" in line
    assert phinb("preview", "--limit", "1", *names(pieces)).returncode == 0
    assert phinb("show", *names(pieces), "--against", str(whole)).stdout.strip() == "Both do the same."


def test_a_problem_names_its_file_and_line(pieces: list[Path]) -> None:
    pieces[2].write_text(PASSES.replace('"r": 4', '"rr": 4'), encoding="utf-8")
    done = phinb("check", *names(pieces))
    assert done.returncode == 1
    assert "passes.json, line 4" in done.stdout
    told = json.loads(phinb("check", "--json", *names(pieces)).stdout)
    assert [(one["source"], one["line"]) for one in told["problems"] if one["severity"] == "error"] == [
        ("passes.json", 4)
    ]


def test_what_is_still_to_come_is_one_error(pieces: list[Path]) -> None:
    done = phinb("check", *names(pieces[1:]))
    assert done.returncode == 1
    assert done.stdout.count("error:") == 1
    assert "input_model" in done.stdout


def test_fix_shows_what_it_would_mend_and_writes_only_when_asked(whole: Path) -> None:
    given = whole.read_text(encoding="utf-8").replace('"r": 4', '"rr": 4').replace("text-generation", "text-generatoin")
    whole.write_text(given, encoding="utf-8")
    assert phinb("check", str(whole)).returncode == 1
    done = phinb("check", "--fix", str(whole))
    assert '-    "rr": 4, // small' in done.stdout
    assert '+    "r": 4, // small' in done.stdout
    assert whole.read_text(encoding="utf-8") == given
    done = phinb("check", "--fix", "--in-place", str(whole))
    assert str(whole) in done.stderr
    mended = whole.read_text(encoding="utf-8")
    assert '    "r": 4, // small\n' in mended
    assert mended.startswith("{\n" + MODEL[:20])
    assert "// the rows" in mended
    assert phinb("check", str(whole)).returncode == done.returncode == 0


def test_fix_mends_the_file_that_is_wrong_and_no_other(pieces: list[Path]) -> None:
    pieces[2].write_text(PASSES.replace('"r": 4', '"rr": 4'), encoding="utf-8")
    before = [file.stat().st_mtime_ns for file in pieces[:2]]
    done = phinb("check", "--fix", "--in-place", "--json", *names(pieces))
    assert json.loads(done.stdout)["ok"] is True
    assert done.returncode == 0
    assert pieces[2].read_text(encoding="utf-8") == PASSES
    assert [file.stat().st_mtime_ns for file in pieces[:2]] == before


def test_where_nothing_can_be_mended_it_is_said(whole: Path) -> None:
    done = phinb("check", "--fix", str(whole))
    assert done.returncode == 0
    assert "nothing that phinb can mend" in done.stderr
    done = phinb("check", "--in-place", str(whole))
    assert done.returncode == 1
    assert "--fix" in done.stderr


OLD = """{
  // from a tutorial of 2024
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny"},
  "data_configs": [{
    "name": "train",
    "type": "HuggingfaceContainer",
    "params_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train",
      "component_kwargs": {"pre_process_data": {"text_template": "{phrase} {tone}", // the answer last
        "corpus_strategy": "line-by-line", "source_max_len": 64}}}
  }],
  "passes": {
    "lora": {"type": "LoRA", "config": {"lora_r": 8, "lora_alpha": 16, // scales by 2
      "train_data_config": "train", "training_args": {"max_steps": 2}}}
  }
}
"""


def test_upgrade_keeps_comments_and_writes_in_place(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(OLD, encoding="utf-8")
    target = tmp_path / "new.json"
    done = phinb("upgrade", "--write", str(target), str(path))
    assert done.returncode == 0
    assert "lora_alpha" in done.stderr
    written = target.read_text(encoding="utf-8")
    for comment in ("// from a tutorial of 2024", "// the answer last", "// scales by 2"):
        assert comment in written
    assert path.read_text(encoding="utf-8") == OLD
    assert "Nothing to upgrade" in phinb("upgrade", str(target)).stdout
    assert phinb("upgrade", "--in-place", str(path)).returncode == 0
    assert path.read_text(encoding="utf-8") == written
    assert phinb("upgrade", "--in-place", str(path)).returncode == 0
    assert path.read_text(encoding="utf-8") == written


def test_upgrade_writes_yaml_where_the_name_says_so(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(OLD, encoding="utf-8")
    target = tmp_path / "new.yaml"
    assert phinb("upgrade", "--write", str(target), str(path)).returncode == 0
    assert load_config(target).to_olive() == load_config(path).to_olive()


def test_show_prints_the_text_of_today(tmp_path: Path, whole: Path) -> None:
    assert phinb("show", "--text", str(whole)).stdout == whole.read_text(encoding="utf-8")
    path = tmp_path / "old.json"
    path.write_text(OLD, encoding="utf-8")
    shown = phinb("show", "--text", str(path)).stdout
    assert load_config(shown).changes == ()
    assert "// scales by 2" in shown


def test_show_tells_only_what_was_changed(whole: Path) -> None:
    lines = {line.split()[0] for line in phinb("show", "--changed", str(whole)).stdout.splitlines()}
    assert {"passes.lora.r", "passes.lora.training_args.max_steps", "input_model.model_path"} <= lines
    assert "passes.lora.alpha" not in lines  # not written
    assert "passes.lora.lora_dropout" not in lines
    assert len(lines) < 30


def test_show_puts_two_side_by_side(whole: Path) -> None:
    other = whole.with_name("other.json")
    other.write_text(whole.read_text(encoding="utf-8").replace('"r": 4', '"r": 8, "alpha": 16'), encoding="utf-8")
    lines = phinb("show", str(whole), "--against", str(other)).stdout.splitlines()
    assert lines[0].split() == ["value", "whole", "other"]
    assert [line.split() for line in lines[1:]] == [["passes.lora.r", "4", "8"]]  # alpha 16 is the default


def test_a_reader_that_has_seen_enough_is_no_failure(whole: Path) -> None:
    command = f'"{sys.executable}" -m phinb.cli show "{whole}"'
    shell = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert shell.stdout is not None
    assert shell.stderr is not None
    shell.stdout.close()
    said = shell.stderr.read()
    assert (shell.wait(), said) == (0, "")


def test_a_folder_is_no_file_to_write(whole: Path) -> None:
    done = phinb("upgrade", "--write", str(whole.parent), str(whole))
    assert "is a folder" in done.stderr
    assert "Traceback" not in done.stderr
