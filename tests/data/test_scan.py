"""A scan: first sequences, the rest batch by batch, stopped and gone on with, from two threads, with bad rows."""

from __future__ import annotations

import dataclasses
import json
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from phinb.data import tally
from phinb.data.preview import preview_data
from phinb.data.scan import Scan
from phinb.models.tokenizers import Tokenizer
from phinb.types import DataStats
from tests.data.scanning import make_scan, write_config

SENTENCE = "the last bus had gone so she walked home along the canal"
WORDS = SENTENCE.split()
TEMPLATE = {"text_template": "{phrase} => {tone}", "max_seq_len": 20}
STRATEGIES: tuple[Mapping[str, Any], ...] = (
    {"strategy": "line-by-line"},
    {"strategy": "line-by-line", "pad_to_max_len": False, "drop_short_sequences": True},
    {"strategy": "line-by-line", "max_samples": 5},
    {"strategy": "line-by-line-random", "max_samples": 40, "random_seed": 3},
    {
        "strategy": "line-by-line-random",
        "max_samples": 40,
        "random_seed": 3,
        "pad_to_max_len": False,
        "drop_short_sequences": True,
    },
    {"strategy": "join"},
    {"strategy": "join-random", "max_samples": 40, "random_seed": 3, "max_seq_len": 300},
    {"strategy": "join-sliding-window", "stride": 7, "processing_batch_size": 10},
)


def draw_rows(count: int) -> list[dict[str, str]]:
    generator = random.Random(count)
    tones = ("joy", "fear")
    return [
        {"phrase": " ".join(generator.choices(WORDS, k=generator.randint(1, 20))), "tone": generator.choice(tones)}
        for _ in range(count)
    ]


