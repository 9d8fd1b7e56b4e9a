"""Split expressions against the library's own reading of them."""

from __future__ import annotations

import pytest

from phinb.data.split import list_splits, select

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
    "test+train[1:2]",
    "train[:]",
)


@pytest.mark.slow
@pytest.mark.parametrize("total", [1, 7, 50, 99, 150, 205])
def test_the_rows_are_those_that_datasets_reads(total: int) -> None:
    from datasets import ReadInstruction

    rows = {"train": list(range(total)), "test": [-1, -2]}
    for expression in EXPRESSIONS:
        expected = []
        for part in ReadInstruction.from_spec(expression).to_absolute({name: len(one) for name, one in rows.items()}):
            expected += rows[part.splitname][part.from_ : part.to]
        assert list(select(expression, rows)) == expected, expression


def test_splits_are_named() -> None:
    assert list_splits("test+train[:70%]") == ["test", "train"]


@pytest.mark.parametrize(
    "expression", ["train[:10%](pct1_dropremainder)", "train + test", "train[a:]", "", "train[::2]", "train[:200%]"]
)
def test_other_forms_are_left_to_the_library(expression: str) -> None:
    assert list_splits(expression) is None
