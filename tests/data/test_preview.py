"""A preview of a real configuration on the tiny model, and its guards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.config import load_config
from phinb.data.preview import Preview, preview, preview_data
from phinb.errors import ConfigError, PhinbError
from phinb.models.tokenizers import Tokenizer

ROWS = [{"phrase": f"the last bus number {number} had gone", "tone": "joy"} for number in range(20)]
TEXT = """{
  "input_model": {"type": "HfModel", "model_path": "phinb://tiny"},
  "data_configs": [
    {
      "name": "extra",
      "type": "HuggingfaceContainer",
      "load_dataset_config": {"data_name": "json", "data_files": "extra.json", "split": "train"},
      "pre_process_data_config": {"text_template": "{phrase}", "strategy": "line-by-line"}
    },
    {
      "name": "train",
      "type": "HuggingfaceContainer",
      "load_dataset_config": {"data_name": "json", "data_files": "rows.json", "split": "train"},
      "pre_process_data_config": {
        "text_template": "{phrase} => {tone}",
        "strategy": "line-by-line",
        "max_seq_len": 24
      }
    }
  ],
  "passes": {
    "lora": {
      "type": "LoRA",
      "train_data_config": "train",
      "training_args": {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    }
  }%s
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path / "home"))
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "config.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_training_data_is_shown_with_its_numbers(folder: Path) -> None:
    found = preview(load_config(write(folder, TEXT % "")), limit=5)
    assert found.name == "train"
    assert (len(found.sequences), found.stats.sequences, found.stats.rows) == (5, 20, 20)
    assert found.stats.steps_per_epoch == 3  # 5 batches of 4, two a step
    assert found.stats.exact


def test_cut_rows_are_told_at_their_line(folder: Path) -> None:
    found = preview(load_config(write(folder, TEXT % "")))
    problem = next(one for one in found.problems if one.code == "truncated_rows")
    assert found.ok
    assert problem.severity == "warning"
    assert (problem.line, problem.path) == (17, "data_configs.train.pre_process_data_config.max_seq_len")
    assert f"of 20 rows are longer than max_seq_len 24 (the longest has {max(found.stats.lengths)}" in problem.message


def test_what_is_held_out_is_told_and_not_counted_as_steps(folder: Path) -> None:
    found = preview(load_config(write(folder, TEXT % ',\n  "phinb": {"eval_split": 0.5}')))
    assert found.stats.steps_per_epoch == 2  # 10 sequences
    assert "10 of 20 sequences are held out" in next(p.message for p in found.problems if p.code == "held_out")


def test_who_stops_the_counting_gets_the_rows_so_far(folder: Path) -> None:
    rows = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "rows.json").write_text(rows * 2000, encoding="utf-8")
    counted: list[float] = []
    config = load_config(write(folder, TEXT % ',\n  "phinb": {"eval_split": 0.5}'))
    found = preview(
        config,
        limit=5,
        progress=lambda what, done, total: counted.append(done or 0) if "counting" in what else None,
        should_stop=lambda: bool(counted),
    )
    assert not found.stats.exact
    assert 0 < found.stats.rows < 40_000
    assert len(found.sequences) == 5
    codes = [problem.code for problem in found.problems]
    assert "counted_partly" in codes
    assert not {"held_out", "duplicates", "one_class"} & set(codes), "all rows together tell these"
    assert preview(config, should_stop=lambda: True).stats.rows == 0
    whole = preview(config)
    assert whole.stats.exact
    assert {"held_out", "duplicates", "one_class"} <= {problem.code for problem in whole.problems}


def test_another_data_config_by_name(folder: Path) -> None:
    config = load_config(write(folder, TEXT % ""))
    found = preview(config, "extra")
    assert [(problem.code, problem.line) for problem in found.problems] == [("data_missing", 7)]
    with pytest.raises(PhinbError, match="no data config trian") as caught:
        preview(config, "trian")
    assert caught.value.hint == "Did you mean train? There are: extra, train."


def test_a_configuration_with_errors_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError):
        preview(load_config(write(folder, TEXT.replace('"LoRA"', '"LoRo"') % "")))


def test_a_model_without_a_tokenizer_here_is_a_problem(folder: Path) -> None:
    text = (TEXT % "").replace("phinb://tiny", "microsoft/Phi-3-mini-4k-instruct")
    found = preview(load_config(write(folder, text)))
    assert [(one.severity, one.code, one.line) for one in found.problems] == [("error", "tokenizer_missing", 2)]
    assert "is not on this machine" in found.problems[0].message


