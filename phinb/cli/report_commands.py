"""phinb report, phinb figure: a comparison as a file to hand on, one plot as a picture or as its table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from phinb.cli.commands import Commands, add

SOURCE = "a run, what phinb compare --save wrote, a configuration's file (lengths, labels, padding), or a sweep"
KINDS = "quality_latency, stages, latency, ttft_by_length, confusion, history, loss, lengths, labels, padding, parallel"


def add_commands(commands: Commands) -> None:
    report = add(commands, "report", _report, "Write a comparison as one HTML file that opens offline.")
    report.add_argument("run", metavar="RUN|FILE", help="a run, or what phinb compare --save wrote")
    report.add_argument("path", metavar="FILE.html", help="the file to write")
    report.add_argument("--rows", metavar="PATH", help="rows, or a data config's name; by default the evaluation data")
    report.add_argument("--force", action="store_true", help="write over a file that is there")
    figure = add(commands, "figure", _figure, "Print the figures that a plot shows, or save the plot as a picture.")
    figure.add_argument("source", metavar="SOURCE", help=SOURCE)
    figure.add_argument("kind", metavar="KIND", help=KINDS)
    figure.add_argument("--save", metavar="PATH", help=".png, .svg, .pdf, .webp, .jpeg; or .csv for its table")
    figure.add_argument("--dark", action="store_true", help="a picture on a dark ground")
    figure.add_argument("--width", type=int, default=820, metavar="PIXELS", help="the picture's width (820)")
    figure.add_argument("--rows", metavar="PATH", help="rows, or a data config's name; by default the evaluation data")


def _report(options: argparse.Namespace) -> int:
    from phinb.api import report

    path = report(options.run, options.path, rows=options.rows, overwrite=options.force, on_event=tell)
    print(f"{path} is written, {path.stat().st_size / 1e6:.1f} MB.")
    return 0


def _figure(options: argparse.Namespace) -> int:
    from phinb.api import open_source, save_figure
    from phinb.plots.figures import describe_table, save_table

    source = open_source(options.source, options.kind, options.rows, tell)
    if not options.save:
        print(describe_table(source, options.kind))
        return 0
    path = Path(options.save)
    if path.suffix.lower() == ".csv":
        save_table(source, options.kind, path)
    else:
        save_figure(source, options.kind, path, dark=options.dark, width=options.width)
    print(f"{path} is written.")
    return 0


def tell(event: Any) -> None:
    if event.type == "pass_started":
        print(f"measuring {event.pass_name} ...", file=sys.stderr, flush=True)
    elif event.type == "notice":
        print(event.message, file=sys.stderr)
