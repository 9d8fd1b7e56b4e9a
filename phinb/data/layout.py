"""Where each training sequence begins and ends in the stream of all tokens, for each of Olive's strategies.

The stream is the tokens of one text after the other, each followed by the joiner where rows are joined. A block
[start, end) of it is a sequence. Only lengths are needed; the counterpart is `text_gen_pre_process` in
olive.data.component.text_generation, whose quirks are kept: the last full block of a joined stream is lost, a
sliding window begins anew at every 1,024 texts, a random row is kept after the last retry even if it is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phinb.data.recipe import Recipe

Positions = NDArray[np.int64]
"""Places in the stream, or numbers of texts."""

Blocks = NDArray[np.int64]
"""(n, 2): the first token of each block, and the one behind its last."""


def find_bounds(lengths: ArrayLike, joiner: int) -> Positions:
    """Where each text begins in the stream, and at last the stream's end; `joiner` is its length in tokens."""
    bounds = np.zeros(np.size(lengths) + 1, dtype=np.int64)
    np.cumsum(np.asarray(lengths, dtype=np.int64) + joiner, out=bounds[1:])
    return bounds


def lay_out(lengths: ArrayLike, joiner: int, recipe: Recipe, *, cut_left: bool = False) -> Blocks:
    """The blocks of all sequences in the order of training data, for texts of these `lengths` in tokens.

    `cut_left` says that the tokenizer cuts long texts at their beginning instead of their end. A random strategy
    without random_seed draws anew at each call. Without a random strategy the blocks of the first texts alone are the
    first blocks of all.

    Raises ValueError where a random strategy has no texts to draw from, as Olive does.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    bounds = find_bounds(lengths, joiner if recipe.joins else 0)
    if recipe.strategy == "join-random":
        starts = _take(draw_starts(len(lengths), lambda text: bounds[-1] - bounds[text], recipe), recipe)
        blocks = np.stack([bounds[starts], bounds[starts] + recipe.max_seq_len], axis=1)
    elif recipe.joins:
        blocks = _join(bounds, recipe)
    else:
        chosen: Positions | None
        if recipe.strategy == "line-by-line-random":
            chosen = _take(draw_lines(len(lengths), lengths.__getitem__, recipe), recipe)
        else:
            chosen = np.flatnonzero(lengths >= recipe.max_seq_len) if recipe.drop_short_sequences else None
        starts, ends = (bounds[:-1], bounds[1:]) if chosen is None else (bounds[chosen], bounds[chosen + 1])
        blocks = _cut(starts, ends, recipe.max_seq_len, cut_left)
    return blocks if recipe.max_samples is None else blocks[: max(recipe.max_samples, 0)]


def draw_lines(total: int, find_length: Callable[[int], int], recipe: Recipe) -> Iterator[int]:
    """The texts that line-by-line-random draws of `total`, one after the other. Raises ValueError for no texts."""
    generator = Random(recipe.random_seed)
    for _ in range(recipe.max_samples or 0):
        index = None
        for _ in range(recipe.random_retries):
            index = generator.randint(0, total - 1)
            if not recipe.drop_short_sequences or find_length(index) >= recipe.max_seq_len:
                break
        if index is not None:
            yield index


def draw_starts(total: int, count_from: Callable[[int], int], recipe: Recipe) -> Iterator[int]:
    """The texts that join-random begins its sequences with; `count_from` tells how many tokens the stream has from
    a text on (once there are enough for a sequence, no more need be counted). Raises ValueError for no texts."""
    generator = Random(recipe.random_seed)
    for _ in range(recipe.max_samples or 0):
        for _ in range(recipe.random_retries):
            start = generator.randint(0, total - 1)
            if count_from(start) >= recipe.max_seq_len:
                yield start
                break


def _take(drawn: Iterator[int], recipe: Recipe) -> Positions:
    return np.fromiter(islice(drawn, recipe.max_samples), dtype=np.int64)


def _join(bounds: Positions, recipe: Recipe) -> Blocks:
    size, texts, limit = recipe.max_seq_len, len(bounds) - 1, recipe.max_samples
    if recipe.strategy != "join-sliding-window" or not recipe.stride:
        # Block after block, however the texts are batched; the last needs a token behind it.
        starts = np.arange(max((int(bounds[-1]) - 1) // size, 0), dtype=np.int64) * size
        return np.stack([starts, starts + size], axis=1)
    parts: list[Positions] = []
    begin = found = 0  # begin: of what the batches before have left over
    for first in range(0, texts, recipe.processing_batch_size):
        if limit is not None and found >= limit:
            break
        end = int(bounds[min(first + recipe.processing_batch_size, texts)])
        starts = np.arange(begin, end - size, recipe.stride, dtype=np.int64)
        if limit is not None:
            starts = starts[: limit - found]
        if len(starts):
            parts.append(starts)
            found += len(starts)
            begin = int(starts[-1]) + size
    starts = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return np.stack([starts, starts + size], axis=1)


def _cut(starts: Positions, ends: Positions, size: int, cut_left: bool) -> Blocks:
    if cut_left:
        return np.stack([np.maximum(starts, ends - size), ends], axis=1)
    return np.stack([starts, np.minimum(ends, starts + size)], axis=1)
