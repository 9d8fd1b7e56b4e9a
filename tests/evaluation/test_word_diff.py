"""A word diff loses nothing and does nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phinb.evaluation.word_diff import MOST_WORDS, Piece, diff_words, write_html, write_text

TEXTS = st.lists(st.sampled_from(["the", "cat", " ", "  ", "\n", "sat", "!", "é"]), max_size=30).map("".join)


@given(TEXTS, TEXTS)
def test_the_pieces_join_to_both_texts(before: str, after: str) -> None:
    pieces = diff_words(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == after
    assert all(piece.text for piece in pieces)


def test_words_are_wholes() -> None:
    pieces = diff_words("a happy cat", "a sad cat")
    assert pieces == (
        Piece("same", "a "),
        Piece("removed", "happy"),
        Piece("added", "sad"),
        Piece("same", " cat"),
    )
    assert write_text(pieces) == "a [-happy-]{+sad+} cat"
    # Spaces alone hold nothing together.
    assert write_text(diff_words("one two x", "three four x")) == "[-one two-]{+three four+} x"


def test_long_texts_are_not_taken_apart() -> None:
    before = "word " * MOST_WORDS
    assert [piece.kind for piece in diff_words(before, before + "x")] == ["removed", "added"]


def test_html_is_escaped() -> None:
    html = write_html(diff_words("<b>x</b>", "<script>alert(1)</script>"))
    assert "<script" not in html
    assert "<b>" not in html
    assert "<ins>" in html
