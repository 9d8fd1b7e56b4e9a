"""What the columns of rows hold, and which of them is likely the answer: guesses that are told, not hidden."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from phinb.data.column_counts import FEW, ColumnCount
from phinb.data.rows import Rows, ShouldStop, Unreadable
from phinb.data.template import missing_column
from phinb.data.wording import write_count
from phinb.errors import PhinbError
from phinb.folders import Report

Kind = Literal["text", "number", "conversation", "other", "empty"]

LOOKED_AT = 100_000
"""Rows that are looked at where nobody says how many."""

BATCH = 1000
"""Rows that are looked at between two questions whether to stop."""

LABEL_LENGTH = 40
"""Characters up to which a value is taken for the name of a class."""

_LABELS = ("label", "class", "category", "target", "answer", "tone", "sentiment", "emotion", "intent", "topic", "y")
_ANSWERS = ("answer", "response", "output", "completion", "target", "summary", "translation", "reply", "result")
_CANNOT_BE_NAMED = re.compile(r"""[{}\[\].!:"'\n\r\t<>=,;]""")
"""What str.format, or phinb's own check of templates, does not take for a column's name."""


@dataclass(frozen=True)
class Column:
    """A column. distinct: its different values; values: the most frequent of them first, where there are FEW;
    missing: rows without a value; words: those of the longest value; spaced: whether any value has a blank in it.

    rows: how many were looked at, `exact` if these are all; types: rows by the kind of value (text, whole number,
    number, true or false, time, list, object), as datasets made them; classes: rows by value, where there are FEW;
    examples: the first different values.
    """

    name: str
    kind: Kind
    distinct: int
    values: tuple[str, ...]
    missing: int
    words: int
    spaced: bool
    rows: int = 0
    exact: bool = True
    types: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[Any, ...] = ()

    @property
    def imbalance(self) -> float | None:
        """How many times as frequent the most frequent class is as the rarest; None without classes."""
        counts = self.classes.values()
        return max(counts) / min(counts) if counts else None

    @property
    def can_be_named(self) -> bool:
        """Whether a template can name it."""
        return bool(self.name.strip()) and not self.name.isdigit() and not _CANNOT_BE_NAMED.search(self.name)

    def has_classes(self, rows: int) -> bool:
        """Whether its values look like names of classes: few, short, and each of them several times."""
        if self.kind not in ("text", "number"):
            return False
        short = all(len(value) <= LABEL_LENGTH for value in self.values)
        most = rows - 1 if _is_called(self, _LABELS) else rows // 3
        return 2 <= self.distinct <= min(FEW, max(2, most)) and short

    def describe(self, rows: int) -> str:
        """`tone: 4 values (joy, fear, sadness, surprise)`"""
        gaps = f", {write_count(self.missing, 'row')} without" if self.missing else ""
        if self.kind == "conversation":
            return f"{self.name}: conversations{gaps}"
        if self.kind == "empty":
            return f"{self.name}: nothing"
        if self.has_classes(rows):
            shown = ", ".join(self.values[:8]) + (", ..." if self.distinct > 8 else "")
            return f"{self.name}: {self.distinct} values ({shown}){gaps}"
        if self.kind == "text":
            return f"{self.name}: text of up to {write_count(self.words, 'word')}{gaps}"
        return f"{self.name}: {'numbers' if self.kind == 'number' else 'values that are no text'}{gaps}"


def describe_columns(
    rows: Rows | Sequence[Mapping[str, Any]],
    limit: int | None = LOOKED_AT,
    *,
    names: Collection[str] | None = None,
    on_progress: Report | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Column, ...]:
    """Every column, in its order, as the rows fill it: all rows of a page, of `Rows` the first `limit` (None: all).

    `names` are the columns that are asked for, None all. Each column says of how many rows it tells (`rows`), and
    whether these are all (`exact`). on_progress hears of rows. After a stop it tells of what was looked at. Raises
    Unreadable where `Rows` cannot be read.
    """
    if not isinstance(rows, Rows):
        counts = {name: ColumnCount() for name in (rows[0] if rows else ()) if names is None or name in names}
        _take(counts, rows)
        return tuple(_describe(name, counted, exact=True) for name, counted in counts.items())
    counts = {name: ColumnCount() for name in rows.columns if names is None or name in names}
    done = 0
    size = BATCH if limit is None else max(min(BATCH, limit), 1)
    for batch in rows.batches(size, on_progress=on_progress, should_stop=should_stop):
        batch = batch if limit is None else batch[: limit - done]
        _take(counts, batch)
        done += len(batch)
        if on_progress is not None:
            on_progress("looking at the columns", done, rows.total)
        if limit is not None and done >= limit:
            break
    exact = done == rows.total or (done == limit and _ends_at(rows, done))
    return tuple(_describe(name, counted, exact) for name, counted in counts.items())


