"""%olive_preview where nobody can press a button, and in a real kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.conftest import Shell
from tests.notebook.test_config_magics import GOOD, ROWS, rows

__all__ = ["rows"]


def test_a_terminal_gets_text(shell: Shell, rows: Path) -> None:
    shell.execute(f"%%olive_config emotion\n{GOOD}")
    text = shell.text("%olive_preview emotion --limit 1")
    assert text.lstrip().startswith("emotion · train  8 rows → 8 sequences")
    assert text.count("sequence 1 · row 1") == 1
    assert "sequence 2" not in text
    assert "tokens a row, median" in text


def test_a_file_is_shown_as_well(shell: Shell, rows: Path) -> None:
    Path("other.json").write_text(GOOD, encoding="utf-8")
    assert shell.text("%olive_preview other.json").lstrip().startswith("other · train  8 rows")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("%olive_preview nothing", "There is no configuration 'nothing'"),
        ("%olive_preview emotion --data tran", "Did you mean train?"),
        ("%olive_preview broken", "max_seq_lem"),
    ],
)
def test_what_is_not_there_is_told_without_a_traceback(shell: Shell, rows: Path, line: str, told: str) -> None:
    shell.execute(f"%%olive_config emotion\n{GOOD}")
    shell.execute("%%olive_config broken\n" + GOOD.replace("max_seq_len", "max_seq_lem"))
    shell.execute(line)
    assert told in str(shell.result.error_in_exec)
    assert "Traceback" not in str(shell.result.error_in_exec)


@pytest.mark.slow
def test_in_a_real_kernel_the_saved_notebook_can_be_read_without_one(tmp_path: Path) -> None:
    """The panel's twin is made anew from the thread that counts; a notebook that runs alone has the static form."""
    import nbformat
    from jupyter_client.manager import KernelManager
    from nbclient import NotebookClient

    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    cells = ["%load_ext phinb", f"%%olive_config emotion\n{GOOD}", "%olive_preview emotion", WAIT]
    for headless in ("1", "0"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.cells.insert(0, nbformat.v4.new_code_cell(f"import os; os.environ['PHINB_HEADLESS'] = '{headless}'"))
        client = NotebookClient(notebook, km=KernelManager(), resources={"metadata": {"path": str(tmp_path)}})
        client.execute()
        outputs: list[Any] = notebook.cells[3].outputs
        html = outputs[0]["data"]["text/html"]
        assert "8 rows → 8 sequences" in html
        assert ('class="phinb phinb-twin"' in html) == (headless == "0")
        views = [one for one in outputs if "application/vnd.jupyter.widget-view+json" in one["data"]]
        assert len(views) == (headless == "0")


WAIT = """
import asyncio
await asyncio.sleep(5)
"""