@pytest.mark.parametrize("cuts_left", [False, True])
@pytest.mark.parametrize("strategy", range(len(STRATEGIES)))
@pytest.mark.parametrize("trained_field", [None, "tone"])
def test_the_first_sequences_are_those_of_the_whole(
    strategy: int, trained_field: str | None, cuts_left: bool, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    tokenizer = dataclasses.replace(tokenizer, cuts_left=cuts_left)
    settings = {"trained_field": trained_field}
    scan = make_scan(tmp_path, draw_rows(300), tokenizer, settings, **{**TEMPLATE, **STRATEGIES[strategy]})
    first = scan.first(12, within_s=60)
    scan.run()
    assert first == [scan.sequence(index) for index in range(min(12, scan.count))]
    assert len(first) >= 5
    assert scan.first(12, within_s=60) == first


def test_first_gives_what_there_is_time_for(tokenizer: Tokenizer, tmp_path: Path) -> None:
    scan = make_scan(tmp_path, draw_rows(3000), tokenizer, strategy="join", **{**TEMPLATE, "max_seq_len": 256})
    assert len(scan.first(100, within_s=0)) == 1
    few = make_scan(tmp_path, draw_rows(3), tokenizer, strategy="line-by-line", **TEMPLATE)
    assert len(few.first(100, within_s=60)) == 3
    assert few.first(0) == []


def test_a_random_strategy_shows_nothing_first_where_rows_may_have_no_text(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    rows = [{"text": ""}, *({"text": phrase["phrase"]} for phrase in draw_rows(40))]
    params = {"strategy": "line-by-line-random", "max_samples": 9, "random_seed": 1, "add_special_tokens": False}
    scan = make_scan(tmp_path, rows, tokenizer, max_seq_len=20, **params)
    assert scan.first(9, within_s=60) == []
    scan.run()
    assert len(scan.first(9, within_s=60)) == 9


@pytest.mark.parametrize("strategy", range(len(STRATEGIES)))
def test_stopped_and_gone_on_with_it_gives_the_same(
    strategy: int, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "MOST_CHARACTERS", 700)
    params = {**TEMPLATE, **STRATEGIES[strategy]}
    settings = {"batch_size": 4, "accumulation": 1}
    rows = draw_rows(300)
    whole = make_scan(tmp_path, rows, tokenizer, settings, **params).run()
    scan = make_scan(tmp_path, rows, tokenizer, settings, **params)
    partial, rounds = scan.stats, 0
    while not scan.done:
        answers = iter([False] * 5 + [True] * 9)
        before, partial = partial, scan.run(should_stop=lambda answers=answers: next(answers))  # type: ignore[misc]
        assert partial.exact == scan.done
        assert partial.rows > before.rows or scan.done
        assert scan.count == partial.sequences
        if scan.count:
            assert scan.sequence(scan.count - 1).input_ids
        rounds += 1
    assert rounds > 5
    assert scan.stats == whole
    assert whole.exact


def test_the_numbers_so_far_come_with_progress(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phinb.data.scan.TELL_EVERY_S", 0.0)
    monkeypatch.setattr(tally, "MOST_CHARACTERS", 2000)
    heard: list[tuple[int, int | None, DataStats]] = []
    scan = make_scan(tmp_path, draw_rows(500), tokenizer, strategy="line-by-line", **TEMPLATE)
    stats = scan.run(lambda *told: heard.append(told))
    assert len(heard) > 3
    done = [told[0] for told in heard]
    assert done == sorted(done)
    assert heard[-1] == (500, 500, stats)
    assert all(told[2].rows == told[0] == told[2].sequences for told in heard)
    assert [told[2].exact for told in heard] == [False] * (len(heard) - 1) + [True]
    lengths = [told[2].lengths for told in heard]
    assert all(stats.lengths[: len(one)] == one for one in lengths)


def test_sequences_can_be_had_while_another_thread_counts(tokenizer: Tokenizer, tmp_path: Path) -> None:
    scan = make_scan(tmp_path, draw_rows(30_000), tokenizer, strategy="join", **TEMPLATE)
    expected = scan.first(1, within_s=60)[0]
    thread = threading.Thread(target=scan.run)
    thread.start()
    seen = 0
    while thread.is_alive():
        if scan.count:
            assert scan.sequence(0) == expected
            last = scan.sequence(-1)
            assert len(last.input_ids) == 20
            assert scan.stats.sequences <= scan.count
            seen += 1
        time.sleep(0.001)
    thread.join()
    assert seen
    assert scan.done
    with pytest.raises(IndexError):
        scan.sequence(scan.count)


def test_preview_sequences_are_lazy_and_a_sequence(tokenizer: Tokenizer, tmp_path: Path) -> None:
    config = write_config(tmp_path, "train", draw_rows(40), strategy="line-by-line", **TEMPLATE)
    shown = preview_data(config, tokenizer, tmp_path, limit=7)
    every = preview_data(config, tokenizer, tmp_path, limit=None).sequences
    assert (len(shown.sequences), len(every)) == (7, 40)
    assert tuple(shown.sequences) == every[:7] == shown.sequences[:]
    assert shown.sequences[-1] == every[6]
    assert every[2] in shown.sequences
    assert repr(shown.sequences) == "<the first 7 sequences of train>"
    with pytest.raises(IndexError):
        shown.sequences[7]


def test_a_row_that_gives_no_text_is_named_and_ends_it(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [{"text": "x"}] * 1200 + [{"text": None}] + [{"text": "y"}] * 9
    scan = make_scan(tmp_path, rows, tokenizer, strategy="line-by-line", max_seq_len=9)
    assert len(scan.first(5)) == 5
    stats = scan.run()
    assert (scan.ok, stats.rows, stats.exact) == (False, 1000, False)
    assert "Row 1201 gives no text" in scan.problems[-1].message
    assert scan.run() == stats


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for n in range(10 ** 9) %}x{% endfor %}", "Range too big"),
        ("{{ 1 // 0 }}", "by zero"),
        ("{{ 'x'.encode('no such') }}", "unknown encoding"),
    ],
)
def test_a_chat_template_that_fails_is_told(template: str, words: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": "x"}]}]
    scan = make_scan(tmp_path, rows, tokenizer, strategy="line-by-line", chat_template=template)
    scan.run()
    assert (scan.ok, scan.problems[-1].code) == (False, "row_unreadable")
    assert words in scan.problems[-1].message


def test_a_column_that_holds_no_chats_is_told_as_such(tokenizer: Tokenizer, tmp_path: Path) -> None:
    scan = make_scan(tmp_path, [{"messages": "nope"}], tokenizer, strategy="line-by-line", chat_template=True)
    scan.run()
    assert "messages holds no conversation" in scan.problems[-1].message
    assert "list of messages" in scan.problems[-1].hint


def test_a_number_that_no_format_takes_is_told(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [{"n": 2**62}]
    scan = make_scan(tmp_path, rows, tokenizer, strategy="line-by-line", text_template="{n:c}")
    scan.run()
    assert "Row 1 gives no text" in scan.problems[-1].message


@pytest.mark.parametrize(
    "params",
    [{"text_template": "{phrase"}, {"text_template": "{phrase.x} {tone}"}, {"stride": "x"}, {"joiner": "\ud83d"}],
)
@pytest.mark.parametrize("trained_field", [None, "tone"])
def test_what_cannot_be_read_is_a_problem(
    params: Any, trained_field: str | None, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    config = write_config(tmp_path, "train", draw_rows(4), **{**TEMPLATE, **params})
    scan = Scan(config, tokenizer, tmp_path, trained_field=trained_field)
    assert not scan.ok
    assert scan.first() == []
    assert (scan.run().rows, scan.count, scan.order("longest").tolist(), scan.find_near().rows) == (0, 0, [], 0)


def test_nothing_to_draw_from_is_said(tokenizer: Tokenizer, tmp_path: Path) -> None:
    params = {"strategy": "join-random", "max_samples": 3, "random_seed": 1, "add_special_tokens": False}
    scan = make_scan(tmp_path, [{"text": ""}], tokenizer, **params)
    scan.run()
    assert "no text to draw" in scan.problems[-1].message
    assert (scan.ok, scan.count) == (False, 0)


def test_values_that_are_nothing_are_counted(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [*draw_rows(1500), {"phrase": "x", "tone": None}, {"phrase": None, "tone": None}]
    scan = make_scan(tmp_path, rows, tokenizer, strategy="line-by-line", **TEMPLATE)
    assert scan.problems == []
    scan.run()
    words = [problem.message for problem in scan.problems]
    assert "no value in 1 of 1,502 rows (row 1502): its text" in words[0]
    assert "no value in 2 of 1,502 rows (first: row 1501)" in words[1]


def test_one_long_row_after_another_is_taken_by_itself(tokenizer: Tokenizer) -> None:
    rows = [{"text": str(number)} for number in range(2500)]
    texts = ["x" * 300_000, "y" * 150_000, "z" * 900_000, *("w" for _ in range(2497))]
    parts = list(tally.split_batch(rows, texts))
    assert [len(part) for part, _ in parts] == [1, 1, 1, 1000, 1000, 497]
    assert [row for part, _ in parts for row in part] == rows
    assert [text for _, part in parts for text in part] == texts


def test_of_a_row_a_few_numbers_are_kept(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """`make bench` has a million."""
    import tracemalloc

    path = tmp_path / "train.jsonl"
    config = write_config(tmp_path, "train", draw_rows(1), strategy="line-by-line", **TEMPLATE)
    with path.open("w", encoding="utf-8") as file:
        for number in range(60_000):
            file.write(json.dumps({"phrase": f"the last bus {number}", "tone": "joy"}) + "\n")
    scan = Scan(config, tokenizer, tmp_path)
    tracemalloc.start()
    scan.run()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scan.done
    assert kept < 150 * 60_000
    assert peak < 40_000_000
