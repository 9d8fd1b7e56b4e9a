"""What is not there yet, in a text that is cut short or in the first pieces of a configuration, is no mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable

from phinb.config.document import Node
from phinb.config.pieces import Reading
from phinb.types import Problem

_CUT_SHORT = frozenset({"never_closed", "wrong_bracket", "open_quote", "too_deep", "key_missing", "not_yaml"})
_ABSENT = frozenset({"missing_key", "unknown_reference", "missing_split", "default_join", "pass_order", "unused"})
"""What seems to be absent from a text that could not be read to its end may stand in the rest."""

_LAST_WORD = re.compile(r"[\w.+-]+\Z")
_UNSURE = frozenset({"open_quote", "bare_word"})
"""Values that were written so that nobody knows what they are; what else is wrong with them is an echo."""

_ON_OTHER_SECTIONS = frozenset({"pass_order", "unused", "precision"})
"""What a section that is still to come may set right."""

Place = tuple[str, int | None, int | None]
"""Piece, line and column."""

_SECTIONS = ("input_model", "systems", "data_configs", "evaluators", "passes")


def drop_what_may_come(reading: Reading, tree: Node, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Leave out what only tells of absence where there is more to come; of pieces, say once what that is."""
    unread = [problem for problem in reading.problems if problem.code in _UNSURE]
    unsure = {_place(problem) for problem in unread} | _cut_off(reading)
    paths = {(problem.source, problem.path) for problem in unread}
    problems = tuple(one for one in problems if _place(one) not in unsure and (one.source, one.path) not in paths)
    if _is_cut_short(reading):
        return tuple(problem for problem in problems if problem.code not in _ABSENT and not _lacks_evaluation(problem))
    missing = _missing(tree, problems) if reading.partial else ()
    if not missing:
        return problems
    listed = ", ".join(f'"{section}"' for section in missing)
    hint = "Each may stand in a cell of its own, under the same name."
    told = Problem("error", "incomplete", f"Still to come: {listed}.", hint=hint)
    return (told, *(problem for problem in problems if not _is_of_the_missing(problem, missing)))


def _cut_off(reading: Reading) -> set[Place]:
    """Where a number or word stands that ends with a text which ends too early: there may be more of it."""
    places: set[Place] = set()
    for document in reading.documents:
        lines = document.outermost.lines if document.outermost is not None else None
        if lines is not None and any(problem.code == "never_closed" for problem in document.problems):
            last = _LAST_WORD.search(document.text)
            places |= {(document.source, *lines.locate(last.start()))} if last else set()
    return places


def _place(problem: Problem) -> Place:
    return problem.source, problem.line, problem.column


def _is_cut_short(reading: Reading) -> bool:
    """Whether a part of what was written could not be read."""
    return any(
        problem.code in _CUT_SHORT or (document.outermost is None and problem.code != "empty")
        for document in reading.documents
        for problem in document.problems
    )


def _missing(tree: Node, problems: Iterable[Problem]) -> tuple[str, ...]:
    """The sections that are not there and without which this is no configuration, in the order of a file."""
    absent = set()
    if tree.get("input_model") is None:
        absent.add("input_model")
    passes = tree.get("passes")
    if (passes is None or not passes.value) and tree.get("evaluator") is None:
        absent.add("passes")
    for problem in problems:
        section = _section_referred_to(problem)
        if section and tree.get(section) is None:
            absent.add(section)
    return tuple(section for section in _SECTIONS if section in absent)


def _section_referred_to(problem: Problem) -> str:
    """The section that a reference to nothing leads to."""
    key = problem.path.rpartition(".")[2]
    if problem.code != "unknown_reference":
        return ""
    if key.endswith("data_config"):
        return "data_configs"
    return {"host": "systems", "target": "systems", "evaluator": "evaluators"}.get(key, "")


def _is_of_the_missing(problem: Problem, missing: tuple[str, ...]) -> bool:
    if problem.code == "missing_key" and problem.path in ("", "passes"):
        return True
    if problem.code in _ON_OTHER_SECTIONS or _lacks_evaluation(problem):
        return True
    return _section_referred_to(problem) in missing


def _lacks_evaluation(problem: Problem) -> bool:
    """Told of an eval_strategy without data to evaluate on, which phinb's section may still name."""
    return problem.code == "ignored" and problem.path.endswith("eval_strategy")
