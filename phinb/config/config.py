"""Config: what a configuration's text really means, and `load_config`, which makes it. Frozen."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from phinb.config.check import check
from phinb.config.document import Format, Node
from phinb.config.effective import effective_values
from phinb.config.phinb_section import PHINB
from phinb.config.pieces import Piece, Reading, Source, read
from phinb.config.schema import Schema, load_schema
from phinb.config.search import Search, find_search
from phinb.config.sections import passes
from phinb.config.to_come import drop_what_may_come
from phinb.config.upgrade import upgrade
from phinb.config.writing.edits import edit_source, upgraded_source
from phinb.config.writing.rewriting import write_anew
from phinb.config.writing.texts import write_pieces, write_together, write_tree
from phinb.errors import ConfigError
from phinb.types import Change, Edit, Effective, Problem


@dataclass(frozen=True)
class Config:
    """A configuration that was read, upgraded and checked.

    text: as it was given ("" for a dict); of several pieces, each under a comment with its label. pieces: the texts
    that it was given in; one where it was given whole, none for a dict. path: its file, or None. folder: what relative
    paths in it are relative to: its file's folder, else the working directory at the time of loading. name: the file's
    stem, or "config". problems: all that the text alone shows, by piece and line. changes: what the upgrade changed.
    """

    text: str
    format: Format
    path: Path | None
    folder: Path
    name: str
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]
    pieces: tuple[Piece, ...] = ()
    _reading: Reading | None = field(repr=False, compare=False, default=None)
    _tree: Node | None = field(repr=False, compare=False, default=None)

    @property
    def ok(self) -> bool:
        """Whether Olive can be given it: no problem is an error."""
        return self._tree is not None and not any(problem.severity == "error" for problem in self.problems)

    @cached_property
    def passes(self) -> Mapping[str, str | list[str]]:
        """The passes in order, name to type; a list of types where the name holds alternatives."""
        found: dict[str, str | list[str]] = {}
        schema = _schema()
        for entry in passes(self._tree) if self._tree is not None else ():
            kind = schema.pass_name(entry.type) or entry.type
            if entry.at is None:
                found[entry.name] = kind
            else:
                alternatives = found.setdefault(entry.name, [])
                assert isinstance(alternatives, list)
                alternatives.append(kind)
        return MappingProxyType(found)

    @cached_property
    def search(self) -> Search | None:
        """What Olive's search_strategy chooses among; None where it searches nothing."""
        return find_search(self._tree, _schema()) if self._tree is not None else None

    @cached_property
    def phinb(self) -> Mapping[str, Any]:
        """phinb's own section with its defaults; phinb_section.py lists the keys."""
        section = self._tree.get("phinb") if self._tree is not None else None
        given = section.plain() if section is not None and section.is_mapping else {}
        defaults = {parameter.name: parameter.default for parameter in PHINB.parameters.values()}
        return MappingProxyType({**defaults, **given})

    def effective(self) -> dict[str, Effective]:
        """Every value that a run will use, by its dotted path in today's form (effective.py has the list)."""
        return {} if self._tree is None else effective_values(self._tree, _schema())

    def to_olive(self) -> dict[str, Any]:
        """The dict that Olive gets: today's form, without phinb's section; a new one each time.

        Paths and phinb:// models stand as the user wrote them; the worker resolves them.

        Raises:
            ConfigError: the configuration has errors.
        """
        if not self.ok or self._tree is None:
            raise ConfigError(self.problems)
        plain: dict[str, Any] = self._tree.plain()
        plain.pop("phinb", None)
        return plain

    def given(self) -> dict[str, Any]:
        """What was written, before the upgrade, as plain Python; of pieces what they make together. {} if nothing."""
        root = self._reading.root if self._reading is not None else None
        return root.plain() if root is not None else {}

    def dumps(self, format: Literal["json", "yaml"] | None = None) -> str:  # noqa: A002
        """The upgraded form as one text, in the format that is asked for, else in its own. "" where nothing was read.

        In its own format it is the given text with what the upgrade changes, comments and all else kept.
        """
        if self._tree is None or self._reading is None:
            return ""
        kind = format or ("yaml" if self.format == "yaml" else "json")
        return write_tree(self._reading, self._tree, kind)

    def diff(self) -> str:
        """A unified diff of the given text and the upgraded one, piece by piece; "" where nothing was upgraded."""
        if self._tree is None or self._reading is None or not self.changes:
            return ""
        if not self.pieces:
            return _unified(write_anew(self.given(), "json"), self.dumps("json"), self.name)
        told = []
        for piece, after in zip(self.pieces, write_pieces(self._reading, self._tree), strict=True):
            told.append(_unified(piece.text, after, piece.label if len(self.pieces) > 1 else self.name))
        return "\n".join(part for part in told if part)

    def upgraded(self) -> Config:
        """The same in today's form: its texts with the upgrade applied, and no changes left.

        Comments, order and all that the upgrade does not touch stay as they are. Pieces stay pieces.

        Raises:
            PhinbError: the text has mistakes in its form that keep it from being changed.
        """
        if not self.changes or self._tree is None or self._reading is None:
            return self
        return self._again(upgraded_source(self._reading, _schema()))

    def edit(self, *edits: Edit) -> Config:
        """The configuration with these edits made in its texts, read and checked again.

        A path has the form of the user's text (as in Problem.fix) or of today's (as in effective()). Where the text is
        of an old form and has no place for it, the upgrade is applied first.

        Raises:
            PhinbError: a path leads nowhere, or the text has mistakes in its form that keep it from being edited.
        """
        if self._reading is None or not edits:
            return self
        return self._again(edit_source(self._reading, edits, _schema()))

    def _again(self, source: Source) -> Config:
        """Another text under the same name, relative to the same folder."""
        return load_config(source, name=self.name, folder=self.folder)

    def summary(self) -> str:
        """One line: name, passes, and how many errors, warnings and upgrades there are."""
        flow = " > ".join(self.passes) or "no passes"
        errors = sum(problem.severity == "error" for problem in self.problems)
        warnings = sum(problem.severity == "warning" for problem in self.problems)
        counts = [_count(errors, "error"), _count(warnings, "warning"), _count(len(self.changes), "upgrade")]
        told = ", ".join(count for count in counts if count) or "no problems"
        return f"{self.name}: {flow}; {told}"


