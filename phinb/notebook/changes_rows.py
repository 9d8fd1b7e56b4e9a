"""The rows that the variants of a comparison answered, and the columns that a table of them has. No widget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.changes import KINDS, SIGNS, Changes
from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.results import Comparison
from phinb.evaluation.statistics import softmax
from phinb.evaluation.wording import percent
from phinb.notebook.wire_values import show_value
from phinb.types import Measurement, RowScore

CELL = 300
"""Characters of a text that a cell has; the row's details have all of it."""

SIGN_OF: Mapping[str, str] = {"same": "=", **dict(SIGNS.items())}


class AnsweredRows:
    """What at least two variants of a comparison answered; rows are counted from 0 in the comparison's order.

    Raises PhinbError where fewer than two variants answered.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.answered: dict[str, Measurement] = {m.variant.name: m for m in comparison.measurements if m.scores}
        self.names = list(self.answered)
        if len(self.names) < 2:
            who = f"only {self.names[0]} answered" if self.names else "no variant answered the"
            raise PhinbError(
                f"In {comparison.name or 'this comparison'} {who} rows: there is nothing to hold side by side.",
                "Compare two variants or more on their answers.",
            )
        self.looks: Mapping[str, Look] = choose_looks((name, m.variant.kind) for name, m in self.answered.items())
        self._changes: dict[tuple[str, str], tuple[Changes, dict[int, str]]] = {}

    @property
    def n(self) -> int:
        return len(self.answered[self.names[0]].scores)

    @property
    def has_labels(self) -> bool:
        """Whether the answers are of a closed set; a free text has no probability."""
        return bool(self.score(self.names[0], 0).log_likelihoods)

    @property
    def last_stage(self) -> tuple[str, str]:
        """The last variant with the stage before it, as phinb.evaluation.results has it."""
        after = self.names[-1]
        before = next((s.before for s in self.comparison.summaries if s.name == after), "")
        return (before if before in self.answered else self.names[-2]), after

    def changes(self, before: str, after: str) -> Changes:
        return self._compare(before, after)[0]

    def kind(self, row: int, before: str, after: str) -> str:
        """broken, mended, otherwise, or same"""
        return self._compare(before, after)[1].get(self.number(row), "same")

    def _compare(self, before: str, after: str) -> tuple[Changes, dict[int, str]]:
        if (before, after) not in self._changes:
            changes = self.comparison.changed(before, after)
            self._changes[before, after] = changes, {change.row: change.kind for change in changes}
        return self._changes[before, after]

    def score(self, name: str, row: int) -> RowScore:
        return self.answered[name].scores[row]

    def number(self, row: int) -> int:
        """The row's number in the data, from 0."""
        return self.score(self.names[0], row).row

    def label(self, row: int) -> str:
        return self.score(self.names[0], row).label

    def prompt(self, row: int) -> str | None:
        """None where an older phinb kept none."""
        prompts = self.comparison.prompts
        return prompts[self.number(row)] if prompts else None

    def fields(self, row: int) -> Mapping[str, str]:
        """The template's columns without the answer; {} where an older phinb kept none."""
        fields = self.comparison.fields
        return fields[self.number(row)] if fields else {}

    def distribution(self, name: str, row: int) -> Mapping[str, float]:
        """Each label's share: the softmax of what the labels were ranked by; {} for a free text."""
        score = self.score(name, row)
        return softmax(score.scores or score.log_likelihoods)

    def shift(self, row: int, before: str, after: str) -> float | None:
        """How much the right answer's probability rose; None for a free text."""
        old, new = (self.distribution(name, row).get(self.label(row)) for name in (before, after))
        return None if old is None or new is None else new - old


# ------------------------------------------------------------------------------------------------- columns


@dataclass(frozen=True)
class Column:
    """`value(row)` is what it is sorted by and exported as, under the name `key`; `cell(row)` what is drawn of it.

    kind: "change", "field", "text", "answer" or "number". label: what assistive technology calls it.
    """

    key: str
    name: str
    kind: str
    value: Callable[[int], Any]
    cell: Callable[[int], dict[str, Any]]
    label: str = ""
    about: str = ""
    look: Look | None = field(default=None)


