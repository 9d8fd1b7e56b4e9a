"""The first sequences of data of which nothing has been counted yet, made of as few rows as will do."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

from phinb.data.encoder import Encoder
from phinb.data.layout import draw_lines, draw_starts
from phinb.data.recipe import Recipe
from phinb.data.rows import Rows
from phinb.data.sequences import Assembler
from phinb.data.statistics import Place, Sequences
from phinb.data.tally import Tally, split_batch
from phinb.data.texts import make_texts, never_empty

PAGE = 64
"""Rows to begin with; each time there are too few, twice as many more are taken."""


class Beginning:
    """Where the first sequences are, with an assembler that makes them. `joiner` is the tokens that join two rows."""

    def __init__(self, rows: Rows, recipe: Recipe, encoder: Encoder, joiner: Sequence[int]) -> None:
        self._rows, self._recipe, self._encoder, self._joiner = rows, recipe, encoder, joiner

    def find(
        self, limit: int, until: float, should_stop: Callable[[], bool] | None
    ) -> Iterator[tuple[Assembler, Place]]:
        """The first `limit` at most, of as many rows as can be measured until then (time.monotonic).

        None under a random strategy where only all rows together tell which texts there are to draw from.
        """
        if self._recipe.is_random:
            yield from self._draw(until)
            return
        sequences = self._measure(limit, until, should_stop)
        numbers = sequences.row_numbers
        assembler = self._make_assembler(lambda text: int(numbers[text]))
        for index in range(min(limit, len(sequences))):
            yield assembler, sequences.find_place(index)

    def _measure(self, limit: int, until: float, should_stop: Callable[[], bool] | None) -> Sequences:
        """The sequences of as many rows as `limit` of them need, or there is time for."""
        recipe = dataclasses.replace(self._recipe, trained_field=None)  # lengths are enough
        tokenizer = self._encoder.tokenizer
        tally = Tally(recipe, tokenizer, encoder=self._encoder)
        size = PAGE
        while True:
            batch = self._rows.page(tally.rows, tally.rows + size)
            for part in split_batch(batch, make_texts(batch, recipe, tokenizer, tally.rows)):
                if not self._encoder.prepare(part[1], should_stop):
                    return Sequences(tally, final=False)
                tally.take(*part)
                if time.monotonic() > until:
                    break
            sequences = Sequences(tally, final=False)
            if len(sequences) >= limit or not batch or time.monotonic() > until:
                return sequences
            size *= 2

    def _draw(self, until: float) -> Iterator[tuple[Assembler, Place]]:
        """What a random strategy draws first; each row is read when it is drawn."""
        recipe = self._recipe
        total = self._rows.count(should_stop=lambda: time.monotonic() > until) if never_empty(recipe) else None
        if not total:
            return
        assembler = self._make_assembler(lambda text: text)
        size = recipe.max_seq_len
        if recipe.joins:

            def count_from(text: int) -> int:
                found = 0
                while found < size and text < total:
                    found, text = found + assembler.measure(text), text + 1
                return found

            for text in draw_starts(total, count_from, recipe):
                yield assembler, (text, 0, size)
        else:
            for text in draw_lines(total, assembler.measure, recipe):
                length = assembler.measure(text)
                offset = max(length - size, 0) if self._encoder.tokenizer.cuts_left else 0
                yield assembler, (text, offset, min(length, size))

    def _make_assembler(self, find_row: Callable[[int], int]) -> Assembler:
        return Assembler(self._rows, self._recipe, self._encoder, self._joiner, find_row)
