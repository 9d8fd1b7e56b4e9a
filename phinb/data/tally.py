"""What is kept of rows while they pass through the tokenizer: lengths, hashes and places, never texts or tokens.

A million rows take some 20 MB. A sequence that is to be looked at is tokenised again (sequences.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phinb.data.answers import find_cut_answers, mark_many
from phinb.data.completion import find_all_trained
from phinb.data.encoder import LONG, Encoder
from phinb.data.layout import Positions
from phinb.data.recipe import Recipe
from phinb.data.template import fields
from phinb.data.texts import Row, write_contents
from phinb.models.tokenizers import Tokenizer, flatten_ids

if TYPE_CHECKING:
    from phinb.models.tokenizers import Ids

Of = TypeVar("Of")
"""What a text is of: a row, say."""

MOST_LABELS = 100
"""Distinct values up to which an answer's are counted; where it has more it is no label."""

MOST_TEXTS, MOST_CHARACTERS = 1000, 400_000
"""What is tokenised at once: fewer is slower, more is slower too and cannot be stopped."""


class Growing:
    """An array of whole numbers that grows by pieces."""

    def __init__(self, dtype: type[np.signedinteger]) -> None:
        self._dtype = dtype
        self._parts: list[NDArray[np.int64]] = [np.zeros(0, dtype=dtype)]

    def add(self, values: ArrayLike) -> None:
        self._parts.append(np.asarray(values, dtype=self._dtype))

    @property
    def values(self) -> NDArray[np.int64]:
        """All of it so far, in the width that it was made with."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]


class Tally:
    """The rows so far. Texts are numbered from 0, a row's each; a row whose text is empty has none, as in Olive.

    lengths, hashes: of each text its tokens, and a hash of it. empty: the rows without a text.
    stops: (text, place) of each token of a text that ends sequences and is trained on. runs: (text, start, end) of the
    tokens that are trained on, where the loss is on the completion only. cut: texts that truncation takes a part of
    their answer from. contents: a hash of the values of each row with a text, where they are asked for. labels: the
    answer's values, None if they are too many. missing: column of the template -> (rows without a value, the first
    of them, from 1).
    """

    def __init__(
        self,
        recipe: Recipe,
        tokenizer: Tokenizer,
        *,
        answer: str | None = None,
        keep_contents: bool = False,
        encoder: Encoder | None = None,
    ) -> None:
        self.recipe, self.tokenizer, self.answer = recipe, tokenizer, answer
        self._encoder = encoder or Encoder(tokenizer)
        self.joiner = list(tokenizer.encode(recipe.joiner).ids) if recipe.joins and recipe.joiner else []
        self.rows = self.texts = 0
        self.lengths, self.hashes, self.contents = Growing(np.int32), Growing(np.int64), Growing(np.int64)
        self.empty, self.cut = Growing(np.int64), Growing(np.int64)
        self.stops = Growing(np.int64), Growing(np.int32)
        self.runs = Growing(np.int64), Growing(np.int32), Growing(np.int32)
        self.missing: dict[str, tuple[int, int]] = {}
        self._columns = fields(recipe.text_template) if recipe.text_template and not recipe.chat_template else ()
        self.labels: Counter[str] | None = Counter() if answer in self._columns else None
        self._keep_contents = keep_contents

    @property
    def row_numbers(self) -> Positions:
        """The row of each text."""
        every = np.arange(self.rows, dtype=np.int64)
        return np.delete(every, self.empty.values) if len(self.empty.values) else every

    def begin(self, texts: Sequence[str]) -> None:
        """Have the texts tokenised that will be taken after these: the tokenizer works while others are counted."""
        texts = [text for text in texts if text]
        if texts:
            self._encoder.begin(texts, offsets=self.recipe.trained_field is not None)

    def take(self, rows: Sequence[Row], texts: Sequence[str]) -> None:
        """Count the next rows; `texts` are theirs (texts.make_texts)."""
        self._count_values(rows)
        if not all(texts):
            self.empty.add([self.rows + index for index, text in enumerate(texts) if not text])
        self.rows += len(rows)
        pairs = [(row, text) for row, text in zip(rows, texts, strict=True) if text]
        if not pairs:
            return
        rows, texts = [row for row, _ in pairs], [text for _, text in pairs]
        self.hashes.add(hash_all(texts))
        if self._keep_contents:
            self.contents.add(hash_all(write_contents(rows, self.recipe)))
        self._encode(rows, texts)
        self.texts += len(texts)

    def _encode(self, rows: Sequence[Row], texts: Sequence[str]) -> None:
        recipe, tokenizer = self.recipe, self.tokenizer
        encodings, trained = None, None
        if recipe.trained_field is None and max(map(len, texts)) < LONG:
            ids, lengths = self._encoder.encode_flat(texts)
        else:
            encodings = self._encoder.encode(texts)
            ids, lengths = flatten_ids(encodings)
        if recipe.trained_field is not None and encodings is not None:
            ranges = find_all_trained(rows, texts, recipe, tokenizer)
            trained = mark_many(encodings, ranges, lengths)
            self._add_runs(trained, lengths)
        self.lengths.add(lengths)
        self._add_stops(ids, lengths, trained)
        long = np.flatnonzero(lengths > recipe.max_seq_len).tolist() if self.answer and not recipe.joins else []
        if long and self.answer:
            chosen = [texts[index] for index in long]
            known = [encodings[index] for index in long] if encodings else tokenizer.encode_raw(chosen)
            cut = find_cut_answers([rows[index] for index in long], chosen, known, recipe, tokenizer, self.answer)
            self.cut.add([self.texts + long[index] for index in cut])

    def _add_stops(self, ids: Ids, lengths: Ids, trained: NDArray[np.bool_] | None) -> None:
        stops = np.isin(ids, list(self.tokenizer.stop_ids))
        text, place = _place(np.flatnonzero(stops if trained is None else stops & trained), lengths)
        self.stops[0].add(self.texts + text)
        self.stops[1].add(place)

    def _add_runs(self, trained: NDArray[np.bool_], lengths: Ids) -> None:
        """Keep where stretches of trained tokens begin and end; none reaches from one text into the next."""
        starts = np.zeros(len(trained) + 1, dtype=np.bool_)
        starts[np.cumsum(lengths)] = True  # the end of each text, which is the start of the next
        starts[0] = True
        before, after = np.roll(trained, 1), np.roll(trained, -1)
        begin = np.flatnonzero(trained & (starts[:-1] | ~before))
        end = np.flatnonzero(trained & (starts[1:] | ~after))
        text, place = _place(begin, lengths)
        self.runs[0].add(self.texts + text)
        self.runs[1].add(place)
        self.runs[2].add(place + (end - begin) + 1)

    def _count_values(self, rows: Sequence[Row]) -> None:
        for name in self._columns:
            gaps = [index for index, row in enumerate(rows) if row.get(name) is None]
            if gaps:
                count, first = self.missing.get(name, (0, self.rows + gaps[0] + 1))
                self.missing[name] = (count + len(gaps), first)
        if self.labels is not None and self.answer is not None:
            self.labels.update(str(row.get(self.answer)) for row in rows)
            if len(self.labels) > MOST_LABELS:
                self.labels = None


def split_batch(rows: Sequence[Of], texts: Sequence[str]) -> Iterator[tuple[Sequence[Of], Sequence[str]]]:
    """The same rows and texts in parts of at most MOST_TEXTS and MOST_CHARACTERS; a long text (encoder.py) is alone."""
    begin = characters = 0
    for index, text in enumerate(texts):
        if index > begin and (
            characters + len(text) > MOST_CHARACTERS
            or index - begin >= MOST_TEXTS
            or len(text) >= LONG
            or len(texts[index - 1]) >= LONG
        ):
            yield rows[begin:index], texts[begin:index]
            begin, characters = index, 0
        characters += len(text)
    if begin < len(texts):
        yield rows[begin:], texts[begin:]


def hash_all(texts: Sequence[str]) -> NDArray[np.int64]:
    """A 64-bit hash of each text, good within this process: among a million texts two have the same by a chance of
    3 in 100 million (Python's SipHash)."""
    return np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))


def _place(tokens: NDArray[np.int64], lengths: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(text, place in it) of tokens that are numbered through all texts."""
    ends = np.cumsum(lengths, dtype=np.int64)
    text = np.searchsorted(ends, tokens, side="right")
    return text, tokens - (ends - lengths)[text]
