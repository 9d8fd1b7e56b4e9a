"""What going through a million rows adds to a process's peak of memory, and how long the first page takes.

Wanted: at most 400 MB for 1,000,000 JSON lines, with tokenising; the first page well under 150 ms.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = 1_000_000
WORDS = ("the", "last", "bus", "had", "gone", "so", "she", "walked", "home", "along", "the", "canal", "with", "shoes")
KINDS = ("plain", "conversations", "csv")

CHILD = """
import sys, time
from pathlib import Path
from phinb.data.source import open_rows
from phinb.evaluation.machine import peak_memory_bytes

kind, path = sys.argv[1:]
reader = 'csv' if kind == 'csv' else 'json'
config = {'name': 'train', 'load_dataset_config': {'data_name': reader, 'data_files': path, 'split': 'train'}}
before = peak_memory_bytes()
began = time.perf_counter()
rows = open_rows(config, Path())
rows.page(0, 50)
first = time.perf_counter() - began
page_peak = peak_memory_bytes()
began = time.perf_counter()
total = rows.count()
counted = time.perf_counter() - began
for start in range(0, total, total // 50):
    rows.page(start, start + 50)
began = time.perf_counter()
assert sum(map(len, rows.batches())) == total
read = time.perf_counter() - began
print(f'{before / 1e6:.0f} {(page_peak - before) / 1e6:.0f} {(peak_memory_bytes() - before) / 1e6:.0f} '
      f'{1000 * first:.0f} {1000 * counted:.0f} {read:.2f} {total}')
"""


def measure() -> str:
    """Each kind of file in a process of its own. Time and memory of a first page of CSV hold the library's import."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / f"rows.{'csv' if kind == 'csv' else 'jsonl'}"
            _write(path, kind)
            done = subprocess.run(
                [sys.executable, "-c", CHILD, kind, str(path)],
                env=os.environ | {"PHINB_HOME": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            before, page, peak, first, counted, read, total = done.stdout.split()
            lines.append(
                f"{kind}, {int(total):,} rows, {path.stat().st_size / 1e6:.0f} MB: first page {first} ms (+{page} MB), "
                f"counted in {counted} ms, gone through in {read} s; peak +{peak} MB on {before} MB"
            )
    return "\n".join(lines)


def _write(path: Path, kind: str) -> None:
    """Rows of 3 to 28 words and one of three tones; conversations are a fifth as many."""
    draw = random.Random(0)

    def phrase() -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(3, 28)))

    with path.open("w", encoding="utf-8") as file:
        if kind == "csv":
            file.write("id,phrase,tone\n")
        for number in range(ROWS // 5 if kind == "conversations" else ROWS):
            if kind == "csv":
                file.write(f"{number},{phrase()},{draw.choice(('joy', 'fear', 'anger'))}\n")
                continue
            row: dict[str, object] = {"id": number, "phrase": phrase(), "tone": draw.choice(("joy", "fear", "anger"))}
            if kind == "conversations":
                row = {"messages": [{"role": role, "content": phrase()} for role in ("user", "assistant")]}
            file.write(json.dumps(row) + "\n")
