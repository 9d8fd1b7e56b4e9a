"""Config: what a configuration's text really means, and `load_config`, which makes it. Frozen."""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from phinb.config.check import check
from phinb.config.document import Document, Format, Node, load
from phinb.config.effective import effective_values
from phinb.config.phinb_section import PHINB
from phinb.config.schema import Schema, load_schema
from phinb.config.sections import passes
from phinb.config.upgrade import upgrade
from phinb.errors import ConfigError
from phinb.types import Change, Effective, Problem

_CUT_SHORT = frozenset({"never_closed", "wrong_bracket", "open_quote", "too_deep", "key_missing"})
_ABSENT = frozenset({"missing_key", "unknown_reference", "missing_split", "default_join", "pass_order", "unused"})
"""What seems to be absent from a text that could not be read to its end is no mistake of its own."""


@dataclass(frozen=True)
class Config:
    """A configuration that was read, upgraded and checked.

    text: as it was given ("" for a dict). path: its file, or None. folder: what relative paths in it are relative
    to: its file's folder, else the working directory at the time of loading. name: the file's stem, or "config".
    problems: all that the text alone shows, by line. changes: what the upgrade changed, by line.
    """

    text: str
    format: Format
    path: Path | None
    folder: Path
    name: str
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]
    _given: Node | None = field(repr=False, compare=False, default=None)
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

    def dumps(self, format: Literal["json", "yaml"] | None = None) -> str:  # noqa: A002
        """The upgraded form as text, in the format that is asked for, else in its own. "" where nothing was read."""
        if self._tree is None:
            return ""
        kind = format or ("yaml" if self.format == "yaml" else "json")
        return _write(self._tree.plain(), kind, _indent(self.text))

    def diff(self) -> str:
        """A unified diff of the given text and the upgraded one; "" where the upgrade changed nothing."""
        if self._tree is None or self._given is None or not self.changes:
            return ""
        kind: Literal["json", "yaml"] = "yaml" if self.format == "yaml" else "json"
        before = self.text or _write(self._given.plain(), kind, 2)
        lines = difflib.unified_diff(
            before.splitlines(), self.dumps(kind).splitlines(), self.name, f"{self.name} (upgraded)", lineterm=""
        )
        return "\n".join(lines)

    def summary(self) -> str:
        """One line: name, passes, and how many errors, warnings and upgrades there are."""
        flow = " > ".join(self.passes) or "no passes"
        errors = sum(problem.severity == "error" for problem in self.problems)
        warnings = sum(problem.severity == "warning" for problem in self.problems)
        counts = [_count(errors, "error"), _count(warnings, "warning"), _count(len(self.changes), "upgrade")]
        told = ", ".join(count for count in counts if count) or "no problems"
        return f"{self.name}: {flow}; {told}"


def load_config(
    source: str | Path | Mapping[str, Any], *, name: str | None = None, folder: Path | None = None
) -> Config:
    """Read, upgrade and check a configuration. Bad content is in `problems`; nothing is raised for it.

    `source` is a text (JSON with comments, or YAML), a path, or a dict. A string is a path where it is one line that
    names an existing file or ends in .json, .yaml or .yml. Data files and models are not looked at. `name` and `folder`
    stand for the file's stem and folder where the text has no file, or had another.

    Raises:
        TypeError: `source` is none of the three.
    """
    document = load(source)
    if document.root is None:
        return _config(document, None, document.problems, (), name, folder)
    schema = _schema()
    tree, changes, left = upgrade(document.root, schema)
    found = [*left, *check(tree, schema)]
    if any(problem.code in _CUT_SHORT for problem in document.problems):
        found = [problem for problem in found if problem.code not in _ABSENT]
    return _config(document, tree, (*document.problems, *found), changes, name, folder)


def _config(
    document: Document,
    tree: Node | None,
    problems: tuple[Problem, ...],
    changes: tuple[Change, ...],
    name: str | None,
    folder: Path | None,
) -> Config:
    path = document.path.expanduser().absolute() if document.path is not None else None
    return Config(
        document.text,
        document.format,
        path,
        folder or (path.parent if path is not None else Path.cwd()),
        name or (path.stem if path is not None else "config"),
        tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))),
        tuple(sorted(changes, key=lambda change: change.line or 0)),
        document.root,
        tree,
    )


def _schema() -> Schema:
    return load_schema()


def _write(plain: Any, format: Literal["json", "yaml"], indent: int) -> str:  # noqa: A002
    if format == "json":
        return json.dumps(plain, indent=indent, ensure_ascii=False) + "\n"
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 120
    stream = io.StringIO()
    yaml.dump(plain, stream)
    return stream.getvalue()


def _indent(text: str) -> int:
    """The indentation of the first line that is indented, so that a rewritten text looks like the given one."""
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        if stripped and stripped != line and not stripped.startswith(("//", "/*", "*", "#")):
            return min(len(line) - len(stripped), 8)
    return 2


def _count(number: int, word: str) -> str:
    return "" if not number else f"{number} {word}{'' if number == 1 else 's'}"
