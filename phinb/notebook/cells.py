"""Which cells hold which pieces of a configuration: %%olive_config NAME in several cells builds one.

A cell is known by its id, which JupyterLab, Notebook and VS Code send with the code. Where none is sent (a terminal), a
new piece takes the place of those that bring a key that it brings, too.

A configuration is read with an empty line in the place of its magic's: whatever names a line, names the cell's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from phinb.config import Config
    from phinb.config.pieces import Piece

_OPENING = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_BARE_MEMBER = re.compile(r"""["'][^"'\n]*["']\s*:""")


@dataclass(frozen=True)
class CellPiece:
    """One cell's piece of a configuration.

    cell_id: "" where the host gives none. label: "In [4]". head: what stands in the cell above the text, its magic
    line; None where the cell's own text is not known. brings: the members that it adds, e.g. `passes.lora`.
    """

    cell_id: str
    label: str
    head: str | None
    text: str
    brings: frozenset[str] = frozenset()

    @property
    def numbered(self) -> str:
        """The text as load_config gets it, its lines numbered as in the cell."""
        return "\n" * self._lines_above + self.text

    def as_written(self, numbered: str) -> str:
        """The text without the lines that stand for the magic's."""
        above = self._lines_above
        return numbered[min(above, len(numbered) - len(numbered.lstrip("\n"))) :]

    def in_editor(self, text: str) -> str:
        """The whole cell with this text; its last line end is left out, as an editor does."""
        return (self.head or "") + text.removesuffix("\n")

    @property
    def _lines_above(self) -> int:
        return 1 if self.head is None else self.head.count("\n")


class Cells:
    """The pieces of every configuration of one notebook, by name and in the order in which they were first run."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[CellPiece]] = {}
        self._bound: dict[str, Config] = {}
        self._id, self._raw = "", ""

    def enter(self, info: Any) -> None:
        """A cell is about to run (IPython's pre_run_cell). Cells that the user has deleted lose their pieces."""
        self._id, self._raw = getattr(info, "cell_id", None) or "", getattr(info, "raw_cell", None) or ""
        meta = getattr(info, "cell_meta", None)
        deleted = meta.get("deletedCells") if isinstance(meta, dict) else None
        for cell_id in deleted if isinstance(deleted, list) else ():
            self._leave(cell_id)

    def put(self, name: str, text: str, number: int, *, new: bool = False) -> tuple[CellPiece, ...]:
        """Take the running cell's `text` as a piece of `name`; what the pieces of `name` are then.

        The cell's earlier piece is replaced, in its place, and taken from any other name. A whole configuration
        replaces all pieces, as `new` does.
        """
        from phinb.config import load_config

        alone = load_config(text, name=name)
        piece = CellPiece(self._id, f"In [{number}]", _head(self._raw, text), text, _brings(alone))
        held = [] if new or is_whole(alone) else self._pieces.get(name, [])
        at = next((index for index, other in enumerate(held) if _same_cell(other, piece)), len(held))
        kept = [other for other in held if not _same_cell(other, piece)]
        if piece.cell_id:
            self._leave(piece.cell_id)
        # A cell that was emptied adds nothing; alone it is told that it is empty.
        self._pieces[name] = [*kept[:at], *([piece] if text.strip() or not kept else []), *kept[at:]]
        return tuple(self._pieces[name])

    def bind(self, config: Config) -> None:
        """`config` is what the pieces of its name make now."""
        self._bound[config.name] = config

    def pieces_of(self, config: Config) -> tuple[CellPiece, ...]:
        """The pieces that `config` was made of, in the order of its own; nothing where it stands in no cell."""
        known = self._bound.get(config.name) is config and config.path is None
        return tuple(self._pieces.get(config.name, ())) if known else ()

    def written_texts(self, config: Config) -> list[tuple[str, str]]:
        """(label, text) of each piece as a cell should hold it; of a file or dict its own text."""
        pieces = self.pieces_of(config)
        if not pieces:
            return [(piece.label, piece.text) for piece in config.pieces] or [("", config.dumps())]
        return [(piece.label, piece.as_written(now.text)) for piece, now in zip(pieces, config.pieces, strict=True)]

    @property
    def running(self) -> str:
        """The id of the cell that was run last, "" where the host gives none."""
        return self._id

    def write(self, name: str, texts: Sequence[str]) -> None:
        """The pieces of `name` stand in their cells with these texts now."""
        held = self._pieces.get(name, [])
        self._pieces[name] = [replace(piece, text=text) for piece, text in zip(held, texts, strict=True)]

    def _leave(self, cell_id: str) -> None:
        for name, held in self._pieces.items():
            self._pieces[name] = [piece for piece in held if piece.cell_id != cell_id]


_books: WeakKeyDictionary[Any, Cells] = WeakKeyDictionary()


def cells_of(shell: Any) -> Cells:
    """The cells of a shell's notebook; a reload of the extension keeps them."""
    if shell not in _books:
        _books[shell] = Cells()
        shell.events.register("pre_run_cell", _books[shell].enter)
    return _books[shell]


def as_source(pieces: Sequence[CellPiece]) -> str | list[Piece]:
    """What load_config takes: the text of a single cell, or labelled pieces."""
    from phinb.config.pieces import Piece

    if len(pieces) == 1:
        return pieces[0].numbered
    return [Piece(piece.numbered, piece.label) for piece in pieces]


def is_whole(config: Config) -> bool:
    """Whether the text is a whole configuration: with its outer braces, or YAML, a model, and something to do."""
    written = _written(config)
    if not any(path.startswith("input_model.") for path in written):
        return False
    if not config.passes and "engine.evaluator" not in written:
        return False
    opening = _OPENING.match(config.text)
    start = opening.end() if opening else 0
    return config.format != "json" or not _BARE_MEMBER.match(config.text, start)


def _written(config: Config) -> list[str]:
    return [path for path, value in config.effective().items() if value.origin in ("you", "upgrade")]


def _brings(config: Config) -> frozenset[str]:
    """The members that a text adds: `input_model`, `passes.lora`, `data_configs.train`, `engine.host`."""
    return frozenset(_member(path) for path in _written(config))


def _member(path: str) -> str:
    section, *rest = path.split(".")
    return section if section == "input_model" else ".".join([section, *rest[:1]])


def _same_cell(a: CellPiece, b: CellPiece) -> bool:
    if a.cell_id or b.cell_id:
        return a.cell_id == b.cell_id
    return bool(a.brings & b.brings) or a.text == b.text


def _head(raw: str, text: str) -> str | None:
    """What stands above `text` in the cell; None where the cell's text does not end with it."""
    # IPython ends a magic's text with a line end that the editor need not have.
    for body in (text, text.removesuffix("\n")):
        if body and raw.endswith(body):
            return raw[: len(raw) - len(body)]
    return None
