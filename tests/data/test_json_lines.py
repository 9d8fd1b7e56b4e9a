"""JSON lines against what the library datasets makes of them, in pieces too, and lines that are none."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.data.line_file import LineFile
from phinb.data.rows import Rows, Unreadable
from phinb.data.source import open_rows

NAMES = ["a", "b c", 'é"\\', "type"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.sampled_from(
    ["2024-05-01", "2024-05-01T10:11:12Z", "2024-05-01 10", "2024-13-01", "2024-05-01 at", "2024-5-1"]
)
numbers = st.sampled_from([0, -1, 7, 1.5, -0.0, 1e22, 0.1 + 0.2, 2**53 + 1, 2**63, -(2**63), float("nan")])
ALIKE = {
    "text": texts,
    "times": times,
    "texts and times": st.one_of(texts, times),
    "whole": st.integers(-(10**6), 10**6),
    "fractions": st.floats(allow_infinity=False, allow_nan=False),
    "numbers": numbers,
    "truth": st.booleans(),
    "nothing": st.none(),
    "lists": st.lists(st.one_of(texts, times), max_size=3),
    "lists of numbers": st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=3),
    "objects": st.fixed_dictionaries({"role": texts, "x": st.one_of(st.none(), st.integers(-9, 9), st.just(0.5))}),
    "chats": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.one_of(texts, times)}), max_size=2),
    "anything": st.one_of(texts, st.integers(-9, 9), st.booleans(), st.lists(texts, max_size=2)),
}


@st.composite
def files(draw: Any) -> tuple[bytes, int]:
    """The bytes of a file, and the size of the pieces in which it is read."""
    kinds = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(ALIKE)), min_size=1, max_size=3))
    gaps = draw(st.sampled_from([0, 0, 1]))
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        row = {}
        for name, kind in kinds.items():
            if gaps and draw(st.integers(0, 3)) == 0:
                continue
            row[name] = draw(st.one_of(st.none(), ALIKE[kind]) if gaps else ALIKE[kind])
        separators = draw(st.sampled_from([(", ", ": "), (",", ":"), (" , ", " : ")]))
        lines.append(json.dumps(row, ensure_ascii=draw(st.booleans()), separators=separators))
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n", "\n  \n"]))
    content = end.join(lines) + draw(st.sampled_from(["", end]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + content.encode("utf-8"), draw(
        st.sampled_from([30, 200, 10**6])
    )


def config(file: Path | str, **params: Any) -> dict[str, Any]:
    loading = {"data_name": "json", "data_files": str(file), "split": "train", **params}
    return {"name": "train", "load_dataset_config": loading}


def read_all(rows: Rows, size: int = 5) -> list[Any] | None:
    """All rows, or None where they cannot be read."""
    if not rows.ok:
        return None
    try:
        return [row for batch in rows.batches(size) for row in batch]
    except Unreadable:
        return None


@pytest.mark.slow
@given(files(), st.sampled_from(["train", "train[:70%]", "train[2:5]", "train[-3:]+train[:2]"]))
@settings(max_examples=int(os.environ.get("PHINB_EXAMPLES", "150")), deadline=None)
def test_rows_are_those_of_the_library(made: tuple[bytes, int], split: str) -> None:
    from datasets import load_dataset

    content, piece = made
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_bytes(content)
        try:
            dataset = load_dataset("json", data_files=str(file), split=split, cache_dir=folder, chunksize=piece)
            expected, columns = list(dataset), tuple(dataset.column_names)
            del dataset
        except Exception:
            expected = None
        rows = open_rows(config(file, split=split, chunksize=piece), Path(folder))
        found = read_all(rows)
        if not expected:
            assert not found
            return
        assert repr(found) == repr(expected)
        assert rows.columns == columns
        assert rows.total == len(rows) == len(expected)
        assert repr(rows.page(1, 3)) == repr(expected[1:3])


def write(folder: Path, lines: list[bytes], name: str = "rows.json") -> Path:
    path = folder / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def plain(count: int) -> list[bytes]:
    return [json.dumps({"id": number, "text": f"row {number}"}).encode() for number in range(count)]


def test_pages_are_read_by_number_and_nothing_else_is_kept(tmp_path: Path) -> None:
    file = write(tmp_path, plain(5000))
    rows = open_rows(config(file, chunksize=4000), tmp_path)
    assert (rows.total, rows.columns) == (None, ("id", "text"))
    assert [row["id"] for row in rows.page(4321, 4323)] == [4321, 4322]
    assert rows.page(4998, 6000)[-1] == {"id": 4999, "text": "row 4999"}
    assert (rows.page(-5, 1), rows.page(7, 7), rows.page(5000, 5001)) == ([{"id": 0, "text": "row 0"}], [], [])
    assert rows.total == len(rows) == 5000
    assert [row["id"] for batch in rows.batches(700, start=4500) for row in batch] == list(range(4500, 5000))


def test_the_first_page_waits_for_no_count(tmp_path: Path) -> None:
    rows = open_rows(config(write(tmp_path, plain(3000)), chunksize=5000), tmp_path)
    assert len(rows.page(0, 50)) == 50
    assert (rows.total,) == (None,)
    heard: list[tuple[str, float | None, float | None]] = []
    assert rows.count(lambda *told: heard.append(told), lambda: len(heard) > 2) is None
    assert (rows.total,) == (None,)
    assert rows.count(lambda *told: heard.append(told)) == 3000
    assert heard[-1][1] == heard[-1][2] == (tmp_path / "rows.json").stat().st_size
    assert [one for one in (told[1] for told in heard) if one is not None] == sorted(told[1] or 0 for told in heard)


def test_a_share_of_the_rows_waits_for_the_count_only_where_it_must(tmp_path: Path) -> None:
    file = write(tmp_path, plain(3000))
    begin = open_rows(config(file, chunksize=5000, split="train[:70%]"), tmp_path)
    assert (begin.page(0, 2)[1]["id"], begin.total) == (1, None)
    assert len(begin) == 2100
    rest = open_rows(config(file, chunksize=5000, split="train[70%:]"), tmp_path)
    assert (rest.page(0, 1)[0]["id"], rest.total) == (2100, 900)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (b'{"id": 7, "text": "x"', "not_json", "line 2001, is not a JSON object: Expecting ',' delimiter"),
        (b'{"id": 7, "text": "x"} {', "not_json", "line 2001, is not a JSON object"),
        (
            b'{"id": 7, "text": "x", "id": 8}',
            "not_json",
            'line 2001, is not a JSON object: the key "id" stands in it twice',
        ),
        (
            b'{"id": 7, "text": "\\ud800"}',
            "not_json",
            "line 2001, is not a JSON object: it holds half of a surrogate pair",
        ),
        (b'{"id": 7, "text": "a\x00b"}', "not_json", "line 2001, is not a JSON object: Invalid control character"),
        (b'{"id": 7, "text": "caf\xe9"}', "not_utf8", "line 2001, byte 23 of the line (0xE9)"),
        (b"[1, 2]", "not_json", "line 2001, is not a JSON object: it is not an object in braces"),
        (b'"text"', "not_json", "it is not an object in braces"),
        (b"<html>", "not_json", "line 2001, is not a JSON object: Expecting value"),
        (b"{" + b'"a":{' * 5000 + b"}" * 5001, "not_json", "line 2001"),
        (b'{"id": 7, "text": "x", "new": 1}', "data_unreadable", 'the key "new" comes up between rows 2001 and'),
        (b'{"id": 7.5, "text": "x"}', "data_unreadable", 'the column "id" has whole numbers and, among others, float'),
    ],
)
def test_a_bad_line_is_named_when_it_is_reached(line: bytes, code: str, words: str, tmp_path: Path) -> None:
    lines = plain(4000)
    file = write(tmp_path, [*lines[:2000], line, *lines[2000:]])
    rows = open_rows(config(file, chunksize=20_000), tmp_path)
    assert rows.page(0, 2) == [{"id": 0, "text": "row 0"}, {"id": 1, "text": "row 1"}]
    assert (rows.problems, rows.ok) == ((), True)
    seen: list[Any] = []
    with pytest.raises(Unreadable) as caught:
        seen.extend(batch for batch in rows.batches())
    assert sum(map(len, seen)) == 2000
    assert (caught.value.problem.code, rows.ok) == (code, False)
    assert words in caught.value.problem.message
    assert caught.value.problem.hint
    assert rows.problems == (caught.value.problem,)
    assert rows.page(1990, 1991)[0]["id"] == 1990


def test_what_the_split_leaves_out_has_to_be_readable_too(tmp_path: Path) -> None:
    """Olive gets no rows at all where the library fails at one of them."""
    write(tmp_path, [*plain(3000), b"oh"])
    write(tmp_path, [*plain(10), b"no"], "test.json")
    rows = open_rows(config("rows.json", split="train[:10]"), tmp_path)
    assert len(rows.page(0, 20)) == 10
    with pytest.raises(Unreadable, match="line 3001"):
        list(rows.batches())
    split = open_rows(config("", data_files={"train": "test.json", "test": "rows.json"}, split="test[:5]"), tmp_path)
    with pytest.raises(Unreadable, match=r"test\.json, line 11"):
        list(split.batches())


def test_objects_over_several_lines_are_left_to_the_library(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        [*plain(30), b'{"id": 30,\n "text":', b'"row 30"}', b'{"id": 31, "text": "x"} {"id": 32, "text": "y"}'],
    )
    rows = open_rows(config(file), tmp_path)
    assert [row["id"] for batch in rows.batches(10) for row in batch] == list(range(33))
    assert len(rows) == 33


def test_huge_lines_and_no_line_end(tmp_path: Path) -> None:
    huge = json.dumps({"id": 1, "text": "x" * 3_000_000}).encode()
    file = tmp_path / "rows.json"
    file.write_bytes(b"\n".join([*plain(1), huge, *plain(2)]))
    rows = open_rows(config(file, chunksize=1000), tmp_path)
    assert [len(row["text"]) for row in rows.page(0, 9)] == [5, 3_000_000, 5, 5]


def test_a_file_that_changes_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, plain(3000))
    rows = open_rows(config(file, chunksize=1000), tmp_path)
    with file.open("ab") as opened:
        opened.write(b'{"id": 1, "text": "late"}\n')
    with pytest.raises(Unreadable, match="was changed or removed while it was being read") as caught:
        rows.page(0, 5)
    assert caught.value.problem.code == "data_changed"
    again = open_rows(config(file, chunksize=1000), tmp_path)
    file.unlink()
    with pytest.raises(Unreadable, match="was changed or removed"):
        len(again)


def test_places_in_a_file_are_found_from_any_thread(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    rows = open_rows(config(write(tmp_path, plain(20_000)), chunksize=3000), tmp_path)
    numbers = [random.Random(1).randrange(20_000) for _ in range(300)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: rows.page(number, number + 1)[0]["id"], numbers))
    assert found == numbers


def test_lines_are_counted_as_written(tmp_path: Path) -> None:
    file = LineFile(write(tmp_path, [b"", b'{"a": 1}', b"  ", b'{"a": 2}\r', b'\t{"a": 3} ']), "")
    file.grow()
    assert (file.known, file.complete, file.count_lines(file.offset_of(2))) == (3, True, 4)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": "x"}\n{"a": 1}',
        '{"a": "2024-05-01"}\n{"a": null}',
        '[{"a": "x"}]',
        '{"a": {"b": "x"}}\n{"a": {"c": "x"}}',
        '{"a": "x"} {"a": "y"}',
        '{"a": [null, 1]}',
        '{"a": 1e999}',
        "{}",
    ],
)
def test_what_is_not_plain_is_left_to_the_library(content: str, tmp_path: Path) -> None:
    from phinb.data.json_lines import open_lines
    from phinb.data.rows import LibraryNeeded

    (tmp_path / "rows.json").write_text(content, encoding="utf-8")
    with pytest.raises(LibraryNeeded):
        open_lines({"train": [tmp_path / "rows.json"]}, "")


def test_ten_thousand_columns_open_within_a_second(tmp_path: Path) -> None:
    wide = [{f"c{column}": f"{column} {row}" for column in range(10_000)} for row in range(5)]
    (tmp_path / "wide.jsonl").write_text("".join(json.dumps(row) + "\n" for row in wide), encoding="utf-8")
    from phinb.data.json_lines import open_lines

    began = time.process_time()
    lines = open_lines({"train": (tmp_path / "wide.jsonl",)}, "")["train"]
    took = time.process_time() - began
    lines.reach(5)
    assert lines.read(0, 5) == wide
    assert took < 1.0
