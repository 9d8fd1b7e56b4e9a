"""The magics to begin with: %olive_new writes a configuration for rows, %olive_gallery shows those on the shelf.

Both put the text into a new %%olive_config cell below, to be read, changed and run; where nobody would see such a cell
they print it.
"""

from __future__ import annotations

import builtins
import keyword
import re
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class

from phinb.errors import PhinbError
from phinb.notebook.decorators import argument, line_magic
from phinb.notebook.host import Host, find_host, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phinb.config.starting.gallery import StartingPoint


@magics_class
class NewMagics(Magics):  # type: ignore[misc]
    """Where a configuration comes from."""

    @line_magic(
        argument("--data", metavar="FILE", required=True, help="your rows: JSON lines, JSON, CSV, TSV or Parquet"),
        argument("--answer", metavar="COLUMN", help="the column to be predicted; else the likeliest one"),
        argument("--recipe", metavar="RECIPE", default="lora", help="lora, qlora, dora, quantize, evaluate or azure"),
        argument("--model", metavar="MODEL", default="phinb://demo", help="a folder, a hub name or phinb://demo"),
        argument("--test", metavar="FILE", help="rows to evaluate and compare on; else a share of the data"),
        argument("--name", metavar="NAME", help="the configuration's name; else the file's"),
    )
    def olive_new(self, options: Namespace) -> None:
        """Look at rows and write a first configuration for them, with the reason for each value."""
        from phinb.api import new_config

        values = {key: _unquote(value) for key, value in vars(options).items()}
        name = values.pop("name") or _name_for(Path(str(values["data"])).stem)
        _check_name(name)
        self._put(new_config(**values), name)

    @line_magic(
        argument("point", metavar="NAME", nargs="?", help="a starting point, such as lora-phi-4-mini; else the list"),
        argument("--name", metavar="NAME", dest="name", help="the configuration's name; else the starting point's"),
    )
    def olive_gallery(self, options: Namespace) -> None:
        """List the starting points, or take one of them."""
        from phinb.api import gallery

        if options.point is None:
            show(gallery_bundle(gallery()))
            return
        name = options.name or _name_for(options.point)
        _check_name(name)
        self._put(gallery(options.point), name)

    def _put(self, text: str, name: str) -> None:
        cell = f"%%olive_config {name}\n{text}"
        if find_host(self.shell) is Host.PANEL:
            self.shell.set_next_input(cell, replace=False)
            print(f"The cell below holds the configuration {name}. Look at it, and run it.")
        else:
            print(cell)


def gallery_bundle(points: Sequence[StartingPoint]) -> dict[str, Any]:
    """The starting points as a table, in HTML and in text."""
    from phinb.notebook.html import frame, table_html

    head = ("name", "what it is", "what it needs")
    rows = [(point.name, point.title, point.needs) for point in points]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:<{width}}  {title}; {needs}" for name, title, needs in rows]
    html = frame(table_html(head, rows, label="Starting points"), label="Starting points")
    return {"text/plain": "\n".join([*lines, "%olive_gallery NAME takes one."]), "text/html": html}


def _name_for(words: str) -> str:
    """A Python name after a file or a starting point: my data -> my_data."""
    name = re.sub(r"\W+", "_", words).strip("_")
    return name if _is_free(name) else f"config_{name}".rstrip("_")


def _check_name(name: str) -> None:
    if not _is_free(name):
        raise PhinbError(f"{name!r} cannot be a configuration's name.", "Take a new Python name, such as emotion.")


def _is_free(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name)


def _unquote(value: Any) -> Any:
    """IPython leaves the quotes around an argument with blanks."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
