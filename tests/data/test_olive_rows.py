"""The rows of every kind of source are those that Olive's own loader gives for the same parameters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.data.rows import Unreadable
from phinb.data.source import open_rows

CARD = """---
configs:
- config_name: first
  data_files: [{split: train, path: "a*.csv"}, {split: test, path: b.csv}]
- config_name: second
  data_files: "b.csv"
---
"""

OLIVE = """
import json, sys
from olive.data.component.load_dataset import huggingface_dataset
for params in json.load(sys.stdin):
    try:
        rows = list(huggingface_dataset(**params))
    except Exception:
        rows = None
    print(json.dumps(repr(rows)))
"""

CSV = {"data_name": "csv", "split": "train"}
CASES: dict[str, dict[str, Any]] = {
    "a pattern": {**CSV, "data_files": "set/a*.csv"},
    "a pattern over folders": {**CSV, "data_files": "**/a*.csv"},
    "a pattern that takes one sign": {**CSV, "data_files": "set/a?.csv"},
    "a list": {**CSV, "data_files": ["set/b.csv", "set/a1.csv"]},
    "a list of patterns": {**CSV, "data_files": ["set/b*.csv", "set/a*.csv"]},
    "lists by split": {
        **CSV,
        "data_files": {"train": ["set/b.csv"], "test": ["set/a1.csv", "set/a2.csv"]},
        "split": "test",
    },
    "splits together": {**CSV, "data_files": {"a": "set/a1.csv", "b": "set/b.csv"}, "split": "b+a"},
    "a slice in percent": {**CSV, "data_files": "set/a1.csv", "split": "train[50%:]"},
    "a slice from the end": {**CSV, "data_files": "set/a1.csv", "split": "train[-2:]"},
    "a slice of too few rows": {**CSV, "data_files": "set/a1.csv", "split": "train[:33%](pct1_dropremainder)"},
    "all": {**CSV, "data_files": {"a": "set/a1.csv", "b": "set/b.csv"}, "split": "all"},
    "a filter": {**CSV, "data_files": "set/a*.csv", "col_filters": {"tone": "joy"}},
    "a filter and a slice": {**CSV, "data_files": "set/a*.csv", "split": "train[1:]", "col_filters": {"tone": "joy"}},
    "a filter of two": {**CSV, "data_files": "set/a*.csv", "col_filters": {"tone": "joy", "id": 7}},
    "a filter by what was written": {**CSV, "data_files": "set/a*.csv", "col_filters": {"id": "007"}},
    "a folder's subset": {"data_name": "set", "subset": "first", "split": "train"},
    "its other split": {"data_name": "set", "subset": "first", "split": "test"},
    "its other subset": {"data_name": "set", "subset": "second", "split": "train"},
    "a subset that is not there": {"data_name": "set", "subset": "third", "split": "train"},
    "a name for files": {**CSV, "data_files": "set/a1.csv", "subset": "anything"},
    "a stream": {**CSV, "data_files": "set/a*.csv", "streaming": True},
    "a filtered stream": {**CSV, "data_files": "set/a*.csv", "streaming": True, "col_filters": {"tone": "joy"}},
    "columns by number": {**CSV, "data_files": "set/a1.csv", "column_names": ["x", "y", "z"]},
    "NA as a word": {**CSV, "data_files": "set/a1.csv", "keep_default_na": False},
    "an option that the reader lacks": {**CSV, "data_files": "set/a1.csv", "dtype": "str"},
    "another delimiter": {**CSV, "data_files": "semicolons.csv", "sep": ";"},
    "parquet": {"data_name": "parquet", "data_files": "*.parquet", "split": "train[1:]", "col_filters": {"n": 2}},
    "some columns of parquet": {
        "data_name": "parquet",
        "data_files": "rows.parquet",
        "split": "train",
        "columns": ["n"],
    },
    "a parquet stream": {"data_name": "parquet", "data_files": "rows.parquet", "split": "train", "streaming": True},
    "text": {"data_name": "text", "data_files": ["lines.txt", "lines.txt"], "split": "train[:75%]"},
    "text by paragraphs": {"data_name": "text", "data_files": "lines.txt", "split": "train", "sample_by": "paragraph"},
    "text as a whole": {"data_name": "text", "data_files": "lines.txt", "split": "train", "sample_by": "document"},
    "a text stream": {"data_name": "text", "data_files": "l*.txt", "split": "train", "streaming": True},
    "lines of json": {"data_name": "json", "data_files": ["rows.jsonl", "rows.jsonl"], "split": "train[1:]"},
    "a json list": {"data_name": "json", "data_files": "list.json", "split": "train"},
    "a field of json": {"data_name": "json", "data_files": "field.json", "split": "train", "field": "rows"},
    "a json stream": {"data_name": "json", "data_files": "r*.jsonl", "split": "train", "streaming": True},
    "mixed endings": {"data_name": "json", "data_files": "[lr]*.json*", "split": "train"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pandas

    folder = tmp_path_factory.mktemp("sources")
    (folder / "set").mkdir()
    (folder / "set" / "README.md").write_text(CARD, encoding="utf-8")
    (folder / "set" / "a1.csv").write_text(
        "id,tone,day\n007,NA,2024-05-01\n8,joy,\n9,joy,x\n10,fear,y\n", encoding="utf-8"
    )
    (folder / "set" / "a2.csv").write_text("id,tone,day\n7,joy,2024-05-01\n8,fear,2024-05-02\n", encoding="utf-8")
    (folder / "set" / "b.csv").write_text("id,tone,day\n1,ü,z\n2,joy,z\n", encoding="utf-8")
    (folder / "semicolons.csv").write_text('a;b\n"1;2";x\n3,4;NA\n', encoding="utf-8")
    days = pandas.to_datetime(["2024-05-01", None, "2024-05-03"])
    pandas.DataFrame({"n": [1, 2, 3], "day": days, "code": ["007", "NA", None]}).to_parquet(folder / "rows.parquet")
    (folder / "lines.txt").write_text("one\n\ntwo ü\nthree\n\n\nfour", encoding="utf-8")
    rows = [{"day": "2024-05-01", "n": 1, "code": "007"}, {"day": "2024-05-02", "n": 2.5, "code": "NA"}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "list.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (folder / "field.json").write_text(json.dumps({"version": 1, "rows": rows}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Olive's loader gives, as Python writes it; "None" where it fails. All in one process: it loads torch."""
    environment = os.environ | {"HF_HOME": str(tmp_path_factory.mktemp("hub"))}
    given = json.dumps(list(CASES.values()))
    done = subprocess.run(
        [sys.executable, "-c", OLIVE],
        input=given,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('"')]
    return dict(zip(CASES, lines, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_rows_are_olives(case: str, folder: Path, expected: dict[str, str]) -> None:
    rows = open_rows({"name": "train", "load_dataset_config": dict(CASES[case])}, folder)
    found: list[Any] | None = None
    if rows.ok:
        try:
            found = [row for batch in rows.batches(2) for row in batch]
        except Unreadable:
            found = None
    if expected[case] in ("None", "[]"):
        assert not found
        assert rows.problems
        return
    assert repr(found) == expected[case]
    assert repr(rows.page(1, 3)) == repr((found or [])[1:3])


@pytest.mark.slow
def test_most_of_the_cases_have_rows(expected: dict[str, str]) -> None:
    failed = [case for case, rows in expected.items() if rows == "None"]
    assert failed == ["a slice of too few rows", "a subset that is not there", "an option that the reader lacks"]
