"""Rows -> the sequences that training gets, token by token, with the row and field that each token comes from.

Ids, labels and masks are those of Olive's own pre-process (tests compare them), made without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from phinb.data.completion import find_trained
from phinb.data.completion_loss import IGNORED, mark_tokens
from phinb.data.recipe import Recipe
from phinb.data.template import TEMPLATE, Stretch
from phinb.data.texts import Row, trace_text
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import Sequence as TrainingSequence
from phinb.types import Span

KEPT = 2000
"""Texts that are remembered while sequences are put together."""

AHEAD = 16
"""Rows that are read at once where sequences go on from one to the next."""


class Pages(Protocol):
    """Rows of which a few can be had at any place."""

    def page(self, start: int, stop: int) -> Sequence[Row]: ...


@dataclass(frozen=True)
class Traced:
    """A text's tokens with the joiner's behind them: id, where it comes from, whether it is trained on."""

    ids: tuple[int, ...]
    spans: tuple[Span | None, ...]
    trained: tuple[bool, ...]


NO_TOKENS = TrainingSequence((), (), ())


@dataclass(frozen=True)
class Rest:
    """What of its rows a sequence leaves out.

    cut: tokens of its row that truncation takes off, as many as were asked for; `count` is how many there are, and
    `in_front` says that they stand in front of the sequence and not behind it. begun, ended: the row, counted from 0,
    that a sequence of joined rows begins and ends in the middle of.
    """

    cut: TrainingSequence = NO_TOKENS
    count: int = 0
    in_front: bool = False
    begun: int | None = None
    ended: int | None = None


class Assembler:
    """Puts single sequences together; their rows are read and tokenised again for it.

    `find_row` gives the row of a text. Not for two threads at once.
    """

    def __init__(
        self, rows: Pages, recipe: Recipe, tokenizer: Tokenizer, joiner: Sequence[int], find_row: Callable[[int], int]
    ) -> None:
        self.rows, self.recipe, self.tokenizer = rows, recipe, tokenizer
        self.joiner = tuple(joiner) if recipe.joins else ()
        self.find_row = find_row
        self._rows: dict[int, Row] = {}
        self._texts: dict[int, Traced] = {}
        self._pieces: dict[int, str] = {}

    def assemble(self, text: int, offset: int, size: int) -> TrainingSequence:
        """The sequence of `size` tokens (padding not counted) from token `offset` of a text on."""
        ids: list[int] = []
        spans: list[Span | None] = []
        trained: list[bool] = []
        while len(ids) < size:
            traced = self._trace(text)
            end = min(offset + size - len(ids), len(traced.ids))
            ids += traced.ids[offset:end]
            spans += traced.spans[offset:end]
            trained += traced.trained[offset:end]
            text, offset = text + 1, 0
        labels = [token if kept else IGNORED for token, kept in zip(ids, trained, strict=True)]
        for index in _ignored(self.recipe, len(ids)):
            labels[index] = IGNORED
        return self._fill(ids, labels, spans)

    def find_rest(self, text: int, offset: int, size: int, most: int) -> Rest:
        """What the sequence that `assemble` makes of the same place leaves out; at most `most` tokens are given."""
        if self.recipe.joins:
            return self._find_joined_rest(text, offset, size)
        traced = self._trace(text)
        before, after = range(offset), range(offset + size, len(traced.ids))
        chosen = before[-most:] if before else after[:most]
        ids = tuple(traced.ids[at] for at in chosen)
        cut = TrainingSequence(
            ids,
            (IGNORED,) * len(ids),
            (1,) * len(ids),
            tuple(map(self._write, ids)),
            tuple(traced.spans[at] for at in chosen),
        )
        return Rest(cut, len(before) + len(after), in_front=bool(before))

    def _find_joined_rest(self, text: int, offset: int, size: int) -> Rest:
        """A sequence that begins or ends in the joiner leaves no row half."""
        own = self.measure(text) - len(self.joiner)
        begun = self.find_row(text) if 0 < offset < own else None
        left = offset + size
        while left > self.measure(text):
            left, text = left - self.measure(text), text + 1
        ended = self.find_row(text) if left < self.measure(text) - len(self.joiner) else None
        return Rest(begun=begun, ended=ended)

    def measure(self, text: int) -> int:
        """Tokens of a text, the joiner's included."""
        return len(self._trace(text).ids)

    def _fill(self, ids: list[int], labels: list[int], spans: list[Span | None]) -> TrainingSequence:
        """Pad to max_seq_len where the recipe says so."""
        recipe = self.recipe
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

    def _trace(self, text: int) -> Traced:
        if text not in self._texts:
            number = self.find_row(text)
            found = trace(self._read(number), number, self.recipe, self.tokenizer)
            if len(self._texts) >= KEPT:
                self._texts.clear()
            joiner = self.joiner
            # Text that joins two rows belongs to neither, and is trained on only where all is.
            self._texts[text] = Traced(
                found.ids + joiner,
                found.spans + (None,) * len(joiner),
                found.trained + (self.recipe.trained_field is None,) * len(joiner),
            )
        return self._texts[text]

    def _read(self, number: int) -> Row:
        if number not in self._rows:
            page = self.rows.page(number, number + (AHEAD if self.recipe.joins else 1))
            self._rows = dict(enumerate(page, start=number))
        return self._rows[number]

    def _write(self, token: int) -> str:
        if token not in self._pieces:
            self._pieces[token] = self.tokenizer.text(token)
        return self._pieces[token]

    def _pad_id(self) -> int:
        pad = self.tokenizer.pad_id
        if pad is None:
            raise PhinbError(
                "The tokenizer has neither a pad nor an eos token, so nothing can be padded.",
                'Set "pad_to_max_len" to false.',
            )
        return pad


def trace(row: Row, number: int, recipe: Recipe, tokenizer: Tokenizer) -> Traced:
    """A row's tokens; each comes from the field that most of its characters come from. `number` is the row's."""
    text, stretches = trace_text(row, recipe, tokenizer)
    encoding = tokenizer.encode(text)
    made = {name: None if name is None else Span(number, name) for name in {one.field for one in stretches}}
    made[TEMPLATE] = Span(number, TEMPLATE)
    spans = tuple(made[name] for name in _find_fields(stretches, encoding.offsets))
    if recipe.trained_field is None:
        return Traced(encoding.ids, spans, (True,) * len(encoding.ids))
    trained = mark_tokens(encoding.offsets, find_trained(row, text, recipe, tokenizer))
    return Traced(encoding.ids, spans, tuple(trained))


def _ignored(recipe: Recipe, length: int) -> range:
    """Positions of a sequence that are context only."""
    return range(0) if recipe.context is None else range(*slice(None, recipe.context).indices(length))


def _find_fields(stretches: Sequence[Stretch], offsets: Sequence[tuple[int, int]]) -> Iterator[str | None]:
    """For each token the field with most of its characters, of equals the later; None for bos and eos."""
    first = 0  # of the stretches, which follow each other, that reach beyond the token's start
    for start, end in offsets:
        while first and stretches[first - 1].end > start:
            first -= 1
        while first < len(stretches) and stretches[first].end <= start:
            first += 1
        found: str | None = TEMPLATE  # the spaces beside bos and eos
        most = 0
        for stretch in islice(stretches, first, None):
            if stretch.start >= end:
                break
            shared = min(end, stretch.end) - max(start, stretch.start)
            if shared >= most:
                found, most = stretch.field, shared
        yield found


def _pad(values: list[Any], value: Any, count: int, left: bool) -> list[Any]:
    padding = [value] * count
    return padding + values if left else values + padding
