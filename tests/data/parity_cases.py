"""Made-up data sets and every combination of what a data config can say, from fixed seeds.

`python -m tests.data.parity_cases FOLDER` writes the files: in a process of its own, since Hypothesis draws on the
constants of whatever modules are loaded beside it.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SEED = 20_240_501
ALL = list(HealthCheck)
SETS = 8
"""Data sets of each kind: JSON, CSV, conversations."""

SENTENCE = "the last bus had gone so she walked home along the canal with her shoes in hand and nobody noticed"
WORDS = st.sampled_from(SENTENCE.split())
ODD = (
    "|{|{x}|{{}}|{0.__class__}|<s>|</s>|<unk>|<0x41>|▁|a▁b|\n\n|\t| |é|e\u0301|𝔘|😀👩\u200d👩\u200d👧|שלום|\u202eabc"
    "|\ufeff|日本語|ﬁ|NA|None|null|007|1e5|2024-05-01|12:30|<b>bold</b>|\x1b[31m|\"|'|a,b|;|\\n"
)
HOSTILE = st.sampled_from([*ODD.split("|"), "<|endoftext|>", "<|end|> and", "<|user|>\n", "|"])
UNICODE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=12)
SPOKEN = st.lists(WORDS, max_size=12).map(" ".join)
LONG = st.integers(60, 400).map(lambda count: " ".join((SENTENCE.split() * 25)[:count]))
TEXT = st.one_of(
    SPOKEN, SPOKEN, SPOKEN, HOSTILE, UNICODE, st.lists(st.one_of(WORDS, HOSTILE), max_size=6).map(" ".join)
)
DATE = st.dates().map(str)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "Best Answer": st.one_of(TEXT, LONG),
    "answer": st.one_of(st.sampled_from(["joy", "fear", "surprise"]), st.none()),
    "n": st.one_of(st.none(), st.integers(-(2**40), 2**40)),
    "x": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "when": DATE,
    "code": st.sampled_from(["007", "7", "42"]),
    "yes": st.booleans(),
}
ROWS = st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=40)
TURN = st.tuples(st.sampled_from(["user", "assistant", "system"]), st.one_of(TEXT, LONG))
CHAT = st.lists(TURN, min_size=1, max_size=4)
CHATS = st.lists(CHAT, min_size=2, max_size=25)

TEMPLATES = (
    "{text} => {answer}",
    "{{{text}}} {n} {x:.3f} {when} {yes!r:>6}\n{Best Answer}",
    "### {Best Answer}\n### {answer}</s>",
    "{text}",
    "{code}<|end|>{text!r}",
)
OWN_CHAT = "{% for m in messages %}{{ m.role }}: {{ m['content'] | trim }}\n{% endfor %}{{ eos_token }}"
STRATEGIES = (
    *(("line-by-line", None), ("line-by-line-random", None), ("join", None), ("join-random", None)),
    *(("join-sliding-window", stride) for stride in (1, 0.5, 1.0, 1.5)),
)
"""With the stride: tokens, or a share of max_seq_len."""

KINDS = ("text_template", "text_cols", "chat_template")
FILES = {
    "text_template": ("lines", "table"),
    # What is empty in a CSV file is None, and no text.
    "text_cols": ("lines", "lines", "lines", "table"),
    "chat_template": ("chats",),
}


def write_files(folder: Path) -> None:
    """The data sets: lines0, ... and chats0, ... are JSON lines, table0, ... CSV."""
    for index, rows in enumerate(_draw(ROWS, SEED)):
        text = "".join(json.dumps(row, ensure_ascii=index % 2 == 0) + "\n" for row in rows)
        (folder / f"lines{index}").write_bytes(text.encode("utf-8"))
    for index, rows in enumerate(_draw(ROWS, SEED + 1)):
        (folder / f"table{index}").write_bytes(_write_csv(rows).encode("utf-8"))
    for index, chats in enumerate(_draw(CHATS, SEED + 2)):
        if index == 0:
            chats.append([])  # which transformers refuses
        text = "".join(json.dumps(_name_turns(chat)) + "\n" for chat in chats)
        (folder / f"chats{index}").write_bytes(text.encode("utf-8"))


def make_cases() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(group, name, file, pre_process_data_config) of each combination."""
    generator = random.Random(SEED)
    every = product(STRATEGIES, KINDS, (True, False), ("right", "left"), (True, False), (True, False))
    for number, ((strategy, stride), kind, pad, side, mask, special) in enumerate(every, start=1):
        size = generator.choice([1, 3, 8, 16, 33, 64, 300])
        params: dict[str, Any] = {
            "strategy": strategy,
            "max_seq_len": size,
            "pad_to_max_len": pad,
            "padding_side": side,
            "use_attention_mask": mask,
            "add_special_tokens": special,
        }
        if stride is not None:
            params["stride"] = stride if isinstance(stride, int) else max(1, int(size * stride))
        if strategy.startswith("join"):
            params["joiner"] = generator.choice(["\n\n", "\n\n", "", " <s> ", "</s>", "▁ "])
            params["processing_batch_size"] = generator.choice([1, 3, 1024])
        if strategy.endswith("random"):
            params |= {"max_samples": generator.choice([3, 20]), "random_seed": generator.randrange(100)}
            params["random_retries"] = generator.choice([1, 10])
        elif generator.random() < 0.2:
            params["max_samples"] = generator.choice([0, 1, 5])
        if not pad and generator.random() < 0.3:
            params["drop_short_sequences"] = True
        params |= _choose_texts(kind, generator)
        file = f"{generator.choice(FILES[kind])}{generator.randrange(SETS)}"
        group = f"{strategy}{'' if stride is None else f' by {stride}'}, {kind}"
        yield group, f"{number}: {params} of {file}", file, params


def _name_turns(chat: list[tuple[str, str]]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in chat]}


def _choose_texts(kind: str, generator: random.Random) -> dict[str, Any]:
    if kind == "chat_template":
        return {"chat_template": generator.choice([True, OWN_CHAT])}
    if kind == "text_template":
        return {"text_template": generator.choice(TEMPLATES)}
    return {"text_cols": generator.choice([["text"], ["Best Answer", "text"], "Best Answer", ["code", "text"]])}


def _draw(strategy: st.SearchStrategy[Any], start: int) -> list[Any]:
    drawn: list[Any] = []

    @seed(start)
    @settings(max_examples=4 * SETS, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=ALL)
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    # Many are nearly nothing; the longest hold the most.
    return sorted(drawn, key=lambda value: len(str(value)))[-2 * SETS :: 2]


def _write_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
