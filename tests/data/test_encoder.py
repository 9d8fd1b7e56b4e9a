"""Rows of megabytes: tokenised once, stopped within, and judged by a part."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from phinb.data.encoder import LONG, Encoder
from phinb.data.preview import finish_scan, preview_data
from phinb.data.scan import Scan
from phinb.models.tokenizers import Tokenizer
from tests.data.scanning import write_config

SENTENCE = "the last bus had gone so she walked home along the canal "
LINES = {"text_template": "### {phrase}\n### {tone}", "strategy": "line-by-line", "max_seq_len": 64}


def long_row(characters: int) -> dict[str, str]:
    return {"phrase": SENTENCE * (characters // len(SENTENCE)), "tone": "joy"}


class Counted:
    """The library's tokenizer, which notes what it is given: lists of texts, and long texts."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.long = self.batches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def _note(self, texts: Sequence[str]) -> Sequence[str]:
        self.batches += 1
        self.long += sum(len(text) >= LONG for text in texts)
        return texts

    def encode_batch(self, texts: Sequence[str], **options: Any) -> Any:
        return self._backend.encode_batch(self._note(texts), **options)

    def encode_batch_fast(self, texts: Sequence[str], **options: Any) -> Any:
        return self._backend.encode_batch_fast(self._note(texts), **options)


@pytest.mark.parametrize("trained_field", [None, "tone"])
@pytest.mark.parametrize("strategy", ["line-by-line", "join"])
def test_a_long_row_is_tokenised_once(
    tokenizer: Tokenizer, tmp_path: Path, trained_field: str | None, strategy: str
) -> None:
    """Measured, shown, counted and judged."""
    counted, row = Counted(tokenizer.backend), long_row(5 * LONG)
    config = write_config(tmp_path, "train", [row], **{**LINES, "strategy": strategy})
    scan = Scan(config, dataclasses.replace(tokenizer, backend=counted), tmp_path, trained_field=trained_field)
    assert scan.first(3)
    preview = finish_scan(scan)
    first = scan.sequence(0)
    scan.rest(0)
    assert (preview.stats.rows, scan.done, counted.long) == (1, True, 1)
    whole = tokenizer.encode(f"{tokenizer.bos} ### {row['phrase']}\n### joy {tokenizer.eos}")
    assert first.input_ids == whole.ids[:64]
    assert preview.stats.lengths == (len(whole.ids),)


def test_a_long_row_is_stopped_within_and_gone_on_with(tokenizer: Tokenizer, tmp_path: Path) -> None:
    counted = Counted(tokenizer.backend)
    config = write_config(tmp_path, "train", [long_row(1_500_000)], **LINES)
    scan = Scan(config, dataclasses.replace(tokenizer, backend=counted), tmp_path)
    began = time.monotonic()
    stopped = lambda: time.monotonic() > began + 0.1  # noqa: E731
    assert scan.first(3, should_stop=stopped) == []
    scan.run(should_stop=stopped)
    taken = time.monotonic() - began
    assert (scan.tally.rows, scan.done) == (0, False)
    scan.run(should_stop=lambda: False)
    assert (scan.tally.rows, scan.done, counted.long) == (1, True, 1)
    whole = time.monotonic() - began
    assert taken < 0.5 * whole, "the tokenizer takes longer than the stop"


def test_what_goes_wrong_in_the_tokenizer_is_told_to_whoever_asked(tokenizer: Tokenizer) -> None:
    encoder = Encoder(tokenizer)
    broken = "\ud800" * LONG
    with pytest.raises((TypeError, UnicodeEncodeError)):
        encoder.encode([broken])
    assert encoder.prepare([broken], lambda: False)
    assert [len(one) for one in encoder.encode(["the canal"])] == [len(tokenizer.encode("the canal").ids)]


