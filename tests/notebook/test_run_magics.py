"""The run magics in real kernels: alone (nbclient), interrupted, with a panel; and in a terminal."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from phinb.errors import PhinbError
from phinb.notebook.remedy import Remedy
from phinb.notebook.run_html import RUN_MIME
from phinb.notebook.run_panel import RunPanel
from phinb.types import MetricLogged, PassState, Progress, RunFinished, RunState
from phinb.workflow.event_lines import encode_event
from phinb.workflow.failures import explain
from phinb.workflow.runner import Run, open_run
from phinb.workflow.view import Card
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    saved, live = notebook.cells[1].outputs
    assert {RUN_MIME, "text/html", "text/plain"} == set(saved.data)
    assert f"%olive_attach {run.run_id}" in saved.data["text/html"]
    assert "phinb-twin" in saved.data["text/html"]
    assert {WIDGET_MIME, "text/plain"} == set(live.data)


def test_what_a_forecast_expected_of_the_waiting_passes_is_told(shell: Shell, replay: MakeReplay) -> None:
    run = replay("success")
    run.play(9)
    noted = {"passes": {"merge": {"seconds": 5.0}, "int4": {"seconds": None}}}
    (run.folder.path / "forecast.json").write_text(json.dumps(noted), encoding="utf-8")
    view = RunPanel(open_run(run.run_id), shell.ip)._view(open_run(run.run_id).state)
    assert [line.text for line in view.lines[1:]] == ["waiting · about 5 s", "waiting"]
    assert view.facts[0].label == "left (not known: lora, int4)"


def test_the_saved_form_below_a_living_panel_is_renewed(kernel: tuple[Any, Any], replay: MakeReplay) -> None:
    _, client = kernel
    run = replay("success")
    run.play(9)
    client.allow_stdin = True
    soon = "import phinb.notebook.run_panel as panel; panel.RENEW_S = 0.2"
    client.execute(f"{soon}\n%olive_attach {run.run_id}", reply=True, timeout=60)
    run.play(20)
    known, deadline = len(run.folder.read_state().metrics), time.monotonic() + 30
    while time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=30)
        saved = message["content"].get("data", {})
        if message["msg_type"] == "update_display_data" and len(saved[RUN_MIME]["metrics"]) >= known:
            break
    assert len(saved[RUN_MIME]["metrics"]) == known >= 8
    assert saved[RUN_MIME]["status"] == "running"
    assert "phinb-twin" in saved["text/html"]


@pytest.mark.slow
def test_a_run_that_ended_early_gives_way_when_the_next_cell_runs(
    replay: MakeReplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHINB_HEADLESS", "0")
    run = replay("cancel_in_training")
    run.play_all()
    cells = [f"%olive_attach {run.run_id}", "import time; time.sleep(1)", "pass"]
    assert WIDGET_MIME in execute(*cells[:1], store_widget_state=False).cells[1].outputs[1].data
    saved, gone = execute(*cells, store_widget_state=False).cells[1].outputs
    assert WIDGET_MIME not in gone.data
    assert "phinb-gone" in gone.data["text/html"]
    assert "cancelled" in saved.data["text/html"]
    assert 'class="phinb phinb-twin"' not in saved.data["text/html"]


@pytest.mark.slow
def test_however_fast_the_steps_are_there_are_at_most_ten_messages_a_second(
    kernel: tuple[Any, Any], replay: MakeReplay
) -> None:
    """10,000 steps within seconds; their notebook output stays below 200 kB."""
    _, client = kernel
    run = replay("success", deaf=True)
    run.play(6)
    client.allow_stdin = True
    client.execute(f"%olive_attach {run.run_id}", reply=True, timeout=60)

    def step_fast() -> None:
        number = len(run.folder.read_events()[0])
        for first in range(1, 10_001, 200):
            lines = []
            for step in range(first, first + 200):
                values = {"loss": 9 / step, "grad_norm": 1.0 + step % 7, "learning_rate": 1e-4, "tokens_per_s": 400.0}
                told = Progress("lora", step, 10_000, "steps", 10_000.0 - step, seq=number, time=time.time())
                logged = MetricLogged("lora", step, values, seq=number + 1, time=time.time())
                lines += [encode_event(told), encode_event(logged)]
                number += 2
            with run.folder.events_path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            time.sleep(0.1)
        run.folder.append(RunFinished("succeeded", 1.0, ""))

    threading.Thread(target=step_fast, daemon=True).start()
    times, saved, deadline = [], {}, time.monotonic() + 60
    while saved.get(RUN_MIME, {}).get("status") != "succeeded" and time.monotonic() < deadline:
        with contextlib.suppress(queue.Empty):
            message = client.get_iopub_msg(timeout=1)
            if message["msg_type"] == "comm_msg":
                times.append(message["header"]["date"].timestamp())
            elif message["msg_type"] in ("display_data", "update_display_data"):
                saved = message["content"]["data"] if RUN_MIME in message["content"]["data"] else saved
    assert saved[RUN_MIME]["status"] == "succeeded"
    assert len(times) >= 5, "it moved; how often depends on the machine"
    most = max(sum(moment <= other < moment + 1.0 for other in times) for moment in times)
    assert most <= 11, "ten, and the one at the window's edge"
    assert len(json.dumps(saved)) < 200_000
    steps = [metric["step"] for metric in saved[RUN_MIME]["metrics"]]
    assert (steps[0], steps[-1]) == (1, 10_000)


def test_a_failed_run_offers_the_change_that_is_its_remedy(
    shell: Shell, replay: MakeReplay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    told = GOOD.replace('"max_steps": 2', '"max_steps": 2, "per_device_train_batch_size": 8')
    shell.execute(f"%%olive_config emotion\n{told}")
    passes = {"lora": PassState("failed", "LoRA", cause=explain("MemoryError")[1])}
    state = RunState("r-1", "emotion", "failed", passes)
    remedy = Remedy(shell.ip, Run(replay("pass_failed").folder))
    (card,) = remedy.offer(state, (Card("error", "lora failed"),))
    assert card.fix.startswith("Take batches of 4 rows")
    assert "Done in emotion" in remedy.carry_out(state).title
    arguments = shell.ip.user_ns["emotion"].to_olive()["passes"]["lora"]["training_args"]
    assert (arguments["per_device_train_batch_size"], arguments["gradient_accumulation_steps"]) == (4, 2)
    assert remedy.offer(replace(state, status="cancelled"), (card,)) == (card,)
    shell.execute("emotion = 1")
    with pytest.raises(PhinbError, match="changed by now"):
        remedy.carry_out(state)


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
    assert "more in Olive" in text or "runs: " in text


def test_runs_are_deleted_only_with_yes_and_none_that_goes_on(shell: Shell, replay: MakeReplay) -> None:
    ended, living = replay("worker_lost", name="first"), replay("success", name="second")
    ended.play_all()
    living.play(9)
    line = f"%olive_runs --delete {ended.run_id} {living.run_id}"
    text = shell.text(line)
    assert "To be deleted: 1 run" in text
    assert "add --yes to the line" in text
    assert ended.folder.path.is_dir()
    text = shell.text(f"{line} --yes")
    assert "Deleted: 1 run" in text
    assert f"Run {living.run_id} stays: it is running" in text
    assert not ended.folder.path.exists()
    assert living.folder.path.is_dir()
    shell.execute("%olive_runs --older yesterday --yes")
    assert type(shell.result.error_in_exec).__name__ == "ShownError"
    assert "There is nothing to delete." in shell.text("%olive_runs --older 9w")


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


def test_no_reference_means_the_newest_run(
    shell: Shell, replay: MakeReplay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHINB_HOME", str(tmp_path))  # elsewhere a run of another test may be as new, and have failed
    run = replay("success")
    run.play_all()
    shell.execute("found = %olive_attach")
    assert shell.ip.user_ns["found"].id == run.run_id


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
