"""Rows -> the sequences that training gets, token by token, with the row and field that each token comes from.

Ids, labels and masks are those of Olive's own pre-process (tests compare them), made without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from phinb.data.completion import find_trained
from phinb.data.completion_loss import IGNORED, Range, mark_tokens
from phinb.data.encoder import Encoder
from phinb.data.recipe import Recipe
from phinb.data.template import TEMPLATE, Stretch
from phinb.data.texts import Row, trace_text
from phinb.errors import PhinbError
from phinb.types import Sequence as TrainingSequence
from phinb.types import Span

if TYPE_CHECKING:
    from tokenizers import Encoding as RawEncoding

KEPT, KEPT_TOKENS = 2000, 500_000
"""Texts, and tokens of them, that are remembered while sequences are put together."""

AHEAD = 16
"""Rows that are read at once where sequences go on from one to the next."""


class Pages(Protocol):
    """Rows of which a few can be had at any place."""

    def page(self, start: int, stop: int) -> Sequence[Row]: ...


Tokens = tuple[Sequence[int], Sequence[Span | None], Sequence[bool]]
"""Of some tokens: the id of each, where it comes from, and whether it is trained on."""


class Traced:
    """A row's tokens; where each comes from is found out for those that are asked for: a row may have a million.

    `number` is the row's. Each token comes from the field that most of its characters come from.
    """

    def __init__(
        self,
        encoding: RawEncoding,
        stretches: Sequence[Stretch],
        number: int,
        ranges: Sequence[Range] | None,
    ) -> None:
        self._encoding, self._stretches, self._ranges = encoding, stretches, ranges
        self.ids: tuple[int, ...] = tuple(encoding.ids)
        self._made = {name: None if name is None else Span(number, name) for name in {one.field for one in stretches}}
        self._made[TEMPLATE] = Span(number, TEMPLATE)

    def take(self, start: int, stop: int) -> Tokens:
        """Tokens [start, stop)."""
        ids = self.ids[start:stop]
        offsets = self._find_offsets(start, start + len(ids))
        spans = [self._made[name] for name in _find_fields(self._stretches, offsets)]
        trained = [True] * len(ids) if self._ranges is None else mark_tokens(offsets, self._ranges)
        return ids, spans, trained

    def _find_offsets(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The library makes all of them at once, or one by one."""
        if stop - start > len(self.ids) // 8:
            return list(self._encoding.offsets[start:stop])
        found = [self._encoding.token_to_chars(at) for at in range(start, stop)]
        return [one or (0, 0) for one in found]


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
        self, rows: Pages, recipe: Recipe, encoder: Encoder, joiner: Sequence[int], find_row: Callable[[int], int]
    ) -> None:
        self.rows, self.recipe, self.encoder, self.tokenizer = rows, recipe, encoder, encoder.tokenizer
        self.joiner = tuple(joiner) if recipe.joins else ()
        self.find_row = find_row
        self._rows: dict[int, Row] = {}
        self._texts: dict[int, Traced] = {}
        self._kept = 0
        self._pieces: dict[int, str] = {}

    def assemble(self, text: int, offset: int, size: int) -> TrainingSequence:
        """The sequence of `size` tokens (padding not counted) from token `offset` of a text on."""
        ids: list[int] = []
        spans: list[Span | None] = []
        trained: list[bool] = []
        while len(ids) < size:
            end = min(offset + size - len(ids), self.measure(text))
            own, sources, learnt = self._take(text, offset, end)
            ids += own
            spans += sources
            trained += learnt
            text, offset = text + 1, 0
        labels = [token if kept else IGNORED for token, kept in zip(ids, trained, strict=True)]
        for index in _ignored(self.recipe, len(ids)):
            labels[index] = IGNORED
        return self._fill(ids, labels, spans)

    def find_rest(self, text: int, offset: int, size: int, most: int) -> Rest:
        """What the sequence that `assemble` makes of the same place leaves out; at most `most` tokens are given."""
        if self.recipe.joins:
            return self._find_joined_rest(text, offset, size)
        before, after = range(offset), range(offset + size, self.measure(text))
        chosen = before[-most:] if before else after[:most]
        ids, spans, _ = self._take(text, chosen.start, chosen.stop)
        cut = TrainingSequence(
            tuple(ids), (IGNORED,) * len(ids), (1,) * len(ids), tuple(map(self._write, ids)), tuple(spans)
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
        return len(self._trace(text).ids) + len(self.joiner)

    def _take(self, text: int, start: int, stop: int) -> Tokens:
        """Tokens [start, stop) of a text and the joiner behind it."""
        traced = self._trace(text)
        ids, spans, trained = traced.take(start, stop)
        own = len(traced.ids)
        joiner = self.joiner[max(start - own, 0) : max(stop - own, 0)]
        if not joiner:
            return ids, spans, trained
        # Text that joins two rows belongs to neither, and is trained on only where all is.
        learnt = self.recipe.trained_field is None
        return (*ids, *joiner), [*spans, *[None] * len(joiner)], [*trained, *[learnt] * len(joiner)]

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
            found = trace(self._read(number), number, self.recipe, self.encoder)
            if len(self._texts) >= KEPT or self._kept + len(found.ids) > KEPT_TOKENS:
                self._texts.clear()
                self._kept = 0
            self._texts[text] = found
            self._kept += len(found.ids)
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


def trace(row: Row, number: int, recipe: Recipe, encoder: Encoder) -> Traced:
    """A row's tokens; `number` is the row's. Raises PhinbError where the row gives no text."""
    text, stretches = trace_text(row, recipe, encoder.tokenizer)
    learns = recipe.trained_field is not None
    ranges = find_trained(row, text, recipe, encoder.tokenizer) if learns else None
    return Traced(encoder.encode([text])[0], stretches, number, ranges)


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
