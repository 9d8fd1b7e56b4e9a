"""What columns are taken for, and which of them for the answer."""

from __future__ import annotations

from typing import Any

import pytest

from phinb.data.columns import Column, choose_answer, choose_inputs, describe_columns, find_column
from phinb.errors import PhinbError


def rows_of(count: int = 40, **columns: Any) -> list[dict[str, Any]]:
    """`count` rows; a column is a function of the row's number, or the same in each."""
    return [{name: make(at) if callable(make) else make for name, make in columns.items()} for at in range(count)]


def speak(at: int) -> str:
    return f"this is what customer number {at} wrote about it"


def answer_of(rows: list[dict[str, Any]]) -> tuple[str | None, str]:
    found, why = choose_answer(describe_columns(rows), len(rows))
    return (found.name if found else None), why


def inputs_of(rows: list[dict[str, Any]]) -> list[str]:
    columns = describe_columns(rows)
    return [column.name for column in choose_inputs(columns, choose_answer(columns, len(rows))[0])]


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (["one two", "three", "four"], "text", "text of up to 2 words"),
        (["a", "b"] * 10, "text", "2 values (a, b)"),
        ([1, 2, 3, 4, 5, 6, 7, 8.5] * 3, "number", "8 values"),
        (list(range(30)), "number", "numbers"),
        ([None, ""], "empty", "nothing"),
        ([["a"], ["b"]], "other", "no text"),
        ([[{"role": "user", "content": "hi"}]], "conversation", "conversations"),
        (["a b", 1], "other", "no text"),
        (["one", "two", None, ""], "text", "2 rows without"),
    ],
)
def test_a_column_is_what_its_values_are(values: list[Any], kind: str, words: str) -> None:
    (column,) = describe_columns([{"x": value} for value in values])
    assert column.kind == kind
    assert words in column.describe(len(values))


def test_the_column_with_few_values_is_the_answer() -> None:
    rows = rows_of(id=lambda at: f"u{at}", text=speak, tone=lambda at: ("joy", "fear", "anger")[at % 3])
    assert answer_of(rows) == ("tone", "taken for the answer: it is the only column with few values (3)")
    assert inputs_of(rows) == ["text"]


def test_of_several_the_one_that_is_called_so_else_the_last() -> None:
    letters = {"a": lambda at: "xy"[at % 2], "sentiment": lambda at: "pn"[at % 2], "b": lambda at: "uv"[at % 2]}
    assert answer_of(rows_of(text=speak, **letters)) == ("sentiment", "taken for the answer: its name says so")
    del letters["sentiment"]
    assert answer_of(rows_of(text=speak, **letters))[0] == "b"
    assert inputs_of(rows_of(text=speak, **letters)) == ["text", "a"]


def test_numbers_can_be_classes() -> None:
    assert answer_of(rows_of(text=speak, stars=lambda at: at % 5 + 1))[0] == "stars"


def test_of_two_texts_the_one_that_answers_else_the_last() -> None:
    assert answer_of(rows_of(response=speak, instruction=lambda at: f"tell me about {at}"))[0] == "response"
    assert answer_of(rows_of(english=speak, german=lambda at: f"das ist Nummer {at}"))[0] == "german"


def test_one_text_is_learnt_as_a_whole() -> None:
    rows = rows_of(id=lambda at: at, text=speak)
    assert answer_of(rows)[0] is None
    assert inputs_of(rows) == ["text"]


def test_few_rows_are_enough_for_a_column_with_the_name_of_one() -> None:
    rows = rows_of(7, text=speak, tone=lambda at: ("joy", "fear", "anger", "calm")[at % 4])
    assert answer_of(rows)[0] == "tone"


@pytest.mark.parametrize("name", ["a.b", "a[0]", "{x}", "7", " ", "a:b", "a!r", 'say "x"', "two\nlines"])
def test_a_name_that_no_template_can_hold_has_to_be_changed(name: str) -> None:
    rows = rows_of(**{name: speak, "tone": lambda at: "xy"[at % 2]})
    with pytest.raises(PhinbError, match="cannot stand in a template") as caught:
        inputs_of(rows)
    assert "Rename" in caught.value.hint


@pytest.mark.parametrize("name", ["Customer text", "phrase_2", "Ünïcode", "a-b", "質問"])
def test_other_names_can_be_held_and_filled(name: str) -> None:
    column = Column(name, "text", 2, (), 0, 2, True)
    assert column.can_be_named
    assert f"<{{{name}}}>".format(**{name: "x"}) == "<x>"


def test_where_there_is_no_text_it_is_said_what_there_is() -> None:
    with pytest.raises(PhinbError, match="no column of text") as caught:
        inputs_of(rows_of(a=lambda at: at, b=lambda at: at / 2))
    assert "a, b" in caught.value.hint


def test_a_column_that_is_not_there_gets_the_nearest() -> None:
    with pytest.raises(PhinbError, match="No column has the name tonn") as caught:
        find_column(describe_columns(rows_of(text=speak, tone="x")), "tonn")
    assert "Did you mean tone?" in caught.value.hint
