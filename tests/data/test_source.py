"""Rows as Olive would read them, and what is said where they cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.data.json_lines import read_plain
from phinb.data.source import Rows, parameters, read_rows

ROWS = [{"phrase": f"phrase {number}", "tone": "joy" if number % 2 else "fear"} for number in range(10)]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The library's cache, so that no test finds what another left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return tmp_path


def read(folder: Path, limit: int | None = None, **params: Any) -> Rows:
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
    assert (problem.code, problem.message) == ("data_empty", "There are no rows in q*.json.")


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
        (b'{"a": "x"}\n"y"\n', "not_json", "line 2, is not a JSON object: it is not an object in braces"),
        (b"phrase,tone\nx,y\n", "not_json", "line 1"),
        (b'{"a": "x", "a": "y"}\n', "data_unreadable", "specified twice"),
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
    assert rows.total is None


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


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.slow
@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=6), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"])
)
@settings(max_examples=60, deadline=None)
def test_plain_lines_are_read_as_the_library_reads_them(
    pairs: list[tuple[str, str]], ascii_only: bool, end: str
) -> None:
    import tempfile

    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        lines = [json.dumps({"a": one, "b": two}, ensure_ascii=ascii_only) for one, two in pairs]
        file.write_bytes(end.join(lines).encode("utf-8"))
        read = read_plain([file])
        if read is not None:
            expected = load_dataset("json", data_files=str(file), split="train", cache_dir=folder)
            assert read == list(expected)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}',
        '{"a": "x"}\n{"a": null}',
        '{"a": "x"}\n{"b": "x"}',
        '{"a": "x"}\n{"a": "2024-05-01 at noon"}',
        '[{"a": "x"}]',
        '{"a": "\\ud800"}',
        '{"a": {"b": "x"}}',
        '{"a": "x"} {"a": "y"}',
    ],
)
def test_what_is_not_plain_is_left_to_the_library(content: str, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(content, encoding="utf-8")
    assert read_plain([tmp_path / "rows.json"]) is None