def load_config(source: Source, *, name: str | None = None, folder: Path | None = None) -> Config:
    """Read, upgrade and check a configuration. Bad content is in `problems`; nothing is raised for it.

    `source` is a text (JSON with comments, or YAML), a path, a dict, a Piece, or a sequence of these: the pieces of one
    configuration in order, as a tutorial prints them (pieces.py). A string is a path where it is one line that names an
    existing file or ends in .json, .yaml or .yml. Data files and models are not looked at. `name` and `folder` stand
    for the file's stem and folder where the text has no file, or had another.

    Raises:
        TypeError: `source` is none of these.
    """
    schema = _schema()
    reading = read(source, schema)
    if reading.root is None:
        return _config(reading, None, reading.problems, (), name, folder)
    tree, changes, left = upgrade(reading.root, schema)
    found = drop_what_may_come(reading, tree, (*left, *check(tree, schema)))
    return _config(reading, tree, (*reading.problems, *found), changes, name, folder)


def _config(
    reading: Reading,
    tree: Node | None,
    problems: tuple[Problem, ...],
    changes: tuple[Change, ...],
    name: str | None,
    folder: Path | None,
) -> Config:
    paths = [document.path.expanduser().absolute() for document in reading.documents if document.path is not None]
    formats = {document.format for document in reading.documents}
    order = {document.source: number for number, document in enumerate(reading.documents)}
    return Config(
        write_together(reading),
        formats.pop() if len(formats) == 1 else "json",
        paths[0] if len(reading.documents) == 1 and paths else None,
        folder or (paths[0].parent if paths else Path.cwd()),
        name or (paths[0].stem if paths else "config"),
        tuple(sorted(problems, key=lambda told: (order.get(told.source, -1), told.line or 0, told.column or 0))),
        tuple(sorted(changes, key=lambda change: (order.get(change.source, -1), change.line or 0))),
        reading.pieces,
        reading,
        tree,
    )


def _schema() -> Schema:
    return load_schema()


def _unified(before: str, after: str, name: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name} (upgraded)", lineterm="")
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return "" if not number else f"{number} {word}{'' if number == 1 else 's'}"