def list_conversations(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of a page that hold whole conversations."""
    lists = {name for row in rows for name, value in row.items() if isinstance(value, list)}
    return [column.name for column in describe_columns(rows, names=lists) if column.kind == "conversation"]


def _ends_at(rows: Rows, number: int) -> bool:
    try:
        return not rows.page(number, number + 1)
    except Unreadable:
        return False


def _take(counts: Mapping[str, ColumnCount], rows: Sequence[Mapping[str, Any]]) -> None:
    for name, counted in counts.items():
        counted.take([row.get(name) for row in rows])


def find_column(columns: Sequence[Column], name: str) -> Column:
    """The column of that name. Raises PhinbError, naming those there are, where there is none."""
    for column in columns:
        if column.name == name:
            return column
    raise PhinbError(f"No column has the name {name}.", missing_column(name, [column.name for column in columns]))


def choose_answer(columns: Sequence[Column], rows: int) -> tuple[Column | None, str]:
    """The column to be predicted where nobody says, and why: classes first, then a text with the name of an answer.

    None where there is one text and nothing else: then the text itself is learnt.
    """
    usable = [column for column in columns if column.kind in ("text", "number")]
    classes = [column for column in usable if column.has_classes(rows)]
    texts = [column for column in usable if column.kind == "text" and column not in classes and column.spaced]
    if classes and texts:
        named = [column for column in classes if _is_called(column, _LABELS)]
        if len(classes) == 1:
            return classes[0], f"taken for the answer: it is the only column with few values ({classes[0].distinct})"
        reason = "its name says so" if named else "it is the last of the columns with few values"
        return (named or classes)[-1], f"taken for the answer: {reason}"
    texts = [column for column in usable if column.kind == "text" and (column.spaced or column in classes)]
    if len(texts) < 2:
        return None, "learnt as a whole: no other column looks like its answer"
    named = [column for column in texts if _is_called(column, _ANSWERS)]
    if named:
        return named[-1], "taken for the answer: its name says so"
    return texts[-1], "taken for the answer: it is the last column of text"


def choose_inputs(columns: Sequence[Column], answer: Column | None) -> tuple[Column, ...]:
    """The columns that a prompt is made of: the texts, without what never changes and what is only a name or number.

    Raises PhinbError where there is no text beside the answer, or none that a template can name.
    """
    texts = [column for column in columns if column is not answer and column.kind == "text" and column.distinct]
    telling = [column for column in texts if column.distinct > 1]
    spoken = [column for column in telling if column.spaced or (column.values and answer is not None)]
    chosen = spoken or telling or texts
    if not chosen:
        beside = f" beside the answer {answer.name}" if answer else ""
        names = ", ".join(column.name for column in columns) or "none"
        raise PhinbError(
            f"There is no column of text{beside}, and a language model reads text.",
            f"The columns are: {names}. Add one whose values are text.",
        )
    named = tuple(column for column in chosen if column.can_be_named)
    if not any(column.spaced for column in named) and any(column.spaced for column in chosen):
        check_name(next(column for column in chosen if column.spaced))
    for column in chosen if not named else ():
        check_name(column)
    return named


def check_name(column: Column) -> None:
    """Raise PhinbError where a template cannot name the column."""
    if not column.can_be_named:
        raise PhinbError(
            f"The column {column.name!r} cannot stand in a template: its name has . [ ] {{ }} or the like in it.",
            "Rename the column in the file, with letters, digits, blanks and _ only.",
        )


def _describe(name: str, counted: ColumnCount, exact: bool) -> Column:
    kind = _find_kind(counted)
    plain = kind in ("text", "number")
    return Column(
        name,
        kind,
        counted.distinct,
        tuple(counted.classes) if plain else (),
        counted.missing,
        counted.words if plain else 0,
        plain and counted.words > 1,
        rows=counted.rows,
        exact=exact,
        types=dict(counted.types.most_common()),
        classes=counted.classes if plain else {},
        examples=tuple(counted.examples),
    )


def _find_kind(counted: ColumnCount) -> Kind:
    kinds = set(counted.types)
    if not kinds:
        return "empty"
    if kinds == {"text"}:
        return "text"
    if kinds <= {"whole number", "number", "true or false"}:
        return "number"
    return "conversation" if counted.are_conversations else "other"


def _is_called(column: Column, names: Sequence[str]) -> bool:
    words = re.split(r"[\W_]+", column.name.lower())
    return any(name in (word, word.removesuffix("s")) for word in words for name in names)
