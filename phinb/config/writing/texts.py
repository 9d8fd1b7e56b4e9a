"""The texts of a configuration that was read: as given, upgraded piece by piece, and as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from phinb.config.document import Document, Node
from phinb.config.pieces import One, Reading, Source
from phinb.config.reading.division import divide
from phinb.config.writing.rewriting import CannotWriteError, rewrite, write_anew, write_whole

Kind = Literal["json", "yaml"]


def source_of(reading: Reading) -> Source:
    """What a reading was read from."""
    root = reading.documents[0].root
    return reading.pieces or (dict(root.plain()) if root is not None else {})


def write_source(reading: Reading, targets: Sequence[Node | None]) -> Source:
    """The pieces with their texts changed to hold these trees; None leaves one as it is. Raises CannotWriteError."""
    if not reading.pieces:
        return dict(targets[0].plain()) if targets[0] is not None else {}
    written: list[One] = []
    for document, piece, target in zip(reading.documents, reading.pieces, targets, strict=True):
        written.append(replace(piece, text=piece.text if target is None else _write_document(document, target)))
    return written


def write_pieces(reading: Reading, tree: Node) -> list[str]:
    """The text of each piece, changed to hold its part of `tree`; written anew where its form has mistakes."""
    written = []
    for document, target in zip(reading.documents, divide(tree, reading), strict=True):
        if target is None:
            written.append(document.text)
            continue
        try:
            written.append(_write_document(document, target))
        except CannotWriteError:
            written.append(write_anew(target.plain(), _kind(document)))
    return written


def write_tree(reading: Reading, tree: Node, kind: Kind) -> str:
    """One text that holds `tree`; in the format of the only piece it is that text, with what differs changed."""
    if len(reading.documents) == 1 and reading.documents[0].format == kind:
        return write_pieces(reading, tree)[0]
    given = [document.outermost for document in reading.documents if document.outermost is not None]
    return write_whole(tree, kind, [node.lines for node in given if node.lines is not None])


def write_together(reading: Reading) -> str:
    """The text as it was given; of several pieces, each under a comment with its label."""
    if len(reading.pieces) < 2:
        return reading.documents[0].text
    marks = [("#" if document.format == "yaml" else "//") for document in reading.documents]
    told = [f"{mark} {piece.label}\n{piece.text.rstrip()}\n" for mark, piece in zip(marks, reading.pieces, strict=True)]
    return "\n".join(told)


def _write_document(document: Document, target: Node) -> str:
    if document.outermost is None or document.format == "dict":
        raise CannotWriteError("there is nothing that could be read.")
    return rewrite(document.text, document.format, document.outermost, target)


def _kind(document: Document) -> Kind:
    return "yaml" if document.format == "yaml" else "json"
