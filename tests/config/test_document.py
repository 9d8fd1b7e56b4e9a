"""Reading JSON and YAML: positions of keys and values, and what is said of broken text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinb.config.document import MAX_DEPTH, Document, Lines, Node, load, parse
from phinb.config.reading.json_plain import read_plain
from phinb.config.reading.yaml_plain import read_plain as read_plain_yaml
from phinb.config.reading.yaml_reader import read_carefully as read_yaml_carefully
from phinb.types import Problem
from tests.config.texts import YamlScribe, random_tree


def only(document: Document) -> Problem:
    """The one problem of a document."""
    assert len(document.problems) == 1, document.problems
    return document.problems[0]


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for _, member in node.items():
        yield from nodes(member)
    for entry in node.entries():
        yield from nodes(entry)


def at(document: Document, path: str) -> Node:
    assert document.root is not None
    return next(node for node in nodes(document.root) if node.path == path)


JSON = """{
  // a comment
  "input_model": {"type": "HfModel"},
  "passes": {
    "lora": {"r": 8, "words": ["a", "b"], /* here */ "rate": 2e-4,},
  },
}
"""

YAML = """\
# a comment
input_model: {type: HfModel}
passes:
  lora:
    r: 8
    words: [a, b]
    rate: 2e-4
"""


@pytest.mark.parametrize(
    ("text", "path", "key", "value"),
    [
        (JSON, "input_model", (3, 3), (3, 18)),
        (JSON, "input_model.type", (3, 19), (3, 27)),
        (JSON, "passes.lora.r", (5, 14), (5, 19)),
        (JSON, "passes.lora.words.1", (5, 37), (5, 37)),
        (JSON, "passes.lora.rate", (5, 54), (5, 62)),
        (YAML, "input_model", (2, 1), (2, 14)),
        (YAML, "input_model.type", (2, 15), (2, 21)),
        (YAML, "passes.lora.r", (5, 5), (5, 8)),
        (YAML, "passes.lora.words.1", (6, 16), (6, 16)),
        (YAML, "passes.lora.rate", (7, 5), (7, 11)),
    ],
)
def test_every_key_and_value_knows_its_place(
    text: str, path: str, key: tuple[int, int], value: tuple[int, int]
) -> None:
    document = load(text)
    assert document.problems == ()
    node = at(document, path)
    assert (node.key_line, node.key_column) == key
    assert (node.line, node.column) == value


def test_json_and_yaml_read_the_same_values() -> None:
    expected = {
        "input_model": {"type": "HfModel"},
        "passes": {"lora": {"r": 8, "words": ["a", "b"], "rate": 0.0002}},
    }
    json_document, yaml_document = load(JSON), load(YAML)
    assert (json_document.format, yaml_document.format) == ("json", "yaml")
    assert json_document.root is not None
    assert yaml_document.root is not None
    assert json_document.root.plain() == yaml_document.root.plain() == expected


@pytest.mark.parametrize("text", ['{"a": [,]}', '{"a": [ , ]}', "{,}", '{"a": [1,,]}', '{"a": ,}'])
def test_a_comma_that_follows_nothing_is_told(text: str) -> None:
    assert load(text).problems


def test_marks_inside_text_are_no_comments() -> None:
    document = load('{"url": "https://a/b", "glob": "/* a */ ,]", /* one */ "c": [1, // two\n 2,\n],\n}')
    assert document.problems == ()
    assert document.root is not None
    assert document.root.plain() == {"url": "https://a/b", "glob": "/* a */ ,]", "c": [1, 2]}
    assert (at(document, "c.1").line, at(document, "c.1").column) == (2, 2)


def test_columns_count_code_points() -> None:
    assert at(load('{"🙂": "é🙂", "r": 8}'), "r").column == 18


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ('{\n "a": 1\n "b": 2\n}', "comma_missing", 2, 8),
        ('{\n "a": [1 2]\n}', "comma_missing", 2, 9),
        ('{\n "a" 1\n}', "colon_missing", 2, 5),
        ('{\n "a":\n}', "value_missing", 3, 1),
        ('{\n "a": 1,,\n "b": 2\n}', "extra_comma", 2, 9),
        ('{\n "a": {"b": 1\n', "never_closed", 2, 7),
        ('{\n "a": [1, 2}\n}', "wrong_bracket", 2, 12),
        ('{\n "a": "open,\n "b": 2\n}', "open_quote", 2, 7),
        ('{\n "a": True\n}', "python_word", 2, 7),
        ("{\n 'a': 1\n}", "unquoted_key", 2, 2),
        ("{\n \"a\": 'b'\n}", "single_quotes", 2, 7),
        ('{\n "a": NaN\n}', "bare_word", 2, 7),
        ('{\n "a": .5\n}', "bad_number", 2, 7),
        ('{\n "a": "C:\\data"\n}', "bad_escape", 2, 10),
        ('{\n "a": 1\n}\n{"b": 2}', "text_after_end", 4, 1),
        ('{\n "a": 1,\n "a": 2\n}', "duplicate_key", 3, 2),
        ("a: 1\nb: 2\na: 3\n", "duplicate_key", 3, 1),
        ("a: 1\n  b: 2\n", "not_yaml", 2, 4),
        ("a: [1,\nb: 2\n", "not_yaml", 3, 1),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, code: str, line: int, column: int) -> None:
    problems = [problem for problem in load(text).problems if problem.code == code]
    assert [(problem.line, problem.column) for problem in problems][:1] == [(line, column)]
    assert problems[0].severity == "error"
    assert problems[0].message.endswith(".")


def test_reading_goes_on_after_a_mistake() -> None:
    document = load('{"a": 1 "b": True, "c": {"d": .5}, "e": [1 2]}')
    assert document.root is not None
    assert document.root.plain() == {"a": 1, "b": True, "c": {"d": 0.5}, "e": [1, 2]}
    assert [problem.code for problem in document.problems] == [
        "comma_missing",
        "python_word",
        "bad_number",
        "comma_missing",
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("  \n\t", "empty"),
        ("Dear Olive, please make my model small.", "not_a_mapping"),
        ("[1, 2]", "not_a_mapping"),
        ("- a\n- b\n", "not_a_mapping"),
        ("42", "not_a_mapping"),
        ("\x00\x01\x02", "binary"),
        ("a: \x07", "not_yaml"),
        ("}{", "not_yaml"),
    ],
)
def test_what_is_no_configuration_is_one_problem(text: str, code: str) -> None:
    document = load(text)
    assert document.root is None
    problem = only(document)
    assert problem.code == code
    assert problem.hint


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"a": 1}', encoding="utf-8-sig")
    document = load(file)
    assert document.problems == ()
    assert at(document, "a").column == 7


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(YAML, encoding="utf-8")
    Path("latin.json").write_bytes('{"a": "é"}'.encode("latin-1"))
    Path("no suffix").write_text('{"a": 1}', encoding="utf-8")
    assert load("mine.yaml").format == "yaml"
    assert load(Path("mine.yaml")).path == Path("mine.yaml")
    assert load("no suffix").root is not None
    missing = only(load("missing.json"))
    assert missing.code == "file_missing"
    assert str(tmp_path) in missing.hint
    assert only(load("latin.json")).code == "not_utf8"
    assert only(load(tmp_path)).code == "file_unreadable"


def test_a_dict_has_no_lines_and_keeps_what_json_can_hold(tmp_path: Path) -> None:
    document = load({"a": (1, 2), "path": tmp_path, "bad": {1, 2}})
    assert document.format == "dict"
    assert document.root is not None
    assert document.root.plain() == {"a": [1, 2], "path": str(tmp_path), "bad": None}
    assert (at(document, "a").line, only(document).path) == (None, "bad")
    with pytest.raises(TypeError):
        load(42)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ['{"a":' * 5000, "[" * 100_000, '{"a": [' * 3000 + "]}" * 3000, "a: " + "[" * 5000])
def test_deep_nesting_is_a_problem_not_a_crash(text: str) -> None:
    assert any(problem.code in ("too_deep", "not_yaml") for problem in load(text).problems)


def test_a_circle_in_a_dict_ends() -> None:
    circle: dict[str, object] = {}
    circle["again"] = circle
    assert any(problem.code == "too_deep" for problem in load(circle).problems)


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert any(problem.code == "too_deep" for problem in load("\n".join(lines)).problems)


def test_a_merge_key_of_yaml_is_followed() -> None:
    document = load("base: &base {r: 8, alpha: 16}\nlora:\n  <<: *base\n  r: 4\n")
    assert document.root is not None
    assert document.root.plain()["lora"] == {"r": 4, "alpha": 16}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=st.dictionaries(st.text(), VALUES, max_size=5), indent=st.sampled_from([None, 1, 4]))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_json_of_any_mapping_reads_back_and_both_readers_agree(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    quick = read_plain(Lines(text))
    careful = parse(text[:-1] + ("," if value else "") + "}  // end", "json")
    assert careful.problems == ()
    assert careful.root is not None
    assert careful.root.plain() == value
    assert quick is not None
    assert quick.plain() == value
    places = [(node.path, node.offset, node.key_offset) for node in nodes(quick)]
    assert places == [(node.path, node.offset, node.key_offset) for node in nodes(careful.root)]


def spots(root: Node) -> list[tuple[str, int | None, int | None, object]]:
    """All that a reader finds: path, places, and the value of what holds no others, with its type."""
    return [
        (
            node.path,
            node.offset,
            node.key_offset,
            None if node.is_mapping or node.is_list else (type(node.value), node.value),
        )
        for node in nodes(root)
    ]


MARKS = "abz019 :-#'\"[]{},\n\n  &*!|>%@`?~.\\\t\r_/=+<é"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_both_readers_of_yaml_agree(seed: int) -> None:
    """Texts as people write them, and the same with a few characters changed: the quick reader is right or gives up."""
    random = Random(seed)
    text = YamlScribe(random).write(random_tree(random))
    for _ in range(4):
        quick = read_plain_yaml(Lines(text))
        if quick is not None:
            root, problems = read_yaml_carefully(Lines(text))
            assert root is not None, text
            assert spots(quick) == spots(root), text
            assert quick.is_list or problems == []
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(MARKS) + text[at + random.choice([0, 1, 1, 3]) :]


@pytest.mark.parametrize(
    "text", [YAML, "a: 1\n", "---\na:\n- b: [x, {c: 'd'}]\n  e: \"f\\n\"\n-   - 1\n    - 2.5e3\ng: h i\n"]
)
def test_yaml_as_people_write_it_is_read_the_quick_way(text: str) -> None:
    assert read_plain_yaml(Lines(text)) is not None
    assert read_plain_yaml(Lines(text.replace("\n", "\r\n"))) is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("null", None), ("~", None), ("", None), ("True", True), ("0x10", 16), ("007", 7),
        ("1_000", 1000), (".5", 0.5), ("1e-4", 1e-4), ("2024-05-01", "2024-05-01"), ("12:30", "12:30"), ("- 1", None),
        ("a # b", "a"), ("a#b", "a#b"), ("http://x/y", "http://x/y"), ("it's", "it's"), ("=", "="), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars_of_yaml(text: str, value: object) -> None:
    """As YAML 1.2 has it, whichever reader reads it."""
    if text == "- 1":
        assert [problem.code for problem in load(f"a: {text}\n").problems] == ["not_yaml"]
        return
    node = at(load(f"a: {text}\n"), "a")
    assert (type(node.value), node.value) == (type(value), value)


def test_a_path_is_put_together_from_the_keys() -> None:
    document = load('{"a.b": [{"": {"c": 1}}]}')
    assert document.root is not None
    assert [node.path for node in nodes(document.root)] == ["", "a.b", "a.b.0", "a.b.0.", "a.b.0..c"]
    assert [node.path for node in nodes(document.root.copy())] == [node.path for node in nodes(document.root)]
    assert repr(document.root.value["a.b"]) == "<a.b: [{'': {'c': 1}}]>"


@given(text=st.text(max_size=60) | st.text(alphabet='{}[]:,"\\ \n\t/*-+.eE0123456789truefalsn#&*!|>', max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_text_raises(text: str) -> None:
    for format_ in ("json", "yaml", None):
        document = parse(text, format_)  # type: ignore[arg-type]
        assert document.root is not None or document.problems


def test_the_depth_limit_is_no_hindrance(valid: str) -> None:
    document = load(valid)
    assert document.root is not None
    assert max(node.path.count(".") for node in nodes(document.root)) < MAX_DEPTH / 2
