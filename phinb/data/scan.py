"""A data config on its way through the tokenizer: first sequences at once, then the numbers, batch by batch.

Nothing is held but what tally.py keeps; a sequence that is asked for is read and tokenised again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from phinb.data.beginning import Beginning
from phinb.data.completion import ASSISTANT, check_trained_field
from phinb.data.contents import Contents, open_contents
from phinb.data.duplicates import Near, count_leaks, find_near
from phinb.data.encoder import Encoder
from phinb.data.recipe import Recipe, check_kind, check_recipe, read_recipe
from phinb.data.rows import Rows, Unreadable
from phinb.data.sequences import Assembler, Rest
from phinb.data.source import open_rows, parameters
from phinb.data.statistics import Batching, Place, Sequences, summarize
from phinb.data.tally import MOST_TEXTS, Tally, split_batch
from phinb.data.template import answer_field
from phinb.data.texts import Row, check_columns, make_texts, missing_values
from phinb.errors import PhinbError
from phinb.models.tokenizers import Tokenizer
from phinb.types import DataStats, Problem
from phinb.types import Sequence as TrainingSequence

Order = Literal["data", "longest", "shortest", "truncated", "no_eos"]
OnProgress = Callable[[int, int | None, DataStats], None]
"""(rows done, rows in all or None where that is not known, the numbers so far)"""

ShouldStop = Callable[[], bool]
Part = tuple[Sequence[Row], Sequence[str]]
"""Rows, and the text of each."""

NOTHING = DataStats(0, 0, 0, 0, 0, 0, 0, exact=False)

FIRST_WITHIN_S = 0.02
"""Seconds after which `first` gives what it has; opening rows and tokenizer comes before, in 50 and 80 ms."""

TELL_EVERY_S = 0.2
"""Seconds between two reports of progress; more where making one takes more than a twentieth of that."""

MOST_CUT = 2000
"""Tokens that `rest` gives of what is cut off a sequence."""


class Scan:
    """One data config, as Olive gets it, under a tokenizer. Never raises for bad data: see `problems`.

    `batch_size`, `accumulation`, `sampling` (train_sampling_strategy) and `drops_last` (dataloader_drop_last) are the
    trainer's; `eval_split` is the share
    of the sequences that training does not get; `trained_field` the column, or the role of a chat, that the loss is
    on (None: every token); `answer` the same for what counts as the answer, by default the trained field, else the
    template's last one. `others` are data configs, by name, whose rows had better not be among these. Relative paths
    start at `folder`. `run` may run in a thread of its own while another asks for sequences and numbers.
    """

    def __init__(
        self,
        data_config: Mapping[str, Any],
        tokenizer: Tokenizer,
        folder: Path,
        *,
        batch_size: int | None = None,
        accumulation: int | None = None,
        sampling: str = "random",
        drops_last: bool = False,
        eval_split: float | None = None,
        trained_field: str | None = None,
        answer: str | None = None,
        others: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.name = str(data_config.get("name", ""))
        self.path = f"data_configs.{self.name}.pre_process_data_config"
        self.batching = Batching(batch_size, accumulation, sampling, drops_last)
        self.eval_split = eval_split
        self.done = False
        """Whether all rows are in the numbers."""
        self.recipe, self._before = _read_recipe(data_config, trained_field, self.path)
        usable = not any(map(_stops, self._before))
        self.rows = open_rows(data_config, folder) if usable else Rows(None)
        checked = self.rows.ok and bool(self.rows.columns)
        self._after = check_columns(self.rows.columns, self.recipe, tokenizer, self.path) if checked else []
        usable = checked and not any(map(_stops, self._after))
        opened = {name: open_contents(other, folder) for name, other in (others or {}).items()} if usable else {}
        self.others = {name: contents for name, contents in opened.items() if contents is not None}
        answer = answer or trained_field or _find_answer(self.recipe) if usable else None
        self._encoder = Encoder(tokenizer)
        self.tally = Tally(
            self.recipe if usable else Recipe(),
            tokenizer,
            answer=answer,
            keep_contents=bool(self.others),
            encoder=self._encoder,
        )
        self._assembler = Assembler(
            self.rows,
            self.recipe,
            self._encoder,
            self.tally.joiner,
            lambda text: int(self._lay_out().row_numbers[text]),
        )
        self._sequences: Sequences | None = None
        self._leaks: dict[str, int] = {}
        self._near: Near | None = None
        self._lock = RLock()

    # ------------------------------------------------------------------------------------------- what is there

    @property
    def ok(self) -> bool:
        """Whether there is anything to show, as far as is known."""
        return not any(map(_stops, self.problems))

    @property
    def outdated(self) -> bool:
        """Whether a file that is read has changed since: what is known is not what training would get."""
        return self.rows.outdated or any(contents.rows.outdated for contents in self.others.values())

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the data config, its rows, and their values so far."""
        tally = self.tally
        gaps = [missing_values(name, gone, tally.rows, at, self.path) for name, (gone, at) in tally.missing.items()]
        return [*self._before, *self.rows.problems, *self._after, *gaps]

    @property
    def count(self) -> int:
        """Sequences so far. A random strategy has none before all rows are read."""
        return len(self._lay_out())

    @property
    def stats(self) -> DataStats:
        """The numbers so far; `exact` once all rows are in them."""
        with self._lock:
            if not self.ok:
                return dataclasses.replace(NOTHING, rows=self.tally.rows)
            found = summarize(self._lay_out(), self.batching, eval_split=self.eval_split, exact=self.done)
            leaks = dict(self._leaks)
            if self._near is None:
                return dataclasses.replace(found, leaks=leaks)
            near = self._near
            return dataclasses.replace(found, leaks=leaks, near_duplicates=near.rows, near_leaks=dict(near.leaks))

    def sequence(self, index: int) -> TrainingSequence:
        """One of the sequences so far, in full.

        Raises IndexError where there is none, PhinbError where it cannot be padded or its rows no longer be read.
        """
        with self._lock:
            sequences = self._lay_out()
            return self._assembler.assemble(*sequences.find_place(range(len(sequences))[index]))

    def look(self, most: int, tokens: int) -> tuple[TrainingSequence, ...]:
        """The first `most` sequences so far, fewer where their rows have more than so many tokens; at least one.

        Raises as `sequence` does.
        """
        with self._lock:
            sequences = self._lay_out()
            places = [sequences.find_place(index) for index in range(min(most, len(sequences)))]
            made: list[TrainingSequence] = []
            for place in places:
                tokens -= int(sequences.lengths[place[0]])
                if made and tokens < 0:
                    break
                made.append(self._assembler.assemble(*place))
            return tuple(made)

    def rest(self, index: int, most: int = MOST_CUT) -> Rest:
        """What of its rows one of the sequences so far leaves out; of what is cut off at most `most` tokens.

        Raises as `sequence` does.
        """
        with self._lock:
            sequences = self._lay_out()
            return self._assembler.find_rest(*sequences.find_place(range(len(sequences))[index]), most)

    def find_sequence(self, row: int) -> int | None:
        """The first sequence that has the beginning of a row (counted from 0) in it; None where none has, so far."""
        with self._lock:
            sequences = self._lay_out()
            return sequences.find_row(row)

    def order(self, by: Order) -> NDArray[np.int64]:
        """Indices of sequences: all by data, longest or shortest (before they were cut); or those that are truncated,
        or have no end of sequence in their loss (no_eos)."""
        with self._lock:
            sequences = self._lay_out()
            if by == "truncated":
                return np.flatnonzero(sequences.cut)
            if by == "no_eos":
                return np.flatnonzero(sequences.stops == 0)
            if by == "data":
                return np.arange(len(sequences))
            return np.argsort(sequences.full_sizes * (-1 if by == "longest" else 1), kind="stable")

    # ------------------------------------------------------------------------------------------------ the work

    def first(
        self,
        limit: int = 20,
        *,
        start: int = 0,
        within_s: float = FIRST_WITHIN_S,
        should_stop: ShouldStop | None = None,
    ) -> list[TrainingSequence]:
        """The first sequences from `start` (counted from 0) on, as many as can be made in time, of however many rows.

        A long row takes longer, unless `should_stop` says so meanwhile.
        None under a random strategy as long as only all rows together tell which texts there are to draw from.
        """
        began = time.monotonic()
        found = self._find_first(start + limit, began + within_s / 2, should_stop)  # the other half is for their tokens
        made: list[TrainingSequence] = []
        try:
            for assembler, place in islice(found, start, start + limit):
                made.append(assembler.assemble(*place))
                if time.monotonic() > began + within_s:
                    break
        except PhinbError as error:
            self._blame(error)
        return made

    def run(self, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None) -> DataStats:
        """Take in all rows, then look for them in the other data configs. After a stop it goes on where it was."""
        told, pause = time.monotonic(), TELL_EVERY_S
        try:
            for _ in self._take_rows(should_stop):
                began = time.monotonic()
                if on_progress is not None and began - told > pause:
                    on_progress(self.tally.rows, self.rows.total, self.stats)
                    told = time.monotonic()
                    pause = max(TELL_EVERY_S, 20 * (told - began))
            if self.done:
                self._count_leaks(should_stop)
        except PhinbError as error:
            self._blame(error)
        stats = self.stats
        if on_progress is not None:
            on_progress(self.tally.rows, self.rows.total, stats)
        return stats

    def find_near(
        self, on_progress: Callable[[float], None] | None = None, should_stop: ShouldStop | None = None
    ) -> DataStats:
        """Count rows that are nearly others (duplicates.py), of this data config and of the others.

        Tokenises all rows anew: 100,000 short ones take a few seconds. `on_progress` hears the share that is done.
        """
        try:
            own = Contents(self.rows, self.recipe)
            if self.ok and own.ok:
                others = {name: contents.batches() for name, contents in self.others.items()}
                self._near = find_near(own.batches(), others, self.tally.tokenizer, on_progress, should_stop)
        except PhinbError as error:
            self._blame(error)
        return self.stats

    def _take_rows(self, should_stop: ShouldStop | None) -> Iterator[None]:
        """Tally the rows that are not yet; gives control back now and then."""
        if self.done or not self.ok:
            return
        for part in self._read_ahead(should_stop):
            if should_stop is not None and should_stop():
                return
            if not self._encoder.prepare(part[1], should_stop):
                return
            with self._lock:
                self.tally.take(*part)
            yield
        if should_stop is not None and should_stop():
            return
        with self._lock:
            try:
                self._sequences = Sequences(self.tally, final=True)
            except ValueError as error:
                hint = "Give the data rows that have text."
                raise PhinbError("There is no text to draw sequences from.", hint) from error
            self.done = True

    def _read_ahead(self, should_stop: ShouldStop | None) -> Iterator[Part]:
        """The parts of `_read_parts`: the tokenizer is at the next one while one is counted. What ends the reading is
        raised after all that came before it."""
        parts = self._read_parts(should_stop)
        part, failed = next(parts, None), None
        if part is not None:
            self.tally.begin(part[1])
        while part is not None:
            try:
                following = next(parts, None)
            except PhinbError as error:
                following, failed = None, error
            if following is not None:
                self.tally.begin(following[1])
            yield part
            part = following
        if failed is not None:
            raise failed

    def _read_parts(self, should_stop: ShouldStop | None) -> Iterator[Part]:
        """The rows that are not yet tallied with their texts, as many as are tokenised at once."""
        done = self.tally.rows
        for batch in self.rows.batches(MOST_TEXTS, start=done, should_stop=should_stop):
            yield from split_batch(batch, make_texts(batch, self.recipe, self.tally.tokenizer, done))
            done += len(batch)

    def _count_leaks(self, should_stop: ShouldStop | None) -> None:
        for name, contents in self.others.items():
            if should_stop is not None and should_stop():
                return
            if name not in self._leaks:
                self._leaks[name] = count_leaks(self.tally.contents.values, contents.batches())

    def _lay_out(self) -> Sequences:
        """The sequences of the rows so far."""
        with self._lock:
            known = self._sequences
            if known is None or known.rows != self.tally.rows or known.final != self.done:
                self._sequences = known = Sequences(self.tally, final=self.done)
            return known

    def _find_first(
        self, limit: int, until: float, should_stop: ShouldStop | None
    ) -> Iterator[tuple[Assembler, Place]]:
        if not self.ok:
            return
        if not self.done:
            yield from Beginning(self.rows, self.recipe, self._encoder, self.tally.joiner).find(
                limit, until, should_stop
            )
            return
        sequences = self._lay_out()
        for index in range(min(limit, len(sequences))):
            yield self._assembler, sequences.find_place(index)

    def _blame(self, error: PhinbError) -> None:
        if not isinstance(error, Unreadable):  # which the rows have noted themselves
            problem = Problem("error", "row_unreadable", error.message, self.path, hint=error.hint)
            if problem not in self._after:
                self._after.append(problem)


def _read_recipe(data_config: Mapping[str, Any], trained_field: str | None, path: str) -> tuple[Recipe, list[Problem]]:
    """The recipe as far as it can be read, and what is wrong with it."""
    params = parameters(data_config.get("pre_process_data_config"))
    problems = check_kind(data_config, params, path)
    try:
        recipe = read_recipe(params)
    except ValueError as error:
        return Recipe(), [
            *problems,
            Problem("error", "bad_value", f"{error}.", path, hint="Write a value of the right kind."),
        ]
    problems += check_recipe(recipe, path)
    if trained_field is not None:
        recipe = dataclasses.replace(recipe, trained_field=trained_field)
        with suppress(PhinbError):  # a template that cannot be read: check_columns says so
            problems += check_trained_field(recipe, path)
    return recipe, problems


def _find_answer(recipe: Recipe) -> str | None:
    """What an answer is where nobody says so. A template that cannot be read has none."""
    if recipe.chat_template:
        return ASSISTANT
    try:
        return answer_field(recipe.text_template) if recipe.text_template else None
    except PhinbError:
        return None


def _stops(problem: Problem) -> bool:
    return problem.severity == "error" or problem.code == "preview_unavailable"
