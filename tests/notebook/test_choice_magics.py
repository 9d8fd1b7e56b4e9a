"""%olive_choose and %olive_export in a real IPython shell; no run is needed where a comparison is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from phinb.notebook.failure import ShownError
from tests.evaluation.examples import make_comparison

FOUR = ("base", "adapter", "merged", "int4")


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "phinb")
    shell.user_ns["compared"] = make_comparison(FOUR)
    yield shell
    InteractiveShell.clear_instance()


def shown(captured: Any) -> list[dict[str, Any]]:
    return [output.data for output in captured.outputs]


def test_the_choice_is_a_table_and_a_plot(shell: InteractiveShell) -> None:
    with capture_output() as captured:
        choice = shell.run_line_magic("olive_choose", "compared accuracy>=0.8 size<=400MB")
    assert choice.variant == "int4"
    table, plot = shown(captured)
    assert "int4" in table["text/html"]
    assert "not certain that it is 80.0 % or more" in table["text/plain"]
    drawn = plot["application/vnd.plotly.v1+json"]
    assert "int4, chosen" in [trace.get("name") for trace in drawn["data"]]


def test_constraints_with_spaces_and_another_figure(shell: InteractiveShell) -> None:
    with capture_output():
        choice = shell.run_line_magic("olive_choose", "compared accuracy >= 80 % --by accuracy")
    assert choice.variant in ("adapter", "merged")


def test_what_cannot_be_read_is_said(shell: InteractiveShell) -> None:
    with capture_output(), pytest.raises(ShownError, match=r"Did you mean accuracy\?"):
        shell.run_line_magic("olive_choose", "compared acuracy>=0.8")


def test_an_export_of_a_run_that_is_not_there_is_said(shell: InteractiveShell, tmp_path: Path) -> None:
    with capture_output(), pytest.raises(ShownError, match="There is no run"):
        shell.run_line_magic("olive_export", f"no-such-run int4 {tmp_path / 'home'}")
    assert not (tmp_path / "home").exists()
