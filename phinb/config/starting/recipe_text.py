"""A starting point's text: recipe files filled with values, each value followed by the reason for it as a comment.

The files in recipes/ are JSON with comments as they stand. What varies is written `"<< name >>"`, quotes included, and
lines that begin with `//%` are Jinja statements. A value that is a Choice brings its reason along.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).with_name("recipes")
WIDTH = 118
"""Columns of a line with its comment; what is longer stands above its value."""

_WHY = re.compile("\x01(.*?)\x02")
_CODE = re.compile(r'(?:[^"/]|"(?:[^"\\]|\\.)*"|/(?!/))*')
"""All of a line up to its comment; a string may have slashes in it."""


@dataclass(frozen=True)
class Choice:
    """A value and why it was chosen, in one line; "" where it needs no reason."""

    value: Any
    why: str = ""


class Plain(str):
    """Text that goes into a comment as it is."""

    __slots__ = ()


def fill_recipe(recipe: str, values: Mapping[str, Any]) -> str:
    """The text of recipes/RECIPE.json with `values` in their places.

    Raises jinja2.UndefinedError where the file names a value that is not given: a mistake of phinb's own.
    """
    return _finish(_environment().get_template(f"{recipe}.json").render(values))


@cache
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER, encoding="utf-8"),
        variable_start_string='"<<',
        variable_end_string='>>"',
        line_statement_prefix="//%",
        undefined=jinja2.StrictUndefined,
        finalize=_write,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = lambda text: Plain(_one_line(text))
    return environment


def _write(value: Any) -> str:
    """A value as JSON, its reason behind it between two marks; `_finish` puts that at the end of the line."""
    if isinstance(value, Plain):
        return value
    if isinstance(value, Choice):
        return _write(value.value) + (f"\x01{_one_line(value.why)}\x02" if value.why else "")
    # What Jinja does not know refuses to be text: str raises UndefinedError.
    return json.dumps(value, ensure_ascii=False, default=str)


def _one_line(text: str) -> str:
    """A comment ends with its line, and what is quoted in it (a value, a file's name) may hold anything."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _finish(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        reasons = _WHY.findall(line)
        bare = _WHY.sub("", line).rstrip()
        _drop_comma(lines, bare)
        if not reasons:
            lines += _wrap(bare) if bare.lstrip().startswith("//") else [bare]
            continue
        whole = f"{bare}  // {' '.join(reasons)}"
        if len(whole) <= WIDTH:
            lines.append(whole)
        else:
            indent = bare[: len(bare) - len(bare.lstrip())]
            lines += [*_wrap(f"{indent}// {' '.join(reasons)}"), bare]
    return "\n".join(line for line in lines if line.strip()) + "\n"


def _wrap(comment: str) -> list[str]:
    indent = comment[: len(comment) - len(comment.lstrip())]
    text = comment.strip().removeprefix("//").strip()
    mark = f"{indent}// "
    return textwrap.wrap(
        text, WIDTH, initial_indent=mark, subsequent_indent=mark, break_long_words=False, break_on_hyphens=False
    )


def _drop_comma(lines: list[str], following: str) -> None:
    """A comma before a closing bracket goes: some readers of JSON with comments refuse it."""
    if following.lstrip()[:1] not in ("}", "]"):
        return
    for at in range(len(lines) - 1, -1, -1):
        if not lines[at].strip() or lines[at].lstrip().startswith("//"):
            continue
        code, comment = _split_comment(lines[at])
        if code.endswith(","):
            lines[at] = code[:-1] + comment
        return


def _split_comment(line: str) -> tuple[str, str]:
    """A line's code, and its comment with the blanks before it."""
    code = _CODE.match(line)
    end = len(code[0].rstrip()) if code else 0
    return line[:end], line[end:]
