"""Held-out rows as text to be predicted: the tokens that training would learn, and how unlikely they are to a model.

Each row stands alone, is tokenised as for training (template, special tokens) and cut at max_seq_len; where training
joins rows, that is the only difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phinb.data.completion_loss import find_answer, mark_tokens
from phinb.data.template import parse_template
from phinb.errors import PhinbError
from phinb.evaluation.scoring import Encoder, fill_parts
from phinb.types import RowLoss


@dataclass(frozen=True)
class LossTask:
    """Filled templates, and from which of their characters on each is trained on (0: all of it).

    max_tokens: where a row is cut. add_special_tokens: as in ScoringTask; the end token is predicted, too.
    """

    texts: tuple[str, ...]
    starts: tuple[int, ...]
    max_tokens: int
    add_special_tokens: bool


@dataclass(frozen=True)
class EncodedText:
    """A row in ids; trained[i] says whether ids[i] counts. bytes: UTF-8 bytes of the row's own text in those tokens,
    special tokens left out."""

    row: int
    ids: tuple[int, ...]
    trained: tuple[bool, ...]
    bytes: int


def build_losses(
    rows: Sequence[Mapping[str, Any]],
    *,
    template: str,
    trained_field: str | None = None,
    max_tokens: int = 1024,
    add_special_tokens: bool = True,
) -> LossTask:
    """trained_field: the column from whose first character on a row is trained on; None for all of it. Raises
    PhinbError, naming the row, where one lacks a field."""
    parts = parse_template(template)
    texts = tuple(fill_parts(parts, row, number, len(rows)) for number, row in enumerate(rows, 1))
    found = [find_answer(template, row, trained_field) if trained_field else 0 for row in rows]
    return LossTask(texts, tuple(start or 0 for start in found), max_tokens, add_special_tokens)


def encode_losses(task: LossTask, encoder: Encoder) -> list[EncodedText]:
    """Rows in token ids. The first token of a row has nothing before it and does not count. Raises PhinbError where no
    row has a token that does."""
    lead, tail = (f"{encoder.bos} ", f" {encoder.eos}") if task.add_special_tokens else ("", "")
    found = []
    for row, (text, start) in enumerate(zip(task.texts, task.starts, strict=True)):
        whole = lead + text + tail
        encoding = encoder.encode(whole)
        ids, offsets = encoding.ids[: task.max_tokens], encoding.offsets[: task.max_tokens]
        begin = len(lead) + start if start else 0
        trained = mark_tokens(offsets, [(begin, len(whole))])
        trained[:1] = [False] * len(trained[:1])
        own = range(len(lead), len(lead) + len(text))
        covered = {
            place
            for (first, last), counts in zip(offsets, trained, strict=True)
            if counts
            for place in range(max(first, own.start), min(last, own.stop))
        }
        size = len("".join(whole[place] for place in sorted(covered)).encode("utf-8", errors="replace"))
        found.append(EncodedText(row, tuple(ids), tuple(trained), size))
    if not any(any(text.trained) for text in found):
        raise PhinbError("No row has a token that training would learn.", "Are the rows empty, or max_seq_len 1?")
    return found


def sum_losses(
    texts: Sequence[EncodedText], log_probabilities: Sequence[Sequence[float | None]]
) -> tuple[RowLoss, ...]:
    """The rows' losses from each token's log-probability (nats, None for the first); rows without a trained token are
    left out. Raises PhinbError where a value is not a number."""
    losses = []
    for text, values in zip(texts, log_probabilities, strict=True):
        own = [value for value, counts in zip(values, text.trained, strict=True) if counts]
        numbers = [value for value in own if value is not None and value == value and value != float("-inf")]
        if len(numbers) < len(own):
            raise PhinbError(
                f"The model gives no number (nan or -inf) for row {text.row + 1}.",
                "Its weights are damaged or overflow: build the artefact again.",
            )
        if own:
            losses.append(RowLoss(text.row, -sum(numbers), len(own), text.bytes))
    return tuple(losses)
