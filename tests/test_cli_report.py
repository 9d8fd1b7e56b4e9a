"""phinb report and phinb figure, on a comparison that was saved."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from phinb.cli import main
from tests.plots.examples import keep_run, make_named


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """A file that comparison.save wrote."""
    path = tmp_path / "kept.json"
    make_named(f"config-{secrets.token_hex(4)}").save(path)
    return str(path)


def test_a_figure_is_printed_as_its_table(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figure", kept, "stages"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["variant", "before", "points"]
    assert lines[4].split()[:3] == ["int4", "merged", "-3.75"]


def test_a_run_is_named_for_its_history(capsys: pytest.CaptureFixture[str]) -> None:
    run = keep_run(make_named(f"config-{secrets.token_hex(4)}"), 1_000_000.0)
    assert main(["figure", run, "history"]) == 0
    assert capsys.readouterr().out.count(run) == 4


def test_a_table_is_saved_and_a_report_written(kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figure", kept, "latency", "--save", str(tmp_path / "latency.csv")]) == 0
    assert (tmp_path / "latency.csv").read_text(encoding="utf-8").startswith("variant,measure,n,median")
    report = tmp_path / "report.html"
    assert main(["report", kept, str(report)]) == 0
    assert "is written, 2." in capsys.readouterr().out
    assert main(["report", kept, str(report)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["report", kept, str(report), "--force"]) == 0


@pytest.mark.slow
def test_a_picture_is_saved(kept: str, tmp_path: Path) -> None:
    from PIL import Image

    target = tmp_path / "stages.webp"
    assert main(["figure", kept, "stages", "--save", str(target), "--width", "500"]) == 0
    assert Image.open(target).size[0] == 1000


def test_what_cannot_be_is_said(kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in (
        (["figure", kept, "pie"], "There is no figure 'pie'"),
        (["figure", kept, "stages", "--save", str(tmp_path / "x.gif")], "cannot be written as 'x.gif'"),
        (["report", "no-such-run", str(tmp_path / "x.html")], "There is no run 'no-such-run'"),
    ):
        assert main(arguments) == 1
        assert text in capsys.readouterr().err
