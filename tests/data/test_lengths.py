"""The histogram of lengths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phinb.data.lengths import Histogram, count_lengths


@given(st.lists(st.integers(0, 5000), min_size=1), st.one_of(st.none(), st.integers(1, 5200)), st.integers(1, 60))
def test_every_row_is_in_one_bin_and_none_lies_across_the_cut(
    lengths: list[int], max_seq_len: int | None, bins: int
) -> None:
    found = count_lengths(lengths, max_seq_len, bins)
    pairs = list(zip(found.edges, found.edges[1:], strict=False))
    assert [sum(low <= length < high for length in lengths) for low, high in pairs] == list(found.counts)
    assert sum(found.counts) == len(lengths)
    assert len({high - low for low, high in pairs}) == 1
    assert len(found.counts) <= bins + 2
    assert found.counts[-1] > 0
    over = sum(length > max_seq_len for length in lengths) if max_seq_len is not None else 0
    kept = len(lengths) - over
    if found.cut is None:
        assert not over or not kept
    else:
        assert sum(found.counts[found.cut :]) == over
        assert sum(found.counts[: found.cut]) == kept


def test_no_rows_and_rows_that_are_all_cut() -> None:
    assert count_lengths([], 5) == Histogram((), ())
    assert count_lengths([7, 9], 5, 2) == Histogram((7, 9, 11), (1, 1))
