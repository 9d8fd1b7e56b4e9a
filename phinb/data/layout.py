"""Where each training sequence begins and ends in the stream of all tokens, for each of Olive's strategies.

The stream is the tokens of one text after the other, each followed by the joiner where rows are joined. A block
[start, end) of it is a sequence. Only lengths are needed; the counterpart is `text_gen_pre_process` in
olive.data.component.text_generation, whose quirks are kept: the last full block of a joined stream is lost, a
sliding window begins anew at every 1,024 texts, a random row is kept after the last retry even if it is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from random import Random

from phinb.data.recipe import Recipe

Block = tuple[int, int]


def find_bounds(lengths: Sequence[int], joiner: int) -> list[int]:
    """Where each text begins in the stream, and at last the stream's end; `joiner` is its length in tokens."""
    return [0, *accumulate(length + joiner for length in lengths)]


def lay_out(lengths: Sequence[int], joiner: int, recipe: Recipe, *, cut_left: bool = False) -> list[Block]:
    """The blocks of all sequences in the order of training data, for texts of these `lengths` in tokens.

    `cut_left` says that the tokenizer cuts long texts at their beginning instead of their end. A random strategy
    without random_seed draws anew at each call.

    Raises ValueError where a random strategy has no texts to draw from, as Olive does.
    """
    if recipe.strategy == "join-random":
        blocks = _join_random(find_bounds(lengths, joiner), recipe)
    elif recipe.joins:
        blocks = _join(find_bounds(lengths, joiner), recipe)
    else:
        bounds = find_bounds(lengths, 0)
        if recipe.strategy == "line-by-line-random":
            chosen = _draw_lines(lengths, recipe)
        else:
            chosen = [index for index, length in enumerate(lengths) if _is_kept(length, recipe)]
        blocks = [_cut(bounds[index], bounds[index + 1], recipe.max_seq_len, cut_left) for index in chosen]
    return blocks if recipe.max_samples is None else blocks[: max(recipe.max_samples, 0)]


def _join(bounds: list[int], recipe: Recipe) -> list[Block]:
    size, texts, limit = recipe.max_seq_len, len(bounds) - 1, recipe.max_samples
    step = recipe.stride if recipe.strategy == "join-sliding-window" and recipe.stride else size
    blocks: list[Block] = []
    begin = 0  # of what the batches before have left over
    for first in range(0, texts, recipe.processing_batch_size):
        if limit is not None and len(blocks) >= limit:
            break
        end = bounds[min(first + recipe.processing_batch_size, texts)]
        used = 0
        for offset in range(0, end - begin - size, step):
            used = offset + size
            blocks.append((begin + offset, begin + used))
            if limit is not None and len(blocks) >= limit:
                break
        begin += used
    return blocks


def _join_random(bounds: list[int], recipe: Recipe) -> list[Block]:
    generator, texts = Random(recipe.random_seed), len(bounds) - 1
    blocks: list[Block] = []
    for _ in range(recipe.max_samples or 0):
        for _ in range(recipe.random_retries):
            start = bounds[generator.randint(0, texts - 1)]
            if bounds[-1] - start >= recipe.max_seq_len:
                blocks.append((start, start + recipe.max_seq_len))
                break
    return blocks


def _draw_lines(lengths: Sequence[int], recipe: Recipe) -> list[int]:
    generator = Random(recipe.random_seed)
    chosen: list[int] = []
    for _ in range(recipe.max_samples or 0):
        index = None
        for _ in range(recipe.random_retries):
            index = generator.randint(0, len(lengths) - 1)
            if _is_kept(lengths[index], recipe):
                break
        if index is not None:
            chosen.append(index)
    return chosen


def _is_kept(length: int, recipe: Recipe) -> bool:
    return not recipe.drop_short_sequences or length >= recipe.max_seq_len


def _cut(start: int, end: int, size: int, cut_left: bool) -> Block:
    return (max(start, end - size), end) if cut_left else (start, min(end, start + size))
