"""Rows that come through the library datasets: the same values and order, the first page at once, streams, failures."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.data.library import Reading
from phinb.data.library_tables import Prepared
from phinb.data.rows import Relay, Rows, Unreadable
from phinb.data.source import open_rows, read_rows

cells = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=6),
    st.sampled_from(
        ["007", "NA", "", "1", "1.5", "2024-05-01", "True", "nan", "-", "1e3", "ü,é", '"x"', "a\nb", "null"]
    ),
    st.integers(-99, 99).map(str),
)


@st.composite
def tables(draw: Any) -> str:
    """A CSV file with two columns."""
    kind = draw(st.sampled_from([cells, st.integers(-99, 99).map(str), st.sampled_from(["1", "", "2.5"])]))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerow(["text", draw(st.sampled_from(["n", "Best Answer", "é"]))])
    writer.writerows(draw(st.lists(st.tuples(cells, kind), min_size=1, max_size=9)))
    return written.getvalue()


def config(kind: str, files: Any, **params: Any) -> dict[str, Any]:
    return {
        "name": "train",
        "load_dataset_config": {"data_name": kind, "data_files": files, "split": "train", **params},
    }


def read_all(rows: Rows) -> list[Any] | None:
    try:
        return [row for batch in rows.batches(4) for row in batch] if rows.ok else None
    except Unreadable:
        return None


@pytest.mark.slow
@given(
    tables(),
    st.sampled_from(["train", "train[:50%]", "train[1:]", "train[-2:]+train[:1]"]),
    st.sampled_from([2, 10_000]),
)
@settings(max_examples=int(os.environ.get("PHINB_EXAMPLES", "100")), deadline=None)
def test_csv_is_read_as_the_library_reads_it(content: str, split: str, piece: int) -> None:
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        file.write_text(content, encoding="utf-8", newline="")
        try:
            expected = list(load_dataset("csv", data_files=str(file), split=split, cache_dir=folder, chunksize=piece))
        except Exception:
            expected = None
        rows = open_rows(config("csv", "rows.csv", split=split, chunksize=piece), Path(folder))
        try:
            first = rows.page(0, 2) if rows.ok else None
        except Unreadable:  # where the split begins, only all rows tell
            first = None
        found = read_all(rows)
        if not expected:
            assert not found
            return
        assert repr(found) == repr(expected)
        assert repr(first) == repr(expected[:2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import pandas

    numbers = pandas.DataFrame({"n": range(30_000), "text": [f"row {n}" for n in range(30_000)]})
    numbers.to_csv(tmp_path / "rows.csv", index=False)
    numbers.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.txt").write_text("".join(f"row {n}\n" for n in range(30_000)), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_first_page_waits_for_no_copy(kind: str, folder: Path) -> None:
    rows = open_rows(config(kind, f"rows.{kind}"), folder)
    assert rows.page(0, 2) == [{"n": 0, "text": "row 0"}, {"n": 1, "text": "row 1"}]
    assert (rows.total, rows.columns) == (None, ("n", "text"))
    assert isinstance(rows._table, Relay)
    assert rows.page(29_999, 40_000) == [{"n": 29_999, "text": "row 29999"}]
    assert rows.total == len(rows) == 30_000
    # The copy is there now, and is what Olive finds, too.
    assert isinstance(open_rows(config(kind, f"rows.{kind}"), folder)._table, Prepared)
    share = open_rows(config(kind, f"rows.{kind}", split="train[10%:20%]"), folder)
    assert (share.page(0, 1)[0]["n"], len(share)) == (3000, 3000)


def test_text_is_read_by_lines(folder: Path) -> None:
    rows = open_rows(config("text", "rows.txt"), folder)
    assert (rows.page(0, 1), len(rows)) == ([{"text": "row 0"}], 30_000)


def test_making_the_copy_is_told_and_can_be_stopped(folder: Path) -> None:
    rows = open_rows(config("csv", "rows.csv"), folder)
    heard: list[Any] = []
    assert rows.count(lambda *told: heard.append(told), lambda: len(heard) > 1) is None
    assert list(rows.batches(should_stop=lambda: True)) == []
    assert (rows.ok, rows.problems) == (True, ())
    assert rows.count(lambda *told: heard.append(told)) == 30_000
    assert ("reading with datasets", 10_000, None) in heard
    assert ("reading with datasets", 30_000, None) in heard


def test_a_file_that_changes_before_its_copy_is_made_is_told(folder: Path) -> None:
    rows = open_rows(config("csv", "rows.csv"), folder)
    (folder / "rows.csv").write_text("n,text\n1,x\n", encoding="utf-8")
    with pytest.raises(Unreadable, match="was changed or removed"):
        len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test+train"])
def test_streams(split: str, folder: Path) -> None:
    """What datasets.IterableDataset gives; in a process of its own, for it loads torch."""
    files = {"train": "rows.csv", "test": "more.csv"}
    with (folder / "rows.csv").open("a", encoding="utf-8") as file:
        file.write("7.5,a fraction in a later table\n" if split == "train" else "7,a number\n")
    (folder / "more.csv").write_text("n,text\n1,x\n2,y\n", encoding="utf-8")
    rows = open_rows(config("csv", files, split=split, streaming=True), folder)
    assert (rows.total,) == (None,)
    found = [row for batch in rows.batches() for row in batch]
    assert rows.total == len(found) == (30_001 if split == "train" else 30_003)
    assert rows.page(20_000, 20_002) == found[20_000:20_002]
    assert rows.page(0, 3) == found[:3]
    code = (
        "import hashlib; from datasets import load_dataset\n"
        f"rows = load_dataset('csv', data_files={files!r}, split={split!r}, streaming=True)\n"
        "print(hashlib.sha256(repr(list(rows)).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    import hashlib

    assert hashlib.sha256(repr(found).encode()).hexdigest() == done.stdout.strip()


def test_a_stream_has_no_slices(folder: Path) -> None:
    rows = read_rows(config("csv", "rows.csv", split="train[:5]", streaming=True), folder)
    assert [problem.code for problem in rows.problems] == ["split_syntax"]
    assert len(read_rows(config("csv", "rows.csv", streaming=True), folder, limit=5).rows) == 5


def test_a_folder_of_files_is_a_data_set(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text("x,y\n1,a\n2,b\n", encoding="utf-8")
    (data / "test.csv").write_text("x,y\n3,c\n", encoding="utf-8")

    def read(**params: Any) -> Any:
        loading = {"data_name": "data", "split": "train", **params}
        return read_rows({"name": "t", "load_dataset_config": loading}, tmp_path)

    assert read().rows == ({"x": 1, "y": "a"}, {"x": 2, "y": "b"})
    assert read(split="test").rows == read(data_files="test.csv").rows == ({"x": 3, "y": "c"},)
    assert read(data_name="csv", data_dir="data", data_files="t*.csv").total == 3
    assert "It has ['train', 'test']" in read(split="tset").problems[0].message


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("rows.csv", b"x,y\n1,2\n3,4,5\n", "data_unreadable", "Expected 2 fields in line 3, saw 3"),
        ("rows.csv", b"\n", "data_empty", "There are no rows"),
        ("rows.csv", b"x,y\n", "data_empty", "There are no rows"),
        ("rows.csv", b"x,y\n" + b"a,b\n" * 300_000 + "a,ü\n".encode("latin-1"), "not_utf8", "line 300002, byte 3 of"),
        ("rows.txt", "a\nü\n".encode("latin-1"), "not_utf8", "line 2, byte 1 of the line (0xFC)"),
        ("rows.parquet", b"no such thing", "data_unreadable", "not a parquet file"),
        ("rows.json", b'[{"a": 1},\n {"a": }]', "not_json", "rows.json is not a JSON list: line 2, column 8"),
        ("rows.json", b'{"a": {"b": [1]}}\n{"a": {"b": "x"}}\n{"a": 7\n', "not_json", "line 3, is not a JSON object"),
    ],
)
def test_what_the_library_cannot_read_is_explained(
    name: str, content: bytes, code: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    kind = {"txt": "text"}.get(name.split(".")[1], name.split(".")[1])
    rows = read_rows(config(kind, name), tmp_path)
    assert (rows.rows, [problem.code for problem in rows.problems]) == ((), [code])
    assert words in rows.problems[0].message
    assert rows.problems[0].hint


def test_an_unknown_option_is_the_librarys_to_refuse(folder: Path) -> None:
    (problem,) = read_rows(config("csv", "rows.csv", nonsense=3), folder).problems
    assert "unexpected keyword argument 'nonsense'" in problem.message


def test_torch_stays_away(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from phinb.data.source import open_rows\n"
        "for kind, name in (('csv', 'rows.csv'), ('parquet', 'rows.parquet'), ('text', 'rows.txt')):\n"
        "    for streaming in (False, True):\n"
        "        settings = {'data_name': kind, 'data_files': name, 'split': 'train', 'streaming': streaming}\n"
        "        rows = open_rows({'load_dataset_config': settings}, Path())\n"
        "        assert sum(map(len, rows.batches())) == 30_000\n"
        "assert not {'torch', 'transformers', 'olive'} & set(sys.modules)"
    )
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_first_table_has_the_values_of_the_copy(folder: Path) -> None:
    from phinb.data.files import find_files

    sources = find_files("csv", {"data_files": "rows.csv"}, folder)
    reading = Reading(sources, "train", "")
    first = reading.first_table()
    assert first is not None
    assert first.read(0, 10_000) == reading.prepare(None).read(0, 10_000)
