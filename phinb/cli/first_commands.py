"""phinb new, phinb gallery: a configuration to begin with, from rows or from the shelf."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from phinb.cli.commands import Commands, add, write_new
from phinb.cli.output import write_table


def add_commands(commands: Commands) -> None:
    new = add(commands, "new", _new, "Write a first configuration for your own rows, with the reason for each value.")
    new.add_argument("--data", required=True, metavar="FILE", help="your rows: JSON lines, JSON, CSV, TSV or Parquet")
    new.add_argument("--answer", metavar="COLUMN", help="the column to be predicted; else the likeliest one")
    new.add_argument("--recipe", default="lora", metavar="NAME", help="lora, qlora, dora, quantize, evaluate, azure")
    new.add_argument("--model", default="phinb://demo", metavar="REF", help="a folder, a hub name or phinb://demo")
    new.add_argument("--test", metavar="FILE", help="rows to evaluate and compare on; else a share of the data")
    gallery = add(commands, "gallery", _gallery, "List the starting points, or print one of them.")
    gallery.add_argument("name", metavar="NAME", nargs="?", help="a starting point, e.g. lora-phi-4-mini")
    gallery.add_argument("--json", action="store_true", help="the list as JSON, for programs")
    for sub in (new, gallery):
        sub.add_argument("-o", "--output", metavar="FILE", help="write it to FILE instead of printing it")
        sub.add_argument("--force", action="store_true", help="write over a FILE that is there")


def _new(options: argparse.Namespace) -> int:
    from phinb.api import new_config

    said = set()

    def tell(what: str, done: float | None, total: float | None) -> None:
        if what not in said:
            said.add(what)
            print(f"{what} ...", file=sys.stderr, flush=True)

    folder = Path(options.output).absolute().parent if options.output else None
    text = new_config(
        options.data, options.answer, options.recipe, options.model, options.test, folder=folder, progress=tell
    )
    return _give(text, options)


def _gallery(options: argparse.Namespace) -> int:
    from phinb.api import gallery

    if options.name:
        return _give(gallery(options.name), options)
    points = gallery()
    if options.json:
        print(json.dumps([asdict(point) for point in points], indent=1))
        return 0
    rows = [("name", "what it is", "what it needs")]
    print(write_table([*rows, *((point.name, point.title, point.needs) for point in points)]))
    return 0


def _give(text: str, options: argparse.Namespace) -> int:
    if not options.output:
        print(text, end="")
        return 0
    write_new(options.output, text, force=options.force)
    print(f"{options.output} is written; phinb check --files {options.output} looks at it.", file=sys.stderr)
    return 0
