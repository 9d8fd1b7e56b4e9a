"""What a data config makes of its rows, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from phinb.data.layout import Positions, find_bounds, lay_out
from phinb.data.padding import share_padding
from phinb.data.tally import Tally
from phinb.types import DataStats

Counts = NDArray[np.int64]

MOST_NAMED = 20
"""Rows that are named, of those that something is wrong with."""


@dataclass(frozen=True)
class Batching:
    """How the trainer makes batches: sequences a batch, batches a step, which sequences (train_sampling_strategy), and
    whether a last batch that is not full is dropped (dataloader_drop_last)."""

    size: int | None = None
    accumulation: int | None = None
    sampling: str = "random"
    drops_last: bool = False


Place = tuple[int, int, int]
"""Where a sequence is: the text it begins in, the token of that text, and its tokens (padding not counted)."""

MOST_NAMED = 20
"""Rows that are named of those whose answer is cut."""

NO_BLOCKS = np.zeros((0, 2), dtype=np.int64)


class Sequences:
    """The sequences of a tally as it is now, by their places in the stream of its texts (layout.py).

    Not `final`: more rows are to come. These are the first sequences then, and under a random strategy none.

    Raises ValueError where a random strategy has no text to draw from.
    """

    def __init__(self, tally: Tally, *, final: bool = True) -> None:
        recipe = tally.recipe
        self.tally, self.recipe, self.rows, self.final = tally, recipe, tally.rows, final
        self.lengths = tally.lengths.values
        self.bounds = find_bounds(self.lengths, len(tally.joiner))
        blocks = NO_BLOCKS
        if final or not recipe.is_random:
            blocks = lay_out(self.lengths, len(tally.joiner), recipe, cut_left=tally.tokenizer.cuts_left)
        self.starts, self.ends = blocks[:, 0], blocks[:, 1]

    def __len__(self) -> int:
        return len(self.starts)

    def find_place(self, index: int) -> Place:
        text = int(self.texts[index])
        return text, int(self.starts[index] - self.bounds[text]), int(self.sizes[index])

    def find_row(self, row: int) -> int | None:
        """The first sequence that has the beginning of a row in it; None where none has."""
        text = int(np.searchsorted(self.row_numbers, row))
        if text >= len(self.row_numbers) or self.row_numbers[text] != row:
            return None
        begin = self.bounds[text]
        found = np.flatnonzero((self.starts <= begin) & (self.ends > begin))
        if not len(found) and not self.recipe.joins:  # of which the beginning is cut off
            found = np.flatnonzero(self.texts == text)
        return int(found[0]) if len(found) else None

    @cached_property
    def row_numbers(self) -> Positions:
        """The row of each text."""
        return self.tally.row_numbers

    @cached_property
    def sizes(self) -> Counts:
        """Tokens of each sequence, padding left out."""
        return self.ends - self.starts

    @cached_property
    def texts(self) -> Positions:
        """The text that each sequence begins in."""
        return np.searchsorted(self.bounds, self.starts, side="right") - 1

    @cached_property
    def context(self) -> Counts:
        """Tokens at the beginning of each sequence that are not trained on: those of a sliding window."""
        context = self.recipe.context
        if context is None:
            return np.zeros(len(self), dtype=np.int64)
        return np.minimum(self.sizes, context) if context >= 0 else np.maximum(self.sizes + context, 0)

    @cached_property
    def trained(self) -> Counts:
        """Tokens of each sequence that have a label."""
        return self._count_trained(self.context)

    @cached_property
    def untrained(self) -> NDArray[np.bool_]:
        """Which sequences have nothing to predict: no label but perhaps the first, which no token stands before."""
        barren: NDArray[np.bool_] = self._count_trained(np.maximum(self.context, 1)) == 0
        return barren

    def _count_trained(self, left_out: Counts) -> Counts:
        """Tokens that have a label, but for so many at the beginning of each sequence."""
        begin = np.minimum(self.starts + left_out, self.ends)
        if self.recipe.trained_field is None:
            rest: Counts = self.ends - begin
            return rest
        text, start, end = (one.values for one in self.tally.runs)
        # An empty run goes first, so that each position has one in front of it.
        starts = np.concatenate([[-1], self.bounds[text] + start])
        lengths = np.concatenate([[0], end - start])
        before = np.cumsum(lengths) - lengths

        def count(positions: Positions) -> Counts:
            """Trained tokens in front of each position of the stream."""
            run = np.searchsorted(starts, positions, side="right") - 1
            counts: Counts = before[run] + np.minimum(positions - starts[run], lengths[run])
            return counts

        return count(self.ends) - count(begin)

    @cached_property
    def stops(self) -> Counts:
        """Labels of each sequence that are an end of sequence."""
        text, place = (one.values for one in self.tally.stops)
        found = self.bounds[text] + place
        if self.recipe.trained_field is None:
            inside = [at for at, token in enumerate(self.tally.joiner) if token in self.tally.tokenizer.stop_ids]
            found = np.sort(np.concatenate([found, *(self.bounds[:-1] + self.lengths + at for at in inside)]))
        first = np.searchsorted(found, self.starts + self.context, side="left")
        counts: Counts = np.searchsorted(found, self.ends, side="left") - first
        return counts

    @cached_property
    def cut(self) -> NDArray[np.bool_]:
        """Which sequences are the rest of a longer row."""
        if self.recipe.joins:
            return np.zeros(len(self), dtype=np.bool_)
        longer: NDArray[np.bool_] = self.full_sizes > self.sizes
        return longer

    @cached_property
    def full_sizes(self) -> Counts:
        """Tokens of each sequence before it was cut; joined sequences are not."""
        if self.recipe.joins or not len(self):
            return self.sizes
        # An empty sequence stands where the next text begins, or behind the last.
        whole = self.lengths[np.minimum(self.texts, len(self.lengths) - 1)]
        return np.where(self.sizes > 0, whole, 0).astype(np.int64)


def summarize(
    sequences: Sequences, batching: Batching | None = None, *, eval_split: float | None = None, exact: bool = True
) -> DataStats:
    """All numbers but those of near duplicates and of other data configs.

    `eval_split` is the share of the sequences that training does not get.
    """
    tally, recipe, batching = sequences.tally, sequences.recipe, batching or Batching()
    lengths = np.zeros(tally.rows, dtype=np.int32)
    lengths[sequences.row_numbers] = sequences.lengths
    cut = np.unique(sequences.texts[sequences.cut])
    lost = np.intersect1d(tally.cut.values, cut)
    training = len(sequences) - count_held_out(len(sequences), eval_split)
    return DataStats(
        rows=tally.rows,
        sequences=len(sequences),
        tokens=int(sequences.sizes.sum()),
        trained_tokens=int(sequences.trained.sum()),
        dropped_tokens=int(sequences.bounds[-1]) - _count_covered(sequences),
        truncated_rows=len(cut),
        empty_rows=tally.rows - tally.texts,
        lengths=tuple(lengths.tolist()),
        max_seq_len=recipe.max_seq_len,
        steps_per_epoch=count_steps(training, batching.size, batching.accumulation, drops_last=batching.drops_last),
        exact=exact,
        lost_tokens=int((sequences.lengths[cut] - recipe.max_seq_len).sum()),
        truncated_answers=None if tally.answer is None else len(lost),
        no_eos=int((sequences.stops == 0).sum()),
        padding=share_padding(
            sequences.sizes,
            recipe.max_seq_len,
            fills=recipe.pads,
            batch_size=batching.size,
            accumulation=batching.accumulation,
            sampling=batching.sampling,
            drops_last=batching.drops_last,
        ),
        exact_duplicates=tally.texts - len(np.unique(tally.hashes.values)),
        labels=_count_labels(tally),
        untrained=int(sequences.untrained.sum()),
        cut_answers=tuple((sequences.row_numbers[lost[:MOST_NAMED]] + 1).tolist()),
    )


def count_steps(
    sequences: int, batch_size: int | None, accumulation: int | None, *, drops_last: bool = False
) -> int | None:
    """Optimizer steps of one epoch on one device (transformers.Trainer: the last step may be smaller, and the last
    batch too, unless it is dropped)."""
    if batch_size is None or accumulation is None or not sequences:
        return None
    batches = sequences // batch_size if drops_last else ceil(sequences / batch_size)
    return ceil(batches / accumulation)


def count_held_out(sequences: int, share: float | None) -> int:
    """Sequences that datasets.Dataset.train_test_split puts aside for a share between 0 and 1: rounded up."""
    return 0 if share is None or sequences < 2 else ceil(sequences * share)


def _count_labels(tally: Tally) -> dict[str, int]:
    """The answer's values, the most frequent first, where each stands in two rows on average: else it is no label."""
    if tally.labels is None or 2 * len(tally.labels) > tally.rows:
        return {}
    return dict(tally.labels.most_common())


def _count_covered(sequences: Sequences) -> int:
    """Tokens of the stream that are in at least one sequence."""
    if not len(sequences):
        return 0
    order = np.argsort(sequences.starts, kind="stable")
    starts, ends = sequences.starts[order], sequences.ends[order]
    reached = np.concatenate([[0], np.maximum.accumulate(ends)[:-1]])
    return int(np.maximum(ends - np.maximum(starts, reached), 0).sum())
