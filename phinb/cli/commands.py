"""How a command is declared, and the configuration that its FILE arguments stand for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinb.errors import ConfigError, PhinbError

if TYPE_CHECKING:
    from phinb.config import Config

Command = Callable[[argparse.Namespace], int]
Commands = Any
"""argparse's sub-parsers; their class has no public name."""


def add(commands: Commands, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    """A command whose help is one sentence."""
    sub: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    sub.set_defaults(command=command)
    return sub


def add_files(commands: Commands, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    """A command on a configuration, which may lie in several files."""
    sub = add(commands, name, command, text)
    sub.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a configuration, JSON (comments allowed) or YAML; several files are its pieces, in order",
    )
    return sub


def load(options: argparse.Namespace) -> Config:
    """The configuration of the files."""
    from phinb.api import load_config

    paths = [Path(file) for file in options.files]
    return load_config(paths[0]) if len(paths) == 1 else load_config(paths)


def load_readable(options: argparse.Namespace) -> Config:
    """The configuration, where there is anything in the files to be shown. Raises ConfigError else."""
    config = load(options)
    if not config.dumps():
        raise ConfigError(config.problems)
    return config


def write_new(path: str, text: str, *, force: bool) -> None:
    """Write a file that is not there yet. Raises PhinbError where it is, or its folder is not."""
    from phinb.workflow.store import write_atomically

    target = Path(path)
    if target.exists() and not force:
        raise PhinbError(f"{target} is there already.", "Name another file, or add --force to write over it.")
    if not target.absolute().parent.is_dir():
        raise PhinbError(f"{target} cannot be written: there is no such folder.", "Make it first.")
    write_atomically(target, text)


def write_pieces(config: Config) -> None:
    """Write each piece back to its file, unless its text is what stands there."""
    from phinb.workflow.store import write_atomically

    for piece in config.pieces:
        if piece.path is not None and piece.path.read_bytes().decode("utf-8-sig") != piece.text:
            write_atomically(piece.path, piece.text)
            print(f"{piece.path} is written.", file=sys.stderr)


def diff_pieces(before: Config, after: Config) -> str:
    """A unified diff of the texts, piece by piece."""
    import difflib

    lines: list[str] = []
    for old, new in zip(before.pieces, after.pieces, strict=True):
        name = old.label or (old.path.name if old.path else before.name)
        lines += difflib.unified_diff(
            old.text.splitlines(), new.text.splitlines(), name, f"{name} (mended)", lineterm=""
        )
    return "\n".join(lines)
