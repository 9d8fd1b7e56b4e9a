"""Where tokens come from, and what the numbers count. That ids equal Olive's is tested in test_parity.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.layout import lay_out
from phinb.data.recipe import Recipe, check_recipe, read_recipe
from phinb.data.sequences import tokenize
from phinb.data.statistics import count_held_out, count_steps, summarize
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer

ROWS = [{"phrase": "the last bus had gone", "tone": "sadness"}, {"phrase": "shoes", "tone": "joy"}]
LINES = Recipe(text_template="{phrase} => {tone}", strategy="line-by-line", max_seq_len=40)


def test_each_token_knows_its_row_and_field(tokenizer: Tokenizer) -> None:
    first, second = tokenize(ROWS, LINES, tokenizer).sequences()
    by_field: dict[str, str] = {}
    for token, span in zip(first.tokens, first.spans, strict=True):
        name = "none" if span is None else span.field
        by_field[name] = by_field.get(name, "") + token
    assert by_field["phrase"].strip() == "the last bus had gone"
    assert by_field["tone"].strip() == "sadness"
    assert by_field["template"].strip() == "=>"
    assert by_field["none"].replace("<|pad|>", "") == "<s><|endoftext|>"
    assert {span.row for span in second.spans if span} == {1}


def test_padding_has_no_label_no_mask_and_no_span(tokenizer: Tokenizer) -> None:
    sequence = tokenize(ROWS, LINES, tokenizer).sequences()[1]
    padding = [index for index, token in enumerate(sequence.input_ids) if token == tokenizer.pad_id]
    assert len(sequence.input_ids) == 40
    assert padding
    for index in padding:
        assert (sequence.labels[index], sequence.attention_mask[index], sequence.spans[index]) == (-100, 0, None)
    trained = [label for label in sequence.labels if label != -100]
    assert trained == [token for token in sequence.input_ids if token != tokenizer.pad_id]


def test_a_joined_sequence_spans_rows(tokenizer: Tokenizer) -> None:
    recipe = Recipe(text_template="{phrase} {tone}", strategy="join", max_seq_len=30)
    tokenized = tokenize(ROWS * 4, recipe, tokenizer)
    rows = [sorted({span.row for span in one.spans if span}) for one in tokenized.sequences()]
    assert all(len(one) > 1 for one in rows)
    stats = summarize(tokenized)
    total = sum(stats.lengths) + len(tokenized.joiner) * 8
    assert stats.tokens + stats.dropped_tokens == total
    assert (stats.truncated_rows, stats.rows, stats.sequences) == (0, 8, len(rows))


def test_truncation_is_counted(tokenizer: Tokenizer) -> None:
    recipe = Recipe(text_template="{phrase} => {tone}", strategy="line-by-line", max_seq_len=12)
    stats = summarize(tokenize(ROWS, recipe, tokenizer))
    assert [length > 12 for length in stats.lengths] == [True, False]
    assert (stats.truncated_rows, stats.dropped_tokens) == (1, stats.lengths[0] - 12)
    assert stats.tokens == stats.trained_tokens == 12 + stats.lengths[1]


def test_empty_texts_are_counted_and_left_out(tokenizer: Tokenizer) -> None:
    recipe = Recipe(text_cols=("phrase",), strategy="line-by-line", add_special_tokens=False)
    rows = [{"phrase": "x"}, {"phrase": ""}, {"phrase": "shoes"}]
    tokenized = tokenize(rows, recipe, tokenizer)
    stats = summarize(tokenized)
    assert (stats.rows, stats.sequences, stats.empty_rows, stats.lengths[1]) == (3, 2, 1, 0)
    assert {span.row for one in tokenized.sequences() for span in one.spans if span} == {0, 2}


def test_a_row_that_gives_no_text_is_named(tokenizer: Tokenizer) -> None:
    with pytest.raises(PhinbError, match="Row 2 gives no text"):
        tokenize([{"text": "x"}, {"text": 3}], Recipe(), tokenizer)


def test_nothing_to_draw_from_is_said(tokenizer: Tokenizer) -> None:
    recipe = Recipe(strategy="join-random", max_samples=3, random_seed=1, add_special_tokens=False)
    with pytest.raises(PhinbError, match="no text to draw"):
        tokenize([{"text": ""}], recipe, tokenizer)


@pytest.mark.parametrize(
    ("sequences", "batch", "accumulation", "steps"),
    [(100, 8, 2, 7), (100, 8, 1, 13), (1, 8, 4, 1), (0, 8, 1, None), (10, None, 1, None)],
)
def test_steps_of_an_epoch(sequences: int, batch: int | None, accumulation: int, steps: int | None) -> None:
    assert count_steps(sequences, batch, accumulation) == steps


@pytest.mark.slow
@given(st.integers(2, 300), st.floats(0.01, 0.99))
def test_held_out_sequences_are_as_many_as_the_library_takes(count: int, share: float) -> None:
    from datasets import Dataset

    held_out = count_held_out(count, share)
    if held_out < count:  # the library refuses an empty training part
        parts = Dataset.from_dict({"x": list(range(count))}).train_test_split(test_size=share, seed=42)
        assert len(parts["test"]) == held_out


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 3), st.integers(1, 60), st.integers(1, 7))
def test_joined_blocks_lie_end_to_end_and_lose_less_than_one_more(
    lengths: list[int], joiner: int, size: int, batch: int
) -> None:
    blocks = lay_out(lengths, joiner, Recipe(strategy="join", max_seq_len=size, processing_batch_size=batch))
    total = sum(lengths) + joiner * len(lengths)
    assert blocks == [(index * size, (index + 1) * size) for index in range(len(blocks))]
    assert total - len(blocks) * size <= size


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
