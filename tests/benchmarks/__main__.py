"""Run every benchmark, or those named: python -m tests.benchmarks [imports] [threads] ..."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.benchmarks import imports, threads

BENCHMARKS: dict[str, Callable[[], str]] = {"imports": imports.measure, "threads": threads.measure}


def main(names: list[str]) -> int:
    for name in names or list(BENCHMARKS):
        print(f"== {name}\n{BENCHMARKS[name]()}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
