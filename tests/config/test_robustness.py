"""Nothing that is read raises: texts cut off anywhere, with bytes turned over, nested without end, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from phinb.config import Config, Piece, load_config
from phinb.config.document import parse
from phinb.config.writing.rewriting import write_anew
from phinb.errors import PhinbError
from phinb.types import Edit
from tests.config.sprinkling import SAMPLES, json_snippet, members_of_the_tutorial, sprinkle

pytestmark = pytest.mark.slow


def plain_of(text: str) -> Any:
    root = parse(text).root
    assert root is not None
    return root.plain()


TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.json"))}
TEXTS |= {f"{name} in YAML": write_anew(plain_of(text), "yaml") for name, text in TEXTS.items()}
TEXTS["commented"] = sprinkle(TEXTS["emotion"], "//")[0]
TEXTS["commented YAML"] = sprinkle(TEXTS["emotion in YAML"], "#")[0]

SYNTAX = {
    "never_closed", "wrong_bracket", "open_quote", "key_missing", "value_missing", "comma_missing", "colon_missing",
    "bare_word", "bad_escape", "bad_number", "stray_character", "not_yaml", "not_a_mapping", "empty", "unquoted_key",
}  # fmt: skip


def use(config: Config) -> None:
    """All that is asked of a configuration while somebody types it."""
    config.effective()
    config.summary()
    config.diff()
    config.dumps()
    assert isinstance(config.text, str)
    assert config.ok or any(problem.severity == "error" for problem in config.problems)
    for problem in config.problems:
        assert problem.line is None or 1 <= problem.line <= config.text.count("\n") + 1
        assert problem.where


def halves(text: str) -> Iterator[str]:
    data = text.encode()
    for end in range(0, len(data), 7):
        yield data[:end].decode(errors="ignore")


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_cut_off_anywhere(name: str) -> None:
    for half in halves(TEXTS[name]):
        use(load_config(half))


@pytest.mark.parametrize("name", ["emotion", "tutorial_today", "commented"])
def test_of_half_a_text_only_is_told_what_can_be_known(name: str) -> None:
    """These texts have no problem; of a part of them none may be told but that it is cut off."""
    assert load_config(TEXTS[name]).ok
    for half in halves(TEXTS[name]):
        errors = {problem.code for problem in load_config(half).problems if problem.severity == "error"}
        assert errors <= SYNTAX, (errors, half[-80:])
        assert errors or half.count("}") == TEXTS[name].count("}")


def test_half_a_text_still_tells_the_rest(valid: str) -> None:
    text = valid.replace('"r": 8', '"rr": 8')
    codes = [problem.code for problem in load_config(text[: text.index('"training_args"')]).problems]
    assert sorted(codes) == ["never_closed", "unknown_key"]
    problems = load_config(write_anew(plain_of(text), "yaml") + "phinb: [1,\n").problems
    assert sorted(problem.code for problem in problems if problem.severity == "error") == ["not_yaml", "unknown_key"]
    pieces = load_config([Piece(text[: text.index('"training_args"')], "a"), Piece('"log_severity_level": 9', "b")])
    assert sorted(problem.code for problem in pieces.problems) == ["never_closed", "out_of_range", "unknown_key"]


@pytest.mark.parametrize("name", TEXTS)
def test_bytes_turned_over(name: str) -> None:
    random = Random(name)
    data = TEXTS[name].encode()
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(random.choice([1, 1, 2, 5, 40])):
            broken[random.randrange(len(broken))] = random.randrange(256)
        text = bytes(broken).decode(errors=random.choice(["ignore", "replace"]))
        use(load_config(text))
        use(load_config([Piece(text, "In [1]"), Piece(TEXTS[name], "In [2]")]))


def test_characters_that_mean_something_anywhere() -> None:
    random = Random(1)
    marks = [
        '"',
        "'",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "//",
        "/*",
        "*/",
        "#",
        "\\",
        "- ",
        "\n",
        "&a ",
        "*a",
        "<<: ",
        "? ",
        "| ",
        "\t",
    ]
    for _ in range(400):
        text = TEXTS[random.choice(list(TEXTS))]
        for _ in range(random.choice([1, 2, 6])):
            at = random.randrange(len(text))
            text = text[:at] + random.choice(marks) + text[at + random.choice([0, 1, 9]) :]
        use(load_config(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"passes": ' * 5000,
        '"passes": ' + "[" * 50_000,
        "{" * 3000 + "}" * 3000,
        "a: " + "{a: " * 5000,
        "".join(" " * depth + "a:\n" for depth in range(400)),
        "- " * 3000 + "a",
        "a: " + "[" * 300 + "]" * 300,
        '{"a": ' + "9" * 5000 + "}",
        "a: " + "9" * 5000,
        '{"a": 1e999}',
        "a: 1e999",
        '"' * 1001,
        "\\u0000",
        "{" + '"\\ud800": "\\udfff"' + "}",
        "\ud800",
        "a: \ud800",
        "~",
        "~nobody/config.json",
        "x" * 100_000,
        "? a\n: b\n? [c]\n",
        "a: &a [*a]",
        "!!python/object:os.system {}",
        "%YAML 1.1\n---\na: 1\n",
        "---\na: 1\n---\nb: 2\n",
        "a: 2024-05-01\nb: !!binary aGk=\nc: 0o17\nd: 1_000\ne: ~\n",
    ],
)
def test_odd_texts(text: str) -> None:
    use(load_config(text))
    use(load_config([Piece(text, "a"), Piece(text, "b")]))


def test_odd_pieces_and_edits() -> None:
    """Pieces of all kinds together, and edits to them, which either work or say why not."""
    random = Random(2)
    refused: list[str] = []
    texts = [json_snippet(members) for members in members_of_the_tutorial()]
    texts += [write_anew(members, "yaml") for members in members_of_the_tutorial()]
    texts += [
        *TEXTS.values(),
        "",
        "[]",
        "{}",
        "- a",
        "1",
        '"a"',
        '"a":',
        '"passes": 1,',
        "passes:\n- a\n",
        "null",
    ]
    paths = [
        "passes.lora.r",
        "lora",
        "phinb.seed",
        "engine.host",
        "data_configs.0.name",
        "passes",
        "a",
        "input_model.type",
    ]
    values: list[Any] = [1, None, "x", {"type": "LoRA"}, [1, {"a": []}], {}, [], 0.5, True]
    for _ in range(150):
        chosen = random.sample(texts, random.randint(1, 4))
        if random.random() < 0.5:
            at = random.randrange(len(chosen))
            chosen[at] = chosen[at][: random.randrange(len(chosen[at]) + 1)]
        config = load_config([Piece(text, f"In [{number}]") for number, text in enumerate(chosen)])
        use(config)
        kind = random.choice(["set", "remove", "rename"])
        value = random.choice(["other", "r"]) if kind == "rename" else random.choice(values)
        try:
            use(config.upgraded())
            use(config.edit(Edit(kind, random.choice(paths), value)))  # type: ignore[arg-type]
        except PhinbError as error:
            refused.append(error.hint)
    assert all(refused)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, data in {
        "a.json": b"\xff\xfe{\x00}",
        "b.yaml": bytes(range(256)),
        "c.yml": b"",
        "d.json": b"\xef\xbb\xbf",
    }.items():
        (tmp_path / name).write_bytes(data)
        use(load_config(tmp_path / name))
        use(load_config([tmp_path / name, tmp_path / "missing.json"]))