def build_columns(rows: AnsweredRows, before: str, after: str) -> list[Column]:
    """Change, fields, right answer, each variant's answer with its probability, the right answer's change."""
    pair = f"{before} → {after}"
    columns = [_change_column(rows, before, after, pair)]
    columns += [_field_column(rows, name) for name in (rows.comparison.fields[0] if rows.comparison.fields else ())]
    columns.append(Column("answer", "right answer", "text", rows.label, lambda row: _text_cell(rows.label(row))))
    for name in rows.names:
        columns += _answer_columns(rows, name)
    if rows.has_labels:
        columns.append(_shift_column(rows, before, after, pair))
    return columns


def _change_column(rows: AnsweredRows, before: str, after: str, pair: str) -> Column:
    def cell(row: int) -> dict[str, Any]:
        kind = rows.kind(row, before, after)
        return {"text": kind, "kind": "change", "sign": SIGN_OF[kind]}

    order = (*KINDS, "same")
    return Column(
        "change", "change", "change", lambda row: order.index(_kind(rows, row, before, after)), cell, about=pair
    )


def _kind(rows: AnsweredRows, row: int, before: str, after: str) -> Any:
    return rows.kind(row, before, after)


def _field_column(rows: AnsweredRows, name: str) -> Column:
    def value(row: int) -> str | None:
        return rows.fields(row).get(name)

    # A field may bear the name of a column of ours.
    taken = {"row", "change", "answer", "shift", *rows.names, *(f"p({one})" for one in rows.names)}
    key = f"field {name}" if name in taken else name
    return Column(key, name, "field", value, lambda row: _text_cell(value(row)))


def _answer_columns(rows: AnsweredRows, name: str) -> list[Column]:
    def predicted(row: int) -> str:
        return rows.score(name, row).predicted

    def answer(row: int) -> dict[str, Any]:
        return {**_text_cell(predicted(row)), "kind": "answer", "right": rows.score(name, row).correct}

    def share(row: int) -> float | None:
        return rows.distribution(name, row).get(predicted(row))

    columns = [Column(name, name, "answer", predicted, answer, look=rows.looks[name])]
    if rows.has_labels:
        label = f"{name}: probability of its answer"
        columns.append(
            Column(f"p({name})", "p", "number", share, lambda row: _number_cell(percent(share(row))), label=label)
        )
    return columns


def _shift_column(rows: AnsweredRows, before: str, after: str, pair: str) -> Column:
    def shift(row: int) -> float | None:
        return rows.shift(row, before, after)

    def cell(row: int) -> dict[str, Any]:
        value = shift(row)
        return _number_cell("–" if value is None else f"{100 * value:+.1f}".replace("-", "−"))

    return Column(
        "shift",
        "p(right)",
        "number",
        shift,
        cell,
        label="change of the right answer's probability",
        about=f"points, {pair}",
    )


def _text_cell(value: str | None) -> dict[str, Any]:
    """A text, shortened, with its length where it is longer than what is sent."""
    if value is None or value == "":
        return {"text": "–" if value is None else "empty", "kind": "missing"}
    cell: dict[str, Any] = {"text": show_value(value, CELL), "kind": "text"}
    return {**cell, "length": len(value)} if len(value) > CELL else cell


def _number_cell(text: str) -> dict[str, Any]:
    return {"text": text, "kind": "number"}


def export_columns(
    rows: AnsweredRows, columns: Sequence[Column], before: str, after: str
) -> tuple[list[str], Callable[[int], dict[str, Any]]]:
    """(the names of the columns, row -> a line of plain values); the row's number is counted from 0, as in the data."""
    names = ["row", *(column.key for column in columns)]

    def line(row: int) -> dict[str, Any]:
        values = {column.key: column.value(row) for column in columns}
        return {**values, "change": rows.kind(row, before, after), "row": rows.number(row)}

    return names, line
