"""phinb changes: what stands on which stream, what is written, what is said where there is nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phinb.cli import main
from tests.evaluation.examples import make_comparison


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = tmp_path / "comparison.json"
    make_comparison(("base", "adapter", "merged", "int4")).save(path)
    return str(path)


def test_the_last_stages_changes_are_printed(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", saved]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "merged -> int4: of 240 rows 19 broken, 10 mended, 0 answered otherwise."
    assert len(told) == 1 + 29
    assert "✗ broken" in told[1]


def test_any_two_variants_are_written_to_a_file(saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "changed.jsonl"
    assert main(["changes", saved, "--before", "base", "--after", "merged", "--save", str(target)]) == 0
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 112
    assert "6 broken, 106 mended" in capsys.readouterr().out


def test_all_rows_are_json_lines(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", saved, "--all"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 240
    assert {"row", "answer", "base", "int4"} <= rows[0].keys()


def test_what_is_not_there_is_said(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", saved, "--after", "int8"]) == 1
    assert "no variant 'int8'" in capsys.readouterr().err
    assert main(["changes", "no-such-run"]) == 1
    assert "There is no run" in capsys.readouterr().err
