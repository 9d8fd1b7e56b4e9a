"""Recipe files filled with values: reasons become comments, and what comes out is JSON with comments for any reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from phinb.config.document import parse
from phinb.config.starting import recipe_text
from phinb.config.starting.recipe_text import WIDTH, Choice, Plain, fill_recipe


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recipe files of the test's own."""
    monkeypatch.setattr(recipe_text, "FOLDER", tmp_path)
    recipe_text._environment.cache_clear()
    yield tmp_path
    recipe_text._environment.cache_clear()


def fill(shelf: Path, text: str, **values: object) -> str:
    (shelf / "one.json").write_text(text, encoding="utf-8")
    return fill_recipe("one", values)


def test_a_reason_stands_behind_its_value_and_behind_the_comma(shelf: Path) -> None:
    text = fill(shelf, '{\n  "r": "<< r >>",\n  "alpha": 1\n}\n', r=Choice(16, "the rank"))
    assert text == '{\n  "r": 16,  // the rank\n  "alpha": 1\n}\n'


def test_a_reason_that_is_too_long_stands_above(shelf: Path) -> None:
    why = "word " * 40
    text = fill(shelf, '{\n  "r": "<< r >>"\n}\n', r=Choice("value", why.strip()))
    lines = text.splitlines()
    assert lines[1].startswith("  // word")
    assert lines[-2] == '  "r": "value"'
    assert max(map(len, lines)) <= WIDTH


def test_what_is_left_out_takes_its_comma_along(shelf: Path) -> None:
    recipe = '{\n  "a": "<< a >>",\n//% if b\n  "b": "<< b >>"\n//% endif\n}\n'
    assert fill(shelf, recipe, a=Choice(1, "one"), b=None) == '{\n  "a": 1  // one\n}\n'
    assert fill(shelf, recipe, a=1, b=2) == '{\n  "a": 1,\n  "b": 2\n}\n'


def test_a_text_with_slashes_quotes_and_braces_stays_what_it_is(shelf: Path) -> None:
    value = 'a "quoted\\" // {text},  // no comment,'
    text = fill(
        shelf, '{\n  "a": "<< a >>",\n//% if b\n  "b": 1\n//% endif\n}\n', a=Choice(value, "why, though"), b=None
    )
    root = parse(text, "json").root
    assert root is not None
    assert root.plain() == {"a": value}
    assert "why, though" in text


def test_a_reason_that_quotes_a_line_break_stays_a_comment(shelf: Path) -> None:
    text = fill(
        shelf,
        '{\n  // "<< line|plain >>"\n  "a": "<< a >>"\n}\n',
        line="two\nlines\u2028more",
        a=Choice("x\u2028y\n", "be\x01ca\r\nuse\x02"),
    )
    assert text == '{\n  // two lines more\n  "a": "x\u2028y\\n"  // be ca use\n}\n'


def test_a_line_of_text_is_a_comment_as_it_is(shelf: Path) -> None:
    assert (
        fill(shelf, '{\n  // "<< line|plain >>"\n  "a": 1\n}\n', line='say "hi"') == '{\n  // say "hi"\n  "a": 1\n}\n'
    )
    assert isinstance(Plain("x"), str)


def test_a_value_that_nobody_gave_is_a_mistake_of_ours(shelf: Path) -> None:
    with pytest.raises(UndefinedError, match="missing"):
        fill(shelf, '{"a": "<< missing >>"}')


@pytest.mark.parametrize("path", sorted(recipe_text.FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_every_recipe_file_is_json_with_comments_as_it_stands(path: Path) -> None:
    """So that an editor shows and checks it: Jinja's own signs are within quotes and comments."""
    text = path.read_text(encoding="utf-8")
    whole = text if text.lstrip().startswith("{") else f"{{{text}}}"
    problems = [one for one in parse(whole, "json").problems if one.severity == "error" and one.code != "duplicate_key"]
    assert problems == []
