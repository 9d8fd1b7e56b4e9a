"""The public functions from a terminal: phinb check FILE, phinb run FILE, phinb compare RUN, ...

Exit codes: 0 it went well, 1 it did not (errors in a configuration, a failed run), 2 the command itself was wrong.
Standard output holds what was asked for, standard error what is said along the way.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from phinb import __version__
from phinb.cli import (
    advice_commands,
    cache_commands,
    changes_commands,
    chat_commands,
    choice_commands,
    config_commands,
    first_commands,
    preview_commands,
    report_commands,
    run_commands,
    sweep_commands,
)
from phinb.cli.output import write_problems
from phinb.errors import ConfigError, PhinbError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. What the user can act on is said in a sentence, without a traceback."""
    options = build_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a sign (a run's marks, a phrase's letters) shows a question mark, and nothing fails.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code: int = options.command(options)
        sys.stdout.flush()
    except ConfigError as error:
        print(write_problems(error.problems), error.hint, sep="\n", file=sys.stderr)
        return 1
    except PhinbError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `phinb runs | head` is no failure; what is left in the buffer has no reader at the exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{error.filename or 'A file'}: {error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="phinb", description="Fine-tune and shrink language models with Olive.")
    parser.add_argument("--version", action="version", version=f"phinb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    first_commands.add_commands(commands)
    config_commands.add_commands(commands)
    advice_commands.add_commands(commands)
    preview_commands.add_commands(commands)
    run_commands.add_commands(commands)
    changes_commands.add_commands(commands)
    choice_commands.add_commands(commands)
    chat_commands.add_commands(commands)
    report_commands.add_commands(commands)
    sweep_commands.add_commands(commands)
    cache_commands.add_commands(commands)
    return parser
