"""A preview in a terminal: its head, its numbers, and sequences as tokens whose lanes can be told without colour."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from phinb.cli.output import write_table
from phinb.data.recipe import Recipe
from phinb.data.signs import spell
from phinb.types import Sequence as TrainingSequence
from phinb.workflow.lanes import CONTEXT, CUT, LANES, PADDING, TRAINED, find_lanes, write_caption
from phinb.workflow.preview_figures import list_figures

if TYPE_CHECKING:
    from phinb.data.preview import Preview
    from phinb.data.scan import Scan

BRACKETS = {TRAINED: ("⟦", "⟧"), CONTEXT: ("", ""), CUT: ("✂", "✂"), PADDING: ("", "")}
STYLES = {TRAINED: "1;32", CONTEXT: "", CUT: "9;31", PADDING: "2"}
"""SGR codes: bold and green, plain, struck through and red, dim."""

BETWEEN = "│"
RESERVED = frozenset("⟦⟧✂│‹›")
"""Signs that say something here: in a row they are spelt out."""

MOST_CUT = 24
"""Tokens that are printed of what is cut off."""

INDENT = "  "
WIDEST = 160


def write_numbers(preview: Preview) -> str:
    """A line for each thing that is counted and worth a look."""
    recipe = preview.scan.recipe if preview.scan is not None else Recipe()
    return write_table([(f"{INDENT}{what}", number) for what, number, _ in list_figures(preview.stats, recipe)])


def write_legend(*, colours: bool) -> str:
    """What the brackets say, each in its own colour."""
    words = [f"{_bracket('…', lane, colours=colours)} {LANES[lane]}" for lane in (TRAINED, CONTEXT, CUT)]
    return f"\n{INDENT}{' · '.join(words)} · ‹…› special · {BETWEEN} between two tokens"


def write_sequence(sequence: TrainingSequence, number: int, scan: Scan, *, colours: bool) -> str:
    """A caption, and the tokens below it, broken between tokens at the terminal's width. `number` counts from 0."""
    special = scan.tally.tokenizer.special_ids
    rest = scan.rest(number, MOST_CUT)
    pieces = [(_write_piece(sequence, at, special), lane) for at, lane in enumerate(find_lanes(sequence))]
    cut = [(_write_piece(rest.cut, at, special), CUT) for at in range(len(rest.cut.input_ids))]
    hidden = rest.count - len(cut)
    if hidden > 0:
        cut.insert(0 if rest.in_front else len(cut), (f"… {hidden:,} more", CUT))
    pieces = cut + pieces if rest.in_front else pieces + cut
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST) - len(INDENT) - 2
    lines = [_write_line(line, colours=colours) for line in _break(_fold(pieces), max(width, 20))]
    return "\n".join([f"\n{write_caption(sequence, number, rest.count)}", *(f"{INDENT}{line}" for line in lines)])


def _write_piece(sequence: TrainingSequence, at: int, special: frozenset[int]) -> str:
    piece = sequence.tokens[at]
    text = "".join(f"\\u{ord(sign):04x}" if sign in RESERVED else spell(sign) for sign in piece)
    text = text if text.strip(" ") else text.replace(" ", "·")
    return f"‹{text}›" if sequence.input_ids[at] in special else text


def _fold(pieces: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The same, with padding counted and not repeated."""
    count = 0
    for at, (text, lane) in enumerate(pieces):
        count = count + 1 if lane == PADDING else 0
        if lane != PADDING:
            yield text, lane
        elif at + 1 == len(pieces) or pieces[at + 1][1] != PADDING:
            yield f"({count:,} × {text})", lane


def _break(pieces: Iterator[tuple[str, str]], width: int) -> Iterator[list[tuple[str, str]]]:
    """Lines of at most `width` columns, or one token."""
    line: list[tuple[str, str]] = []
    used = 0
    for text, lane in pieces:
        room = _measure(text) + (1 if line and line[-1][1] == lane else len("".join(BRACKETS[lane])))
        if line and used + room > width:
            yield line
            line, used = [], 0
        line.append((text, lane))
        used += room
    if line:
        yield line


def _write_line(line: list[tuple[str, str]], *, colours: bool) -> str:
    """Tokens of one lane that follow each other stand in one pair of brackets."""
    parts: list[str] = []
    begin = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or line[at][1] != line[begin][1]:
            inner = BETWEEN.join(text for text, _ in line[begin:at])
            parts.append(_bracket(inner, line[begin][1], colours=colours))
            begin = at
    return "".join(parts)


def _bracket(text: str, lane: str, *, colours: bool) -> str:
    opening, closing = BRACKETS[lane]
    style = STYLES[lane] if colours else ""
    inner = f"\x1b[{style}m{text}\x1b[0m" if style else text
    return f"{opening}{inner}{closing}"


def _measure(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
