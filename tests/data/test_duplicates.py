"""Near duplicates and leaks against the comparison of every pair."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from phinb.data import duplicates
from phinb.data.duplicates import Near, find_near
from phinb.data.scan import Scan
from phinb.models.tokenizers import Tokenizer
from tests.data.scanning import make_scan, write_config

SENTENCE = "the last bus had gone so she walked home along the canal with her shoes in hand and nobody noticed clock"
WORDS = SENTENCE.split()


def change(text: str, generator: random.Random, edits: int) -> str:
    words = text.split()
    for _ in range(edits):
        words[generator.randrange(len(words))] = generator.choice(WORDS)
    return " ".join(words)


def draw_texts(generator: random.Random, count: int) -> list[str]:
    """Texts of which many are others with a few words changed."""
    texts = [" ".join(generator.choices(WORDS, k=generator.choice([1, 2, 8, 25, 60]))) for _ in range(count // 2)]
    return texts + [change(generator.choice(texts), generator, generator.randint(0, 4)) for _ in range(count // 2)]


def cut(text: str, tokenizer: Tokenizer) -> set[tuple[int, ...]]:
    ids = tokenizer.encode(text).ids
    return {tuple(ids[start : start + 3]) for start in range(max(len(ids) - 2, 1))}


def compare_all(texts: list[str], others: dict[str, list[str]], tokenizer: Tokenizer) -> Near:
    """Every pair, by its sets of shingles."""
    own = [text for text in dict.fromkeys(texts) if text]
    sets = [cut(text, tokenizer) for text in own]

    def is_near(one: set[tuple[int, ...]], earlier: list[set[tuple[int, ...]]]) -> bool:
        return any(len(one & other) >= 0.8 * len(one | other) for other in earlier)

    rows = sum(is_near(one, sets[:index]) for index, one in enumerate(sets))
    leaks = {
        name: sum(is_near(cut(text, tokenizer), sets) for text in other if text and text not in own)
        for name, other in others.items()
    }
    return Near(rows, leaks)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_found_is_what_all_pairs_give(seed: int, tokenizer: Tokenizer) -> None:
    generator = random.Random(seed)
    texts = draw_texts(generator, 300)
    others = {
        "eval": [change(generator.choice(texts), generator, generator.randint(0, 5)) for _ in range(60)] * 2,
        "test": draw_texts(generator, 40),
    }
    batches = [texts[start : start + 70] for start in range(0, 300, 70)]
    found = find_near(batches, {name: [texts] for name, texts in others.items()}, tokenizer)
    expected = compare_all(texts, others, tokenizer)
    assert found == expected
    assert found.rows > 10
    assert found.leaks["eval"] > 5


def test_of_thousands_of_nearly_equal_rows_each_finds_one(tokenizer: Tokenizer) -> None:
    generator = random.Random(1)
    long = " ".join(generator.choices(WORDS, k=80))
    texts = list(dict.fromkeys(change(long, generator, 1) for _ in range(3000)))
    found = find_near([texts], {}, tokenizer)
    assert found is not None
    assert found.rows == len(texts) - 1


def test_empty_texts_and_repeated_ones_are_no_near_duplicates(tokenizer: Tokenizer) -> None:
    texts = ["", "the last bus", "", "the last bus", "shoes"]
    assert find_near([texts], {"eval": [["the last bus", "", "canal"]]}, tokenizer) == Near(0, {"eval": 0})
    assert find_near([], {"eval": [["x"]]}, tokenizer) == Near(0, {"eval": 0})
    assert find_near([], {}, tokenizer) == Near(0, {})


@pytest.mark.parametrize("calls", [0, 1, 3, 30])
def test_it_can_be_stopped_anywhere(calls: int, tokenizer: Tokenizer) -> None:
    answers = iter([False] * calls + [True] * 1000)
    heard: list[float] = []
    texts = draw_texts(random.Random(2), 60)
    assert find_near([texts, texts], {"eval": [texts]}, tokenizer, heard.append, lambda: next(answers)) is None
    assert heard == [(band + 1) / duplicates.BANDS for band in range(len(heard))]


def test_a_scan_counts_them_without_the_template(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Short values in a long template are not near for the template's sake; special tokens do not count either."""
    generator = random.Random(4)
    phrases = [
        *islice(iter(dict.fromkeys(draw_texts(generator, 200))), 80),
        " ".join(WORDS),
        " ".join([*WORDS, "hand"]),
    ]
    rows = [{"phrase": phrase, "tone": "joy"} for phrase in phrases]
    params = {
        "text_template": "A long template, the same for every row of the file: {phrase}\n### Its tone is {tone}",
        "strategy": "line-by-line",
    }
    held_out = [rows[3], rows[3], {"phrase": " ".join(["oh", *WORDS]), "tone": "joy"}, {"phrase": "", "tone": "x"}]
    others = {"eval": write_config(tmp_path, "eval", held_out, **params)}
    scan = make_scan(tmp_path, [*rows, rows[0], {"phrase": "", "tone": "x"}], tokenizer, {"others": others}, **params)
    stats = scan.run()
    assert (stats.exact_duplicates, stats.near_duplicates, dict(stats.leaks)) == (1, None, {"eval": 3})
    stats = scan.find_near()
    contents = [f"{row['phrase']}\n{row['tone']}" for row in rows]
    expected = compare_all(contents, {"eval": [f"{row['phrase']}\n{row['tone']}" for row in held_out[:3]]}, tokenizer)
    assert (stats.near_duplicates, dict(stats.near_leaks)) == (expected.rows, dict(expected.leaks))
    assert stats.near_leaks == {"eval": 1}
    assert 0 < expected.rows < 40


def test_leaks_are_found_across_templates_and_unreadable_data_are_left_out(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    rows = [{"phrase": f"the last bus number {number}", "tone": "joy"} for number in range(30)]
    params = {"text_template": "{phrase} => {tone}", "strategy": "line-by-line"}
    others = {
        "same": write_config(tmp_path, "same", rows[:7], **params),
        "otherwise": write_config(tmp_path, "otherwise", rows[5:8], text_template="{phrase}: {tone}!"),
        "parts": write_config(tmp_path, "parts", rows, text_template="{phrase}"),
        "columns": write_config(tmp_path, "columns", [{"x": "y"}], **params),
        "broken": write_config(tmp_path, "broken", rows, text_template="{phrase"),
        "bad": write_config(tmp_path, "bad", rows, max_seq_len="many"),
    }
    others["gone"] = {**others["same"], "name": "gone", "load_dataset_config": {"data_name": "json"}}
    scan: Scan = make_scan(tmp_path, rows, tokenizer, {"others": others}, **params)
    assert dict(scan.run().leaks) == {"same": 7, "otherwise": 3, "parts": 0}
