"""The token preview: its statistics beside the bare tokenizer and beside Olive, first sequences, memory.

Wanted, on 100,000 short rows: all statistics but near duplicates in at most 1.25 times the tokenizer's own
encode_batch_fast on the same texts, and 4 times faster than Olive's pre-process. On 1,000,000 rows: first sequences
within 150 ms, and at most 400 MB more at the peak of a process like a kernel.

Takes about 4 minutes on two cores, half of them in Olive's pre-process.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

from phinb.config import Config, load_config
from phinb.data.preview import open_scan
from phinb.data.scan import Scan
from phinb.folders import cache
from phinb.models.demo import REVISION
from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, forget_tokenizers, load_tokenizer

ROUNDS = 7
ROWS, MANY_ROWS = 100_000, 1_000_000
FIRST = 20
PART = 1000
"""Texts at a time at which the tokenizer alone is faster than with all at once."""

TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
TRAINER = {"batch_size": 8, "accumulation": 1}

Params = Mapping[str, Any]
Way = tuple[str, Params, str | None]
"""What it is called, its pre_process_data_config, and the column that the loss is on (None: all tokens)."""

LINES: Way = ("line by line", {"strategy": "line-by-line", "max_seq_len": 128}, None)
JOINED: Way = ("joined", {"strategy": "join", "max_seq_len": 1024}, None)
CUT: Way = ("line by line, a third cut off", {"strategy": "line-by-line", "max_seq_len": 48}, None)
COMPLETION: Way = ("line by line, loss on the completion", {"strategy": "line-by-line", "max_seq_len": 128}, "tone")

OLIVE = """
import json, sys, time
import datasets
from olive.data.config import DataConfig

datasets.disable_caching()
datasets.disable_progress_bars()
container = DataConfig(**json.loads(sys.argv[1])).to_data_container()
rows = container.load_dataset()
print("ready", flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    container.pre_process(rows)
    print(time.perf_counter() - began, flush=True)
"""

KERNEL = """
import json, sys, time
from pathlib import Path
import IPython, ipykernel.kernelapp, ipywidgets, numpy, phinb
from phinb.data.preview import preview_data
from phinb.evaluation.machine import peak_memory_bytes
from phinb.models.tokenizers import load_tokenizer

tokenizer, config = load_tokenizer(sys.argv[1]), json.loads(sys.argv[2])
before, began = peak_memory_bytes(), time.perf_counter()
shown = preview_data(config, tokenizer, Path(), batch_size=8, accumulation=1)
assert shown.stats.exact and len(list(shown.sequences)) == 200
print(before / 1e6, (peak_memory_bytes() - before) / 1e6, time.perf_counter() - began, shown.stats.rows)
"""


def measure() -> str:
    """One line for each figure; what is compared is measured in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "rows.jsonl", ROWS)
        _write(folder / "many.jsonl", MANY_ROWS)
        model = _find_model(folder)
        tokenizer = load_tokenizer(model)
        lines = [f"tokenizer of {tokenizer.vocabulary_size:,} pieces ({model.name}), {os.cpu_count()} cores"]
        lines += _compare(tokenizer, folder)
        lines.append(_time_near_duplicates(tokenizer, folder))
        lines += _time_first(model, folder)
        lines.append(_measure_memory(model, folder))
    return "\n".join(lines)


def _find_model(folder: Path) -> Path:
    """The demo model where it has been made (make demo-model), else the tiny one."""
    demo = cache() / "models" / f"demo-{REVISION}"
    return demo if demo.is_dir() else make_tiny(folder / "tiny")


def _compare(tokenizer: Tokenizer, folder: Path) -> list[str]:
    """Rounds of: the tokenizer alone, two ways; again alone, two more; Olive. Each way with what ran just before."""
    texts = [
        f"{tokenizer.bos} {TEMPLATE.format(**json.loads(line))} {tokenizer.eos}"
        for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    ]

    def encode() -> None:
        tokenizer.backend.encode_batch_fast(texts, add_special_tokens=False)

    def encode_in_parts() -> None:
        for begin in range(0, len(texts), PART):
            tokenizer.backend.encode_batch_fast(texts[begin : begin + PART], add_special_tokens=False)

    def count(way: Way) -> None:
        assert _scan(tokenizer, folder, "rows.jsonl", *way[1:]).run().exact

    pairs: dict[str, list[tuple[float, float]]] = {}
    with _start_olive(tokenizer, folder, LINES[1]) as pre_process:
        for _ in range(ROUNDS):
            for ways in ((LINES, JOINED), (CUT, COMPLETION)):
                alone, parts = _time(encode), _time(encode_in_parts)
                pairs.setdefault("parts", []).append((alone, parts))
                for way in ways:
                    pairs.setdefault(way[0], []).append((alone, _time(partial(count, way))))
            olive = pre_process()
            pairs.setdefault("olive", []).append((olive, _time(partial(count, LINES))))
    lines = []
    for name, measured in pairs.items():
        theirs, ours = median(one for one, _ in measured), median(other for _, other in measured)
        if name == "olive":
            ratio = median(one / other for one, other in measured)
            lines.append(f"  Olive's pre-process {theirs:.2f} s, statistics {ours:.2f} s: {ratio:.1f} times faster")
        elif name == "parts":
            lines.append(f"  encode_batch_fast {theirs:.2f} s, and {ours:.2f} s by {PART:,} texts at a time")
        else:
            ratio = median(other / one for one, other in measured)
            lines.append(f"  {name}: statistics {ours:.2f} s, encode_batch_fast {theirs:.2f} s, ratio {ratio:.2f}")
    return lines


@contextmanager
def _start_olive(tokenizer: Tokenizer, folder: Path, params: Params) -> Iterator[Callable[[], float]]:
    """A process with Olive and the rows loaded; what it gives is a function that pre-processes them once: seconds."""
    config = _config(folder, "rows.jsonl", params)
    config["pre_process_data_config"] |= {"model_name": str(tokenizer.folder), "task": "text-generation"}
    environment = os.environ | {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    olive = subprocess.Popen(
        [sys.executable, "-c", OLIVE, json.dumps(config)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def pre_process() -> float:
        assert olive.stdin is not None
        olive.stdin.write("again\n")
        olive.stdin.flush()
        return float(_read_answer(olive))

    try:
        assert _read_answer(olive) == "ready"
        yield pre_process
    finally:
        olive.kill()
        olive.wait()


def _read_answer(olive: subprocess.Popen[str]) -> str:
    """The next line that is one of ours; Olive writes its own log to the same place."""
    assert olive.stdout is not None
    for line in olive.stdout:
        word = line.strip()
        if word == "ready" or word.replace(".", "", 1).isdigit():
            return word
    raise RuntimeError("Olive's process ended")


def _time_near_duplicates(tokenizer: Tokenizer, folder: Path) -> str:
    scan = _scan(tokenizer, folder, "rows.jsonl", {"strategy": "line-by-line"})
    scan.run()
    return f"  near duplicates of {ROWS:,} rows: {_time(scan.find_near):.2f} s, {scan.stats.near_duplicates} found"


def _time_first(model: Path, folder: Path) -> list[str]:
    """From the configuration to the first sequences: the tokenizer read anew each time, as by the first preview of a
    kernel that had no time to read it behind %%olive_config, and with the tokenizer known."""
    own = folder / "model"
    shutil.copytree(model, own, ignore=shutil.ignore_patterns("*.safetensors"))
    lines = []
    for strategy, params in {
        "line-by-line": {"max_seq_len": 128},
        "join": {"max_seq_len": 1024},
        "join-sliding-window": {"max_seq_len": 256, "stride": 64},
    }.items():
        look = partial(_look, _configure(own, folder, {"strategy": strategy, **params}))
        anew, known, shown = [], [], []
        for _ in range(ROUNDS):
            forget_tokenizers()
            for seconds in (anew, known):
                began = time.perf_counter()
                shown.append(look())
                seconds.append(time.perf_counter() - began)
        lines.append(
            f"  first sequences of {MANY_ROWS:,} rows, {strategy}: {1000 * median(known):.0f} ms, and "
            f"{1000 * median(anew):.0f} ms with the tokenizer (slowest {1000 * max(anew):.0f} ms), {min(shown)} shown"
        )
    return lines


def _look(config: Config) -> int:
    return len(open_scan(config).first(FIRST))


def _measure_memory(model: Path, folder: Path) -> str:
    config = _config(folder, "many.jsonl", LINES[1])
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, str(model), json.dumps(config)], capture_output=True, text=True, check=True
    )
    before, added, seconds, rows = map(float, done.stdout.split())
    return f"  preview of {rows:,.0f} rows: peak +{added:.0f} MB on {before:.0f} MB, {seconds:.1f} s"


def _scan(tokenizer: Tokenizer, folder: Path, file: str, params: Params, trained_field: str | None = None) -> Scan:
    return Scan(_config(folder, file, params), tokenizer, folder, trained_field=trained_field, **TRAINER)


def _configure(model: Path, folder: Path, params: Params) -> Config:
    config = load_config(
        {
            "input_model": {"type": "HfModel", "model_path": str(model)},
            "data_configs": [_config(folder, "many.jsonl", params)],
            "passes": {"lora": {"type": "LoRA", "train_data_config": "train", "training_args": {"max_steps": 10}}},
        }
    )
    config.effective()  # kept; a panel that is opened has it already
    return config


def _config(folder: Path, file: str, params: Params) -> dict[str, Any]:
    return {
        "name": "train",
        "type": "HuggingfaceContainer",
        "load_dataset_config": {"data_name": "json", "data_files": str(folder / file), "split": "train"},
        "pre_process_data_config": {"text_template": TEMPLATE, **params},
    }


def _write(path: Path, rows: int) -> None:
    """Phrases of 3 to 20 words of the tiny model's text, and one of four tones."""
    draw = random.Random(0)
    words = files("phinb.models").joinpath("tiny.txt").read_text(encoding="utf-8").split()
    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            phrase = " ".join(draw.choices(words, k=draw.randint(3, 20)))
            file.write(json.dumps({"phrase": phrase, "tone": draw.choice(("joy", "fear", "anger", "love"))}) + "\n")


def _time(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    del result
    return seconds
