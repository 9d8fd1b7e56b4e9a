"""%%olive_config and its kin: problems at the lines that the user sees, cards and no tracebacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebook.conftest import Shell

GOOD = """{
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"},
  "data_configs": [
    {
      "name": "train",
      "type": "HuggingfaceContainer",
      "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
      "pre_process_data_config": {
        "text_template": "### Text: {phrase}\\n### The tone is:\\n{tone}",
        "strategy": "line-by-line",
        "max_seq_len": 80
      }
    }
  ],
  "passes": {
    "lora": {"type": "LoRA", "r": 8, "alpha": 16, "torch_dtype": "float32", "train_data_config": "train",
      "training_args": {"max_steps": 2}},
    "merge": {"type": "MergeAdapterWeights"}
  }
}
"""
ROWS = [{"phrase": f"I {word} it so much", "tone": tone} for word, tone in [("love", "joy"), ("fear", "fear")] * 4]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_a_good_cell_binds_the_configuration_and_sums_it_up(shell: Shell) -> None:
    text = shell.text(f"%%olive_config emotion\n{GOOD}")
    assert text.strip() == "emotion  ok  lora → merge"
    assert shell.ip.user_ns["emotion"].ok
    assert shell.ip.user_ns["emotion"].name == "emotion"


def test_a_problem_is_told_at_the_line_of_the_cell(shell: Shell) -> None:
    cell = "%%olive_config emotion\n" + GOOD.replace('"max_seq_len"', '"max_seq_lem"')
    wanted = next(number for number, line in enumerate(cell.splitlines(), 1) if "max_seq_lem" in line)
    captured = shell.execute(cell)
    assert "error" in captured.outputs[0].data["text/plain"]
    assert f"line {wanted}," in captured.outputs[0].data["text/plain"]
    assert f"line {wanted}," in captured.outputs[0].data["text/html"]
    assert "max_seq_len" in captured.outputs[0].data["text/plain"]  # the hint
    assert captured.stderr == ""
    assert not shell.ip.user_ns["emotion"].ok


def test_text_that_is_no_json_is_a_problem_with_a_line(shell: Shell) -> None:
    text = shell.text('%%olive_config broken\n{\n  "passes": {\n')
    assert "error" in text
    assert "line " in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["1st", "class", "print", "a-b"])
def test_a_name_that_cannot_be_bound_is_refused(shell: Shell, name: str) -> None:
    shell.execute(f"%%olive_config {name}\n{GOOD}")
    assert "cannot be a configuration's name" in str(shell.result.error_in_exec)


def test_the_upgrade_of_an_old_form_is_listed(shell: Shell, sample_data: Path) -> None:
    text = (sample_data / "tutorial_2024.json").read_text(encoding="utf-8")
    html = shell.html(f"%%olive_config tutorial\n{text}")
    count = len(shell.ip.user_ns["tutorial"].changes)
    assert count > 0
    assert f"{count} changes by the upgrade</summary>" in html


def test_show_prints_the_text_as_it_stands(shell: Shell, sample_data: Path) -> None:
    text = "// first\n" + GOOD
    shell.execute(f"%%olive_config emotion\n{text}")
    assert shell.execute("%olive_config emotion --show").stdout == text
    file = sample_data / "emotion.json"
    assert shell.execute(f"%olive_config {file} --show").stdout == file.read_text(encoding="utf-8")


def test_two_configurations_side_by_side(shell: Shell, tmp_path: Path) -> None:
    shell.execute(f"%%olive_config a\n{GOOD}")
    shell.execute("%%olive_config b\n" + GOOD.replace('"r": 8', '"r": 16').replace('"alpha"', '"lora_alpha"'))
    captured = shell.execute("%olive_config a --against b")
    (output,) = captured.outputs
    row = next(line for line in output.data["text/plain"].splitlines() if line.startswith("passes.lora.r"))
    assert row.split("  ")[-1].strip() == "16 (you · line 17)"
    assert "8 (you · line 17)" in row
    assert "alpha" not in output.data["text/plain"], "the old key means the same"
    assert "a against b: 1 value differs" in output.data["text/html"]
    (tmp_path / "same.json").write_text(GOOD, encoding="utf-8")
    assert "no value differs" in shell.text(f"%olive_config a --against {tmp_path / 'same.json'}")


def test_what_differs_from_the_defaults_is_folded_away(shell: Shell) -> None:
    html = shell.html(f"%%olive_config emotion\n{GOOD}")
    assert "values differ from their defaults</summary>" in html
    assert "passes.<wbr>lora.<wbr>r<" in html
    assert len(html) < 100_000


def test_a_signs_direction_cannot_hide_what_a_name_is(shell: Shell) -> None:
    evil = "\u202e<b>name"
    captured = shell.execute("%%olive_config emotion\n" + GOOD.replace('"alpha"', f'"{evil}"'))
    for data in captured.outputs[0].data.values():
        assert "\u202e" not in data
        assert "\\u202e" in data
    assert "<b>name" not in captured.outputs[0].data["text/html"]


def test_check_looks_at_the_data_too(shell: Shell, rows: Path) -> None:
    shell.execute(f"%%olive_config emotion\n{GOOD}")
    assert "ready to run" in shell.text("%olive_check emotion") or "warning" in shell.text("%olive_check emotion")
    rows.unlink()
    text = shell.text("%olive_check emotion")
    assert "error" in text
    assert "rows.jsonl" in text


def test_an_unknown_name_says_what_there_is(shell: Shell) -> None:
    shell.execute(f"%%olive_config emotion\n{GOOD}")
    shell.execute("%olive_check emotoin")
    assert "There is: emotion." in str(shell.result.error_in_exec)


@pytest.mark.slow
def test_a_file_can_be_named_instead(shell: Shell, sample_data: Path) -> None:
    assert "emotion" in shell.text(f"%olive_check {sample_data / 'emotion.json'}")


def test_a_run_of_a_broken_configuration_names_its_lines(shell: Shell) -> None:
    cell = "%%olive_config emotion\n" + GOOD.replace('"max_seq_len"', '"max_seq_lem"')
    wanted = next(number for number, line in enumerate(cell.splitlines(), 1) if "max_seq_lem" in line)
    shell.execute(cell)
    shell.execute("%olive_run emotion")
    assert f"line {wanted}," in str(shell.result.error_in_exec)


def test_the_doctor_shows_what_it_found(shell: Shell) -> None:
    captured = shell.execute("%olive_doctor")
    assert "Python" in captured.outputs[0].data["text/html"]
    assert "memory" in captured.outputs[0].data["text/plain"]


def test_load_ext_is_quick_and_light() -> None:
    code = """
import time, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.run_line_magic("load_ext", "phinb")
print(time.perf_counter() - began)
print(sorted({name.split(".")[0] for name in sys.modules} & {"anywidget", "ipywidgets", "plotly", "pandas", "torch"}))
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
        for _ in range(3)
    ]
    assert {lines[1] for lines in runs} == {"[]"}
    # The best of three: a neighbour on the same machine must not fail this.
    assert min(float(lines[0]) for lines in runs) < 0.060
