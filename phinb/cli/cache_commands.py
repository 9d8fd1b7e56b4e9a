"""phinb cache: the copies of rows that datasets has left on the disk, and how they are deleted."""

from __future__ import annotations

import argparse
import json
import sys

from phinb.cli.commands import Commands, add
from phinb.cli.output import write_table
from phinb.data.signs import spell_out
from phinb.errors import PhinbError
from phinb.evaluation.wording import size
from phinb.workflow.wording import write_count


def add_commands(commands: Commands) -> None:
    cache = add(
        commands, "cache", _cache, "List the copies of your rows that looking and training have left; or delete."
    )
    cache.add_argument("--delete", action="store_true", help="delete them all; your own files are not touched")
    cache.add_argument("--yes", action="store_true", help="with --delete: do not ask")
    cache.add_argument("--json", action="store_true", help="the list as JSON, for programs")


def _cache(options: argparse.Namespace) -> int:
    from phinb.api import cached_data
    from phinb.data.cache import users_cache

    copies = cached_data()
    if options.json:
        print(
            json.dumps([{"path": str(one.path), "bytes": one.bytes, "source": one.source} for one in copies], indent=1)
        )
    elif copies:
        rows = [(size(one.bytes), spell_out(one.source), spell_out(str(one.path))) for one in copies]
        print(write_table([("size", "made from", "folder"), *rows]))
    else:
        print("There is no copy of your rows.")
    if (own := users_cache()) is not None:
        print(f"$HF_DATASETS_CACHE is set: copies are made in {own}, which phinb leaves alone.", file=sys.stderr)
    return _delete(options, sum(one.bytes for one in copies)) if options.delete and copies else 0


def _delete(options: argparse.Namespace, total: int) -> int:
    from phinb.api import cached_data, delete_cached_data

    if not options.yes:
        if not sys.stdin.isatty():
            raise PhinbError("Nobody can be asked whether to delete them.", "Add --yes.")
        print(f"Delete all {size(total)}? They are made anew when they are needed. [y/N] ", end="", file=sys.stderr)
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("Nothing is deleted.", file=sys.stderr)
            return 1
    print(f"{size(delete_cached_data())} deleted.", file=sys.stderr)
    if left := cached_data():
        print(
            f"{write_count(len(left), 'copy', 'copies')} could not be deleted: another process reads them.",
            file=sys.stderr,
        )
        return 1
    return 0
