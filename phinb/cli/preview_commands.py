"""phinb preview: what training gets from a configuration's data, token by token and in numbers."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from phinb.cli.commands import Commands, add_files, load
from phinb.cli.output import write_problems
from phinb.folders import Report

if TYPE_CHECKING:
    from phinb.data.preview import Preview
    from phinb.types import Sequence

REDRAWN_S = 0.2
TOLD_AFTER_S, TOLD_EVERY_S = 5.0, 15.0
"""When a log, which cannot redraw a line, hears of the progress."""


def add_commands(commands: Commands) -> None:
    preview = add_files(
        commands,
        "preview",
        _preview,
        "Show what training gets: its numbers, the mistakes in the data, and the first sequences as tokens; exit 1 on "
        "errors. Ctrl-C stops the counting and shows what there is.",
    )
    preview.add_argument("--data", metavar="NAME", help="the data config, by default the training data")
    preview.add_argument("--limit", type=int, default=3, metavar="N", help="sequences to print (3)")
    preview.add_argument("--json", action="store_true", help="sequences, numbers and problems as JSON, for programs")


def _preview(options: argparse.Namespace) -> int:
    from phinb.api import preview
    from phinb.workflow.wording import write_count

    config = load(options)
    with _interruptible() as stopped, _telling() as tell:
        found = preview(config, options.data, max(options.limit, 0), progress=tell, should_stop=stopped.is_set)
    if stopped.is_set():
        print(f"Stopped after {write_count(found.stats.rows, 'row')}.", file=sys.stderr)
    if options.json:
        print(json.dumps(_as_json(found), indent=1))
    else:
        _print(found)
    return 0 if found.ok else 1


def _print(found: Preview) -> None:
    from phinb.cli.preview_text import write_legend, write_numbers, write_sequence
    from phinb.data.signs import spell_out
    from phinb.workflow.preview_figures import write_head

    colours = sys.stdout.isatty()
    print(f"{spell_out(found.name)}: {write_head(found.stats)}")
    if found.problems:
        print(write_problems(found.problems))
    if found.stats.rows:
        print("\n" * bool(found.problems) + write_numbers(found))
    if found.scan is None or not found.sequences:
        return
    print(write_legend(colours=colours))
    for number, sequence in enumerate(found.sequences):
        print(write_sequence(sequence, number, found.scan, colours=colours))


def _as_json(found: Preview) -> dict[str, Any]:
    return {
        "name": found.name,
        "ok": found.ok,
        "stats": asdict(found.stats),
        "problems": [asdict(problem) for problem in found.problems],
        "sequences": [_as_dict(sequence) for sequence in found.sequences],
    }


def _as_dict(sequence: Sequence) -> dict[str, Any]:
    """A span is {row, field}, the row counted from 0; null for what is no row's own."""
    return asdict(sequence)


@contextmanager
def _interruptible() -> Iterator[Event]:
    """While it lasts the first Ctrl-C sets the event; the next ends the command, as anywhere."""
    stopped = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    if current_thread() is not main_thread():  # where no signal can be caught
        yield stopped
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _telling() -> Iterator[Report]:
    """Progress on standard error: a line that is redrawn on a terminal, a line now and then in a log."""
    terminal = sys.stderr.isatty()
    began, told = time.monotonic(), 0.0
    drawn = ""

    def tell(what: str, done: float | None, total: float | None) -> None:
        nonlocal told, drawn
        now = time.monotonic()
        if now - told < (REDRAWN_S if terminal else TOLD_EVERY_S) or now - began < (0 if terminal else TOLD_AFTER_S):
            return
        told = now
        text = f"{what}: {_write_place(done, total)}".removesuffix(": ")
        print(f"\r{text.ljust(len(drawn))}" if terminal else text, end="" if terminal else "\n", file=sys.stderr)
        drawn = text
        sys.stderr.flush()

    try:
        yield tell
    finally:
        if terminal and drawn:
            print(f"\r{' ' * len(drawn)}\r", end="", file=sys.stderr, flush=True)


def _write_place(done: float | None, total: float | None) -> str:
    """`12,000 of 360,000 rows, 3 %`, as far as it is known."""
    if done is None:
        return ""
    return f"{done:,.0f}" if not total else f"{done:,.0f} of {total:,.0f}, {100 * min(done / total, 1):.0f} %"
