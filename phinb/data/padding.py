"""How much of a training step is padding, for each way of making batches.

A batch is as wide as its longest sequence (olive.passes.pytorch.lora.LoRA.collate_batch), unless the data config has
filled them all up to max_seq_len. The ways are those of transformers.Trainer (train_sampling_strategy).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.int64]

SEED = 0
DRAWS_OF = 20_000
"""Sequences that are looked at, in several draws, where batches are grouped at random; more change no percent."""


def share_padding(
    lengths: Lengths,
    max_seq_len: int,
    *,
    fills: bool,
    batch_size: int | None = None,
    accumulation: int | None = None,
    sampling: str = "random",
    drops_last: bool = False,
) -> dict[str, float]:
    """Share of padding (0 to 1) by batching: configured, random, grouped, max; those that can be told.

    `lengths` are the sequences' in training order, before padding; `fills` says that the data config fills them up to
    `max_seq_len`; `sampling` is the trainer's: random, sequential, group_by_length. `drops_last`: the last batch, where
    it is not full, is not trained on (dataloader_drop_last) and counts for nothing; without a full one nothing is told.
    """
    whole = len(lengths) // batch_size * batch_size if batch_size and drops_last else len(lengths)
    # Of sequences in random order, any may be in the last batch: the mean is that of all.
    trained = lengths[:whole] if sampling == "sequential" else lengths
    if not whole or not trained.sum():
        return {}
    shares = {"max": 1 - float(trained.sum()) / (max_seq_len * len(trained))}
    if fills:
        shares["configured"] = shares["max"]
    if batch_size:
        shares["random"] = _pad_random(lengths, batch_size, drops_last)
        shares["grouped"] = _pad_grouped(lengths, batch_size, accumulation or 1, drops_last)
        if not fills and sampling in ("random", "group_by_length", "sequential"):
            in_order = _pad_batches(trained, batch_size)
            shares["configured"] = {"random": shares["random"], "sequential": in_order}.get(sampling, shares["grouped"])
    return shares


def _pad_random(lengths: Lengths, batch_size: int, drops_last: bool) -> float:
    """The mean over all orders: the longest of a batch of B among n is the i-th shortest of all in
    C(i - 1, B - 1) of the C(n, B) batches."""
    count, rest = len(lengths), len(lengths) % batch_size
    ordered = np.sort(lengths).astype(np.float64)
    width = (count - rest) * _expected_maximum(ordered, batch_size) if count >= batch_size else 0.0
    if rest and not drops_last:
        width += rest * _expected_maximum(ordered, rest)
    trained = float(lengths.mean()) * (count - rest if drops_last else count)
    return 1 - trained / width


def _expected_maximum(ordered: NDArray[np.float64], size: int) -> float:
    """The mean of the largest of `size` values drawn from `ordered` (ascending) without replacement."""
    count = len(ordered)
    larger = np.arange(size + 1, count + 1, dtype=np.float64)
    # P(largest <= i-th) = C(i, size) / C(n, size); the ratio of neighbours is (i - size) / i, without factorials.
    steps = np.log(larger - size) - np.log(larger)
    reached = np.zeros(count)
    reached[size - 1 :] = np.exp(np.append(np.cumsum(steps[::-1])[::-1], 0.0))
    return float((ordered * np.diff(reached, prepend=0.0)).sum())


def _pad_batches(lengths: Lengths, batch_size: int) -> float:
    """Batches of neighbours."""
    width = np.maximum.reduceat(lengths, np.arange(0, len(lengths), batch_size))
    sizes = np.full(len(width), batch_size)
    sizes[-1] = len(lengths) - batch_size * (len(width) - 1)
    return 1 - float(lengths.sum()) / float((width * sizes).sum())


def _pad_grouped(lengths: Lengths, batch_size: int, accumulation: int, drops_last: bool) -> float:
    """transformers.trainer_pt_utils.get_length_grouped_indices, drawn a few times."""
    draws = max(1, min(50, DRAWS_OF // len(lengths)))
    generator = np.random.default_rng(SEED)
    orders = (group(lengths, batch_size * accumulation, generator) for _ in range(draws))
    whole = len(lengths) // batch_size * batch_size if drops_last else len(lengths)
    return float(np.mean([_pad_batches(order[:whole], batch_size) for order in orders]))


def group(lengths: Lengths, batch_size: int, generator: np.random.Generator) -> Lengths:
    """The lengths in the order of one draw: random, then sorted (longest first) within up to 50 batches at a time."""
    several = min(len(lengths) // (batch_size * 4), 50) or 1
    size = several * batch_size
    drawn = generator.permutation(lengths)
    parts = [np.sort(drawn[start : start + size])[::-1] for start in range(0, len(drawn), size)]
    longest = int(np.argmax([part[0] for part in parts]))
    parts[0][0], parts[longest][0] = parts[longest][0], parts[0][0]
    return np.concatenate(parts)
