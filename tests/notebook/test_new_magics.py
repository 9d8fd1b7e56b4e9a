"""%olive_new and %olive_gallery: a new cell below where there is somebody to read it, else the text."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.conftest import Shell

ROWS = [
    {"phrase": f"I {word} it so much, {at} times", "tone": tone}
    for at in range(12)
    for word, tone in [("love", "joy"), ("fear", "fear")]
]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_in_a_terminal_the_cell_is_printed_and_can_be_run(shell: Shell, rows: Path) -> None:
    cell = shell.text('%olive_new --data "my rows.jsonl" --model phinb://tiny')
    assert cell.startswith("%%olive_config my_rows\n{\n")
    shell.execute(cell)
    config = shell.ip.user_ns["my_rows"]
    assert config.ok
    assert config.phinb["answer"] == "tone"
    assert "my rows.jsonl" in cell


def test_all_arguments_reach_the_configuration(shell: Shell, rows: Path) -> None:
    line = f"%olive_new --data '{rows.name}' --answer phrase --recipe qlora --model phinb://tiny --name emotion"
    cell = shell.text(f"{line} --test '{rows.name}'")
    assert cell.startswith("%%olive_config emotion\n")
    shell.execute(cell)
    config = shell.ip.user_ns["emotion"]
    assert list(config.passes.values()) == ["QLoRA", "MergeAdapterWeights", "ModelBuilder"]
    assert config.phinb["answer"] == "phrase"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%olive_new --data nowhere.csv", "does not exist"),
        ("%olive_new --data 'my rows.jsonl' --answer tonne --model phinb://tiny", "Did you mean tone?"),
        ("%olive_new --data 'my rows.jsonl' --name class", "cannot be a configuration's name"),
        ("%olive_gallery lora-phi4-mini", "Did you mean lora-phi-4-mini?"),
        ("%olive_gallery lora-demo --name print", "cannot be a configuration's name"),
    ],
)
def test_a_mistake_gets_a_sentence(shell: Shell, rows: Path, line: str, message: str) -> None:
    captured = shell.execute(line)
    assert message in str(shell.result.error_in_exec)
    assert "Traceback" not in captured.stdout + captured.stderr


def test_the_gallery_is_a_table_and_each_of_it_a_cell(shell: Shell) -> None:
    captured = shell.execute("%olive_gallery")
    (output,) = captured.outputs
    assert output.data["text/html"].count("<tr>") == 25
    assert 'scope="row"' in output.data["text/html"]
    assert "qlora-phi-3.5-mini" in output.data["text/plain"]
    cell = shell.text("%olive_gallery lora-phi-3.5-mini")
    assert cell.startswith("%%olive_config lora_phi_3_5_mini\n")
    shell.execute(cell)
    assert shell.ip.user_ns["lora_phi_3_5_mini"].ok


@pytest.fixture
def kernel(rows: Path) -> Iterator[Any]:
    """A real kernel with its working directory beside the rows, as a notebook has it."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(rows.parent))
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: Any, code: str, *, allow_stdin: bool) -> tuple[dict[str, Any], str]:
    """The reply, and what was printed."""
    asked = client.execute(code, allow_stdin=allow_stdin)
    printed = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    return client.get_shell_msg(timeout=60)["content"], "".join(printed)


@pytest.mark.slow
def test_in_a_notebook_a_new_cell_appears_below(kernel: Any) -> None:
    run(kernel, "%load_ext phinb", allow_stdin=True)
    line = "%olive_new --data 'my rows.jsonl' --model phinb://tiny --name emotion"
    reply, printed = run(kernel, line, allow_stdin=True)
    (payload,) = reply["payload"]
    assert payload["source"] == "set_next_input"
    assert payload["replace"] is False
    assert payload["text"].startswith("%%olive_config emotion\n{\n")
    assert "emotion" in printed
    assert '"input_model"' not in printed
    # nbclient and its like let no cell ask the user: nobody would see a new cell, so the text is printed
    reply, printed = run(kernel, line, allow_stdin=False)
    assert reply["payload"] == []
    assert printed.startswith("%%olive_config emotion\n")
