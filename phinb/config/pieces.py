"""The pieces of a configuration, one a cell as a tutorial prints them, and what they make together.

A piece has no outer braces and often ends with a comma; a pass, a system or a data config may stand in it bare, without
the section that it belongs to. Each is read by itself, put where it belongs, and combined with those before it. A node
keeps its piece, its line and its path, so that problems are told, and edits made, in the form that the user wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phinb.config.checks.findings import nearest
from phinb.config.document import Document, Node, load, names_a_file, parse
from phinb.config.reading.combining import combine, join
from phinb.config.schema import Schema
from phinb.config.sections import text
from phinb.types import Problem


@dataclass(frozen=True)
class Piece:
    """A text of its own in a configuration. `label` names it in problems: "In [4]", a file's name.

    `path`, where it has one, gives the configuration its name and its folder; what counts is the text.
    """

    text: str
    label: str = ""
    path: Path | None = None


One = str | Path | Mapping[str, Any] | Piece
Source = One | Sequence[One]
"""What a configuration may be given as; a sequence holds the pieces of one, in order."""


@dataclass(frozen=True)
class Reading:
    """A configuration as it was read: a document a piece, and the one tree that they make (None: nothing is there).

    pieces: the texts that were read, one a document; none for a dict. placed: each document's tree with its bare
    members in their sections; None where it has none. partial: whether what is missing may still come, because these
    are pieces.
    """

    documents: tuple[Document, ...]
    pieces: tuple[Piece, ...]
    placed: tuple[Node | None, ...]
    root: Node | None
    problems: tuple[Problem, ...]
    partial: bool


def read(source: Source, schema: Schema) -> Reading:
    """Read a configuration, given whole or in pieces. Bad content is a problem in the result, never raised.

    Raises:
        TypeError: `source` is no text, path, dict or Piece, nor a sequence of these.
    """
    given = [source] if not isinstance(source, Sequence) or isinstance(source, str) else list(source) or [""]
    several = len(given) > 1
    labels = _labels(given) if several else [""]
    documents = [_document(one, label) for one, label in zip(given, labels, strict=True)]
    written = [document for document in documents if not _is_blank(document)] or documents[:1]
    placed: list[Node | None] = []
    problems: list[Problem] = []
    partial = several
    for document in documents:
        is_piece = several or _is_piece(document, schema)
        root, found = _place(document, schema) if is_piece else (document.root, list(document.problems))
        partial = partial or is_piece
        placed.append(root)
        if any(document is one for one in written):  # an empty cell among others says nothing
            problems += found
    root, conflicts = combine([root for root in placed if root is not None])
    if not several and isinstance(given[0], Piece):
        labels = [given[0].label]
    pieces = [Piece(document.text, label, document.path) for document, label in zip(documents, labels, strict=True)]
    kept = () if documents[0].format == "dict" else tuple(pieces)
    return Reading(tuple(documents), kept, tuple(placed), root, (*problems, *conflicts), partial)


# ---------------------------------------------------------------------------------------------- reading


def _document(one: One, label: str) -> Document:
    if isinstance(one, Piece):
        return parse(one.text, None, one.path, label)
    if isinstance(one, Mapping) and label:
        document = load(one)
        assert document.root is not None
        written = json.dumps(document.root.plain(), indent=2, ensure_ascii=False)
        return replace(parse(written, "json", source=label), problems=document.problems)
    return load(one, label)


def _labels(given: Sequence[One]) -> list[str]:
    """What each piece is called; of those that are called the same, the later ones get their number too."""
    labels: list[str] = []
    for number, one in enumerate(given, 1):
        label = _label(one, number)
        labels.append(f"{label} ({number})" if label in labels else label)
    return labels


def _label(one: One, number: int) -> str:
    """What a piece is called; a number where it has no name of its own."""
    if isinstance(one, Piece) and one.label:
        return one.label
    path = one.path if isinstance(one, Piece) else one if isinstance(one, Path) else None
    if isinstance(one, str) and names_a_file(one):
        path = Path(one.strip())
    return path.name if path is not None else f"piece {number}"


def _is_blank(document: Document) -> bool:
    """A cell without any text, which says nothing about a configuration in several."""
    return any(problem.code == "empty" for problem in document.problems)


def _is_piece(document: Document, schema: Schema) -> bool:
    """Whether a single text is no whole configuration: it lacks its braces, or is a bare data config."""
    root = document.root
    if document.outermost is None:
        return False
    if root is None or _is_bare(root, schema):
        return _place_whole(document.outermost, schema) is not None
    if document.format != "yaml":
        return document.open
    return root.get("input_model") is None or (root.get("passes") is None and root.get("evaluator") is None)


# ---------------------------------------------------------------------------------------------- placing


def _place(document: Document, schema: Schema) -> tuple[Node | None, list[Problem]]:
    """The document's tree with bare passes, systems and data configs in their sections, and what is wrong."""
    problems = list(document.problems)
    if document.outermost is not None and (document.root is None or _is_bare(document.root, schema)):
        whole = _place_whole(document.outermost, schema)
        if whole is not None:
            return whole, [problem for problem in problems if problem.code != "not_a_mapping"]
    root = document.root
    if root is None:
        return None, problems
    placed = Node({}, "", root.offset, None, root.lines)
    known = known_keys(schema)
    for key, member in root.items():
        section = "" if key in known else _section_of(key, member, schema, known)
        addition = _in_section(section, key, member) if section else member
        found = placed.value.get(section or key)
        if found is None:
            placed.value[section or key] = addition
        else:
            placed.value[section or key] = join(section or key, found, addition, problems)
    return placed, problems


