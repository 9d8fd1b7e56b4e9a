"""Many texts' trained tokens at once, against the rule for one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.data.answers import mark_many
from phinb.data.completion_loss import mark_tokens
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from tests.data.sentencepiece import make_sentencepiece

CHARACTERS = st.text(
    st.sampled_from("ab é😀\u0301\n .,{}日\u200d") | st.characters(exclude_categories=["Cs"]), max_size=12
)
WORDS = st.lists(
    st.sampled_from(files("phinb.models").joinpath("tiny.txt").read_text(encoding="utf-8").split()[:200]), max_size=4
)
TEXTS = CHARACTERS | WORDS.map(" ".join)
ENDS = st.sampled_from(["", "</s>", "<|endoftext|>"])


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("sentencepiece")
    return load_tokenizer(make_sentencepiece(folder))


@given(rows=st.lists(st.tuples(TEXTS, st.integers(0, 20), ENDS), min_size=1, max_size=6))
@settings(max_examples=400)
def test_many_texts_are_marked_as_each_alone(
    tokenizer: Tokenizer, sentencepiece: Tokenizer, rows: list[tuple[str, int, str]]
) -> None:
    texts = [text + end for text, _, end in rows]
    ranges = [[(min(start, len(text)), len(text))] for (_, start, _), text in zip(rows, texts, strict=True)]
    for one in (tokenizer, sentencepiece):
        encodings = one.encode_raw(texts)
        lengths = np.array([len(encoding) for encoding in encodings], dtype=np.int32)
        alone = [mark_tokens(encoding.offsets, mine) for encoding, mine in zip(encodings, ranges, strict=True)]
        assert mark_many(encodings, ranges, lengths).tolist() == [mark for marks in alone for mark in marks]
