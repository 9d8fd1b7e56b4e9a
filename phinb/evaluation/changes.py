"""What changed between two variants, row by row: broken, mended, answered otherwise."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from phinb.errors import PhinbError
from phinb.evaluation.statistics import softmax
from phinb.evaluation.word_diff import Piece, diff_words
from phinb.types import RowScore
from phinb.workflow.store import write_atomically

if TYPE_CHECKING:
    import pandas

Kind = Literal["broken", "mended", "otherwise"]
KINDS: tuple[Kind, ...] = ("broken", "mended", "otherwise")
SIGNS: Mapping[Kind, str] = {"broken": "✗", "mended": "✓", "otherwise": "~"}


@dataclass(frozen=True)
class RowChange:
    """A row that two variants answer differently.

    row: counted from 0. fields: the row's columns that the template names, without the answer. kind: "broken" (right
    before, wrong after), "mended" (the other way round), "otherwise" (both wrong, or both right in other words).
    before, after: the predictions; the distributions are over the labels ({} for a free text).
    """

    row: int
    kind: Kind
    prompt: str
    fields: Mapping[str, str]
    answer: str
    before: str
    after: str
    before_distribution: Mapping[str, float] = field(default_factory=dict)
    after_distribution: Mapping[str, float] = field(default_factory=dict)

    @property
    def shift(self) -> float | None:
        """How much the right answer's probability rose (-1 to 1); None for a free text."""
        if self.answer not in self.before_distribution or self.answer not in self.after_distribution:
            return None
        return self.after_distribution[self.answer] - self.before_distribution[self.answer]

    @property
    def diff(self) -> tuple[Piece, ...]:
        """The words that the later text has, lost and kept."""
        return diff_words(self.before, self.after)


@dataclass(frozen=True)
class Changes(Sequence[RowChange]):
    """The changed rows of n, from `before` to `after`: broken first, then mended, then the others; each by its row."""

    before: str
    after: str
    n: int
    rows: tuple[RowChange, ...]

    @overload
    def __getitem__(self, index: int) -> RowChange: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RowChange, ...]: ...
    def __getitem__(self, index: int | slice) -> RowChange | tuple[RowChange, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RowChange]:
        return iter(self.rows)

    @cached_property
    def counts(self) -> Mapping[Kind, int]:
        """{kind: rows}"""
        return {kind: sum(change.kind == kind for change in self.rows) for kind in KINDS}

    def describe(self) -> str:
        """`merged -> int4: of 240 rows 19 broken, 10 mended, 4 answered otherwise.`"""
        counts = self.counts
        said = f"{counts['broken']} broken, {counts['mended']} mended, {counts['otherwise']} answered otherwise"
        return f"{self.before} -> {self.after}: of {self.n} rows {said}."

    @property
    def frame(self) -> pandas.DataFrame:
        """A line a changed row, indexed by `row`: kind, the template's fields, answer, both predictions (columns named
        as the variants), how much the right answer's probability rose, each label's probability before and after."""
        import pandas

        frame = pandas.DataFrame(self.records(), columns=[*self._columns()])
        return frame.set_index("row")

    def records(self) -> list[dict[str, Any]]:
        """The frame's lines as plain values."""
        return [dict(zip(self._columns(), self._values(change), strict=True)) for change in self.rows]

    def _columns(self) -> tuple[str, ...]:
        labels = self._labels
        likely = [f"p({label}) {name}" for label in labels for name in (self.before, self.after)]
        return ("row", "kind", *self._fields, "answer", self.before, self.after, "shift", *likely)

    def _values(self, change: RowChange) -> tuple[Any, ...]:
        likely = [each.get(label) for label in self._labels for each in _distributions(change)]
        fields = [change.fields.get(name) for name in self._fields]
        return (change.row, change.kind, *fields, change.answer, change.before, change.after, change.shift, *likely)

    @cached_property
    def _fields(self) -> tuple[str, ...]:
        taken = {"row", "kind", "answer", "shift", self.before, self.after}
        return tuple(name for name in dict.fromkeys(n for c in self.rows for n in c.fields) if name not in taken)

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(self.rows[0].before_distribution) if self.rows else ()

    def save(self, path: str | Path) -> None:
        """Write them as CSV or JSON lines, by the name's end (.csv, .jsonl). Raises PhinbError for another."""
        write_records(path, self._columns(), self.records())

    def to_text(self) -> str:
        from phinb.evaluation.changes_text import write_changes

        return write_changes(self)

    def to_html(self) -> str:
        """A table without script, every text escaped, of at most 200 rows; it says what it leaves out."""
        from phinb.evaluation.changes_text import write_changes_html

        return write_changes_html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_text()


def find_changes(
    names: tuple[str, str],
    scores: tuple[Sequence[RowScore], Sequence[RowScore]],
    prompts: Sequence[str] = (),
    fields: Sequence[Mapping[str, str]] = (),
) -> Changes:
    """The rows that two variants answer differently. prompts, fields: of all rows, by number; () where not known."""
    found = []
    for old, new in zip(*scores, strict=True):
        if old.predicted == new.predicted:
            continue
        kind: Kind = "otherwise" if old.correct == new.correct else "broken" if old.correct else "mended"
        prompt = prompts[old.row] if prompts else ""
        own = fields[old.row] if fields else {}
        likely = [softmax(score.scores or score.log_likelihoods) for score in (old, new)]
        found.append(RowChange(old.row, kind, prompt, own, old.label, old.predicted, new.predicted, *likely))
    ordered = sorted(found, key=lambda change: (KINDS.index(change.kind), change.row))
    return Changes(*names, len(scores[0]), tuple(ordered))


def _distributions(change: RowChange) -> tuple[Mapping[str, float], Mapping[str, float]]:
    return change.before_distribution, change.after_distribution


# A cell that begins so is run as a formula by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_records(path: str | Path, columns: Sequence[str], records: Sequence[Mapping[str, Any]]) -> None:
    """Records as CSV (a text that a spreadsheet would run as a formula gets a ' in front) or JSON lines (as they are).

    Raises PhinbError for a name that ends otherwise, and where the file cannot be written.
    """
    target = Path(path)
    if target.suffix == ".jsonl":
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    elif target.suffix == ".csv":
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow([_safe(column) for column in columns])
        writer.writerows([[_safe(record.get(column)) for column in columns] for record in records])
        text = buffer.getvalue()
    else:
        raise PhinbError(f"{target.name} is neither .csv nor .jsonl.", "Name it rows.csv or rows.jsonl.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, text.encode("utf-8", errors="backslashreplace").decode())
    except OSError as error:
        raise PhinbError(f"{path} cannot be written: {error.strerror}.", "Name another place.") from None


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
