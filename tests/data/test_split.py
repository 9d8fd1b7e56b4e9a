"""Split expressions against the library's own reading of them."""

from __future__ import annotations

from typing import Any

import pytest

from phinb.data.rows import ALL
from phinb.data.split import Selection, list_splits

EXPRESSIONS = (
    "train",
    "train[:70%]",
    "train[70%:]",
    "train[:33%]+train[67%:]",
    "train[10:20]",
    "train[-5:]",
    "train[:-5]",
    "train[-30%:]",
    "train[:-1%]",
    "train[5:2]",
    "train[:1000]",
    "train[-1000:3]",
    "train[10:20%]",
    "train[:100%]",
    "train[:0%]",
    "train[0:0]",
    "test+train[1:2]",
    "train[:]",
    "train[3:9]+test+train[:50%]+train",
)


class Growing:
    """A table whose rows are found a few at a time."""

    columns = ("number",)

    def __init__(self, rows: list[Any]) -> None:
        self.rows, self.known = rows, 0

    @property
    def complete(self) -> bool:
        return self.known == len(self.rows)

    def reach(self, rows: int, report: Any = None) -> int:
        while self.known < min(rows, len(self.rows)):
            self.known = min(self.known + 3, len(self.rows))
        return self.known

    def read(self, start: int, stop: int) -> list[Any]:
        assert 0 <= start <= stop <= self.known
        return self.rows[start:stop]

    def verify(self, report: Any = None) -> None: ...


@pytest.mark.slow
@pytest.mark.parametrize("total", [1, 7, 50, 99, 150, 205])
def test_the_rows_are_those_that_datasets_reads(total: int) -> None:
    from datasets import ReadInstruction

    rows = {"train": list(range(total)), "test": [-1, -2]}
    for expression in EXPRESSIONS:
        expected: Any = []
        for part in ReadInstruction.from_spec(expression).to_absolute({name: len(one) for name, one in rows.items()}):
            expected += rows[part.splitname][part.from_ : part.to]
        for step in (1, 4, ALL):
            selection = Selection(expression, {name: Growing(one) for name, one in rows.items()})
            found: Any = []
            while (known := selection.reach(min(len(found) + step, ALL))) > len(found):
                found += selection.read(len(found), min(len(found) + step, known))
            assert found == expected, expression
            assert selection.complete
            assert selection.read(len(expected) // 2, len(expected)) == expected[len(expected) // 2 :]


def test_a_part_at_the_beginning_is_known_before_the_end_is() -> None:
    table = Growing(list(range(1000)))
    selection = Selection("train[:70%]", {"train": table})
    assert selection.reach(10) >= 10
    assert table.known < 30
    assert not selection.complete
    assert Selection("train[:5]", {"train": Growing(list(range(1000)))}).reach(ALL) == 5


def test_splits_are_named() -> None:
    assert list_splits("test+train[:70%]") == ["test", "train"]


@pytest.mark.parametrize(
    "expression",
    ["train[:10%](pct1_dropremainder)", "train + test", "train[a:]", "", "train[::2]", "train[:200%]", "all"],
)
def test_other_forms_are_left_to_the_library(expression: str) -> None:
    assert list_splits(expression) is None
