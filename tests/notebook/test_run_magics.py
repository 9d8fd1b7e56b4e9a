"""The run magics in real kernels: alone (nbclient), interrupted, with a panel; and in a terminal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from phinb.notebook.run_html import RUN_MIME
from phinb.types import MetricLogged
from phinb.workflow.runner import open_run
from tests.golden.replay import Replay
from tests.notebook.conftest import Shell
from tests.notebook.test_config_magics import GOOD, ROWS

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
MakeReplay = Callable[..., Replay]


def execute(*cells: str, cwd: Path | None = None, **options: Any) -> Any:
    """Execute the cells in a kernel as nbconvert does, %load_ext first; returns the notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in ("%load_ext phinb", *cells)])
    resources = {"metadata": {"path": str(cwd)}} if cwd else {}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources, **options).execute()
    return notebook


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


# ---------------------------------------------------------------------------------------------- alone


@pytest.mark.slow
def test_alone_it_waits_prints_and_ends_with_the_saved_form(replay: MakeReplay) -> None:
    run = replay("success")
    run.play(6)
    threading.Thread(target=run.play_all, args=(0.3,), daemon=True).start()
    notebook = execute(f"%olive_attach {run.run_id}", "print('after')")
    text = printed(notebook.cells[1])
    assert run.run_id in text
    assert "● lora LoRA" in text
    assert "✓ lora LoRA  60 steps" in text
    assert "↺ int4 ModelBuilder  reused: same input" in text
    assert "Grouping by length would save about 20 %." in text
    assert text.count("● lora") <= 3  # a line every five seconds, not one a step
    last = notebook.cells[1].outputs[-1]
    assert last.output_type == "display_data"  # and no result besides: the Run is not printed again
    assert "succeeded" in last.data["text/html"]
    assert last.data[RUN_MIME]["status"] == "succeeded"
    assert WIDGET_MIME not in json.dumps(notebook)
    assert printed(notebook.cells[2]) == "after\n"


def test_alone_the_run_is_what_an_assignment_gets(replay: MakeReplay) -> None:
    run = replay("success")
    run.play_all()
    notebook = execute(f"run = %olive_attach {run.run_id}\nprint(run.id, run.state.status)")
    assert f"{run.run_id} succeeded" in printed(notebook.cells[1])


def test_alone_a_failed_run_fails_the_notebook_without_a_traceback(replay: MakeReplay) -> None:
    run = replay("pass_failed")
    run.play_all()
    with pytest.raises(CellExecutionError) as caught:
        execute(f"%olive_attach {run.run_id}")
    text = str(caught.value)
    assert "The disk that holds the cache is full" in text
    assert "site-packages" not in text
    assert 'File "' not in text


def test_alone_an_error_on_purpose_is_shown_and_fails_the_notebook() -> None:
    with pytest.raises(CellExecutionError) as caught:
        execute("%olive_attach r-19990101-000000-0000")
    assert "There is no run" in str(caught.value)
    assert "%olive_runs" in str(caught.value)
    assert 'File "' not in str(caught.value)


