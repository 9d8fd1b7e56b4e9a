"""Patterns against the library's own way of looking files up."""

from __future__ import annotations

from pathlib import Path

import pytest

from phinb.data.files import check_files, find_files
from phinb.data.patterns import find_matches, is_pattern

FILES = (
    "b.json",
    "a.json",
    "a.csv",
    "README.md",
    "config.json",
    ".hidden.json",
    "__cache__/x.json",
    ".git/y.json",
    "sub/c.json",
    "sub/deep/d.json",
    "sub/.deep/e.json",
    "r[1].json",
    "r1.json",
    "ü x.json",
)
PATTERNS = ["*.json", "**/*.json", "sub/*", "sub/**", "?.json", "[ab].json", "[!a].json", "r[1].json", ".*.json"]
PATTERNS += [
    "__*/*.json",
    ".git/*",
    "*",
    "conf*.json",
    "config.json*",
    "sub*/*.json",
    "**",
    "nothing*.json",
    "*/deep/*",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_files_are_those_that_datasets_finds(pattern: str, folder: Path) -> None:
    from datasets.data_files import resolve_pattern

    assert is_pattern(pattern)
    try:
        expected = resolve_pattern(str(folder / pattern), str(folder))
    except FileNotFoundError:
        expected = []
    assert [str(file) for file in find_matches(folder / pattern)] == expected


def test_lists_and_splits_are_spread_out_in_order(folder: Path) -> None:
    files = find_files("json", {"data_files": {"train": ["b.json", "sub/*.json"], "test": "a.*"}}, folder).files
    assert {split: [file.name for file in found] for split, found in files.items()} == {
        "train": ["b.json", "c.json"],
        "test": ["a.csv", "a.json"],
    }
    listed = [{"split": "train", "path": "b.json"}, {"split": "test", "path": ["a.json"]}]
    assert list(find_files("json", {"data_files": listed}, folder).files) == ["train", "test"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("nothing*.json", "is there"), ("no/where/*.json", "Look at the folders"), ("r[2].json", "is there")],
)
def test_a_pattern_without_files_is_told(name: str, hint: str, folder: Path) -> None:
    (problem,) = check_files(find_files("json", {"data_files": name}, folder), "data")
    assert (problem.code, problem.path) == ("data_missing", "data.data_files")
    assert problem.message == f"No file matches {folder / name}."
    assert hint in problem.hint


def test_a_name_that_is_a_pattern_too_is_told(folder: Path) -> None:
    (folder / "r1.json").unlink()
    (problem,) = check_files(find_files("json", {"data_files": "r[1].json"}, folder), "data")
    assert "takes *, ? and [ in it for a pattern: rename" in problem.hint


def test_empty_files_matter_only_where_the_reader_minds(folder: Path) -> None:
    (folder / "a.json").write_bytes(b"")
    assert check_files(find_files("json", {"data_files": ["a.json", "b.json"]}, folder), "") == []
    assert [one.code for one in check_files(find_files("csv", {"data_files": ["a.json", "b.json"]}, folder), "")] == [
        "data_empty"
    ]
    assert [one.code for one in check_files(find_files("json", {"data_files": "a.json"}, folder), "")] == ["data_empty"]


def test_paths_in_a_data_set_of_the_hub_stay_as_they_are(folder: Path) -> None:
    sources = find_files("someone/something", {"data_files": "a.json"}, folder)
    assert (sources.arguments["data_files"], sources.files) == ("a.json", {})
    assert find_files("sub", {"data_files": "c.json"}, folder).arguments["data_files"] == [
        str(folder / "sub" / "c.json")
    ]