def test_prompts_of_long_rows_are_not_compared_and_that_is_said(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [long_row(5 * LONG), {"phrase": "walked home", "tone": "joy"}, {"phrase": "the canal", "tone": "fear"}]
    spaced = {**LINES, "text_template": "{phrase} => {tone}", "max_seq_len": 200_000, "pad_to_max_len": False}
    told = {
        one.code: one
        for one in preview_data(write_config(tmp_path, "train", rows, **spaced), tokenizer, tmp_path).problems
    }
    assert "prompts_partly" not in told
    message = told["prompt_differs"].message
    assert "in 1 of 2 rows that were looked at: in row 3," in message
    assert message.endswith("Another of the first 3 rows is too long to be looked at here.")
    same = {**spaced, "text_template": "{phrase}\n{tone}", "add_special_tokens": True}
    told = {
        one.code: one
        for one in preview_data(write_config(tmp_path, "train", rows, **same), tokenizer, tmp_path).problems
    }
    assert "prompt_differs" not in told
    assert told["prompts_partly"].severity == "info"
    assert (
        "was looked at in 2 of the first 3 rows: a row is too long for that (row 1 has "
        in told["prompts_partly"].message
    )
    alone = preview_data(write_config(tmp_path, "train", rows[:1], **same), tokenizer, tmp_path).problems
    assert any("was not looked at in the first row" in one.message for one in alone)


def test_the_guards_look_at_a_part_of_many_long_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """However long they are, no more is tokenised again than some seconds take."""
    counted = Counted(tokenizer.backend)
    rows = [long_row(LONG + 1000) | {"tone": str(number)} for number in range(5)]
    config = write_config(tmp_path, "train", rows, **LINES)
    scan = Scan(config, dataclasses.replace(tokenizer, backend=counted), tmp_path)
    stats = scan.run()
    before = counted.long
    seen = scan.look(200, 2 * stats.lengths[0] + 10)
    assert len(seen) == 2
    assert [one.input_ids for one in seen] == [scan.sequence(index).input_ids for index in range(2)]
    assert counted.long - before == 2
    assert len(scan.look(200, 1)) == 1


def test_what_was_begun_is_made_once_and_the_same(tokenizer: Tokenizer) -> None:
    counted = Counted(tokenizer.backend)
    encoder = Encoder(dataclasses.replace(tokenizer, backend=counted))
    texts, others = ["walked home", "the canal"], ["was late"]
    for offsets in (True, False):
        encoder.begin(texts, offsets=offsets)
        encoder.begin(others, offsets=offsets)
    assert [one.offsets for one in encoder.encode(texts)] == [one.offsets for one in tokenizer.encode_raw(texts)]
    ids, lengths = encoder.encode_flat(list(texts))
    expected, counts = tokenizer.encode_flat(texts)
    assert (ids.tolist(), lengths.tolist()) == (expected.tolist(), counts.tolist())
    assert [one.ids for one in encoder.encode(others)] == [one.ids for one in tokenizer.encode_raw(others)]
    encoder.encode_flat(others)
    assert counted.batches == 4


def test_what_is_begun_and_goes_wrong_is_told_to_whoever_asked(tokenizer: Tokenizer) -> None:
    encoder = Encoder(tokenizer)
    encoder.begin(["\ud800"], offsets=False)
    with pytest.raises((TypeError, UnicodeEncodeError)):
        encoder.encode_flat(["\ud800"])


UNDER_WAY = """
import json, os, sys, threading, time
from pathlib import Path
from phinb.data.scan import Scan
from phinb.models.tokenizers import load_tokenizer

rows = [{"phrase": f"{number} went home along the canal", "tone": "joy"} for number in range(9000)]
Path("rows.jsonl").write_text("\\n".join(map(json.dumps, rows)), encoding="utf-8")
loading = {"data_name": "json", "data_files": "rows.jsonl", "split": "train"}
process = {"text_template": "{phrase} {tone}", "strategy": "line-by-line", "max_seq_len": 64}
config = {"name": "train", "type": "HuggingfaceContainer"}
config |= {"load_dataset_config": loading, "pre_process_data_config": process}
scan = Scan(config, load_tokenizer(sys.argv[1]), Path.cwd())
scan.run(should_stop=lambda: scan.tally.rows >= 3000)
assert (scan.tally.rows, scan.done) == (3000, False), scan.problems
"""

AFTER_A_FORK = """
import signal
child = os.fork()
if not child:
    signal.alarm(20)
    scan.run()
    os._exit(0 if (scan.tally.rows, scan.done) == (9000, True) else 1)
assert os.waitpid(child, 0)[1] == 0
"""

WHEN_PYTHON_ENDS = """
import atexit
atexit.register(lambda: print(scan.run().rows, scan.done))  # after the last thread that Python waits for
"""


@pytest.mark.parametrize("ending", [AFTER_A_FORK, WHEN_PYTHON_ENDS])
def test_rows_are_counted_on_after_a_fork_and_while_python_ends(
    ending: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """What a kernel's thread does that is asked to end, and a process pool made of a notebook's."""
    if ending is AFTER_A_FORK and not hasattr(os, "fork"):
        return
    ended = subprocess.run(
        [sys.executable, "-c", UNDER_WAY + ending, str(tokenizer.folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "9000 True" if ending is WHEN_PYTHON_ENDS else ""), ended


def test_no_thread_stays_behind(tokenizer: Tokenizer, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    scan = Scan(write_config(tmp_path, "train", [long_row(90)] * 3000, **LINES), tokenizer, tmp_path)
    scan.run(should_stop=lambda: scan.tally.rows >= 1000)
    scan.run()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread
    assert scan.done
