"""What the tests of faults share: a table of what happened, waiting for a moment in a run, and results compared."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phinb.types import Event
from phinb.workflow.runner import Run

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "runs.md"
ENDED = ("succeeded", "stopped", "cancelled", "failed")


@dataclass(frozen=True)
class Row:
    """A fault, the status that the run had after it, and what was lost by it."""

    fault: str
    status: str
    lost: str


def documented_faults() -> dict[str, Row]:
    """The table of faults in docs/runs.md, by fault."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    return {cells[0]: Row(*cells) for cells in rows if len(cells) == 3 and cells[1] in ENDED}


def wait_for(run: Run, reached: Callable[[Event], bool], timeout: float = 240.0) -> Event:
    """The first event of this attempt, or of any, for which `reached` is true. Looks a hundred times a second."""
    deadline, offset = time.monotonic() + timeout, 0
    while time.monotonic() < deadline:
        events, offset = run._folder.read_events(offset)
        for event in events:
            if reached(event):
                return event
        time.sleep(0.01)
    raise AssertionError(f"it never came to that: {run.state}\n{run.log_tail()}")


def step_of(step: int, attempt: int = 1) -> Callable[[Event], bool]:
    """True once training has logged `step` in the attempt."""
    seen = 0

    def reached(event: Event) -> bool:
        nonlocal seen
        seen = max(seen, getattr(event, "attempt", 0))
        return seen >= attempt and event.type == "metric" and getattr(event, "step", 0) >= step

    return reached


def start_of(pass_name: str, attempt: int = 1) -> Callable[[Event], bool]:
    seen = 0

    def reached(event: Event) -> bool:
        nonlocal seen
        seen = max(seen, getattr(event, "attempt", 0))
        return seen >= attempt and event.type == "pass_started" and getattr(event, "pass_name", "") == pass_name

    return reached


def results_of(run: Run) -> dict[str, str]:
    """SHA-256 of the weights of each variant that the run made."""
    found = {}
    for name, variant in run.variants.items():
        if name != "base":
            files = sorted(
                file for file in Path(variant.path).iterdir() if file.suffix in (".safetensors", ".onnx", ".data")
            )
            found[name] = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return found
