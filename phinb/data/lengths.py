"""The lengths of rows as a histogram, with the cut-off on one of its edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 40


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` rows have at least `edges[i]` and less than `edges[i + 1]` tokens. `cut` is the index of the first
    bin whose rows are longer than max_seq_len; None where no row is."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    cut: int | None = None


def count_lengths(lengths: Sequence[int], max_seq_len: int | None = None, bins: int = BINS) -> Histogram:
    """At most `bins` bins of equal width, two more at the cut-off; the widths are whole tokens. Empty for no rows."""
    values = np.asarray(lengths, dtype=np.int64)
    if not len(values):
        return Histogram((), ())
    low, high = int(values.min()), int(values.max()) + 1
    width = max(-(-(high - low) // bins), 1)
    cut = max_seq_len + 1 if max_seq_len is not None and low <= max_seq_len < high - 1 else None
    # With a cut-off the bins are counted from it, so that none has rows on both sides.
    begin = low if cut is None else cut - -(-(cut - low) // width) * width
    edges = np.arange(begin, high + width, width)
    edges = edges[: int(np.searchsorted(edges, high)) + 1]
    counts = np.bincount((values - begin) // width, minlength=len(edges) - 1)
    place = None if cut is None else int(np.searchsorted(edges, cut))
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()), place)
