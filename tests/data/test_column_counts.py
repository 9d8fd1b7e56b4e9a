"""What columns hold, counted over pages and whole sources, with a limit that is told."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.column_counts import FEW, ColumnCount
from phinb.data.columns import Column, describe_columns
from phinb.data.rows import Rows, Unreadable
from phinb.data.source import open_rows

TONES = ("joy", "fear", "anger", "love")


def opened(folder: Path, lines: list[str], **params: Any) -> Rows:
    (folder / "rows.json").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    loading = {"data_name": "json", "data_files": "rows.json", "split": "train", **params}
    return open_rows({"name": "train", "load_dataset_config": loading}, folder)


def made(count: int) -> list[dict[str, Any]]:
    draw = random.Random(3)
    return [
        {
            "id": number,
            "phrase": f"phrase {number // 2}" if number % 10 else "",
            "tone": draw.choice(TONES) if number % 5 else None,
            "score": number / 4,
            "right": number % 3 == 0,
            "nothing": None,
            "chat": [{"role": "user", "content": f"{number % 7}"}],
        }
        for number in range(count)
    ]


def by_name(columns: tuple[Column, ...]) -> dict[str, Column]:
    return {column.name: column for column in columns}


def test_a_whole_source_is_counted_exactly(tmp_path: Path) -> None:
    rows = made(3000)
    source = opened(tmp_path, [json.dumps(row) for row in rows], chunksize=10_000)
    heard: list[Any] = []
    columns = by_name(describe_columns(source, on_progress=lambda *told: heard.append(told)))
    assert list(columns) == list(rows[0])
    assert {(column.rows, column.exact) for column in columns.values()} == {(3000, True)}
    assert ("looking at the columns", 3000, 3000) in heard
    tones = Counter(row["tone"] for row in rows if row["tone"])
    assert columns["tone"].classes == dict(tones)
    assert list(columns["tone"].classes) == [tone for tone, _ in tones.most_common()] == list(columns["tone"].values)
    assert columns["tone"].imbalance == max(tones.values()) / min(tones.values())
    assert (columns["tone"].missing, columns["phrase"].missing, columns["nothing"].missing) == (600, 300, 3000)
    assert columns["phrase"].distinct == len({row["phrase"] for row in rows} - {""})
    assert (columns["phrase"].classes, columns["phrase"].imbalance) == ({}, None)
    assert columns["phrase"].examples == ("phrase 0", "phrase 1", "phrase 2")
    assert [columns[name].kind for name in ("id", "score", "right", "nothing", "chat")] == [
        "number",
        "number",
        "number",
        "empty",
        "conversation",
    ]
    assert columns["id"].types == {"whole number": 3000}
    assert columns["score"].types == {"number": 3000}
    assert columns["right"].classes == {"False": 2000, "True": 1000}
    assert (columns["chat"].types, columns["chat"].distinct) == ({"list": 3000}, 7)


def test_a_page_is_counted_for_itself(tmp_path: Path) -> None:
    page = opened(tmp_path, [json.dumps(row) for row in made(300)]).page(100, 150)
    columns = by_name(describe_columns(page))
    assert (columns["id"].rows, columns["id"].exact, columns["id"].examples) == (50, True, (100, 101, 102))


@pytest.mark.parametrize(("limit", "looked_at", "exact"), [(10, 10, False), (300, 300, True), (None, 300, True)])
def test_the_limit_is_told(limit: int | None, looked_at: int, exact: bool, tmp_path: Path) -> None:
    source = opened(tmp_path, [json.dumps(row) for row in made(300)])
    (column, *_) = describe_columns(source, limit)
    assert (column.rows, column.exact, column.distinct) == (looked_at, exact, looked_at)


def test_a_stop_tells_of_what_was_looked_at(tmp_path: Path) -> None:
    source = opened(tmp_path, [json.dumps(row) for row in made(5000)])
    asked: list[int] = []
    (column, *_) = describe_columns(source, should_stop=lambda: bool(asked.append(1)) or len(asked) > 3)
    assert 0 < column.rows < 5000
    assert not column.exact


def test_rows_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    lines = [json.dumps({"a": f"{number}"}) for number in range(2000)]
    source = opened(tmp_path, [*lines, "oh"], chunksize=10_000)
    with pytest.raises(Unreadable, match="line 2001"):
        describe_columns(source)
    (column,) = describe_columns(opened(tmp_path, [*lines, "oh"], chunksize=10_000), 2000)
    assert (column.rows, column.exact) == (2000, False)


def test_types_are_those_that_datasets_made(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("code,tone,day\n007,NA,2024-05-01\n1,joy,2024-05-02\n", encoding="utf-8")
    loading = {"data_name": "csv", "data_files": "rows.csv", "split": "train"}
    columns = by_name(describe_columns(open_rows({"name": "t", "load_dataset_config": loading}, tmp_path)))
    assert [dict(column.types) for column in columns.values()] == [{"whole number": 2}, {"text": 1}, {"text": 2}]
    assert columns["tone"].missing == 1
    days = by_name(describe_columns(opened(tmp_path, ['{"day": "2024-05-01"}', '{"day": "2024-05-02"}'])))
    assert days["day"].types == {"time": 2}


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 30), st.text(max_size=2), st.floats()), max_size=40)))
def test_batches_add_up(batches: list[list[Any]]) -> None:
    counted = ColumnCount()
    for batch in batches:
        counted.take(batch)
        assert counted.distinct >= 0
    every = [value for batch in batches for value in batch]
    given_ = [value for value in every if value is not None and value != "" and value == value]
    different = Counter(map(str, given_))
    assert (counted.rows, counted.missing, counted.distinct) == (len(every), len(every) - len(given_), len(different))
    assert counted.classes == (different if len(different) <= FEW else {})
    assert sum(counted.types.values()) == len(given_)


def test_many_values_are_merged_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phinb.data.column_counts.MERGED_AT", 100)
    counted = ColumnCount()
    for start in range(0, 1000, 50):
        counted.take([f"{number % 300}" for number in range(start, start + 50)])
    assert sum(map(len, counted._hashes)) <= 400
    assert counted.distinct == 300
