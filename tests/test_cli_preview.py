"""phinb preview in a real process: what it prints to a pipe, to a terminal and to a program, and how it is stopped."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import phinb as library
from tests.test_cli import phinb

HOSTILE = "a\x1b[31mred\x07 \u202eabc\x00 <b>⟦x⟧ │ ‹y› $x$ \x9b2J"


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Write rows and a configuration on the tiny model beside them; returns the configuration's path."""

    def write(rows: list[dict[str, Any]], *, field: str = "tone", **params: Any) -> Path:
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        params = {
            "text_template": f"{{phrase}}\n{{{field}}}",
            "strategy": "line-by-line",
            "max_seq_len": 60,
            "pad_to_max_len": False,
        } | params
        config = {
            "input_model": {"type": "HfModel", "model_path": "phinb://tiny"},
            "data_configs": [
                {
                    "name": "train",
                    "type": "HuggingfaceContainer",
                    "load_dataset_config": {"data_name": "json", "data_files": "rows.jsonl", "split": "train"},
                    "pre_process_data_config": params,
                }
            ],
            "passes": {
                "lora": {
                    "type": "LoRA",
                    "train_data_config": "train",
                    "training_args": {"max_steps": 6, "per_device_train_batch_size": 2},
                }
            },
            "phinb": {"loss_on": "completion"},
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")
        return path

    return write


def some_rows(count: int = 12) -> list[dict[str, Any]]:
    return [{"phrase": f"row number {number} of these", "tone": ("joy", "fear")[number % 2]} for number in range(count)]


def through_terminal(*arguments: str, stop_after: str = "", **environment: str) -> tuple[str, int]:
    """What a terminal gets of both streams, and the exit code; SIGINT is sent once `stop_after` is there."""
    main, side = pty.openpty()
    command = [sys.executable, "-m", "phinb.cli", *arguments]
    process = subprocess.Popen(command, stdout=side, stderr=side, stdin=side, env=os.environ | environment)
    os.close(side)
    got, sent, until = b"", not stop_after, time.monotonic() + 120
    while time.monotonic() < until:
        try:
            part = os.read(main, 65536)
        except OSError:  # Linux: the other end is closed
            part = b""
        if not part:
            break
        got += part
        if not sent and re.search(stop_after.encode(), got):
            process.send_signal(signal.SIGINT)
            sent = True
    os.close(main)
    return got.decode("utf-8"), process.wait(timeout=60)


def test_a_pipe_gets_numbers_problems_and_tokens_without_colour(make: Any) -> None:
    rows = [*some_rows(), {"phrase": "word " * 80, "tone": "joy"}]
    done = phinb("preview", "--limit", "2", str(make(rows)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("train: 13 rows → 13 sequences · ")
    assert re.search(r"^  steps an epoch +7$", done.stdout, re.MULTILINE)
    assert "1 of 13 rows is longer than max_seq_len 60" in done.stdout
    assert re.search(r'^    Set "max_seq_len" to \d+', done.stdout, re.MULTILINE), "the remedy"
    assert re.search(r"^  cut off +1 row · \d+ tokens · answers cut in 1", done.stdout, re.MULTILINE)
    assert re.search(r"^  answers +joy 7 · fear 6$", done.stdout, re.MULTILINE)
    assert done.stdout.count("\nsequence ") == 2
    assert "⟦ trained on" not in done.stdout
    assert "⟦…⟧ trained on" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if line.startswith("  ‹"))


def test_what_is_trained_stands_in_its_brackets_token_by_token(make: Any) -> None:
    path = make(some_rows(2))
    printed = phinb("preview", "--limit", "1", str(path)).stdout.split("\nsequence 1")[1]
    (sequence,) = library.preview(library.load_config(path), limit=1).sequences
    (trained,) = re.findall("⟦(.*?)⟧", printed)
    pieces = [text for text, label in zip(sequence.tokens, sequence.labels, strict=True) if label != -100]
    assert [one.strip("‹›").replace("·", " ").replace("⏎", "\n") for one in trained.split("│")] == pieces
    assert f"{len(sequence.tokens)} tokens, {len(pieces)} trained on" in printed


def test_what_is_cut_off_and_padding_are_shown(make: Any) -> None:
    rows = [{"phrase": "short", "tone": "joy"}, {"phrase": "word " * 80, "tone": "joy"}]
    shown = phinb("preview", str(make(rows, pad_to_max_len=True, max_seq_len=40))).stdout
    short, long = shown.split("\nsequence ")[1:]
    assert re.search(r"\(\d+ × ‹<\|pad\|>›\)", short)
    assert "✂" not in short
    assert re.search(r"✂ .*… [\d,]+ more✂", long.replace("\n", " "))


def test_a_terminal_gets_colours_and_none_of_the_datas_own_codes(make: Any) -> None:
    rows = [{"phrase": HOSTILE, "tone": HOSTILE, HOSTILE: "x"} for _ in range(3)]
    path = make(rows)
    for shown in (through_terminal("preview", str(path))[0], phinb("preview", str(path)).stdout):
        plain = re.sub(r"\x1b\[(0|1;32|9;31|2)m", "", shown)
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)
        assert r"\u001b" in shown
        assert "<b>" in shown.replace("│", "")
    assert "\x1b[1;32m" in through_terminal("preview", str(path))[0]


def test_a_program_gets_sequences_numbers_and_problems(make: Any) -> None:
    path = make(some_rows())
    done = phinb("preview", "--json", "--limit", "4", str(path))
    found = json.loads(done.stdout)
    expected = library.preview(library.load_config(path), limit=4)
    assert found["ok"] is True
    assert [one["input_ids"] for one in found["sequences"]] == [list(one.input_ids) for one in expected.sequences]
    assert [one["labels"] for one in found["sequences"]] == [list(one.labels) for one in expected.sequences]
    assert found["sequences"][0]["spans"][1] == {"row": 0, "field": "phrase"}
    assert found["stats"]["tokens"] == expected.stats.tokens
    assert [one["code"] for one in found["problems"]] == [one.code for one in expected.problems]


def test_one_of_a_thing_is_said_in_the_singular(make: Any) -> None:
    done = phinb("preview", str(make(some_rows(1), max_seq_len=8, pad_to_max_len=True)))
    assert "1 row → 1 sequence" in done.stdout
    assert re.search(r"(?<![\d,])1 (rows|sequences|tokens)\b|\(rows 1\)", done.stdout) is None, done.stdout


def test_errors_are_told_and_the_exit_code_is_1(make: Any) -> None:
    path = make(some_rows(3), strategy="join", max_seq_len=4000)
    done = phinb("preview", str(path))
    assert done.returncode == 1
    assert "There is no training sequence" in done.stdout
    assert 'Set "strategy" to "line-by-line"' in done.stdout
    spoken = json.loads(phinb("preview", "--json", str(path)).stdout)
    assert (spoken["ok"], spoken["sequences"]) == (False, [])
    missing = phinb("preview", str(make(some_rows(3), field="tune")))
    assert missing.returncode == 1
    assert "tune" in missing.stdout
    assert "tone" in missing.stdout, "the nearest column"
    path = make(some_rows(3), text_template="")
    empty = phinb("preview", str(path))
    assert empty.returncode == 1
    assert "needs a text_template, and it is empty" in empty.stdout
    path.write_text(path.read_text(encoding="utf-8").replace('"completion"', '"all"'), encoding="utf-8")
    empty = phinb("preview", str(path))
    assert empty.returncode == 1
    assert "The template is empty: Olive takes the text of the column text instead" in empty.stdout
    assert 'Write a template, for example "{phrase} {tone}"' in empty.stdout
    unknown = phinb("preview", "--data", "trian", str(path))
    assert unknown.returncode == 1
    assert "Did you mean train?" in unknown.stderr


@pytest.mark.slow
def test_ctrl_c_stops_the_counting_and_shows_what_there_is(make: Any) -> None:
    rows = some_rows(1000)
    path = make(rows, max_seq_len=20)
    with path.with_name("rows.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(["".join(json.dumps(row) + "\n" for row in rows)] * 400)
    shown, code = through_terminal("preview", "--limit", "1", str(path), stop_after=r"counting .*: [1-9]")
    assert code == 0, shown
    counted = re.search(r"Stopped after ([\d,]+) rows", shown)
    assert counted
    assert 0 < int(counted[1].replace(",", "")) < 401_000
    assert f"train: {counted[1]} rows so far → " in shown
    assert "Only the first" in shown
    assert "rows are longer than max_seq_len 20" in shown
    assert "never learnt" in shown
    assert "see 12 of the" not in shown, "what only all rows together tell"
    assert "sequence 1 · row 1" in shown
