"""Rows as Olive would read them, and what is said where they cannot be read."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.data.rows import Unreadable
from phinb.data.source import FirstRows, open_rows, parameters, read_rows

ROWS = [{"phrase": f"phrase {number}", "tone": "joy" if number % 2 else "fear"} for number in range(10)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return tmp_path


def read(folder: Path, limit: int | None = None, **params: Any) -> FirstRows:
    settings = {"data_name": "json", "split": "train", **params}
    return read_rows({"name": "train", "load_dataset_config": settings}, folder, limit)


def test_rows_come_from_files_beside_the_configuration(folder: Path) -> None:
    rows = read(folder, data_files="rows.json")
    assert (list(rows.rows), rows.columns, rows.total, rows.problems) == (ROWS, ("phrase", "tone"), 10, ())
    assert read(folder, data_files=str(folder / "rows.json")) == rows
    assert read(Path("/"), data_files="rows.json", data_dir=str(folder)).rows == rows.rows


def test_a_limit_cuts_the_rows_and_not_their_number(folder: Path) -> None:
    rows = read(folder, data_files="rows.json", limit=3)
    assert (list(rows.rows), rows.total) == (ROWS[:3], 10)


def test_parameters_in_params_win() -> None:
    assert parameters({"type": "x", "split": "a", "name": 1, "params": {"split": "b"}}) == {"split": "b", "name": 1}
    assert parameters(None) == {}


def test_a_filter_chooses_rows(folder: Path) -> None:
    assert len(read(folder, data_files="rows.json", col_filters={"tone": "joy"}).rows) == 5
    problem = read(folder, data_files="rows.json", col_filters={"tune": "joy"}).problems[0]
    assert (problem.code, problem.path) == ("unknown_column", "data_configs.train.load_dataset_config.col_filters.tune")
    assert "Did you mean tone?" in problem.hint
    assert "after the filter" in read(folder, data_files="rows.json", col_filters={"tone": "?"}).problems[0].message


def test_compressed_files_are_the_librarys_business(folder: Path) -> None:
    (folder / "rows.json.gz").write_bytes(gzip.compress((folder / "rows.json").read_bytes()))
    assert list(read(folder, data_files="rows.json.gz").rows) == ROWS


def test_a_pattern_is_resolved(folder: Path) -> None:
    assert list(read(folder, data_files="r*.json").rows) == ROWS
    problem = read(folder, data_files="q*.json").problems[0]
    assert (problem.code, problem.message) == ("data_missing", f"No file matches {folder / 'q*.json'}.")


@pytest.mark.parametrize(
    ("name", "content", "reader"),
    [
        ("my.csv", b"phrase,tone\nx,y\n", "csv"),
        ("my.csv", "phrase,tone\ncaf\xe9,y\n".encode("latin-1"), "csv"),
        ("my.tsv", b"phrase\ttone\nx\ty\n", "csv"),
        ("my.txt", b"a line\n", "text"),
        ("my.parquet", b"PAR1\x15\x04\xff\n", "parquet"),
    ],
)
def test_a_file_of_another_kind_is_recognised_by_its_name(
    name: str, content: bytes, reader: str, tmp_path: Path
) -> None:
    """Whoever puts the own file where the example's JSON lines were."""
    (tmp_path / name).write_bytes(content)
    (problem,) = read(tmp_path, data_files=name).problems
    assert problem.code == "not_json"
    assert problem.hint.startswith(f'Set "data_name" to "{reader}"')