@pytest.mark.slow
def test_alone_a_real_run_of_the_tiny_model(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    cells = [f"%%olive_config tiny\n{GOOD}", "run = %olive_run tiny --fresh", "run.variants"]
    notebook = execute(*cells, "%olive_compare tiny --rows rows.jsonl", cwd=tmp_path)
    assert "✓ lora LoRA  2 steps" in printed(notebook.cells[2])
    assert "✓ merge MergeAdapterWeights" in printed(notebook.cells[2])
    assert "succeeded" in notebook.cells[2].outputs[-1].data["text/html"]
    assert "merged" in notebook.cells[3].outputs[0].data["text/plain"]
    assert "● merged measure" in printed(notebook.cells[4])
    table, figure = [output for output in notebook.cells[4].outputs if output.output_type == "display_data"]
    assert "adapter" in table.data["text/html"]
    assert "application/vnd.plotly.v1+json" in figure.data


# ---------------------------------------------------------------------------------------- interrupted


@pytest.fixture
def kernel() -> Iterator[tuple[Any, Any]]:
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute("%load_ext phinb", reply=True, timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("allow_stdin", [False, True], ids=["alone", "with --wait"])
def test_an_interrupt_ends_the_waiting_and_says_that_the_run_goes_on(
    kernel: tuple[Any, Any], replay: MakeReplay, allow_stdin: bool
) -> None:
    manager, client = kernel
    run = replay("success")
    run.play(9)
    client.allow_stdin = allow_stdin
    request = client.execute(f"%olive_attach {run.run_id} --wait", allow_stdin=allow_stdin)
    time.sleep(3)
    manager.interrupt_kernel()
    deadline = time.monotonic() + 30
    while (reply := client.get_shell_msg(timeout=30))["parent_header"]["msg_id"] != request:
        assert time.monotonic() < deadline
    assert reply["content"]["status"] == "error"
    told = "\n".join(reply["content"]["traceback"])
    assert f"run {run.run_id} goes on" in told
    assert f"%olive_stop {run.run_id} --cancel" in told
    assert 'File "' not in told
    assert not open_run(run.run_id).state.ended


# ---------------------------------------------------------------------------------------- with a panel


def test_a_living_panel_has_its_twins(replay: MakeReplay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHINB_HEADLESS", "0")
    run = replay("success")
    run.play(9)
    notebook = execute(f"%olive_attach {run.run_id}", store_widget_state=False)
    (output,) = notebook.cells[1].outputs
    assert {WIDGET_MIME, RUN_MIME, "text/html", "text/plain"} == set(output.data)
    assert f"%olive_attach {run.run_id}" in output.data["text/html"]


def test_a_run_that_ended_early_gives_way_when_the_next_cell_runs(
    replay: MakeReplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHINB_HEADLESS", "0")
    run = replay("cancel_in_training")
    run.play_all()
    cells = [f"%olive_attach {run.run_id}", "import time; time.sleep(1)", "pass"]
    assert WIDGET_MIME in execute(*cells[:1], store_widget_state=False).cells[1].outputs[0].data
    (output,) = execute(*cells, store_widget_state=False).cells[1].outputs
    assert WIDGET_MIME not in output.data
    assert "cancelled" in output.data["text/html"]


# --------------------------------------------------------------------------------------- in a terminal


def test_a_terminal_gets_lines_and_the_run_as_a_result(shell: Shell, replay: MakeReplay) -> None:
    run = replay("success")
    run.play_all()
    text = shell.text(f"%olive_attach {run.run_id}")
    assert "✓ lora LoRA  60 steps" in text
    assert shell.result.result.id == run.run_id


def test_the_list_of_runs(shell: Shell, replay: MakeReplay) -> None:
    ended, living = replay("worker_lost", name="first"), replay("success", name="second")
    ended.play_all()
    living.play(9)
    text = shell.text("%olive_runs --all")
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith("r-")}
    assert lines[ended.run_id][1:6] == ["first", "failed", "0", "of", "1"]
    assert lines[living.run_id][1:6] == ["second", "running", "0", "of", "3"]
    assert f">{living.run_id}<" in shell.html("%olive_runs --all")


def test_stop_asks_the_worker_and_cancel_ends_it(shell: Shell, replay: MakeReplay) -> None:
    run = replay("success")
    run.play(9)
    assert "ends its training" in shell.text(f"%olive_stop {run.run_id}")
    assert run.control() == "stop"
    assert "cancelled" in shell.text(f"%olive_stop {run.run_id} --cancel")
    assert run.worker.wait(5) == 0
    assert "has ended already" in shell.text(f"%olive_stop {run.run_id}")


def test_cancel_of_a_worker_that_hears_nothing_is_told_as_cancelled(replay: MakeReplay) -> None:
    """Also where somebody else, a panel's thread, looks at the run while its worker is being killed."""
    run = replay("success", deaf=True)
    run.play(9)
    watching, ended = open_run(run.run_id), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            _ = watching.state
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        open_run(run.run_id).cancel()
    finally:
        ended.set()
        watcher.join()
    assert open_run(run.run_id).state.status == "cancelled"


def test_no_reference_means_the_newest_run(shell: Shell, replay: MakeReplay) -> None:
    run = replay("success")
    run.play_all()
    shell.execute("found = %olive_attach")
    assert shell.ip.user_ns["found"].id >= run.run_id


def test_a_comparison_of_nothing_says_why(shell: Shell, replay: MakeReplay) -> None:
    run = replay("pass_failed")
    run.play_all()
    shell.execute(f"%olive_compare {run.run_id}")
    assert shell.result.error_in_exec is not None
    assert type(shell.result.error_in_exec).__name__ == "ShownError"


def test_an_argument_that_is_unknown_is_a_usage_error(shell: Shell) -> None:
    shell.execute("%olive_run emotion --untill lora")
    assert type(shell.result.error_in_exec).__name__ == "UsageError"


def test_metrics_of_another_writer_do_not_break_the_story(shell: Shell, replay: MakeReplay) -> None:
    run = replay("success")
    run.play(9)
    run.folder.append(MetricLogged(pass_name="lora", step=1, values={"loss": float("nan")}))
    run.play_all()
    assert "✓ lora" in shell.text(f"%olive_attach {run.run_id}")
