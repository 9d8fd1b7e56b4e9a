"""Two texts word by word: what one has, what the other has, what both have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Literal, NamedTuple

_PIECES = re.compile(r"\w+|\s+|[^\w\s]")

MOST_WORDS = 4000
"""Longer texts are not taken apart: nobody reads such a diff. They are one removed and one added piece."""


class Piece(NamedTuple):
    """Text that both have ("same"), only the first ("removed") or only the second ("added")."""

    kind: Literal["same", "removed", "added"]
    text: str


def diff_words(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces in reading order, removed before added; those that are not "added" join to `before`, those that are
    not "removed" to `after`. Words, runs of white space and single signs are compared as wholes."""
    if before == after:
        return (Piece("same", before),) if before else ()
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        return tuple(piece for piece in (Piece("removed", before), Piece("added", after)) if piece.text)
    return tuple(_join(_align(old, new)))


def _align(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    """Along the longest common subsequence of words; difflib takes minutes for texts that repeat themselves."""
    from rapidfuzz.distance import LCSseq

    places = {word: place for place, word in enumerate(dict.fromkeys([*old, *new]))}
    first, second = ([places[word] for word in words] for words in (old, new))
    for step in LCSseq.opcodes(first, second):
        removed, added = old[step.src_start : step.src_end], new[step.dest_start : step.dest_end]
        if step.tag == "equal":
            yield Piece("same", "".join(removed))
            continue
        if removed:
            yield Piece("removed", "".join(removed))
        if added:
            yield Piece("added", "".join(added))


def _join(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Changes with nothing but white space between them are one: removed, then added."""
    removed = added = space = ""
    for piece in pieces:
        if piece.kind == "same" and (removed or added) and not piece.text.strip():
            space += piece.text
        elif piece.kind == "same":
            yield from _close(removed, added)
            yield Piece("same", space + piece.text)
            removed = added = space = ""
        else:
            if space:
                removed, added, space = removed + space, added + space, ""
            if piece.kind == "removed":
                removed += piece.text
            else:
                added += piece.text
    yield from _close(removed, added)
    if space:
        yield Piece("same", space)


def _close(removed: str, added: str) -> Iterator[Piece]:
    if removed:
        yield Piece("removed", removed)
    if added:
        yield Piece("added", added)


def write_text(pieces: Sequence[Piece]) -> str:
    """As wdiff writes it: `the [-old-] {+new+} words`."""
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[piece.kind].format(piece.text) for piece in pieces)


def write_html(pieces: Sequence[Piece]) -> str:
    """<del> and <ins>, every text escaped."""
    tags = {"removed": "del", "added": "ins"}
    return "".join(
        escape(piece.text) if piece.kind == "same" else f"<{tags[piece.kind]}>{escape(piece.text)}</{tags[piece.kind]}>"
        for piece in pieces
    )
