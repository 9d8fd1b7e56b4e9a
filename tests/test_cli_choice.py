"""phinb choose and phinb export: exit codes, what stands on which stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from phinb.cli import main
from tests.evaluation.examples import make_comparison


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = tmp_path / "comparison.json"
    make_comparison(("base", "adapter", "merged", "int4")).save(path)
    return str(path)


def test_a_saved_comparison_is_chosen_from(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choose", saved, "accuracy>=0.8", "size<=400MB"]) == 0
    told = capsys.readouterr().out
    assert "int4 (size 198 MB): asked for accuracy 80.0 % or more, size 400 MB or less" in told
    assert "95 % interval reaches down to 74.9 %" in told


def test_where_none_fits_the_exit_code_says_so(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choose", saved, "accuracy>=0.84", "size<=250MB"]) == 1
    assert "The cheapest to relax: accuracy>=0.804" in capsys.readouterr().out


def test_an_unquoted_constraint_is_explained(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell takes `>=0.8` for a file to write to, and leaves the name alone."""
    assert main(["choose", saved, "accuracy"]) == 1
    assert "in a shell in quotes" in capsys.readouterr().err


def test_an_export_needs_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "no-such-run", "int4", str(tmp_path / "home")]) == 1
    assert "There is no run" in capsys.readouterr().err
