"""What a sequence leaves out of its rows, and which sequence a row is in."""

from __future__ import annotations

from pathlib import Path

from phinb.models.tokenizers import Tokenizer
from tests.data.scanning import make_scan

ROWS = [{"text": f"row {number} " + "of words " * number} for number in range(12)]
LINES = {"text_template": "{text}", "strategy": "line-by-line", "pad_to_max_len": False}
JOINED = {"text_template": "{text}", "strategy": "join"}


def test_what_is_cut_off_completes_the_row(tmp_path: Path, tokenizer: Tokenizer) -> None:
    whole = make_scan(tmp_path, ROWS, tokenizer, **LINES)
    whole.run()
    rows = [whole.sequence(index) for index in range(whole.count)]  # before the file is written anew
    cut = make_scan(tmp_path, ROWS, tokenizer, **LINES, max_seq_len=12)
    cut.run()
    for index in range(cut.count):
        sequence, rest = cut.sequence(index), cut.rest(index)
        assert sequence.input_ids + rest.cut.input_ids == rows[index].input_ids
        assert sequence.spans + rest.cut.spans == rows[index].spans
        assert rest.count == len(rest.cut.input_ids)
    longest = cut.rest(cut.count - 1, most=3)
    assert (len(longest.cut.tokens), longest.count) == (3, len(rows[11].input_ids) - 12)


def test_joined_sequences_know_the_rows_that_they_divide(tmp_path: Path, tokenizer: Tokenizer) -> None:
    scan = make_scan(tmp_path, ROWS, tokenizer, **JOINED, max_seq_len=16)
    scan.run()
    rests = [scan.rest(index) for index in range(scan.count)]
    assert rests[0].begun is None
    for index in range(1, scan.count):
        # What a sequence ends in the middle of, the next one begins in the middle of.
        assert rests[index].begun == rests[index - 1].ended
        rows = [span.row for span in scan.sequence(index).spans if span is not None]
        assert rests[index].begun in (None, rows[0])
    assert any(rest.ended is not None for rest in rests)


def test_a_row_is_found_in_the_sequence_that_it_begins_in(tmp_path: Path, tokenizer: Tokenizer) -> None:
    rows = [*ROWS[:5], {"text": ""}, *ROWS[5:]]
    for params in (LINES, {**JOINED, "max_seq_len": 16}):
        scan = make_scan(tmp_path, rows, tokenizer, add_special_tokens=False, **params)
        scan.run()
        assert scan.find_sequence(5) is None, "it has no text"
        assert scan.find_sequence(99) is None
        for row in (0, 4, 6, 9):
            index = scan.find_sequence(row)
            assert index is not None
            seen = [span.row for span in scan.sequence(index).spans if span is not None]
            assert row in seen
            if index:
                before = [span.row for span in scan.sequence(index - 1).spans if span is not None]
                assert row not in before


def test_first_sequences_from_the_middle_are_those_of_all(tmp_path: Path, tokenizer: Tokenizer) -> None:
    scan = make_scan(tmp_path, ROWS, tokenizer, **LINES)
    early = scan.first(2, start=7, within_s=10)
    scan.run()
    assert early == [scan.sequence(7), scan.sequence(8)]
