"""phinb choose and export: which model to take, how small it can be, and taking it home."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.cli.commands import Commands, add

if TYPE_CHECKING:
    from phinb.evaluation.constraints import Constraint

CONSTRAINTS = 'quoted: "accuracy>=0.8" "ttft_ms<=80" "size<=400MB"; also memory, decode, load'


def add_commands(commands: Commands) -> None:
    choose = add(
        commands, "choose", _choose, "Choose the best variant of a run under constraints; exit 1 if none fits."
    )
    choose.add_argument("run", metavar="RUN|FILE", help="a run, or what phinb compare --save wrote")
    choose.add_argument("constraints", metavar="CONSTRAINT", nargs="*", help=CONSTRAINTS)
    choose.add_argument(
        "--by", default="size", metavar="FIGURE", help="the best in this of those that fit; default: size"
    )
    choose.add_argument("--rows", metavar="PATH", help="rows, or a data config's name; by default the evaluation data")
    choose.add_argument(
        "--precisions",
        metavar="NAMES",
        nargs="?",
        const="",
        help="build the run's model in others (int4-128,int4-k-mixed,fp32,...; all) while one could still win",
    )
    export = add(commands, "export", _export, "Write a variant into a folder that runs elsewhere, with its model card.")
    export.add_argument("run", metavar="RUN", help="an id, a unique part of one, a folder, or a configuration's name")
    export.add_argument("variant", metavar="VARIANT", help="int4, merged, adapter, base, ...")
    export.add_argument("folder", metavar="FOLDER")
    export.add_argument("--comparison", metavar="FILE", help="whose figures the card tells; else the run's last one")
    export.add_argument("--overwrite", action="store_true", help="replace the folder where it is there and not empty")


def _choose(options: argparse.Namespace) -> int:
    from phinb.api import choose, compare, load_comparison
    from phinb.evaluation.choice_html import write_text
    from phinb.evaluation.constraints import read_words

    constraints = read_words(options.constraints)
    if options.precisions is not None:
        return _search(options, constraints)
    if Path(options.run).is_file():
        comparison = load_comparison(options.run)
    else:
        comparison = compare(options.run, rows=options.rows, on_event=_tell)
    choice = choose(comparison, by=options.by, under=constraints)
    print(write_text(choice))
    return 0 if choice.variant else 1


def _search(options: argparse.Namespace, constraints: Sequence[Constraint]) -> int:
    from phinb.api import search_precisions
    from phinb.evaluation.choice_html import HEAD, list_tried, write_text
    from phinb.workflow.text import table_text

    names = options.precisions.split(",") if options.precisions else None
    found = search_precisions(
        options.run, options.rows, by=options.by, candidates=names, on_event=_tell, under=constraints
    )
    print(table_text(HEAD, list_tried(found)))
    print()
    print(write_text(found.choice))
    if found.choice.variant:
        name = found.choice.variant
        print(f"To take it home: phinb export {found.runs[name]} {found.variants[name]} FOLDER")
    return 0 if found.choice.variant else 1


def _export(options: argparse.Namespace) -> int:
    from phinb.api import export, load_comparison

    comparison = load_comparison(options.comparison) if options.comparison else None
    print(export(options.run, options.variant, options.folder, comparison=comparison, overwrite=options.overwrite))
    return 0


def _tell(event: Any) -> None:
    if event.type == "pass_started":
        print(f"{event.pass_name} ...", file=sys.stderr, flush=True)
    elif event.type == "preparing" and event.what.count(": "):
        print(f"    {event.what}", file=sys.stderr, flush=True)
    elif event.type in ("notice", "pass_failed"):
        print(event.message, file=sys.stderr)
