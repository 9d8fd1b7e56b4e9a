"""What a data config makes of its rows, in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from phinb.data.layout import Block
from phinb.data.sequences import Tokenized
from phinb.types import DataStats


def summarize(tokenized: Tokenized, *, steps_per_epoch: int | None = None, exact: bool = True) -> DataStats:
    """Count rows, sequences and tokens; padding is never counted.

    `dropped_tokens` are those of the stream that are in no sequence. `exact` is False where only a part of the
    rows was read.
    """
    lengths = [0] * len(tokenized.rows)
    for number, ids in zip(tokenized.row_numbers, tokenized.ids, strict=True):
        lengths[number] = len(ids)
    recipe, blocks = tokenized.recipe, tokenized.blocks
    return DataStats(
        rows=len(tokenized.rows),
        sequences=len(blocks),
        tokens=sum(end - start for start, end in blocks),
        trained_tokens=tokenized.count_trained(),
        dropped_tokens=tokenized.bounds[-1] - _count_covered(blocks),
        truncated_rows=0 if recipe.joins else sum(length > recipe.max_seq_len for length in lengths),
        empty_rows=len(tokenized.rows) - len(tokenized.row_numbers),
        lengths=tuple(lengths),
        max_seq_len=recipe.max_seq_len,
        steps_per_epoch=steps_per_epoch,
        exact=exact,
    )


def count_steps(sequences: int, batch_size: int | None, accumulation: int | None) -> int | None:
    """Optimizer steps of one epoch on one device (transformers.Trainer: the last batch and step may be smaller)."""
    if batch_size is None or accumulation is None or not sequences:
        return None
    return max(ceil(ceil(sequences / batch_size) / accumulation), 1)


def count_held_out(sequences: int, share: float | None) -> int:
    """Sequences that datasets.Dataset.train_test_split puts aside for a share between 0 and 1: rounded up."""
    return 0 if share is None or sequences < 2 else ceil(sequences * share)


def _count_covered(blocks: Iterable[Block]) -> int:
    """Tokens that are in at least one block."""
    covered, reached = 0, 0
    for start, end in sorted(blocks):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered
