"""The token preview: its statistics beside the bare tokenizer and beside Olive, first sequences, memory.

Wanted, on 100,000 short rows: all statistics but near duplicates in at most 1.25 times the tokenizer's own
encode_batch_fast on the same texts, and 4 times faster than Olive's pre-process. On 1,000,000 rows: first sequences
within 150 ms, and at most 400 MB more at the peak of a process like a kernel.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

from phinb.data.scan import Scan
from phinb.folders import cache
from phinb.models.demo import REVISION
from phinb.models.tiny import make_tiny
from phinb.models.tokenizers import Tokenizer, load_tokenizer

PAIRS = 7
ROWS, MANY_ROWS = 100_000, 1_000_000
TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
TRAINER = {"batch_size": 8, "accumulation": 1}

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
    """One line for each figure; what is compared is measured in turn, in pairs."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "rows.jsonl", ROWS)
        _write(folder / "many.jsonl", MANY_ROWS)
        for model in _models(folder):
            tokenizer = load_tokenizer(model)
            lines.append(f"tokenizer of {tokenizer.vocabulary_size:,} pieces ({model.name})")
            lines += _compare_with_tokenizer(tokenizer, folder)
            lines.append(_compare_with_olive(tokenizer, folder))
            lines.append(_time_near_duplicates(tokenizer, folder))
            lines += _time_first(tokenizer, folder)
            lines.append(_measure_memory(model, folder))
    return "\n".join(lines)


def _models(folder: Path) -> list[Path]:
    """The tiny model, and the demo model where it has been made."""
    demo = cache() / "models" / f"demo-{REVISION}"
    return [make_tiny(folder / "tiny"), *([demo] if demo.is_dir() else [])]


def _compare_with_tokenizer(tokenizer: Tokenizer, folder: Path) -> list[str]:
    texts = [
        f"{tokenizer.bos} {TEMPLATE.format(**json.loads(line))} {tokenizer.eos}"
        for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    ]

    def encode() -> None:
        tokenizer.backend.encode_batch_fast(texts, add_special_tokens=False)

    ways: dict[str, tuple[dict[str, Any], str | None]] = {
        "line by line": ({"strategy": "line-by-line", "max_seq_len": 128, "pad_to_max_len": False}, None),
        "line by line, a third cut off": ({"strategy": "line-by-line", "max_seq_len": 48}, None),
        "joined": ({"strategy": "join", "max_seq_len": 1024}, None),
        "line by line, loss on the completion": ({"strategy": "line-by-line", "max_seq_len": 128}, "tone"),
    }
    lines = []
    for what, (params, field) in ways.items():

        def count(params: dict[str, Any] = params, field: str | None = field) -> None:
            assert _scan(tokenizer, folder, "rows.jsonl", params, field).run().exact

        pairs = [(_time(encode), _time(count)) for _ in range(PAIRS)]
        alone, ours = median(one for one, _ in pairs), median(other for _, other in pairs)
        ratio = median(other / one for one, other in pairs)
        lines.append(f"  {what}: statistics {ours:.2f} s, encode_batch_fast {alone:.2f} s, ratio {ratio:.2f}")
    return lines


def _compare_with_olive(tokenizer: Tokenizer, folder: Path) -> str:
    params = {"strategy": "line-by-line", "max_seq_len": 128}
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
    assert olive.stdin is not None
    assert olive.stdout is not None

    def ask() -> float:
        assert olive.stdin is not None
        olive.stdin.write("again\n")
        olive.stdin.flush()
        return float(_read_answer(olive))

    try:
        assert _read_answer(olive) == "ready"
        pairs = [(ask(), _time(lambda: _scan(tokenizer, folder, "rows.jsonl", params).run())) for _ in range(PAIRS)]
    finally:
        olive.kill()
        olive.wait()
    theirs, ours = median(one for one, _ in pairs), median(other for _, other in pairs)
    ratio = median(one / other for one, other in pairs)
    return f"  Olive's pre-process {theirs:.2f} s, statistics {ours:.2f} s: {ratio:.1f} times faster"


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
    seconds = [_time(scan.find_near) for _ in range(3)]
    return f"  near duplicates of {ROWS:,} rows: {median(seconds):.2f} s, {scan.stats.near_duplicates} found"


def _look(tokenizer: Tokenizer, folder: Path, params: dict[str, Any], shown: list[int]) -> None:
    shown.append(len(_scan(tokenizer, folder, "many.jsonl", params).first(20)))


def _time_first(tokenizer: Tokenizer, folder: Path) -> list[str]:
    """From the data config to the first 20 sequences, or as many as there is time for."""
    lines = []
    for strategy, params in {
        "line-by-line": {"max_seq_len": 128},
        "join": {"max_seq_len": 1024},
        "join-sliding-window": {"max_seq_len": 256, "stride": 64},
    }.items():
        shown: list[int] = []
        look = partial(_look, tokenizer, folder, {"strategy": strategy, **params}, shown)
        seconds = [_time(look) for _ in range(PAIRS)]
        lines.append(
            f"  first sequences of {MANY_ROWS:,} rows, {strategy}: {1000 * median(seconds):.0f} ms, {min(shown)} shown"
        )
    return lines


def _measure_memory(model: Path, folder: Path) -> str:
    config = _config(folder, "many.jsonl", {"strategy": "line-by-line", "max_seq_len": 128})
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, str(model), json.dumps(config)], capture_output=True, text=True, check=True
    )
    before, added, seconds, rows = map(float, done.stdout.split())
    return f"  preview of {rows:,.0f} rows: peak +{added:.0f} MB on {before:.0f} MB, {seconds:.1f} s"


def _scan(
    tokenizer: Tokenizer, folder: Path, file: str, params: dict[str, Any], trained_field: str | None = None
) -> Scan:
    return Scan(_config(folder, file, params), tokenizer, folder, trained_field=trained_field, **TRAINER)


def _config(folder: Path, file: str, params: dict[str, Any]) -> dict[str, Any]:
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
