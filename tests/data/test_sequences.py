"""Where tokens come from, and what Olive refuses.

That ids equal Olive's is tested in test_parity.py, what is counted in test_statistics.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.encoder import Encoder
from phinb.data.recipe import Recipe, check_recipe, read_recipe
from phinb.data.scan import Scan
from phinb.data.sequences import trace
from phinb.data.template import TEMPLATE
from phinb.data.texts import trace_text
from phinb.models.tokenizers import Tokenizer
from phinb.types import Span
from tests.data.scanning import make_scan

ROWS = [{"phrase": "the last bus had gone", "tone": "sadness"}, {"phrase": "shoes", "tone": "joy"}]
LINES = {"text_template": "{phrase} => {tone}", "strategy": "line-by-line", "max_seq_len": 40}


def scanned(folder: Path, tokenizer: Tokenizer, rows: list[dict[str, str]] = ROWS, **params: Any) -> Scan:
    scan = make_scan(folder, rows, tokenizer, **(LINES | params))
    scan.run()
    return scan


def test_each_token_knows_its_row_and_field(tokenizer: Tokenizer, tmp_path: Path) -> None:
    scan = scanned(tmp_path, tokenizer)
    first, second = scan.sequence(0), scan.sequence(1)
    by_field: dict[str, str] = {}
    for token, span in zip(first.tokens, first.spans, strict=True):
        name = "none" if span is None else span.field
        by_field[name] = by_field.get(name, "") + token
    assert by_field["phrase"].strip() == "the last bus had gone"
    assert by_field["tone"].strip() == "sadness"
    assert by_field["template"].strip() == "=>"
    assert by_field["none"].replace("<|pad|>", "") == "<s><|endoftext|>"
    assert {span.row for span in second.spans if span} == {1}


@given(data=st.data())
def test_a_token_comes_from_the_field_with_most_of_its_characters(data: st.DataObject, tokenizer: Tokenizer) -> None:
    text = st.text(st.sampled_from("the last bus é😀=>"), max_size=9)
    row = data.draw(st.fixed_dictionaries({"a": text, "b": text}))
    template = data.draw(st.lists(st.sampled_from(["{a}", "{b}", " ", "the", "=>"]), min_size=1).map("".join))
    recipe = Recipe(text_template=template, add_special_tokens=data.draw(st.booleans()))
    written, stretches = trace_text(row, recipe, tokenizer)
    found = trace(row, 7, recipe, Encoder(tokenizer))
    ids, spans, trained = found.take(0, len(found.ids))
    encoding = tokenizer.encode(written)
    assert (found.ids, ids) == (encoding.ids, encoding.ids)
    begin = data.draw(st.integers(0, len(ids)))
    end = data.draw(st.integers(begin, len(ids)))
    assert found.take(begin, end) == (ids[begin:end], spans[begin:end], trained[begin:end])
    for (start, end), span in zip(encoding.offsets, spans, strict=True):
        shares = [(max(0, min(end, one.end) - max(start, one.start)), at) for at, one in enumerate(stretches)]
        most, at = max(shares, default=(0, 0))
        name = stretches[at].field if most else TEMPLATE
        assert span == (None if name is None else Span(7, name))


def test_padding_has_no_label_no_mask_and_no_span(tokenizer: Tokenizer, tmp_path: Path) -> None:
    sequence = scanned(tmp_path, tokenizer).sequence(1)
    padding = [index for index, token in enumerate(sequence.input_ids) if token == tokenizer.pad_id]
    assert len(sequence.input_ids) == 40
    assert padding
    for index in padding:
        assert (sequence.labels[index], sequence.attention_mask[index], sequence.spans[index]) == (-100, 0, None)
    trained = [label for label in sequence.labels if label != -100]
    assert trained == [token for token in sequence.input_ids if token != tokenizer.pad_id]


def test_a_joined_sequence_spans_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    scan = scanned(tmp_path, tokenizer, ROWS * 40, strategy="join", max_seq_len=30)
    rows = [sorted({span.row for span in scan.sequence(index).spans if span}) for index in range(scan.count)]
    assert all(len(one) > 1 for one in rows)
    assert {row for one in rows for row in one} >= set(range(79))
    assert all(one == list(range(one[0], one[-1] + 1)) for one in rows)


def test_empty_texts_are_left_out(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [{"phrase": "x"}, {"phrase": ""}, {"phrase": "shoes"}]
    scan = scanned(tmp_path, tokenizer, rows, text_template=None, text_cols=["phrase"], add_special_tokens=False)
    assert (scan.count, scan.stats.empty_rows, scan.stats.lengths[1]) == (2, 1, 0)
    assert {span.row for index in range(2) for span in scan.sequence(index).spans if span} == {0, 2}


@pytest.mark.parametrize(
    ("params", "code", "path"),
    [
        ({"strategy": "lines"}, "bad_value", "strategy"),
        ({"max_seq_len": 0}, "bad_value", "max_seq_len"),
        ({"padding_side": "both"}, "bad_value", "padding_side"),
        ({"strategy": "join-sliding-window"}, "stride_missing", "stride"),
        ({"strategy": "join-random", "random_seed": 1}, "max_samples_missing", "max_samples"),
        ({"strategy": "join-random", "max_samples": 1}, "not_repeatable", "random_seed"),
        ({"drop_short_sequences": True}, "contradiction", "drop_short_sequences"),
        ({"strategy": "line-by-line", "use_attention_mask": False}, "contradiction", "use_attention_mask"),
    ],
)
def test_what_olive_refuses_is_said(params: dict[str, object], code: str, path: str) -> None:
    assert [(one.code, one.path) for one in check_recipe(read_recipe(params), "p")] == [(code, f"p.{path}")]


def test_numbers_may_be_text_and_nothing_else() -> None:
    recipe = read_recipe({"max_seq_len": "32", "pad_to_max_len": "false", "stride": "4", "text_cols": "x", "own": 1})
    assert (recipe.max_seq_len, recipe.pad_to_max_len, recipe.stride, recipe.text_cols) == (32, False, 4, ("x",))
    with pytest.raises(ValueError, match="max_seq_len is 'many', not a whole number"):
        read_recipe({"max_seq_len": "many"})
