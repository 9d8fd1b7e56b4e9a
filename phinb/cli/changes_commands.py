"""phinb changes: the rows that a stage broke, mended or answered otherwise, of what a comparison has measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from phinb.cli.commands import Commands, add
from phinb.errors import PhinbError

if TYPE_CHECKING:
    from phinb.evaluation.comparison import Comparison


def add_commands(commands: Commands) -> None:
    changes = add(commands, "changes", _changes, "Show which rows a stage broke or mended; it measures nothing.")
    changes.add_argument("run", metavar="RUN|FILE", help="a run that was compared, or what phinb compare --save wrote")
    changes.add_argument("--before", metavar="VARIANT", help="hold it against this one; else the stage before")
    changes.add_argument("--after", metavar="VARIANT", help="look at this one; else the last stage")
    changes.add_argument("--all", action="store_true", help="all rows and every variant's answer, as JSON lines")
    changes.add_argument("--save", metavar="FILE", help="write them as .csv or .jsonl instead of printing them")
    changes.add_argument("--tokens", metavar="ROW", type=int, help="a row's tokens (ROW from 1) under each variant")


def _changes(options: argparse.Namespace) -> int:
    comparison = find_measured(options.run)
    if options.tokens is not None:
        return _tokens(options, comparison)
    if options.all:
        if options.save:
            comparison.save_rows(options.save)
        else:
            print(comparison.rows.reset_index().to_json(orient="records", lines=True, force_ascii=False), end="")
        return 0
    changes = comparison.changed(options.before, options.after)
    if options.save:
        changes.save(options.save)
    print(changes.describe() if options.save else changes.to_text())
    return 0


def _tokens(options: argparse.Namespace, comparison: Comparison) -> int:
    """Each variant is loaded, one after the other, unless its tokens of this row are kept."""
    import sys

    from phinb.api import row_tokens
    from phinb.evaluation.row_tokens_text import write_tokens
    from phinb.types import Event, Preparing

    def tell(event: Event) -> None:
        if isinstance(event, Preparing):
            print(event.what, file=sys.stderr)

    source = comparison if Path(options.run).is_file() else options.run
    print(write_tokens(row_tokens(source, options.tokens - 1, on_event=tell)))
    return 0


def find_measured(reference: str) -> Comparison:
    """A saved comparison's, or a run's last one. Raises PhinbError where the run has not been compared."""
    from phinb.api import load_comparison, open_run
    from phinb.evaluation.history import LATEST

    if Path(reference).is_file():
        return load_comparison(reference)
    run = open_run(reference)
    if not (run.folder / LATEST).is_file():
        raise PhinbError(f"Run {run.id} has not been compared yet.", f"phinb compare {run.id} measures it.")
    return load_comparison(run.folder / LATEST)
