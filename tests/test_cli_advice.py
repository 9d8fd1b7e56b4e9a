"""phinb advise, and a run that will not fit, from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import phinb, small  # noqa: F401 - small is a fixture


@pytest.fixture
def plain(small: Path) -> Path:  # noqa: F811
    """Short and long rows in batches of two, so that there is padding to be saved."""
    text = small.read_text(encoding="utf-8").replace(
        '"max_seq_len": 160', '"max_seq_len": 160, "pad_to_max_len": false'
    )
    small.write_text(text, encoding="utf-8")
    return small


@pytest.fixture
def huge(plain: Path) -> Path:
    """A batch that no machine holds, and more rows than a start has the time to count."""
    rows = plain.parent / "rows.jsonl"
    rows.write_text(rows.read_text(encoding="utf-8") * 6000, encoding="utf-8")
    text = plain.read_text(encoding="utf-8").replace('_batch_size": 2', '_batch_size": 16777216')
    plain.write_text(text, encoding="utf-8")
    return plain


@pytest.mark.slow
def test_advice_is_named_and_written_only_when_asked(plain: Path) -> None:
    before = plain.read_text(encoding="utf-8")
    told = phinb("advise", str(plain))
    assert told.returncode == 0, told.stderr
    assert "Group sequences by length (saves about" in told.stdout
    assert "lora" in told.stderr  # the forecast
    assert phinb("advise", str(plain), "--in-place").returncode == 1
    shown = phinb("advise", str(plain), "--apply")
    assert '"train_sampling_strategy": "group_by_length"' in shown.stdout
    assert plain.read_text(encoding="utf-8") == before
    assert phinb("advise", str(plain), "--apply", "--in-place").returncode == 0
    assert "group_by_length" in plain.read_text(encoding="utf-8")
    assert "Group sequences" not in phinb("advise", str(plain)).stdout


def test_a_broken_configuration_is_not_advised_on(plain: Path) -> None:
    plain.write_text(plain.read_text(encoding="utf-8").replace('"r": 4', '"r": -4'), encoding="utf-8")
    told = phinb("advise", str(plain))
    assert told.returncode == 1
    assert "passes.lora.r" in told.stderr


def test_a_run_that_will_not_fit_does_not_start_where_nobody_can_be_asked(huge: Path) -> None:
    told = phinb("run", str(huge), "--detach")
    assert told.returncode == 1
    assert "takes about" in told.stderr
    assert "--yes" in told.stderr
    assert told.stdout == ""


def test_yes_starts_it(huge: Path) -> None:
    told = phinb("run", str(huge), "--detach", "--yes")
    assert told.returncode == 0, told.stderr
    assert phinb("stop", told.stdout.strip(), "--cancel").returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("y\n", 0)])
def test_a_terminal_is_asked(huge: Path, answer: str, code: int) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "phinb.cli", "run", str(huge), "--detach"],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    said = b""
    while b"Start it anyway? [y/N]" not in said:
        said += os.read(ours, 1000)
    os.write(ours, answer.encode())
    output, _ = process.communicate(timeout=60)
    os.close(ours)
    if output.strip():
        phinb("stop", output.strip(), "--cancel")
    assert process.returncode == code
    assert bool(output.strip()) == (code == 0)


def test_the_forecast_of_a_check_has_a_line_a_pass(plain: Path) -> None:
    told = phinb("check", str(plain), "--files", "--json")
    assert json.loads(told.stdout)["ok"]
    assert told.stderr.splitlines()[0].split() == ["pass", "time", "memory", "disk"]
