"""phinb advise: what would make a training faster or smaller here, and writing it into the configuration."""

from __future__ import annotations

import argparse
import sys

from phinb.cli.commands import Commands, add_files, diff_pieces, load, write_pieces
from phinb.cli.output import write_forecast
from phinb.errors import ConfigError, PhinbError


def add_commands(commands: Commands) -> None:
    text = "Name settings that make the training faster or smaller here without changing what it learns."
    advise = add_files(commands, "advise", _advise, text)
    advise.add_argument("--apply", action="store_true", help="carry the advice out, and show the diff")
    advise.add_argument("--in-place", action="store_true", help="with --apply: write what was changed")


def _advise(options: argparse.Namespace) -> int:
    from phinb.api import apply_advice, preflight
    from phinb.workflow.advice import total_gain

    if options.in_place and not options.apply:
        raise PhinbError("--in-place goes with --apply: nothing else would be written.", "Add --apply.")
    config = load(options)
    if not config.ok:
        raise ConfigError(config.problems)
    found = preflight(config)
    print(write_forecast(found.forecast), file=sys.stderr)
    for one in found.advice:
        print(f"{one.pass_name + ': ' if one.pass_name else ''}{one.title} ({one.gain_text})\n    {one.why}")
    gain = total_gain(found.advice)
    if gain:
        print(f"Together they save about {100 * gain:.0f} % of the training's time.")
    if not found.advice:
        print("There is nothing to gain: the settings fit this machine.")
    if options.apply:
        changed, done = apply_advice(config, found.advice)
        print(diff_pieces(config, changed) if done else "There is nothing to be written.")
        if done and options.in_place:
            write_pieces(changed)
    return 0
