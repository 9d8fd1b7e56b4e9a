"""Templates filled as str.format fills them, and refused where they reach further."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.template import (
    Stretch,
    answer_field,
    check_template,
    escape,
    fields,
    fill,
    find_nearest,
    missing_column,
    parse_template,
    split_template,
    write_field,
)
from phinb.errors import PhinbError

names = st.text(string.ascii_letters + "_ ä-", min_size=1).filter(lambda name: not name.isdigit())
values = st.one_of(st.text(), st.integers(), st.none(), st.floats(allow_nan=False), st.lists(st.text(), max_size=2))
literals = st.text().map(lambda text: text.replace("{", "{{").replace("}", "}}"))


@given(st.data())
def test_filled_as_format_does(data: st.DataObject) -> None:
    row: dict[str, Any] = data.draw(st.dictionaries(names, values, min_size=1, max_size=4))
    pieces = data.draw(
        st.lists(
            st.one_of(
                literals,
                st.sampled_from(sorted(row)).map(lambda name: f"{{{name}}}"),
                st.sampled_from(sorted(row)).map(lambda name: f"{{{name}!r:>12}}"),
            ),
            max_size=6,
        )
    )
    template = "".join(pieces)
    text, stretches = fill(parse_template(template), row)
    assert text == template.format(**row)
    assert "".join(text[one.start : one.end] for one in stretches) == text
    assert [one.start for one in stretches[1:]] == [one.end for one in stretches[:-1]]


def test_each_character_knows_its_field() -> None:
    text, stretches = fill(parse_template("{{{a}}} is {b}"), {"a": "x", "b": "", "c": "unused"})
    assert text == "{x} is "
    assert stretches == [
        Stretch(0, 1, "template"),
        Stretch(1, 2, "a"),
        Stretch(2, 3, "template"),
        Stretch(3, 7, "template"),
    ]


@pytest.mark.parametrize(
    ("template", "expected", "answer"),
    [
        ("### Text: {phrase}\n### The tone is:\n{tone}", ("phrase", "tone"), "tone"),
        ("{a}{b}{a}", ("a", "b"), "a"),
        ("{a!r:>3} {{b}}", ("a",), "a"),
        ("nothing", (), None),
    ],
)
def test_fields_and_the_answer(template: str, expected: tuple[str, ...], answer: str | None) -> None:
    assert fields(template) == expected
    assert answer_field(template) == answer


braces = st.text("{}ab!:r[.] \n", max_size=12)


@given(st.one_of(braces, st.text()))
def test_pieces_lie_end_to_end_and_are_read_as_python_reads_them(template: str) -> None:
    pieces = list(split_template(template))
    assert [piece.start for piece in pieces] == [0, *[piece.end for piece in pieces]][: len(pieces)]
    assert (pieces[-1].end if pieces else 0) == len(template)
    try:
        expected = list(string.Formatter().parse(template))
    except ValueError:
        assert "brace" in [piece.wrong for piece in pieces]
        with pytest.raises(PhinbError):
            parse_template(template)
        return
    assert "brace" not in [piece.wrong for piece in pieces]
    if any(piece.wrong for piece in pieces):
        return
    made = [(part.field, part.spec, part.conversion) for part in parse_template(template) if part.field is not None]
    assert made == [(name, spec, conversion) for _, name, spec, conversion in expected if name is not None]
    for piece in pieces:
        assert piece.part is not None
        written = template[piece.start : piece.end]
        if piece.part.field is None:
            assert written == escape(piece.part.text)
        else:
            assert written.startswith(f"{{{piece.part.field}")
            assert written.endswith("}")


@given(st.text(string.ascii_letters + "{}[].!: 0'\"\n", max_size=6))
def test_a_column_is_written_so_that_it_is_read_back(name: str) -> None:
    written = write_field(name)
    if written:
        assert fields(written) == (name,)
        assert written.format(**{name: "value"}) == "value"
    else:
        assert set(name) & set("{}[].!:") or not name or name.isdigit()


@pytest.mark.parametrize(
    ("template", "code", "words"),
    [
        ("{phrase} {", "template_syntax", "cannot be read"),
        ("a } b {phrase}", "template_syntax", "cannot be read"),
        ("{} {phrase}", "template_syntax", "without a column: {}"),
        ("{0}", "template_syntax", "without a column: {0}"),
        ("{phrase.upper}", "template_syntax", "reaches into a value: {phrase.upper}"),
        ("{phrase[0]}", "template_syntax", "reaches into a value: {phrase[0]}"),
        ("{phrase:{tone}}", "template_syntax", "a field inside its format"),
        ("{phrase!x}", "template_syntax", "unknown conversion !x"),
        ("{phrase:>999999999}", "template_syntax", "more than 9,999 characters: >999999999"),
        ("{phrase:.999999999f}", "template_syntax", "more than 9,999 characters"),
        ("{phrase}\ud83d{tone}", "template_syntax", "half of a character"),
        ("{phrase:\udc00>5}", "template_syntax", "half of a character"),
        ("no field", "template_constant", "no field"),
        ("{frase}", "unknown_field", "names {frase}"),
        ('{"phrase": "x"} {phrase}', "unknown_field", 'names {"phrase"}'),
    ],
)
def test_what_is_wrong_is_said_at_its_place(template: str, code: str, words: str) -> None:
    problem = check_template(template, ("phrase", "tone"), "data.text_template")[0]
    assert (problem.severity, problem.code, problem.path) == ("error", code, "data.text_template")
    assert words in problem.message
    assert problem.hint


def test_the_nearest_column_and_doubled_braces_are_offered() -> None:
    assert "Did you mean phrase?" in check_template("{frase}", ("phrase", "tone"))[0].hint
    assert "Did you mean tone?" in check_template("{Tone}", ("phrase", "tone"))[0].hint
    assert "{{ and }}" in check_template('{"phrase": 1}', ("phrase", "tone"))[0].hint
    assert "{{ and }}" not in check_template("{Best Anser}", ("Best Answer", "tone"))[0].hint
    assert check_template("{phrase}", ("phrase",)) == []


def test_every_mistake_is_told_once() -> None:
    problems = check_template("{frase} } {phrase[0]} {frase} { {tone!}", ("phrase", "tone"))
    assert [problem.code for problem in problems] == ["unknown_field", *["template_syntax"] * 4]
    assert len({problem.message for problem in problems}) == 5


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_header_that_was_taken_for_one_name_is_recognised(sign: str) -> None:
    """A spreadsheet's CSV with semicolons: no column is like the one that is named, but the delimiter is wrong."""
    columns = [f"phrase{sign}tone"]
    assert find_nearest("phrase", columns) is None
    written = "\\t" if sign == "\t" else sign
    assert f'Set "sep" to "{written}" in load_dataset_config' in missing_column("phrase", columns)
    assert "sep" not in missing_column("mood", columns)
    assert "sep" not in missing_column("phrase", [*columns, "other"])
