"""phinb chat: one prompt from options or standard input, many from a file, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinb.cli import main
from phinb.workflow.runner import Run

Capture = pytest.CaptureFixture[str]


def test_wrong_options_are_told(capsys: Capture, tmp_path: Path) -> None:
    for options, told in {
        ("--prompts", "x.jsonl"): "belong together",
        ("--prompts", "x.jsonl", "--out", "y.jsonl", "--at-once"): "Leave those out",
        ("--field", "phrase"): "names no value",
        ("--field", "a=b", "--text", "c"): "two ways",
        ("--temperature", "-1", "--text", "x"): "0 is greedy",
        ("--text", "x"): "no run",
    }.items():
        assert main(["chat", "none-such", *options]) == 1
        assert told in capsys.readouterr().err.replace("There is no run", "no run").replace("No run", "no run")


@pytest.mark.slow
def test_one_prompt(tiny_run: Run, capsys: Capture) -> None:
    asked = ["chat", tiny_run.id, "--variants", "base,int4", "--max-new-tokens", "4"]
    assert main([*asked, "--field", "phrase=I love it = much"]) == 0
    shown = capsys.readouterr()
    assert "● base" in shown.out
    assert "▲ int4" in shown.out
    assert "loading int4" in shown.err
    assert main([*asked, "--field", "phrase=I love it", "--json"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert record["prompt"].endswith("### Text: I love it\n### The tone is:\n")
    assert [reply["variant"] for reply in record["replies"]] == ["base", "int4"]
    assert main([*asked, "--field", "sentence=x"]) == 1
    assert "no 'phrase'" in capsys.readouterr().err


def phinb(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phinb.cli", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_standard_input_and_many_prompts_with_ctrl_c(tiny_run: Run, tmp_path: Path) -> None:
    done = phinb("chat", tiny_run.id, "--variants", "int4", "--max-new-tokens", "3", given='{"phrase": "I love it"}')
    assert (done.returncode, "▲ int4" in done.stdout) == (0, True), done.stderr
    rows = [{"phrase": f"number {n}", "tone": "joy"} for n in range(40)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    many = [
        tiny_run.id,
        "--variants",
        "int4",
        "--prompts",
        str(tmp_path / "prompts.jsonl"),
        "--out",
        str(tmp_path / "out.jsonl"),
    ]
    command = [
        sys.executable,
        "-m",
        "phinb.cli",
        "chat",
        *many,
        "--max-new-tokens",
        "200",
        "--temperature",
        "2",
        "--seed",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("of 40 replies" in line for line in process.stderr)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on from here" in out
    first = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert 4 <= len(first.splitlines()) < 40
    done = phinb(*command[3:])
    assert done.returncode == 0, done.stderr
    assert "40 of 40 replies" in done.stdout
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8").startswith(first)
