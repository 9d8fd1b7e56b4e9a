"""Every number against a slow, plain count of the sequences themselves, on random rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.data.completion import find_trained
from phinb.data.completion_loss import mark_tokens
from phinb.data.layout import lay_out
from phinb.data.recipe import Recipe
from phinb.data.scan import Scan
from phinb.data.statistics import count_held_out, count_steps
from phinb.data.texts import make_texts
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.types import Sequence as TrainingSequence
from tests.data.scanning import make_scan
from tests.data.sentencepiece import make_sentencepiece

SENTENCE = "the last bus had gone so she walked home along the canal with her shoes in hand"
WORDS = SENTENCE.split()
TEMPLATES = ("{phrase} => {tone}", "{tone}: {phrase}\n{tone}", "### {phrase}\n### {tone}!", "{phrase}")
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"strategy": "line-by-line"},
    {"strategy": "line-by-line", "max_samples": 7},
    {"strategy": "line-by-line", "pad_to_max_len": False, "drop_short_sequences": True},
    {"strategy": "line-by-line-random", "max_samples": 30, "random_seed": 5},
    {"strategy": "join"},
    {"strategy": "join", "joiner": "</s>"},
    {"strategy": "join-random", "max_samples": 20, "random_seed": 6},
    {"strategy": "join-sliding-window", "stride": 5},
    {"strategy": "join-sliding-window", "stride": 30},
)
CASES = list(product(range(len(STRATEGIES)), ("tiny", "sentencepiece", "cut left"), (False, True)))


@pytest.fixture(scope="session")
def tokenizers(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    import dataclasses

    other = load_tokenizer(make_sentencepiece(tmp_path_factory.mktemp("sentencepiece"), eos="</s>"))
    return {"tiny": tokenizer, "sentencepiece": other, "cut left": dataclasses.replace(tokenizer, cuts_left=True)}


def draw_rows(generator: random.Random) -> list[dict[str, str]]:
    def phrase() -> str:
        words = generator.choices(WORDS, k=generator.choice([0, 1, 2, 5, 9, 30]))
        return generator.choice(["", "", "😀 ", "é"]) + " ".join(words)

    tones = ["joy", "fear", "a rather long surprise", ""]
    rows = [{"phrase": phrase(), "tone": generator.choice(tones)} for _ in range(generator.randint(20, 60))]
    return rows + generator.choices(rows, k=5)


@pytest.mark.parametrize(("strategy", "name", "completion"), CASES)
def test_the_numbers_are_those_of_a_plain_count(
    strategy: int, name: str, completion: bool, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    generator = random.Random(repr((strategy, name, completion)))
    for _ in range(4):
        rows, tokenizer = draw_rows(generator), tokenizers[name]
        params = {
            "text_template": generator.choice(TEMPLATES[: 3 if completion else 4]),
            "max_seq_len": generator.choice([4, 12, 25]),
            "add_special_tokens": generator.random() < 0.6,
            **STRATEGIES[strategy],
        }
        scan = make_scan(tmp_path, rows, tokenizer, {"trained_field": "tone" if completion else None}, **params)
        stats = scan.run()
        assert (stats.exact, scan.done) == (True, True)
        for field, value in count_plainly(scan, rows).items():
            assert (field, getattr(stats, field)) == (field, value), params
        check_order(scan)


def count_plainly(scan: Scan, rows: list[dict[str, str]]) -> dict[str, Any]:
    recipe, tokenizer = scan.recipe, scan.tally.tokenizer
    texts = make_texts(rows, recipe, tokenizer)
    encodings = [tokenizer.encode(text) for text in texts]
    lengths = [len(one.ids) for one in encodings]
    sequences = [scan.sequence(index) for index in range(scan.count)]
    labels = [[label for label in one.labels if label != -100] for one in sequences]
    used = [row for index in range(scan.count) for row in rows_of(scan, index)]
    long = {row for row in used if lengths[row] > recipe.max_seq_len} if not recipe.joins else set()
    cut = [row for row in sorted(long) if loses_answer(scan, rows[row], texts[row])]
    counts = Counter(row["tone"] for row in rows)
    return {
        "rows": len(rows),
        "sequences": len(sequences),
        "tokens": sum(sum(one.attention_mask) for one in sequences),
        "trained_tokens": sum(map(len, labels)),
        "dropped_tokens": count_dropped(scan, lengths),
        "truncated_rows": len(long),
        "lost_tokens": sum(lengths[row] - recipe.max_seq_len for row in long),
        "truncated_answers": None if scan.tally.answer is None else len(cut),
        "cut_answers": tuple(row + 1 for row in cut[:20]),
        "empty_rows": sum(not text for text in texts),
        "lengths": tuple(lengths),
        "max_seq_len": recipe.max_seq_len,
        "no_eos": sum(not tokenizer.stop_ids.intersection(one) for one in labels),
        "untrained": sum(not has_target(one) for one in sequences),
        "exact_duplicates": sum(text in texts[:index] for index, text in enumerate(texts) if text),
        "labels": counts if scan.tally.answer == "tone" else {},
    }


def rows_of(scan: Scan, index: int) -> list[int]:
    """The row of a sequence of one row, told by its spans; none where it has no token of a row."""
    return [span.row for span in scan.sequence(index).spans if span is not None][:1]


def loses_answer(scan: Scan, row: dict[str, str], text: str) -> bool:
    """Whether a token that is cut off holds a character of the answer."""
    tokenizer, size = scan.tally.tokenizer, scan.recipe.max_seq_len
    answers = find_values(scan, row, text)
    offsets = tokenizer.encode(text).offsets
    lost = offsets[:-size] if tokenizer.cuts_left else offsets[size:]
    return any(min(end, last) > max(start, first) for start, end in lost for first, last in answers)


def find_values(scan: Scan, row: dict[str, str], text: str) -> list[tuple[int, int]]:
    """Where the answer stands, found by writing the template with a mark in its place."""
    recipe, answer = scan.recipe, scan.tally.answer
    template = recipe.text_template or ""
    marked = template.format(**{**row, answer: "\0"})
    before = f"{scan.tally.tokenizer.bos} " if recipe.add_special_tokens else ""
    found, position = [], len(before)
    for index, part in enumerate(marked.split("\0")):
        if index:
            found.append((position, position + len(row[answer])))
            position += len(row[answer])
        position += len(part)
    assert all(text[first:last] == row[answer] for first, last in found)
    return found


def count_dropped(scan: Scan, lengths: list[int]) -> int:
    """Tokens of all texts that no sequence has, by marking each of them in the stream."""
    recipe, joiner = scan.recipe, len(scan.tally.joiner)
    texts = [length for row, length in enumerate(lengths) if row in set(scan.tally.row_numbers.tolist())]
    seen = [False] * (sum(texts) + joiner * len(texts))
    for start, end in lay_out(texts, joiner, recipe, cut_left=scan.tally.tokenizer.cuts_left).tolist():
        seen[start:end] = [True] * (end - start)
    return seen.count(False)


def has_target(sequence: TrainingSequence) -> bool:
    """Whether a label stands behind the first token that is attended to."""
    real = [label for label, seen in zip(sequence.labels, sequence.attention_mask, strict=True) if seen]
    return any(label != -100 for label in real[1:])


def check_order(scan: Scan) -> None:
    sequences = [scan.sequence(index) for index in range(scan.count)]
    sizes = [sum(one.attention_mask) for one in sequences]
    assert scan.order("data").tolist() == list(range(scan.count))
    assert sorted(scan.order("longest").tolist()) == list(range(scan.count))
    ordered = [sizes[index] for index in scan.order("shortest")]
    assert ordered == sorted(sizes)
    without = [
        index
        for index, one in enumerate(sequences)
        if not scan.tally.tokenizer.stop_ids.intersection(label for label in one.labels if label != -100)
    ]
    assert scan.order("no_eos").tolist() == without


@pytest.mark.parametrize("name", ["tiny", "sentencepiece"])
@pytest.mark.parametrize("template", [True, "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>\n{% endfor %}"])
def test_the_turns_of_a_chat_are_counted_as_they_are_marked(
    name: str, template: bool | str, tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    generator = random.Random(3)
    roles = ("user", "assistant")

    def talk(turns: int) -> dict[str, Any]:
        words = [" ".join(generator.choices(WORDS, k=generator.randint(1, 9))) for _ in range(turns)]
        return {"messages": [{"role": roles[index % 2], "content": text} for index, text in enumerate(words)]}

    rows, tokenizer = [talk(generator.randint(1, 5)) for _ in range(40)], tokenizers[name]
    params = {"chat_template": template, "strategy": "line-by-line", "max_seq_len": 30}
    scan = make_scan(tmp_path, rows, tokenizer, {"trained_field": "assistant"}, **params)
    stats = scan.run()
    sequences = [scan.sequence(index) for index in range(scan.count)]
    labels = [[label for label in one.labels if label != -100] for one in sequences]
    assert stats.trained_tokens == sum(map(len, labels)) > 0
    assert stats.no_eos == sum(not tokenizer.stop_ids.intersection(one) for one in labels)
    assert stats.untrained == sum(not has_target(one) for one in sequences) > 0
    cut = []
    for number, (row, text) in enumerate(zip(rows, make_texts(rows, scan.recipe, tokenizer), strict=True), start=1):
        offsets = tokenizer.encode(text).offsets
        ranges = find_trained(row, text, scan.recipe, tokenizer)
        if any(mark_tokens(offsets, ranges)[30:]):
            cut.append(number)
    assert stats.truncated_answers == len(cut) > 0
    assert stats.cut_answers == tuple(cut[:20])


@pytest.mark.parametrize(("answers", "labels"), [(["joy", "fear", "joy", "joy"], {"joy": 3, "fear": 1}), ("abc", {})])
def test_an_answer_that_is_no_label_is_not_counted(
    answers: Sequence[str], labels: dict[str, int], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    rows = [{"phrase": "x", "tone": answer} for answer in answers]
    stats = make_scan(tmp_path, rows, tokenizer, text_template="{phrase} {tone}", strategy="line-by-line").run()
    assert (dict(stats.labels), list(stats.labels)) == (labels, list(labels))
    many = [{"phrase": "x", "tone": f"answer {number % 150}"} for number in range(600)]
    assert (
        not make_scan(tmp_path, many, tokenizer, text_template="{phrase} {tone}", strategy="line-by-line").run().labels
    )


@pytest.mark.parametrize(
    ("sequences", "batch", "accumulation", "steps"),
    [(100, 8, 2, 7), (100, 8, 1, 13), (1, 8, 4, 1), (0, 8, 1, None), (10, None, 1, None)],
)
def test_steps_of_an_epoch(sequences: int, batch: int | None, accumulation: int, steps: int | None) -> None:
    assert count_steps(sequences, batch, accumulation) == steps


@pytest.mark.parametrize(
    ("sequences", "batch", "accumulation", "steps"), [(100, 8, 2, 6), (100, 8, 1, 12), (96, 8, 1, 12), (7, 8, 1, 0)]
)
def test_steps_of_an_epoch_whose_last_batch_is_dropped(
    sequences: int, batch: int, accumulation: int, steps: int
) -> None:
    """dataloader_drop_last: only full batches are trained on."""
    assert count_steps(sequences, batch, accumulation, drops_last=True) == steps


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(2, 300), st.floats(0.01, 0.99))
def test_held_out_sequences_are_as_many_as_the_library_takes(count: int, share: float) -> None:
    from datasets import Dataset

    held_out = count_held_out(count, share)
    if held_out < count:  # the library refuses an empty training part
        parts = Dataset.from_dict({"x": list(range(count))}).train_test_split(test_size=share, seed=42)
        assert len(parts["test"]) == held_out


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 3), st.integers(1, 60), st.integers(1, 7))
def test_joined_blocks_lie_end_to_end_and_lose_less_than_one_more(
    lengths: list[int], joiner: int, size: int, batch: int
) -> None:
    recipe = Recipe(strategy="join", max_seq_len=size, processing_batch_size=batch)
    blocks = lay_out(lengths, joiner, recipe).tolist()
    total = sum(lengths) + joiner * len(lengths)
    assert blocks == [[index * size, (index + 1) * size] for index in range(len(blocks))]
    assert total - len(blocks) * size <= size


@given(st.data(), st.lists(st.integers(0, 50), max_size=40), st.integers(0, 3), st.integers(1, 60))
def test_the_blocks_of_the_first_texts_are_the_first_blocks(
    data: st.DataObject, lengths: list[int], joiner: int, size: int
) -> None:
    strategy = data.draw(st.sampled_from(["line-by-line", "join", "join-sliding-window"]))
    recipe = Recipe(
        strategy=strategy,
        max_seq_len=size,
        stride=data.draw(st.integers(1, 70)),
        processing_batch_size=data.draw(st.integers(1, 9)),
    )
    known = data.draw(st.integers(0, len(lengths)))
    first, every = lay_out(lengths[:known], joiner, recipe).tolist(), lay_out(lengths, joiner, recipe).tolist()
    assert every[: len(first)] == first
