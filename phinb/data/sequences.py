"""Rows -> the sequences that training gets, token by token, with the row and field that each token comes from.

Ids, labels and masks are those of Olive's own pre-process (tests compare them), made without torch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from phinb.data.layout import Block, find_bounds, lay_out
from phinb.data.recipe import Recipe
from phinb.data.template import TEMPLATE, Stretch
from phinb.data.texts import make_texts, trace_text
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import Sequence as TrainingSequence
from phinb.types import Span

IGNORED = -100
"""The label of a token that is not trained on (torch's cross entropy; olive.data.constants.IGNORE_INDEX)."""


@dataclass(frozen=True)
class Tokenized:
    """All rows of a data config as tokens, and the blocks of them that are the sequences.

    `ids` holds each text's tokens; `row_numbers` the row (from 0) of each text, for empty texts are left out.
    `blocks` are [start, end) in the stream of all texts (layout.py).
    """

    rows: Sequence[Mapping[str, Any]]
    recipe: Recipe
    tokenizer: Tokenizer
    ids: list[list[int]]
    row_numbers: list[int]
    joiner: list[int]
    blocks: list[Block]

    @cached_property
    def bounds(self) -> list[int]:
        """Where each text begins in the stream of tokens, and at last the stream's end."""
        return find_bounds([len(ids) for ids in self.ids], len(self.joiner))

    def sequences(self, limit: int | None = None) -> list[TrainingSequence]:
        """The first `limit` sequences in full, by default all of them."""
        assembler = _Assembler(self)
        return [assembler.assemble(block) for block in self.blocks[:limit]]

    def count_trained(self) -> int:
        """Tokens of all sequences that have a label. Each is written out for it where the prompt is masked."""
        if self.recipe.trained_field is not None:
            assembler = _Assembler(self)
            every = (assembler.assemble(block).labels for block in self.blocks)
            return sum(label != IGNORED for labels in every for label in labels)
        lengths = (end - start for start, end in self.blocks)
        return sum(length - len(_ignored(self.recipe, length)) for length in lengths)


@dataclass
class _Assembler:
    """Puts sequences together from blocks; each text is traced, and each token written, once."""

    source: Tokenized
    spans: dict[int, list[Span | None]] = field(default_factory=dict)
    pieces: dict[int, str] = field(default_factory=dict)

    def assemble(self, block: Block) -> TrainingSequence:
        recipe = self.source.recipe
        ids, spans = self._gather(block)
        labels = list(ids)
        for index in _ignored(recipe, len(ids)):
            labels[index] = IGNORED
        if recipe.trained_field is not None:
            for index in mask_prompts(ids, spans, recipe.trained_field, self.source.tokenizer.eos_id):
                labels[index] = IGNORED
        mask = [1] * len(ids)
        missing = recipe.max_seq_len - len(ids) if recipe.pads else 0
        if missing > 0:
            left = recipe.padding_side == "left"
            ids = _pad(ids, self._pad_id(), missing, left)
            labels = _pad(labels, IGNORED, missing, left)
            mask = _pad(mask, 0, missing, left)
            spans = _pad(spans, None, missing, left)
        tokens = tuple(self._write(token) for token in ids)
        return TrainingSequence(tuple(ids), tuple(labels), tuple(mask), tokens, tuple(spans))

    def _gather(self, block: Block) -> tuple[list[int], list[Span | None]]:
        """The block's ids, and the span of each."""
        source, bounds = self.source, self.source.bounds
        ids: list[int] = []
        spans: list[Span | None] = []
        position = block[0]
        while position < block[1]:
            text = bisect_right(bounds, position) - 1
            if text not in self.spans:
                self.spans[text] = [*self._trace(text), *(None for _ in source.joiner)]
            start, end = position - bounds[text], min(block[1], bounds[text + 1]) - bounds[text]
            ids += [*source.ids[text], *source.joiner][start:end]
            spans += self.spans[text][start:end]
            position = bounds[text] + end
        return ids, spans

    def _trace(self, index: int) -> list[Span | None]:
        """The span of each token of a text: the field that most of its characters come from."""
        source = self.source
        row = source.row_numbers[index]
        text, stretches = trace_text(source.rows[row], source.recipe, source.tokenizer)
        spans: list[Span | None] = []
        for start, end in source.tokenizer.encode(text).offsets:
            name = _find_field(stretches, start, end)
            spans.append(None if name is None else Span(row, name))
        return spans

    def _write(self, token: int) -> str:
        if token not in self.pieces:
            self.pieces[token] = self.source.tokenizer.text(token)
        return self.pieces[token]

    def _pad_id(self) -> int:
        pad = self.source.tokenizer.pad_id
        if pad is None:
            raise PhinbError(
                "The tokenizer has neither a pad nor an eos token, so nothing can be padded.",
                'Set "pad_to_max_len" to false.',
            )
        return pad


def tokenize(rows: Sequence[Mapping[str, Any]], recipe: Recipe, tokenizer: Tokenizer) -> Tokenized:
    """Every row's tokens and the layout of the sequences; 100,000 short rows take a few seconds.

    Raises PhinbError where a row gives no text (`make_texts`), or a random strategy has nothing to draw from.
    """
    texts = make_texts(rows, recipe, tokenizer)
    numbers = [number for number, text in enumerate(texts) if text]
    ids = tokenizer.encode_ids([texts[number] for number in numbers])
    joiner = list(tokenizer.encode(recipe.joiner).ids) if recipe.joins and recipe.joiner else []
    try:
        blocks = lay_out([len(one) for one in ids], len(joiner), recipe, cut_left=tokenizer.cuts_left)
    except ValueError as error:
        raise PhinbError("There is no text to draw sequences from.", "Give the data rows that have text.") from error
    return Tokenized(rows, recipe, tokenizer, ids, numbers, joiner, blocks)


def mask_prompts(ids: Sequence[int], spans: Sequence[Span | None], answer: str, eos_id: int | None) -> list[int]:
    """The positions that a loss on the completion leaves out: in each row all that stands before its answer.

    What follows the answer in its row is trained on, up to and with the end of sequence, so that the model learns to
    stop. Text that joins two rows belongs to neither.
    """
    masked = []
    row: int | None = None
    answered = False
    for index, span in enumerate(spans):
        if span is None:
            ends = answered and ids[index] == eos_id
            if not ends:
                masked.append(index)
            answered = False
            continue
        if span.row != row:
            row, answered = span.row, False
        answered = answered or span.field == answer
        if not answered:
            masked.append(index)
    return masked


def _ignored(recipe: Recipe, length: int) -> range:
    """Positions of a sequence that are context only."""
    return range(0) if recipe.context is None else range(*slice(None, recipe.context).indices(length))


def _find_field(stretches: Sequence[Stretch], start: int, end: int) -> str | None:
    """The field with most of the characters [start, end), of equals the later; None for bos and eos."""
    found: str | None = TEMPLATE  # the spaces beside bos and eos
    most = 0
    for stretch in stretches:
        shared = min(end, stretch.end) - max(start, stretch.start)
        if shared > 0 and shared >= most:
            found, most = stretch.field, shared
    return found


def _pad(values: list[Any], value: Any, count: int, left: bool) -> list[Any]:
    padding = [value] * count
    return padding + values if left else values + padding
