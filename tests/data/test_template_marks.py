"""Marks of a template: at the places where a reader of UTF-16 finds them, and as the checks judge."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.template import check_template, fields
from phinb.data.template_marks import find_marks, find_used
from phinb.errors import PhinbError

COLUMNS = ("phrase", "tone", "Best Answer")


def shown(template: str, columns: tuple[str, ...] | None = COLUMNS) -> list[tuple[str, str]]:
    """(kind, the characters under the mark), cut out as JavaScript would."""
    units = template.encode("utf-16-le", "surrogatepass")
    cut = [(mark, units[2 * mark.start : 2 * mark.end]) for mark in find_marks(template, columns)]
    return [(mark.kind, piece.decode("utf-16-le", "surrogatepass")) for mark, piece in cut]


@pytest.mark.parametrize(
    ("template", "marks"),
    [
        ("### {phrase}\n{tone}", [("field", "{phrase}"), ("field", "{tone}")]),
        ("{Best Answer}", [("field", "{Best Answer}")]),
        ("{tone!r:>4} {tone:} {tone!s}", [("field", "{tone!r:>4}"), ("field", "{tone:}"), ("field", "{tone!s}")]),
        ("\U0001f600{{{frase}}}\U0001f600", [("escaped", "{{"), ("unknown", "{frase}"), ("escaped", "}}")]),
        ("\ud800 {tone}", [("unseen", "\ud800"), ("field", "{tone}")]),
        ('{{"a": {tone}}}', [("escaped", "{{"), ("field", "{tone}"), ("escaped", "}}")]),
        ("a } {phrase} {to", [("brace", "}"), ("field", "{phrase}"), ("brace", "{")]),
        ("{tone!} {phrase", [("brace", "{tone!}"), ("brace", "{")]),
        ("{phrase.__class__}{0}{}", [("refused", "{phrase.__class__}"), ("refused", "{0}"), ("refused", "{}")]),
        ("{tone:{phrase}}", [("refused", "{tone:{phrase}}")]),
        ("a\u202eb\x1b{tone}\n", [("unseen", "\u202e"), ("unseen", "\x1b"), ("field", "{tone}")]),
        ("", []),
    ],
)
def test_marks_stand_where_javascript_finds_them(template: str, marks: list[tuple[str, str]]) -> None:
    assert shown(template) == marks


def test_an_unknown_field_names_the_column_that_is_meant() -> None:
    (mark,) = find_marks("{Frase}", COLUMNS)
    assert (mark.kind, mark.remedy, mark.column) == ("unknown", "{phrase}", "Frase")
    assert "no column has that name" in mark.message
    assert find_marks("{Frase!r:>9}", COLUMNS)[0].remedy == "{phrase!r:>9}"
    assert find_marks("{xyz}", COLUMNS)[0].remedy == ""
    assert find_marks('{"phrase": 1}', COLUMNS)[0].remedy == '{{"phrase": 1}}'
    assert [mark.remedy for mark in find_marks("{ }", COLUMNS[:1])] == [""]
    assert [mark.remedy for mark in find_marks("a } {", COLUMNS)] == ["}}", "{{"]
    assert shown("{xyz}", None) == [("field", "{xyz}")], "where nobody knows the columns, none is unknown"


@given(st.text("{}ab!:r[.] \U0001f600", max_size=14))
def test_marks_and_checks_agree(template: str) -> None:
    columns = ("a", "b")
    marks = find_marks(template, columns)
    wrong = {mark.message for mark in marks if mark.kind in ("unknown", "brace", "refused")}
    assert wrong == {one.message for one in check_template(template, columns) if one.code != "template_constant"}
    assert all(one.end <= other.start for one, other in pairwise(marks))
    try:
        named = fields(template)
    except PhinbError:
        assert {"brace", "refused"} & {mark.kind for mark in marks}
        return
    assert set(named) == {mark.column for mark in marks if mark.kind in ("field", "unknown")}


def test_columns_that_are_named() -> None:
    assert find_used("{phrase} {{tone}} {") == {"phrase"}
    assert find_used("{Best Answer!r}{tone}") == {"Best Answer", "tone"}


def test_a_text_that_is_no_template_is_not_gone_through_for_ever() -> None:
    began = time.monotonic()
    assert len(find_marks("{ " * 100_000, COLUMNS)) == 50
    assert time.monotonic() - began < 1
