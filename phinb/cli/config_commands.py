"""phinb check, upgrade, show, plain: what a configuration says, and what becomes of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from phinb.cli.commands import Commands, add_files, diff_pieces, load, load_readable, write_pieces
from phinb.cli.output import write_forecast, write_problems, write_table, write_value
from phinb.errors import PhinbError
from phinb.types import Effective, Problem

if TYPE_CHECKING:
    from phinb.config import Config


def add_commands(commands: Commands) -> None:
    check = add_files(commands, "check", _check, "Name every problem that the text alone shows; exit 1 on errors.")
    check.add_argument("--json", action="store_true", help="the problems as JSON, for programs")
    check.add_argument("--files", dest="preflight", action="store_true", help="look at model, data and disk as well")
    check.add_argument("--fix", action="store_true", help="carry out the remedies that phinb knows, and show the diff")
    check.add_argument("--in-place", action="store_true", help="with --fix: write what was mended")
    upgrade = add_files(commands, "upgrade", _upgrade, "Show what today's form changes in a configuration.")
    upgrade.add_argument("--write", metavar="PATH", help="write the upgraded configuration to PATH")
    upgrade.add_argument("--in-place", action="store_true", help="write it where it stands")
    show = add_files(commands, "show", _show, "Show every value that a run will really use, and where it comes from.")
    show.add_argument("--text", action="store_true", help="the configuration's text in today's form instead")
    show.add_argument("--changed", action="store_true", help="only what differs from the defaults")
    show.add_argument("--against", metavar="FILE", action="append", help="only what differs from that configuration")
    plain = add_files(commands, "plain", _plain, "Ask Olive what it alone would make of the same text.")
    plain.add_argument("--model", metavar="REF", help="tokenize with this model instead, e.g. phinb://demo")
    plain.add_argument(
        "--export", metavar="FOLDER", help="write what `olive run` needs to train as phinb does, and ask nothing"
    )


# ------------------------------------------------------------------------------------------------ check


def _check(options: argparse.Namespace) -> int:
    if options.in_place and not options.fix:
        raise PhinbError("--in-place goes with --fix: nothing else would be written.", "Add --fix.")
    config = load(options)
    if options.fix:
        config = _mend(config, in_place=options.in_place, quiet=options.json)
    problems: Sequence[Problem] = config.problems
    if options.preflight and config.ok:
        from phinb.api import preflight

        found = preflight(config)
        problems = found.problems
        print(write_forecast(found.forecast), file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in problems)
    if options.json:
        print(json.dumps({"ok": not errors, "problems": [asdict(problem) for problem in problems]}, indent=1))
    else:
        print(write_problems(problems) or "No problems.")
        if config.changes:
            files = " ".join(options.files)
            print(f"{len(config.changes)} old forms are upgraded; phinb upgrade {files} shows them.")
    return 1 if errors else 0


def _mend(config: Config, *, in_place: bool, quiet: bool) -> Config:
    """The configuration with every remedy carried out that its errors and warnings bring along."""
    from phinb.config.fixes import apply_fixes

    mended, done = apply_fixes(config)
    out = sys.stderr if quiet else sys.stdout
    for problem in done:
        title = problem.fix.title if problem.fix else ""
        print(f"fixed: {problem.where}: {problem.message} {title}.", file=sys.stderr)
    if not done:
        print("There is nothing that phinb can mend by itself.", file=sys.stderr)
        return config
    print(diff_pieces(config, mended), file=out)
    if in_place:
        write_pieces(mended)
    return mended


# ---------------------------------------------------------------------------------------------- upgrade


def _upgrade(options: argparse.Namespace) -> int:
    from phinb.workflow.store import write_atomically

    config = load_readable(options)
    if options.write:
        target = Path(options.write)
        if target.is_dir():
            raise PhinbError(f"{target} is a folder.", "Name the file to write, for example upgraded.json.")
        write_atomically(target, config.dumps("yaml" if target.suffix in (".yaml", ".yml") else "json"))
    if options.in_place and config.changes:
        write_pieces(config.upgraded())
    for change in config.changes:
        place = f"{change.source}, " if change.source else ""
        place += f"line {change.line}, " if change.line else ""
        print(f"{place}{change.path}: {change.before!r} -> {change.after!r}\n    {change.why}", file=sys.stderr)
    print(config.diff() or "Nothing to upgrade: the configuration has today's form.")
    return 0


# ------------------------------------------------------------------------------------------------- show


def _show(options: argparse.Namespace) -> int:
    config = load_readable(options)
    if options.text:
        print(config.dumps(), end="")
    elif options.against:
        _show_against(config, options.against)
    else:
        values = _changed(config) if options.changed else config.effective()
        width = max((len(path) for path in values), default=0)
        for path, entry in values.items():
            note = f" ({entry.note})" if entry.note else ""
            print(f"{path:<{width}}  {write_value(entry.value)}  [{_origin(entry)}]{note}")
    return 0 if config.ok else 1


def _origin(entry: Effective) -> str:
    place = f", {entry.source}" if entry.source else ""
    return f"{entry.origin}{place}" + (f", line {entry.line}" if entry.line else "")


def _changed(config: Config) -> dict[str, Effective]:
    """What differs from its default, and what was written where there is none."""
    from phinb.config.form import describe_form

    fields = describe_form(config).fields
    kept = {}
    for path, entry in config.effective().items():
        field = fields.get(path)
        has_default = field is not None and field.default is not None
        if field.differs if field is not None and has_default else entry.origin in ("you", "upgrade"):
            kept[path] = entry
    return kept


def _show_against(config: Config, files: Sequence[str]) -> None:
    from phinb.api import load_config
    from phinb.config.difference import compare_effective

    paths = [Path(file) for file in files]
    other = load_config(paths[0]) if len(paths) == 1 else load_config(paths)
    rows: list[tuple[str, ...]] = [("value", config.name, other.name)]
    for difference in compare_effective(config, other):
        sides = [write_value(side.value) if side else "(not there)" for side in (difference.a, difference.b)]
        rows.append((difference.path, *sides))
    print(write_table(rows) if len(rows) > 1 else "Both do the same.")


# ------------------------------------------------------------------------------------------------ plain


def _plain(options: argparse.Namespace) -> int:
    from phinb.api import check_plain_olive, export_plain

    if options.export:
        print(export_plain(load(options), options.export))
        return 0
    rows = check_plain_olive(load(options), options.model)
    table = [("", "what", "you wrote", "plain Olive", "phinb")]
    table += [("≠" if row.differs else "", row.what, row.you_wrote, row.plain_olive, row.phinb) for row in rows]
    print(write_table(table))
    return 0