def show(tokenizer: Tokenizer, folder: Path, **params: Any) -> Preview:
    own = {key: params.pop(key) for key in ("type", "user_script") if key in params}
    loading = {"data_name": "json", "data_files": "rows.json", "split": "train"}
    config = {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": loading,
        "pre_process_data_config": {"text_template": "{phrase} {tone}", **params},
        **own,
    }
    return preview_data(config, tokenizer, folder)


@pytest.mark.parametrize(
    ("params", "words", "hint"),
    [
        ({}, "all 20 rows joined have", 'Set "strategy" to "line-by-line" and "max_seq_len" to'),
        ({"strategy": "join", "max_seq_len": 2048}, "not enough for one sequence of 2048", "line-by-line"),
        (
            {"strategy": "line-by-line", "pad_to_max_len": False, "drop_short_sequences": True},
            "every row is shorter",
            "drop_short_sequences",
        ),
        ({"strategy": "line-by-line", "max_samples": 0}, "max_samples is 0", "max_samples"),
        ({"text_template": "{empty}", "add_special_tokens": False}, "no row has any text", "columns"),
    ],
)
def test_no_sequences_is_an_error_with_the_way_out(
    params: Any, words: str, hint: str, tokenizer: Tokenizer, folder: Path
) -> None:
    rows = "".join(json.dumps({**row, "empty": ""}) + "\n" for row in ROWS)
    (folder / "rows.json").write_text(rows, encoding="utf-8")
    found = show(tokenizer, folder, **params)
    problem = found.problems[-1]
    assert not found.ok
    assert (problem.severity, problem.code) == ("error", "no_sequences")
    assert words in problem.message
    assert hint in problem.hint
    assert found.stats.rows == 20


@pytest.mark.parametrize(
    ("params", "code", "severity"),
    [
        ({"text_template": "{frase}"}, "unknown_field", "error"),
        ({"text_template": None}, "unknown_column", "error"),
        ({"text_template": ""}, "template_empty", "error"),
        ({"chat_template": True}, "unknown_column", "error"),
        ({"max_seq_len": "many"}, "bad_value", "error"),
        ({"stride": 3, "strategy": "window"}, "bad_value", "error"),
        ({"type": None}, "container_missing", "error"),
        ({"text_formatting_func": "f", "user_script": "x.py"}, "preview_unavailable", "warning"),
        ({"user_script": "x.py"}, "preview_unavailable", "warning"),
        ({"task": "text-classification"}, "preview_unavailable", "warning"),
    ],
)
def test_guards(params: Any, code: str, severity: str, tokenizer: Tokenizer, folder: Path) -> None:
    found = show(tokenizer, folder, **params)
    assert (found.problems[0].code, found.problems[0].severity) == (code, severity)
    assert found.sequences == ()


def test_an_empty_template_is_told_with_what_olive_takes_instead(tokenizer: Tokenizer, folder: Path) -> None:
    problem = show(tokenizer, folder, text_template="").problems[0]
    assert problem.message == (
        "The template is empty: Olive takes the text of the column text instead (text_cols), "
        "and no column has the name text."
    )
    assert 'Write a template, for example "{phrase} {tone}".' in problem.hint
    found = show(tokenizer, folder, text_template="", text_cols=["phrase", "tone"], strategy="line-by-line")
    told = next(one for one in found.problems if one.code == "template_empty")
    assert (told.severity, found.ok, found.stats.sequences) == ("warning", True, 20)
    assert "takes the text of the columns phrase, tone instead" in told.message


def test_values_that_are_nothing_are_told(tokenizer: Tokenizer, folder: Path) -> None:
    with (folder / "rows.json").open("a", encoding="utf-8") as file:
        file.write('{"phrase": "x", "tone": null}\n')
    found = show(tokenizer, folder, strategy="line-by-line")
    assert found.problems[0].code == "missing_values"
    assert 'no value in 1 of 21 rows (row 21): its text says "None"' in found.problems[0].message
    assert found.stats.sequences == 21


def test_a_tokenizer_without_bos_is_told(tokenizer: Tokenizer, folder: Path) -> None:
    import dataclasses

    special = {name: text for name, text in tokenizer.special.items() if name != "bos_token"}
    found = show(dataclasses.replace(tokenizer, special=special), folder, strategy="line-by-line")
    assert found.problems[0].code == "no_special_token"
    assert "".join(found.sequences[0].tokens).startswith("None the last bus")


def test_plain_rows_are_previewed_without_heavy_modules(folder: Path) -> None:
    path = write(folder, TEXT % "")
    code = (
        "import sys; from phinb.config import load_config; from phinb.data.preview import preview\n"
        f"assert preview(load_config({str(path)!r})).ok\n"
        "heavy = {'torch', 'transformers', 'olive', 'datasets', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
