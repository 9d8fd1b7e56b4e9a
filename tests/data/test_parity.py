"""What the preview shows against what Olive makes: ids, labels and masks of each case, from Olive's own container.

The cases that somebody thought of stand here, with those that Olive refuses; those of parity_cases.py are every
combination over made-up rows, on two tokenizers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from phinb.data.preview import Preview, preview_data
from phinb.folders import cache
from phinb.models.demo import REVISION
from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from tests.data.parity_cases import make_cases
from tests.data.sentencepiece import make_sentencepiece

ROOT = Path(__file__).resolve().parents[2]

ASK_OLIVE = """
import functools, json, os, sys

import datasets
from olive.common.hf import utils
from olive.data.config import DataConfig

# Each file is read once, and each tokenizer; what is made of them is Olive's own work.
kept = {}
load = datasets.load_dataset
def load_once(**arguments):
    key = json.dumps(arguments, sort_keys=True)
    if key not in kept:
        kept[key] = load(**arguments)
    return kept[key]
datasets.load_dataset = load_once
utils.from_pretrained = functools.lru_cache(utils.from_pretrained)

def take(dataset, index):
    inputs, labels = dataset[index]
    ids = inputs["input_ids"].tolist()
    mask = inputs["attention_mask"].tolist() if "attention_mask" in inputs else [1] * len(ids)
    return [ids, labels.tolist(), mask]

def take_all(dataset):
    # One by one the container takes a millisecond each: the first and the last so, all others at once.
    every = dataset.data.with_format(None)[: len(dataset)]
    masks = every.get("attention_mask") or [[1] * len(ids) for ids in every["input_ids"]]
    found = [list(one) for one in zip(every["input_ids"], every["labels"], masks)]
    for index in {0, len(found) - 1} if found else ():
        assert found[index] == take(dataset, index)
    return found

