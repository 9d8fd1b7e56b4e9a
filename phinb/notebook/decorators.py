"""@line_magic, @cell_magic, @line_cell_magic: arguments are parsed, and errors on purpose are shown, not raised raw."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from IPython.core import magic
from IPython.core.magic_arguments import argument as declare
from IPython.core.magic_arguments import magic_arguments, parse_argstring

from phinb.errors import PhinbError

Method = Callable[..., Any]
Decorator = Callable[[Method], Method]


def argument(*names: str, **options: Any) -> Decorator:
    """argparse's add_argument for the magic below it; `%olive_run?` shows its help."""
    decorator: Decorator = declare(*names, **options)
    return decorator


def line_magic(*arguments: Decorator) -> Decorator:
    """A method `name(self, options)` as %name."""
    return _register(magic.line_magic, arguments)


def cell_magic(*arguments: Decorator) -> Decorator:
    """A method `name(self, options, cell)` as %%name."""
    return _register(magic.cell_magic, arguments)


def line_cell_magic(*arguments: Decorator) -> Decorator:
    """A method `name(self, options, cell=None)` as %name and as %%name."""
    return _register(magic.line_cell_magic, arguments)


def _register(register: Decorator, arguments: tuple[Decorator, ...]) -> Decorator:
    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def wrapper(self: Any, line: str, *cell: str) -> Any:
            try:
                return method(self, parse_argstring(described, line), *cell)
            except PhinbError as error:
                from phinb.notebook.failure import fail

                return fail(self.shell, error)

        described: Method = wrapper
        for one in reversed(arguments):
            described = one(described)
        described = magic_arguments()(described)
        return register(described)

    return decorate
