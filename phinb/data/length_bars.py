"""How many rows have how many tokens, in bars: what a histogram shows, before anything draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phinb.data.wording import write_count

MOST_BARS = 32

FAR = 3.0
"""How many times longer than nearly all the longest row may be before the long tail is a bar of its own."""


@dataclass(frozen=True)
class Bar:
    """The rows that have from `start` to `stop` tokens (None: or more). `tail`: wider than the others."""

    start: int
    stop: int | None
    rows: int
    tail: bool = False

    @property
    def span(self) -> str:
        first = max(self.start, 0)
        if self.stop is None:
            return f"{first:,} or more"
        return f"{first:,}" if first == self.stop else f"{first:,} to {self.stop:,}"

    @property
    def words(self) -> str:
        """`21 to 24 tokens: 3 rows`"""
        return f"{self.span} {'token' if self.span == '1' else 'tokens'}: {write_count(self.rows, 'row')}"


def count_lengths(values: NDArray[np.int64], cut: int | None) -> list[Bar]:
    """Bars that are equally wide, and a long tail in one, or in two; `values` are tokens, one or more.

    None has rows on both sides of `cut`, the longest that training takes whole (None where none is cut).
    """
    low, high = int(values.min()), int(values.max())
    far = int(np.percentile(values, 99))
    end = far if high > FAR * max(far, 1) and high - low > MOST_BARS else high
    if cut is not None and end <= cut <= 1.25 * end:
        end = cut + 1  # a cut-off that is near is shown
    step = max(1, -(-(end - low + 1) // MOST_BARS))
    anchor = 0 if cut is None else (cut + 1) % step
    first = (low - anchor) // step * step + anchor
    edges = np.arange(first, end + step + 1, step, dtype=np.int64)
    edges = edges[: int(np.searchsorted(edges, end, side="right")) + 1]
    rows, _ = np.histogram(values, edges - 0.5)
    bars = [Bar(int(start), int(start) + step - 1, int(number)) for start, number in zip(edges, rows, strict=False)]
    behind = int(edges[-1])
    if high >= behind:
        inside = cut is not None and behind <= cut < high
        begins = [behind, cut + 1] if inside and cut is not None else [behind]
        stops = [*(begin - 1 for begin in begins[1:]), None]
        for begin, stop in zip(begins, stops, strict=True):
            number = int(((values >= begin) & (values <= (high if stop is None else stop))).sum())
            bars.append(Bar(begin, stop, number, tail=True))
    return bars