answers = {}
for name, config in json.load(sys.stdin).items():
    try:
        container = DataConfig(**config).to_data_container()
        answers[name] = take_all(container.pre_process(container.load_dataset()))
    except Exception as error:
        answers[name] = f"{type(error).__name__}: {error}"
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(answers, file)
os._exit(0)  # its telemetry keeps the process for seconds
"""

SENTENCE = "the last bus had gone so she walked home along canal with shoes in hand and nobody noticed clock"
WORDS = SENTENCE.split()
ROWS = [
    {
        "phrase": " ".join(WORDS[start % 19 : start % 19 + 2 + start % 13]),
        "tone": ("joy", "fear", "Überraschung")[start % 3],
    }
    for start in range(60)
]
CHATS = [
    {"messages": [{"role": "user", "content": f"Where is {word}?"}, {"role": "assistant", "content": f"<b>{word}</b>"}]}
    for word in WORDS
]
FILES = {
    "rows.json": "".join(json.dumps(row) + "\n" for row in ROWS),
    "list.json": json.dumps(ROWS[:9]),
    "chats.json": "".join(json.dumps(row) + "\n" for row in CHATS),
    "numbers.json": "".join(
        json.dumps({"text": f"n {n}", "n": n, "x": n / 3, "when": f"2024-05-0{n}", "none": None if n == 2 else "w"})
        + "\n"
        for n in range(1, 6)
    ),
    "gaps.json": '{"text": "walked home"}\n{"text": ""}\n{"text": "canal {x} 😀"}\n',
    "blanks.json": "".join(json.dumps({" x ": word, "x": "no", " ": 1, " 7": "s"}) + "\n" for word in WORDS),
    "rows.csv": "text,code,tone\nwalked home,007,NA\nthe canal,1,joy\n",
    "lines.txt": "the last bus\n\nhad gone\r\nso she walked",
    "many.json": "".join(json.dumps({"text": f"walked home {n}"}) + "\n" for n in range(2500)),
}

TEMPLATE = {"text_template": "{phrase} => {tone}"}
LINES = {**TEMPLATE, "strategy": "line-by-line"}
JOIN = {**TEMPLATE, "strategy": "join"}
SLIDE = {**TEMPLATE, "strategy": "join-sliding-window", "max_seq_len": 32}
TEXT = {"strategy": "line-by-line", "max_seq_len": 24}

# Each name stands for a load_dataset_config (or only its file) and a pre_process_data_config.
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "lines": ("rows.json", {**LINES, "max_seq_len": 48}),
    "lines cut": ("rows.json", {**LINES, "max_seq_len": 12}),
    "lines without special tokens": ("rows.json", {**LINES, "max_seq_len": 48, "add_special_tokens": False}),
    "lines padded left": ("rows.json", {**LINES, "max_seq_len": 40, "padding_side": "left"}),
    "lines not padded": ("rows.json", {**LINES, "max_seq_len": 40, "pad_to_max_len": False}),
    "lines without a mask": (
        "rows.json",
        {**LINES, "max_seq_len": 40, "pad_to_max_len": False, "use_attention_mask": False},
    ),
    "lines, short ones dropped": (
        "rows.json",
        {**LINES, "max_seq_len": 30, "pad_to_max_len": False, "drop_short_sequences": True},
    ),
    "lines, few": ("rows.json", {**LINES, "max_seq_len": 48, "max_samples": 7}),
    "lines, few and short ones dropped": (
        "rows.json",
        {**LINES, "max_seq_len": 30, "pad_to_max_len": False, "drop_short_sequences": True, "max_samples": 5},
    ),
    "lines, none": ("rows.json", {**LINES, "max_seq_len": 48, "max_samples": 0}),
    "lines at random": (
        "rows.json",
        {**TEMPLATE, "max_samples": 20, "random_seed": 3, "strategy": "line-by-line-random", "max_seq_len": 32},
    ),
    "lines at random, short ones dropped": (
        "rows.json",
        {
            **TEMPLATE,
            "max_samples": 20,
            "random_seed": 4,
            "random_retries": 2,
            "strategy": "line-by-line-random",
            "max_seq_len": 38,
            "pad_to_max_len": False,
            "drop_short_sequences": True,
        },
    ),
    "joined": ("rows.json", {**JOIN, "max_seq_len": 64}),
    "joined by default, nothing left": ("rows.json", {**TEMPLATE, "max_seq_len": 4000}),
    "joined without a joiner": ("rows.json", {**JOIN, "max_seq_len": 50, "joiner": ""}),
    "joined by words": (
        "rows.json",
        {**JOIN, "max_seq_len": 50, "joiner": " <|end|> and ", "add_special_tokens": False},
    ),
    "joined, few": ("rows.json", {**JOIN, "max_seq_len": 40, "max_samples": 4}),
    "joined, none": ("rows.json", {**JOIN, "max_seq_len": 40, "max_samples": 0}),
    "joined in small batches": ("rows.json", {**JOIN, "max_seq_len": 37, "processing_batch_size": 3}),
    "joined over many batches": ("many.json", {"strategy": "join", "max_seq_len": 100}),
    "joined at random": (
        "rows.json",
        {**TEMPLATE, "strategy": "join-random", "max_samples": 15, "random_seed": 11, "max_seq_len": 200},
    ),
    "window": ("rows.json", {**SLIDE, "stride": 8}),
    "window in small batches": ("rows.json", {**SLIDE, "stride": 20, "processing_batch_size": 4}),
    "window as wide as its stride": ("rows.json", {**SLIDE, "stride": 32}),
    "window with gaps": ("rows.json", {**SLIDE, "stride": 40}),
    "window, few": ("rows.json", {**SLIDE, "stride": 8, "max_samples": 3}),
    "chat": ("chats.json", {"chat_template": True, "strategy": "line-by-line", "max_seq_len": 40}),
    "chat in words of its own": (
        "chats.json",
        {
            "chat_template": "{% for m in messages %}{{ m.role }} {{ m.content | tojson }}{% endfor %}{{ eos_token }}",
            "strategy": "join",
            "max_seq_len": 40,
        },
    ),
    "numbers, times and nothing": (
        "numbers.json",
        {**TEXT, "max_seq_len": 64, "text_template": "{n:>4} {x:.2f} {when} {none} {text!r} {{as it is}}"},
    ),
    "empty rows": ("gaps.json", {**TEXT, "add_special_tokens": False}),
    "empty rows with special tokens": ("gaps.json", {**TEXT}),
    "blanks around a column's name": ("blanks.json", {**TEXT, "text_template": "{ x } {x}: { } { 7}"}),
    "an empty template takes the columns": ("many.json", {**TEXT, "text_template": "", "max_samples": 5}),
    "two columns": ("rows.json", {**TEXT, "text_cols": ["tone", "phrase"]}),
    "a list": ("list.json", {**LINES, "max_seq_len": 32}),
    "csv": ("rows.csv", {**TEXT, "text_template": "{text} {code} {tone}"}),
    "plain text": ("lines.txt", {**TEXT, "add_special_tokens": False}),
    "the first 70 %": ({"data_files": "rows.json", "split": "train[:70%]"}, {**LINES, "max_seq_len": 32}),
    "the rest": ({"data_files": "rows.json", "split": "train[70%:]"}, {**LINES, "max_seq_len": 32}),
    "the last ten and more": (
        {"data_files": "rows.json", "split": "train[-10:]+train[:3]"},
        {**LINES, "max_seq_len": 32},
    ),
    "named splits": (
        {"data_files": {"train": ["rows.json"], "test": "list.json"}, "split": "test"},
        {**LINES, "max_seq_len": 32},
    ),
    "two files": ({"data_files": ["list.json", "rows.json"], "split": "train"}, {**LINES, "max_seq_len": 32}),
    "filtered": (
        {"data_files": "rows.json", "split": "train", "col_filters": {"tone": "joy"}},
        {**LINES, "max_seq_len": 32},
    ),
    "params in params": (
        {"params": {"data_files": "rows.json", "split": "train"}},
        {"params": {**LINES, "max_seq_len": 32}, "max_seq_len": 16},
    ),
    # and where Olive fails
    "no split": ({"data_files": "rows.json"}, {**LINES}),
    "unknown split": ({"data_files": "rows.json", "split": "tset"}, {**LINES}),
    "split with spaces": ({"data_files": "rows.json", "split": "train[:5] + train[8:]"}, {**LINES}),
    "unknown field": ("rows.json", {"text_template": "{phrase} {tune}", "strategy": "line-by-line"}),
    "a blank that no column has": ("blanks.json", {**TEXT, "text_template": "{ x}"}),
    "an empty template without its column": ("rows.json", {**TEXT, "text_template": ""}),
    "single brace": ("rows.json", {"text_template": "{phrase} {", "strategy": "line-by-line"}),
    "numbers as columns": ("numbers.json", {**TEXT, "text_cols": ["text", "n"]}),
    "no column text": ("rows.json", {"strategy": "line-by-line"}),
    "padding without a mask": ("rows.json", {**LINES, "use_attention_mask": False}),
    "padded and dropped": ("rows.json", {**LINES, "drop_short_sequences": True}),
    "window without a stride": ("rows.json", {**SLIDE, "stride": None}),
    "random without a number": ("rows.json", {**TEMPLATE, "strategy": "join-random", "random_seed": 1}),
    "missing file": ("rose.json", {**LINES}),
}


DEMO = cache() / "models" / f"demo-{REVISION}"
"""In the user's own cache: tests get a home of their own only once they run."""

