"""A loss on the completion: which tokens are trained on, for one row a sequence and for joined rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phinb.data.preview import preview_data
from phinb.models.tokenizers import Tokenizer

ROWS = '{"phrase": "The lights went out.", "tone": "fear"}\n{"phrase": "We won!", "tone": "joy"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text(ROWS * 3, encoding="utf-8")
    return tmp_path


def show(folder: Path, tokenizer: Tokenizer, field: str | None, **params: Any) -> Any:
    data_config = {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
        "pre_process_data_config": {
            "text_template": "### {phrase}\n### {tone}!",
            "strategy": "line-by-line",
            "max_seq_len": 64,
            **params,
        },
    }
    return preview_data(data_config, tokenizer, folder, trained_field=field)


def trained_text(sequence: Any) -> str:
    pairs = zip(sequence.tokens, sequence.labels, strict=True)
    return "".join(token for token, label in pairs if label != -100).replace(" ", "")


def test_only_the_answer_and_what_ends_it_is_trained_on(folder: Path, tokenizer: Tokenizer) -> None:
    shown = show(folder, tokenizer, "tone")
    assert shown.ok
    first, second = shown.sequences[:2]
    assert trained_text(first) == f"fear!{tokenizer.eos}"
    assert trained_text(second) == f"joy!{tokenizer.eos}"
    everything = show(folder, tokenizer, None)
    assert [one.input_ids for one in shown.sequences] == [one.input_ids for one in everything.sequences]
    counted = sum(label != -100 for one in shown.sequences for label in one.labels)
    assert shown.stats.trained_tokens == counted < everything.stats.trained_tokens


def test_in_joined_rows_each_row_has_its_own_prompt(folder: Path, tokenizer: Tokenizer) -> None:
    shown = show(folder, tokenizer, "tone", strategy="join", max_seq_len=80)
    text = trained_text(shown.sequences[0])
    assert text.startswith(f"fear!{tokenizer.eos}joy!{tokenizer.eos}")
    assert "lights" not in text
    assert "\n\n" not in text


@pytest.mark.parametrize(
    ("field", "params"),
    [("", {"text_template": "no field"}), ("mood", {}), ("tone", {"text_template": None, "text_cols": ["phrase"]})],
)
def test_without_an_answer_it_is_refused(
    folder: Path, tokenizer: Tokenizer, field: str, params: dict[str, Any]
) -> None:
    shown = show(folder, tokenizer, field, **params)
    assert "no_answer" in [problem.code for problem in shown.problems]
    assert not shown.ok
