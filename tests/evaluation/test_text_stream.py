"""Text that comes token by token is the text that the tokens have together, up to a stop text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from phinb.evaluation.text_stream import TextStream
from phinb.models.tokenizers import Tokenizer, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    from phinb.models.tiny import make_tiny

    return load_tokenizer(make_tiny(tmp_path_factory.mktemp("models") / "tiny"))


def push_all(stream: TextStream, ids: Sequence[int]) -> str:
    """What is given in all, as a reader would join it."""
    given = ""
    for token in ids:
        given += stream.push(token)
        if stream.stopped:
            break
    return given + stream.close()


@pytest.mark.parametrize(
    "text", ["a plain answer", "naïve 🙂 日本語 ẞ", "two\nlines\n\nand   spaces", " begins with a space"]
)
def test_nothing_is_lost_and_no_half_character_is_given(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text).ids
    stream = TextStream(tokenizer.decode)
    parts = [stream.push(token) for token in ids] + [stream.close()]
    assert "".join(parts) == tokenizer.decode(ids)
    assert not any("\ufffd" in part for part in parts)


def test_a_stop_text_is_cut_off_wherever_the_tokens_break_it(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("joy\n### Text: another row").ids
    stream = TextStream(tokenizer.decode, ("\n### Text:",))
    assert push_all(stream, ids) == "joy"
    assert stream.stopped
    assert stream.text == "joy"


def test_what_only_begins_like_a_stop_text_is_given_in_the_end(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("joy\n### Te").ids
    stream = TextStream(tokenizer.decode, ("\n### Text:",))
    held = "".join(stream.push(token) for token in ids)
    assert held == "joy"
    assert held + stream.close() == "joy\n### Te"
    assert not stream.stopped


def test_the_first_of_several_stop_texts_counts() -> None:
    stream = TextStream(lambda ids: "".join(map(chr, ids)), ("yz", "b"))
    assert push_all(stream, [*map(ord, "axbyz")]) == "ax"