def known_keys(schema: Schema) -> frozenset[str]:
    """The keys of the outermost level, phinb's own and Olive's old `engine` among them."""
    return frozenset([*schema.root.names, *schema.engine.names, "phinb", "engine"])


def _is_bare(root: Node, schema: Schema) -> bool:
    """Whether a mapping is a data config or an input model itself, and holds no configuration."""
    known = known_keys(schema)
    return bool(text(root.get("type"))) and not any(key in known for key, _ in root.items())


def _place_whole(outermost: Node, schema: Schema) -> Node | None:
    """A text that is a data config, a list of them, or an input model; None for all else."""
    if outermost.is_list:
        entries = outermost.entries()
        is_data = all(schema.container(text(entry.get("type"))) is not None for entry in entries)
        return Node({"data_configs": outermost}, lines=outermost.lines) if entries and is_data else None
    kind = text(outermost.get("type"))
    if schema.container(kind) is not None:
        return Node({"data_configs": Node([outermost], "data_configs")}, lines=outermost.lines)
    if schema.input_model(kind) is not None:
        return Node({"input_model": outermost}, lines=outermost.lines)
    return None


def _section_of(key: str, node: Node, schema: Schema, known: frozenset[str]) -> str:
    """The section that a bare member belongs to; "" where it does not look like one."""
    kind = text(node.get("type")) or next((text(entry.get("type")) for entry in node.entries()), "")
    if not kind or schema.input_model(kind) is not None:
        return ""
    if schema.system(kind) is not None or kind.lower().startswith("azureml"):
        return "systems"
    if schema.container(kind) is not None:
        return "data_configs"
    if schema.pass_name(kind) is not None or nearest(key, known) is None:
        return "passes"  # a type that nobody knows is told there, with the nearest pass
    return ""


def _in_section(section: str, key: str, member: Node) -> Node:
    if section != "data_configs":
        return Node({key: member}, section)
    if member.is_list:
        return member
    if member.get("name") is None:
        name = Node(key, "name", member.offset, member.key_offset, member.lines, "upgrade", "the key", member)
        member = member.copy()
        member.value = {"name": name, **member.value}
    return Node([member], section)
