"""What checking a typical configuration costs in a warm process, beside Olive's own parse. Wanted: under 30 ms.

phinb reads, upgrades and checks the text, and says what is wrong at which line; Olive's RunConfig takes a dict. Each in
a process of its own; the first call, which loads the schema or imports what it needs, is told apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
CALLS = 25

PHINB = """
import json, sys, time
from statistics import median
began = time.perf_counter()
from phinb.config import load_config
path, calls = sys.argv[1], int(sys.argv[2])
text = open(path, encoding="utf-8").read()
load_config(text)
first = time.perf_counter() - began
def once():
    began = time.perf_counter()
    load_config(text)
    return time.perf_counter() - began
warm = median(once() for _ in range(calls))
heavy = sorted({name.split(".")[0] for name in sys.modules} & {"torch", "olive", "transformers"})
print(json.dumps({"first": first, "warm": warm, "heavy": heavy}))
"""

OLIVE = """
import copy, json, os, sys, time
from statistics import median
began = time.perf_counter()
from olive.workflows.run.config import RunConfig
given, calls = json.load(sys.stdin), int(sys.argv[1])
RunConfig.model_validate(copy.deepcopy(given))
first = time.perf_counter() - began
def once():
    made = copy.deepcopy(given)
    began = time.perf_counter()
    RunConfig.model_validate(made)
    return time.perf_counter() - began
warm = median(once() for _ in range(calls))
print("\\nANSWER " + json.dumps({"first": first, "warm": warm}))
sys.stdout.flush()
os._exit(0)
"""


def measure() -> str:
    """Medians of warm calls, and the first one with its imports, for each sample configuration."""
    from phinb.config import load_config

    lines = []
    for name in ("emotion.json", "tutorial_2024.json"):
        ours = json.loads(_run(PHINB, [str(SAMPLES / name), str(CALLS)], ""))
        theirs = json.loads(_run(OLIVE, [str(CALLS)], json.dumps(load_config(SAMPLES / name).to_olive())))
        loaded = f"loads {', '.join(ours['heavy'])}" if ours["heavy"] else "loads neither torch nor olive"
        lines.append(
            f"{name}: phinb {1000 * ours['warm']:.1f} ms (first {1000 * ours['first']:.0f} ms, {loaded}); "
            f"Olive's RunConfig {1000 * theirs['warm']:.1f} ms (first {theirs['first']:.1f} s), {CALLS} calls"
        )
    return "\n".join(lines)


def _run(program: str, arguments: list[str], given: str) -> str:
    environment = {**os.environ, "OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, encoding="utf-8", env=environment, check=True
    )
    return done.stdout.rpartition("ANSWER ")[2]
