"""Leave out what only follows from another mistake: a key that is missing because it is misspelt, or stands elsewhere.

One mistake is one error. A key that nobody knows and a key that nobody finds are often the same; so are a section
that is misspelt and the references into it.
"""

from __future__ import annotations

from dataclasses import replace

from phinb.config.checks.findings import Absence, Findings, UnknownKey
from phinb.config.document import Node
from phinb.config.sections import place_of_new_key
from phinb.types import Edit, Fix, Problem


def root_causes(findings: Findings) -> list[Problem]:
    """The problems without those that follow from others. A key that stands elsewhere is told where it belongs."""
    dropped: set[int] = set()
    better: dict[int, Problem] = {}
    for absence in findings.absences:
        for unknown in findings.unknown_keys:
            if _is_misspelt(unknown, absence):
                dropped.add(id(absence.problem))
                better.setdefault(id(unknown.problem), _misspelling(unknown))
            elif unknown.key in absence.keys and not _stands_in(unknown.node, absence.holder):
                dropped.add(id(absence.problem))
                better[id(unknown.problem)] = _belonging(unknown, absence)
    dropped |= _needless_references(findings) | _told_twice(findings.problems)
    return [better.get(id(problem), problem) for problem in findings.problems if id(problem) not in dropped]


_EACH_COUNTS = ("missing_key", "missing_split", "secret", "conflict", "twice_defined")
"""Codes that say something of their own beside another error at the same place."""


def _told_twice(problems: list[Problem]) -> set[int]:
    """All but one of the errors at one value: the key's own, or a placeholder's, else the first."""
    places: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        if problem.severity == "error" and problem.path and problem.code not in _EACH_COUNTS:
            places.setdefault((problem.source, problem.path), []).append(problem)
    twice: set[int] = set()
    for found in places.values():
        found.sort(key=lambda problem: problem.code not in ("unknown_key", "placeholder", "gone"))
        twice.update(id(problem) for problem in found[1:])
    return twice


def _is_misspelt(unknown: UnknownKey, absence: Absence) -> bool:
    return unknown.near in absence.keys and _stands_in(unknown.node, absence.holder)


def _misspelling(unknown: UnknownKey) -> Problem:
    """Where only the reader of the data could know the key, what is missing beside it makes it an error."""
    if unknown.problem.severity == "error":
        return unknown.problem
    message = f'"{unknown.key}" is no key that phinb knows here, and "{unknown.near}" is missing.'
    return replace(unknown.problem, severity="error", message=message)


def _stands_in(node: Node, holder: Node) -> bool:
    return any(member is node for _, member in holder.items())


def _belonging(unknown: UnknownKey, absence: Absence) -> Problem:
    """The problem of a key that is missing elsewhere: where it belongs, and a remedy that puts it there."""
    where = absence.holder.path or "the outermost level"
    place = place_of_new_key(absence.holder, unknown.key)
    edits = (Edit("set", place, unknown.node.plain()), Edit("remove", unknown.node.path))
    hint = f"It is missing in {where}."
    return replace(unknown.problem, severity="error", hint=hint, fix=Fix("Put it there", edits))


def _needless_references(findings: Findings) -> set[int]:
    """References into a section that is not there: none beside its misspelt name, else the first only.

    Into one of the wrong type, or with an entry of the wrong type, there is no telling whether they lead anywhere.
    """
    needless: set[int] = set()
    seen: set[str] = set()
    for problem, section in findings.references:
        given = findings.root.get(section)
        if given is not None and given.value:
            if _is_distorted(given, section):
                needless.add(id(problem))
            continue
        found = any(section in (unknown.key, unknown.near) for unknown in findings.unknown_keys)
        if found or section in seen:
            needless.add(id(problem))
        seen.add(section)
    return needless


def _is_distorted(given: Node, section: str) -> bool:
    if section == "data_configs":
        return not given.is_list or not all(entry.is_mapping for entry in given.entries())
    return not given.is_mapping
