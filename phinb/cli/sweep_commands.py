"""phinb sweep: a configuration with other settings, started, watched, ended and gone on with."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from phinb.cli.commands import Commands, add
from phinb.errors import PhinbError


def add_commands(commands: Commands) -> None:
    sweep = add(
        commands,
        "sweep",
        _sweep,
        "Run a configuration with other settings and compare them; Ctrl-C begins no further run, twice cancels.",
    )
    sweep.add_argument("target", metavar="FILE|SWEEP", nargs="?", help="a configuration; or a sweep to be watched")
    sweep.add_argument("settings", metavar="PATH=VALUES", nargs="*", help="passes.lora.r=8,16,32 or 1e-5..1e-3")
    sweep.add_argument("--repeats", type=int, default=1, metavar="N", help="runs a setting, each with another seed")
    sweep.add_argument("--sampler", choices=["grid", "tpe", "random"], default="grid", help="all settings, or drawn")
    sweep.add_argument("--trials", type=int, metavar="N", help="how many settings a sampler draws")
    sweep.add_argument(
        "--objective", metavar="FIGURE", help="what trials are compared by: accuracy, eval_loss, loss, ..."
    )
    sweep.add_argument(
        "--variant", metavar="VARIANT", help="the model that is measured; else the last that a run makes"
    )
    sweep.add_argument("--until", metavar="PASS", help="end each run after this pass")
    sweep.add_argument("--at-once", type=int, default=1, metavar="N", help="runs at the same time, as memory allows")
    sweep.add_argument("--detach", action="store_true", help="print the sweep's id and leave it to itself")
    ending = sweep.add_mutually_exclusive_group()
    ending.add_argument("--stop", action="store_true", help="begin no further run of the sweep")
    ending.add_argument("--cancel", action="store_true", help="end the sweep and its runs now")
    ending.add_argument("--resume", action="store_true", help="go on with the runs that are left")


def _sweep(options: argparse.Namespace) -> int:
    from phinb.api import open_sweep, sweep, sweeps
    from phinb.workflow.sweep_space import read_assignments, read_options

    if options.settings:
        started = sweep(
            Path(options.target),
            read_assignments(options.settings),
            **read_options(options),
        )
        if options.detach:
            print(started.id)
            return 0
        print(f"{started.id} in {started.folder}", file=sys.stderr)
        return _follow(started, owner=True)
    if options.target is None:
        return _list(sweeps())
    if Path(options.target).is_file():
        raise PhinbError("It is not said what to try.", "Name paths and values: passes.lora.r=8,16,32.")
    found = open_sweep(options.target)
    if options.stop or options.cancel:
        found.cancel() if options.cancel else found.stop()
        print(f"{found.id} is cancelled." if options.cancel else f"{found.id} begins no further run.")
        return 0
    return _follow(found.resume() if options.resume else found, owner=options.resume)


def _list(known: list[Any]) -> int:
    from phinb.workflow.text import table_text

    rows = []
    for one in known:
        state = one.state
        done = sum(trial.status == "done" for trial in state.trials)
        rows.append((one.id, one.name, state.status, f"{done} of {one.record.trials * len(one.record.seeds)}"))
    print(table_text(("sweep", "configuration", "status", "runs"), rows) if rows else "There are no sweeps yet.")
    return 0


def _follow(sweep: Any, owner: bool) -> int:
    """Tell a sweep's story until it ends, then its table. Ctrl-C of who started it stops it, twice cancels it."""
    from phinb.workflow.sweep_results import table
    from phinb.workflow.sweep_text import follow_in_text
    from phinb.workflow.text import table_text

    interrupts = 0
    while True:
        try:
            state = follow_in_text(sweep, lambda line: print(line, file=sys.stderr, flush=True), time.sleep)
            break
        except KeyboardInterrupt:
            if not owner:
                print(f"{sweep.id} goes on; phinb sweep {sweep.id} --stop ends it.", file=sys.stderr)
                return 130
            interrupts += 1
            if interrupts == 1:
                print("No further run begins. Ctrl-C again cancels those that go on.", file=sys.stderr)
                sweep.stop()
            else:
                sweep.cancel()
    head, rows = table(sweep.record, state)
    print(table_text(head, rows, range(len(head) - 1)))
    print("\n".join([*sweep.sentences(), *([state.note] if state.note else [])]))
    return 0 if state.status in ("succeeded", "stopped") else 1
