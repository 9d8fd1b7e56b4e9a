"""phinb run, runs, attach, stop, resume, compare, model, doctor: what is done, and with what."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phinb.cli.commands import Commands, add, add_files, load
from phinb.cli.output import write_forecast, write_problems
from phinb.errors import PhinbError
from phinb.evaluation.comparison_options import OPTIONS as COMPARISON_OPTIONS
from phinb.types import Problem


def add_commands(commands: Commands) -> None:
    run = add_files(commands, "run", _run, "Run a configuration and follow it; Ctrl-C stops and keeps, twice cancels.")
    run.add_argument("--until", metavar="PASS", help="the last pass to run")
    run.add_argument("--from", dest="from_", metavar="PASS", help="use no earlier result from this pass on")
    run.add_argument("--fresh", action="store_true", help="use no earlier result at all")
    run.add_argument("--yes", action="store_true", help="start it even where memory or disk will probably not do")
    run.add_argument("--detach", action="store_true", help="print the run's id and leave it to itself")
    runs = add(
        commands, "runs", _runs, "List the runs, newest first, with what they take on the disk; delete old ones."
    )
    add_deleting(runs)
    attach = add(commands, "attach", _attach, "Follow a run that goes on, or show how it ended.")
    stop = add(commands, "stop", _stop, "End a run's training and keep what is trained.")
    stop.add_argument("--cancel", action="store_true", help="end the run now, with nothing kept but its checkpoints")
    resume = add(commands, "resume", _resume, "Go on with a run that was cancelled or failed.")
    compare = add(commands, "compare", _compare, "Measure the variants of a run on the same rows.")
    compare.add_argument("--rows", metavar="PATH", help="rows, or a data config's name; by default the evaluation data")
    compare.add_argument("--save", metavar="PATH", help="write the comparison as JSON")
    compare.add_argument("--changed", action="store_true", help="show the rows that each stage broke or mended, too")
    compare.add_argument("--per-label", action="store_true", help="show each label's precision, recall and F1, too")
    for flag, options in COMPARISON_OPTIONS:
        compare.add_argument(flag, **options)
    compare.add_argument(
        "--latency", action="store_true", help="show all that was timed, by length, position and batch"
    )
    for sub in (attach, stop, resume, compare):
        sub.add_argument("run", metavar="RUN", help="an id, a unique part of one, a folder, or a configuration's name")
    model = add(commands, "model", _model, "Make an embedded model (phinb://demo, phinb://tiny) and print its folder.")
    model.add_argument("reference", metavar="REF")
    standby = add(commands, "standby", _standby, "Say whether a worker waits with Olive loaded for the next run.")
    standby.add_argument("--start", action="store_true", help="start one")
    standby.add_argument("--off", action="store_true", help="end the one that waits")
    doctor = add(
        commands, "doctor", _doctor, "Look at the installation and the machine; exit 1 where something must be mended."
    )
    doctor.add_argument("--json", action="store_true", help="the findings as JSON, for programs")


def _run(options: argparse.Namespace) -> int:
    from phinb.api import preflight, start
    from phinb.workflow.starting import LOOK_S

    config = load(options)
    anyway = options.yes
    if config.ok:
        found = preflight(config, within_s=LOOK_S)
        print(write_forecast(found.forecast), file=sys.stderr)
        if found.may_start_anyway and not anyway:
            anyway = _ask(found.problems)
    started = start(config, until=options.until, from_=options.from_, fresh=options.fresh, anyway=anyway)
    if options.detach:
        print(started.id)
        return 0
    print(f"{started.id} in {started.folder}", file=sys.stderr)
    return _follow(started, owner=True)


def _ask(problems: Sequence[Problem]) -> bool:
    """Whether to start a run that will probably not fit; where nobody can be asked, no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    short = [problem for problem in problems if problem.severity == "error"]
    print(write_problems(short), file=sys.stderr)
    print("Start it anyway? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _follow(run: Any, owner: bool) -> int:
    """Tell a run's story until it ends.

    Ctrl-C of who started it (`owner`) stops and keeps at first, and cancels at the second; others only look away.
    """
    from phinb.workflow.narration import Chronicle

    chronicle = Chronicle(write=lambda line: print(line, flush=True))
    interrupts = 0
    while True:
        try:
            state = run.state
            chronicle.tell(state)
            if state.ended:
                break
            time.sleep(0.2)
        except KeyboardInterrupt:
            if not owner:
                print(f"{run.id} goes on; phinb stop {run.id} ends its training.", file=sys.stderr)
                return 130
            interrupts += 1
            if interrupts == 1:
                print("Stopping: what is trained is kept. Ctrl-C again cancels.", file=sys.stderr)
                run.stop()
            else:
                run.cancel()
    chronicle.close(state)
    return 0 if state.status in ("succeeded", "stopped") else 1


def add_deleting(runs: argparse.ArgumentParser) -> None:
    """What to delete, and that it may be."""
    runs.add_argument(
        "--delete", metavar="RUN", nargs="+", default=[], help="delete these, and results that none needs"
    )
    runs.add_argument("--keep", metavar="N", type=int, help="delete all ended runs but the newest N")
    runs.add_argument("--older", metavar="AGE", help="delete runs that ended longer ago: 12h, 30d, 8w")
    runs.add_argument("--cache", action="store_true", help="delete what no run needs of Olive's results")
    runs.add_argument("--yes", action="store_true", help="do not ask")


def _runs(options: argparse.Namespace) -> int:
    from phinb.api import disk_usage, runs
    from phinb.workflow.run_list import HEAD, NO_RUNS, NUMBERS, describe_usage, list_runs
    from phinb.workflow.text import table_text

    if options.delete or options.keep is not None or options.older is not None or options.cache:
        return _delete(options)
    usage = disk_usage()
    rows = list_runs({run.id: run.state for run in runs()}, usage, time.time())
    print(f"{table_text(HEAD, rows, NUMBERS)}\n{describe_usage(usage)}" if rows else NO_RUNS)
    return 0


def _delete(options: argparse.Namespace) -> int:
    """Say what goes, ask, and delete; exit 1 where something that was asked for stays, or nobody could be asked."""
    from phinb.api import delete_runs
    from phinb.workflow.run_list import describe_deletion
    from phinb.workflow.text import card_text

    asked = {"keep": options.keep, "older": options.older, "cache": options.cache}
    deletion = delete_runs(*options.delete, **asked, dry_run=True)
    if deletion.runs or deletion.results:
        if not options.yes:
            print("\n".join(map(card_text, describe_deletion(deletion, "answer yes, or add --yes."))))
            if not (sys.stdin.isatty() and input("Delete? [y/N] ").strip().lower() in ("y", "yes")):
                return 1
        deletion = delete_runs(*options.delete, **asked)
    print("\n".join(map(card_text, describe_deletion(deletion, ""))))
    return 1 if deletion.kept else 0


def _attach(options: argparse.Namespace) -> int:
    from phinb.api import open_run

    return _follow(open_run(options.run), owner=False)


def _stop(options: argparse.Namespace) -> int:
    from phinb.api import open_run

    run = open_run(options.run)
    if run.state.ended:
        print(f"{run.id} has ended already: {run.state.status}.")
    elif options.cancel:
        run.cancel()
        print(f"{run.id} is cancelled.")
    else:
        run.stop()
        print(f"{run.id} ends its training after the current step; the later passes still run.")
    return 0


def _resume(options: argparse.Namespace) -> int:
    from phinb.api import open_run

    return _follow(open_run(options.run).resume(), owner=True)


def _compare(options: argparse.Namespace) -> int:
    from phinb.api import compare
    from phinb.evaluation.comparison_options import read_options
    from phinb.evaluation.latency_table import write_latency

    if options.save and not Path(options.save).absolute().parent.is_dir():
        raise PhinbError(f"{options.save} cannot be written: there is no such folder.", "Make it first.")
    comparison = compare(options.run, rows=options.rows, on_event=_tell_measuring, **read_options(options))
    print(comparison.to_text())
    if options.latency or options.lengths or options.batches:
        print("\n" + write_latency(comparison))
    if options.per_label:
        print("\n" + comparison.label_text())
    if options.changed:
        print("".join(f"\n{comparison.changed(s.before, s.name)}" for s in comparison.summaries if s.change))
    if options.save:
        comparison.save(Path(options.save))
    return 1 if any(measured.error for measured in comparison.measurements) else 0


def _tell_measuring(event: Any) -> None:
    if event.type == "pass_started":
        print(f"measuring {event.pass_name} ...", file=sys.stderr, flush=True)
    elif event.type == "notice":
        print(event.message, file=sys.stderr)


def _model(options: argparse.Namespace) -> int:
    from phinb.models.references import resolve_model

    said = set()

    def tell(what: str, done: float | None, total: float | None) -> None:
        if what not in said:
            said.add(what)
            print(f"{what} ...", file=sys.stderr, flush=True)

    print(resolve_model(options.reference, progress=tell))
    return 0


def _standby(options: argparse.Namespace) -> int:
    from phinb.api import dismiss_standby, find_standby, keep_standby
    from phinb.workflow.standby import describe_standby

    if options.off:
        dismiss_standby()
    print(describe_standby(keep_standby() if options.start else find_standby()))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from phinb.doctor import diagnose, to_json, to_text

    findings = diagnose()
    print(to_json(findings) if options.json else to_text(findings))
    return 1 if any(finding.status == "error" for finding in findings) else 0
