"""%olive_preview where nobody can press a button, and in a real kernel."""

from __future__ import annotations

import contextlib
import json
import queue
import time
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

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
@pytest.mark.parametrize("headless", [True, False])
def test_in_a_real_kernel_the_saved_notebook_can_be_read_without_one(tmp_path: Path, headless: bool) -> None:
    """The panel's twin is made anew from the thread that counts; a notebook that runs alone has the static form."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        client.execute(f"import os; os.environ['PHINB_HEADLESS'] = '{int(headless)}'")
        client.execute("%load_ext phinb")
        client.execute(f"%%olive_config emotion\n{GOOD}")
        shown: dict[str, str] = {}  # as a notebook keeps it: an output is replaced by its name, whichever cell it is of
        views = 0
        client.execute("%olive_preview emotion")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not any("8 rows → 8 sequences" in html for html in shown.values()):
            with contextlib.suppress(queue.Empty):
                message = client.get_iopub_msg(timeout=1)
                if message["msg_type"] in ("display_data", "update_display_data"):
                    data, name = message["content"]["data"], message["content"]["transient"].get("display_id", "")
                    views += VIEW in data
                    if "Preview of train" in data.get("text/html", ""):
                        shown[name] = data["text/html"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (html,) = shown.values()
    assert "8 rows → 8 sequences" in html
    assert ('class="phinb phinb-twin"' in html) != headless
    assert (views > 0) != headless


VIEW = "application/vnd.jupyter.widget-view+json"
