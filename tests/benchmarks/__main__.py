"""Run every benchmark, or those named: python -m tests.benchmarks [checking] [imports] ..."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.benchmarks import (
    advice,
    checking,
    comparison,
    forecast,
    imports,
    keystrokes,
    memory,
    reading,
    runs,
    threads,
    tokens,
)

BENCHMARKS: dict[str, Callable[[], str]] = {
    "advice": advice.measure,
    "checking": checking.measure,
    "comparison": comparison.measure,
    "forecast": forecast.measure,
    "imports": imports.measure,
    "keystrokes": keystrokes.measure,
    "memory": memory.measure,
    "reading": reading.measure,
    "runs": runs.measure,
    "threads": threads.measure,
    "tokens": tokens.measure,
}


def main(names: list[str]) -> int:
    for name in names or list(BENCHMARKS):
        print(f"== {name}\n{BENCHMARKS[name]()}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