def test_another_encoding_that_is_said_is_fine(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("phrase\nÄpfel\n".encode("latin-1"))
    assert read(tmp_path, data_name="csv", data_files="rows.csv", encoding="latin-1").rows == ({"phrase": "Äpfel"},)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "data_empty", "is empty"),
        (b"\n\n", "data_empty", "no rows"),
        (b'{"a": "x"}\n{"a": "caf\xe9 x"}\n', "not_utf8", "line 2, byte 11 of the line (0xE9)"),
        ('{"a": "x"}'.encode("utf-16"), "not_utf8", "looks like UTF-16"),
        (b'{"a": "x"}\n\n{"a": "y",}\n', "not_json", "rows.json, line 3, is not a JSON object"),
        (b'{"a": "x"}\n{"a": "y', "not_json", "line 2, is not a JSON object: Unterminated string."),
        (b'{"a": "x"}\n"y"\n', "not_json", "line 2, is not a JSON object: it is not an object in braces"),
        (b"phrase,tone\nx,y\n", "not_json", "line 1"),
        (b'{"a": "x", "a": "y"}\n', "not_json", 'line 1, is not a JSON object: the key "a" stands in it twice'),
    ],
)
def test_what_is_wrong_with_a_file_is_said(content: bytes, code: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_bytes(content)
    rows = read(tmp_path, data_files="rows.json")
    assert rows.rows == ()
    assert [(problem.severity, problem.code) for problem in rows.problems] == [("error", code)]
    assert words in rows.problems[0].message
    assert rows.problems[0].hint
    assert rows.problems[0].path.startswith("data_configs.train.load_dataset_config")


@pytest.mark.parametrize(
    ("params", "code", "hint"),
    [
        ({"data_files": "rose.json"}, "data_missing", "Did you mean"),
        ({"data_files": "no/where.json"}, "data_missing", "is not there either"),
        ({"data_files": {"train": "rows.json", "test": "test.json"}}, "data_missing", "has that name"),
        ({"data_files": "."}, "data_is_folder", "FOLDER/*.json"),
        ({}, "data_files_missing", '"data_files"'),
        ({"data_name": None, "data_files": "rows.json"}, "data_name_missing", '"data_name"'),
        ({"data_files": "rows.json", "split": "validation"}, "unknown_split", '"train"'),
        ({"data_files": {"a": "rows.json"}, "split": "train"}, "unknown_split", '"a"'),
        ({"data_files": "rows.json", "split": "train[:"}, "split_syntax", "train[:70%]"),
        ({"data_files": "rows.json", "split": None}, "split_missing", '"train"'),
    ],
)
def test_what_is_wrong_with_the_parameters_is_said(params: Any, code: str, hint: str, folder: Path) -> None:
    rows = read(folder, **params)
    assert [(problem.severity, problem.code) for problem in rows.problems] == [("error", code)]
    assert hint in rows.problems[0].hint
    assert (rows.total,) == (None,)


def test_olives_default_split_is_named(folder: Path) -> None:
    config = {"name": "train", "load_dataset_config": {"data_name": "json", "data_files": "rows.json"}}
    assert "which Olive takes where none is named" in read_rows(config, folder).problems[0].message


@pytest.mark.parametrize(
    ("name", "content", "warnings"),
    [
        (
            "rows.csv",
            "id,tone,text\n007,NA,x\n8,joy,y\n",
            [
                "row 1 of rows.csv has '007', which becomes 7",
                "row 1 of rows.csv has 'NA', which becomes nothing (None)",
            ],
        ),
        (
            "rows.json",
            '{"day": "2024-05-01", "x": 1}\n{"day": "2024-05-02", "x": 1.5}\n',
            ["row 1 of rows.json has '2024-05-01', which becomes 2024-05-01 00:00:00", "has 1, which becomes 1.0"],
        ),
        ("rows.csv", "text\nonly words\n", []),
    ],
)
def test_columns_that_became_something_else_are_told(
    name: str, content: str, warnings: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    rows = read(tmp_path, data_name=name.split(".")[1], data_files=name)
    assert [(problem.severity, problem.code) for problem in rows.problems] == [("warning", "retyped_column")] * len(
        warnings
    )
    assert all(words in problem.message for words, problem in zip(warnings, rows.problems, strict=True))


@pytest.mark.parametrize(
    "params",
    [
        {"split": "train[2:]"},
        {"split": "train[1:3]"},
        {"split": "train[:-1]", "data_files": ["rows.csv", "more.csv"]},
        {"col_filters": {"tone": "joy"}},
        {"data_files": ["rows.csv", "more.csv"]},
        {"data_files": {"train": "rows.csv", "test": "more.csv"}, "split": "train[2:3]+test"},
    ],
)
def test_columns_that_became_something_else_are_told_in_a_part_of_the_rows_too(
    params: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("code,tone\n1,fear\n2,fear\n007,joy\n", encoding="utf-8")
    (tmp_path / "more.csv").write_text("code,tone\n008,joy\n", encoding="utf-8")
    (problem,) = read(tmp_path, **{"data_name": "csv", "data_files": "rows.csv", **params}).problems
    assert problem.code == "retyped_column"
    assert "row 3 of rows.csv has '007', which becomes 7" in problem.message


@pytest.mark.parametrize("split", ["train[2:]", "train[-1:]", "train[:1]+test", "test+train[:2]", "train[50%:]"])
def test_rows_that_stand_elsewhere_are_not_taken_for_others(split: str, tmp_path: Path) -> None:
    for name in ("rows", "more"):
        lines = [{"word": f"{name} {number}"} for number in range(4)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    files = {"train": "rows.jsonl", "test": "more.jsonl"}
    assert read(tmp_path, data_files=files, split=split).problems == ()


def test_rows_hear_of_files_that_have_changed(folder: Path) -> None:
    config = {"data_name": "json", "data_files": "rows.json", "split": "train"}
    rows = open_rows({"name": "t", "load_dataset_config": config}, folder)
    assert not rows.outdated
    text = (folder / "rows.json").read_text(encoding="utf-8")
    (folder / "rows.json").write_text(text * 2, encoding="utf-8")
    assert rows.outdated
    again = open_rows({"name": "t", "load_dataset_config": config}, folder)
    assert not again.outdated
    (folder / "rows.json").unlink()
    assert again.outdated


def test_rows_hear_of_a_folder_that_has_changed(tmp_path: Path) -> None:
    """A data set that is a folder: a file of it is another one, or a new one has come."""
    (tmp_path / "phrases" / "data").mkdir(parents=True)
    first = tmp_path / "phrases" / "data" / "train-1.jsonl"
    first.write_text('{"word": "canal"}\n', encoding="utf-8")
    config = {"name": "t", "load_dataset_config": {"data_name": "phrases", "split": "train"}}
    rows = open_rows(config, tmp_path)
    assert (len(rows), rows.outdated) == (1, False)
    first.write_text('{"word": "canal"}\n{"word": "home"}\n', encoding="utf-8")
    assert rows.outdated
    again = open_rows(config, tmp_path)
    assert (len(again), again.outdated) == (2, False)
    first.with_name("train-2.jsonl").write_text('{"word": "late"}\n', encoding="utf-8")
    assert again.outdated
    assert len(open_rows(config, tmp_path)) == 3


def test_rows_know_what_they_are(folder: Path) -> None:
    rows = open_rows({"name": "t", "load_dataset_config": {"data_name": "json", "data_files": "rows.json"}}, folder)
    assert (rows.ok, rows.total, rows.columns, bool(rows), rows.page(0, 5), list(rows.batches())) == (
        False,
        None,
        (),
        False,
        [],
        [],
    )
    loading = {"data_name": "json", "data_files": ["rows.json", "rows.json"], "split": "train"}
    rows = open_rows({"name": "t", "load_dataset_config": loading}, folder)
    assert (rows.ok, bool(rows), rows.description, len(rows)) == (True, True, "rows.json, rows.json", 20)
    assert rows.page(8, 12) == [ROWS[8], ROWS[9], ROWS[0], ROWS[1]]


def test_a_filter_reads_only_what_it_must(tmp_path: Path) -> None:
    lines = [{"n": number, "tone": "joy" if number % 700 == 0 else "fear"} for number in range(9000)]
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in lines), encoding="utf-8")
    loading = {"data_name": "json", "data_files": "rows.json", "split": "train[:8000]", "chunksize": 5000}
    rows = open_rows({"name": "t", "load_dataset_config": {**loading, "col_filters": {"tone": "joy"}}}, tmp_path)
    assert rows.page(0, 3) == [lines[0], lines[700], lines[1400]]
    assert [row["n"] for batch in rows.batches(4) for row in batch] == list(range(0, 8000, 700))
    assert rows.total == 12
    assert rows.page(10, 20) == [lines[7000], lines[7700]]
    assert rows.page(0, 2) == [lines[0], lines[700]]
    none = open_rows({"name": "t", "load_dataset_config": {**loading, "col_filters": {"tone": "JOY"}}}, tmp_path)
    assert (none.ok, none.problems) == (True, ())
    assert none.count() == 0
    assert [problem.code for problem in none.problems] == ["data_empty"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rows.json", "rows.csv"])
@pytest.mark.parametrize("filters", [{"n": 1}, {"n": 1.0, "tone": "joy"}, {"tone": None}, {"n": "1"}])
def test_filters_are_olives(name: str, filters: dict[str, Any], tmp_path: Path) -> None:
    """The lambda of olive.data.component.load_dataset.huggingface_dataset, under datasets itself."""
    from datasets import load_dataset

    (tmp_path / "rows.json").write_text(
        '{"n": 1, "tone": "joy"}\n{"n": 2, "tone": null}\n{"n": 1, "tone": "fear"}\n', encoding="utf-8"
    )
    (tmp_path / "rows.csv").write_text("n,tone\n1,joy\n2,NA\n1,fear\n", encoding="utf-8")
    kind = name.split(".")[1]
    dataset = load_dataset(kind, data_files=str(tmp_path / name), split="train", cache_dir=str(tmp_path / "cache"))
    expected = list(dataset.filter(lambda row: all(row[column] == value for column, value in filters.items())))
    read_ = read(tmp_path, data_name=kind, data_files=name, col_filters=filters)
    assert list(read_.rows) == expected
    told = [problem.code for problem in read_.problems]
    assert ("data_empty" in told) == (not expected)
    # NA became nothing in a row of which only the filter for nothing takes notice.
    assert ("retyped_column" in told) == (kind == "csv" and filters == {"tone": None})


def test_errors_of_one_row_stand_for_all(folder: Path) -> None:
    with (folder / "rows.json").open("a", encoding="utf-8") as file:
        file.write("{\n")
    rows = read(folder, limit=3, data_files="rows.json")
    assert (rows.rows, rows.total, [problem.code for problem in rows.problems]) == ((), None, ["not_json"])
    loading = {"data_name": "json", "data_files": "rows.json", "split": "train"}
    with pytest.raises(Unreadable):
        open_rows({"name": "t", "load_dataset_config": loading}, folder).count()


def test_plain_lines_load_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from phinb.data.source import open_rows\n"
        "settings = {'data_name': 'json', 'data_files': 'rows.json', 'split': 'train[:50%]'}\n"
        "assert len(open_rows({'load_dataset_config': settings}, Path())) == 5\n"
        "heavy = {'torch', 'datasets', 'pyarrow', 'pandas', 'fsspec'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
