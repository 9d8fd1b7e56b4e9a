"""%olive_figure and %olive_report on a comparison of the notebook, on one that was saved, and on runs."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from phinb.notebook.comparison_output import PLOTLY_MIME
from phinb.plots import table
from tests.notebook.conftest import Shell
from tests.plots.examples import keep_run, make_named


@pytest.fixture
def bench(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in an empty folder, with a comparison in the variable `comparison`."""
    monkeypatch.chdir(tmp_path)
    shell.ip.user_ns["comparison"] = make_named(f"config-{secrets.token_hex(4)}")
    return shell


def test_a_figure_is_shown_with_its_table_as_text(bench: Shell) -> None:
    (output,) = bench.execute("%olive_figure comparison stages").outputs
    assert output.data[PLOTLY_MIME]["layout"]["title"]["text"] == "Gained and lost, stage by stage"
    assert "mcnemar p" in output.data["text/plain"]


def test_its_table_is_a_frame(bench: Shell) -> None:
    (output,) = bench.execute("%olive_figure comparison latency --table").outputs
    assert "slowest_10_percent" in output.data["text/html"]


def test_the_table_is_saved_as_csv(bench: Shell, tmp_path: Path) -> None:
    import pandas

    assert "stages.csv is written" in bench.text("%olive_figure comparison stages --save stages.csv")
    written = pandas.read_csv(tmp_path / "stages.csv")
    pandas.testing.assert_frame_equal(written, table(bench.ip.user_ns["comparison"], "stages"))


@pytest.mark.slow
def test_the_picture_is_saved(bench: Shell, tmp_path: Path) -> None:
    assert "stages.png is written" in bench.text("%olive_figure comparison stages --save stages.png --dark")
    assert (tmp_path / "stages.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_has_a_history_by_name_and_a_comparison_by_file(bench: Shell, tmp_path: Path) -> None:
    comparison = bench.ip.user_ns["comparison"]
    run = keep_run(comparison, 1_000_000.0)
    for reference in (run, comparison.name):
        (output,) = bench.execute(f"%olive_figure {reference} history").outputs
        assert run in output.data["text/plain"]
    comparison.save(tmp_path / "kept.json")
    assert "int4" in bench.text("%olive_figure kept.json quality_latency")


def test_what_there_is_not_is_said(bench: Shell) -> None:
    for line, message in (
        ("%olive_figure comparison pie", "There is no figure 'pie'"),
        ("%olive_figure nothing_of_that_name history", "There is no run"),
        ("%olive_report nothing_of_that_name report.html", "There is no run"),
    ):
        bench.execute(line)
        assert message in str(bench.result.error_in_exec)


def test_a_report_is_written_once(bench: Shell, tmp_path: Path) -> None:
    assert "report.html is written, 2." in bench.text("%olive_report comparison report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads(text.split('data-light="stages">')[1].split("</script>")[0])["data"]
    bench.execute("%olive_report comparison report.html")
    assert "is there already" in str(bench.result.error_in_exec)
    assert "is written" in bench.text("%olive_report comparison report.html --force")