MODELS = ("demo" if DEMO.is_dir() else "tiny", "sentencepiece")
"""The demo model's tokenizer where it has been made (make demo-model), else the tiny one's, which is of its kind."""

MADE = {
    f"{model}, {name}": (group, model, file, params) for group, name, file, params in make_cases() for model in MODELS
}
"""Name of a case -> its group, tokenizer, file and pre_process_data_config."""

GROUPS = list(dict.fromkeys(group for group, *_ in MADE.values()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity")
    for name, content in FILES.items():
        (folder / name).write_bytes(content.encode("utf-8"))
    subprocess.run([sys.executable, "-m", "tests.data.parity_cases", str(folder)], cwd=ROOT, check=True)
    make_tiny(folder / "tiny")
    make_sentencepiece(folder / "sentencepiece")
    if "demo" in MODELS:
        shutil.copytree(DEMO, folder / "demo", ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Any]:
    """What Olive makes of every case, in one process."""
    cases = {name: complete(data_config(*CASES[name]), folder / "tiny") for name in CASES}
    for name, (_, model, file, params) in MADE.items():
        cases[name] = complete(data_config(file, params), folder / model)
    environment = os.environ | {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", ASK_OLIVE, str(folder / "answers.json")],
        input=json.dumps(cases),
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return answers


@pytest.fixture(scope="module")
def tokenizers(folder: Path) -> dict[str, Tokenizer]:
    return {model: load_tokenizer(folder / model) for model in {"tiny", *MODELS}}


def data_config(load: str | dict[str, Any], pre_process: dict[str, Any]) -> dict[str, Any]:
    if isinstance(load, str):
        load = {"data_files": load, "split": "train"}
    files = json.dumps(load)
    kind = "csv" if ".csv" in files or "table" in files else "text" if ".txt" in files else "json"
    return {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": kind, **load},
        "pre_process_data_config": dict(pre_process),
    }


def complete(config: dict[str, Any], model: Path) -> dict[str, Any]:
    """As RunConfig completes it."""
    config["pre_process_data_config"] |= {"model_name": str(model), "task": "text-generation"}
    return config


def find_difference(preview: Preview, expected: Any) -> str:
    """What sets a preview apart from Olive's answer; "" where nothing does."""
    if isinstance(expected, str):
        return f"Olive says {expected}" if preview.ok else ""
    # Data that train nothing are refused by the guards only.
    known = {"nothing_trained"} if expected else {"no_sequences"}
    unexpected = [problem for problem in preview.problems if problem.severity == "error" and problem.code not in known]
    if unexpected:
        return f"{unexpected}, and Olive makes {len(expected)} sequences"
    found = [[list(one.input_ids), list(one.labels), list(one.attention_mask)] for one in preview.sequences]
    if found != expected:
        pairs = zip(found, expected, strict=False)
        same = list(takewhile(lambda pair: pair[0] == pair[1], pairs))
        here, there = found[len(same) : len(same) + 1], expected[len(same) : len(same) + 1]
        return f"sequence {len(same)} of {len(found)} (Olive {len(expected)}): {here}, {there}"
    numbers = {
        "sequences": len(expected),
        "trained_tokens": sum(label != -100 for _, labels, _ in expected for label in labels),
        "tokens": sum(sum(mask) for _, _, mask in expected),
    }
    wrong = {key: (getattr(preview.stats, key), value) for key, value in numbers.items()}
    return str({key: pair for key, pair in wrong.items() if pair[0] != pair[1]} or "")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CASES))
def test_the_preview_is_what_olive_makes(
    name: str, folder: Path, answers: dict[str, Any], tokenizers: dict[str, Tokenizer]
) -> None:
    preview = preview_data(data_config(*CASES[name]), tokenizers["tiny"], folder, limit=None)
    assert not find_difference(preview, answers[name])
    for one in preview.sequences:
        assert len(one.tokens) == len(one.spans) == len(one.input_ids)


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_every_combination_is_what_olive_makes(
    group: str, folder: Path, answers: dict[str, Any], tokenizers: dict[str, Tokenizer]
) -> None:
    wrong = {}
    for name, (own, model, file, params) in MADE.items():
        if own == group:
            preview = preview_data(data_config(file, params), tokenizers[model], folder, limit=None)
            if difference := find_difference(preview, answers[name]):
                wrong[name] = difference
    assert not wrong


@pytest.mark.slow
def test_there_are_enough_cases_that_give_sequences(answers: dict[str, Any]) -> None:
    for model in MODELS:
        given = [answers[name] for name, case in MADE.items() if case[1] == model]
        full = [answer for answer in given if isinstance(answer, list) and answer]
        refused = sum(isinstance(answer, str) for answer in given)
        print(
            f"\n{model}: {len(given)} cases, {len(full)} with sequences ({sum(map(len, full)):,} in all), "
            f"{len(given) - len(full) - refused} without, {refused} that Olive refuses"
        )
        assert len(full) >= 250
    print(f"and {len(CASES)} cases that somebody thought of, with the tokenizer tiny")
    empty = [
        name for name in GROUPS if not any(MADE[one][0] == name and isinstance(answers[one], list) for one in MADE)
    ]
    assert not empty


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_bent_id_is_found(
    part: int, folder: Path, answers: dict[str, Any], tokenizers: dict[str, Tokenizer]
) -> None:
    """Of the ids, the labels or the mask of one sequence, in a case of each group."""
    for group in GROUPS:
        names = [name for name in MADE if MADE[name][0] == group and isinstance(answers[name], list) and answers[name]]
        name = max(names, key=lambda name: len(answers[name]))
        bent = json.loads(json.dumps(answers[name]))
        _, model, file, params = MADE[name]
        preview = preview_data(data_config(file, params), tokenizers[model], folder, limit=None)
        assert not find_difference(preview, bent)
        bent[-1][part][-1] += 1
        assert f"sequence {len(bent) - 1} of" in find_difference(preview, bent)
