"""The template editor's state and edits: every kind of text, in today's and in older forms of a configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from phinb.config import Config, load_config
from phinb.data.recipe import read_recipe
from phinb.data.text_form import KEYS
from phinb.data.texts import make_texts
from phinb.errors import PhinbError
from phinb.models.chat_template import PHI3
from phinb.models.references import resolve_model
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from phinb.notebook.template_view import KINDS, MOST_VIEWS, describe_editor, editor_edits, note_answer

COLUMNS = ("phrase", "tone", "messages", "a.b")
MESSAGES = [{"role": "user", "content": "Hi {you}"}, {"role": "assistant", "content": "joy"}]
ROWS: list[dict[str, Any]] = [{"phrase": "I walked", "tone": "joy", "messages": MESSAGES, "a.b": 1}] * 3
TEXT_KINDS = tuple(kind for kind in KINDS if kind != "text_formatting_func")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    folder = resolve_model("phinb://tiny")
    assert isinstance(folder, Path)
    return load_tokenizer(folder)


def make(**params: Any) -> Config:
    loading = {"data_name": "json", "data_files": "rows.jsonl", "split": "train"}
    data = {"name": "train", "type": "HuggingfaceContainer", "load_dataset_config": loading}
    data["pre_process_data_config"] = {"strategy": "line-by-line", "max_seq_len": 80, **params}
    model = {"type": "HfModel", "model_path": "phinb://tiny", "task": "text-generation"}
    passes = {"lora": {"type": "LoRA", "train_data_config": "train"}}
    return load_config(json.dumps({"input_model": model, "data_configs": [data], "passes": passes}, indent=2))


def params(config: Config) -> dict[str, Any]:
    """What stands in the text about how the text is made."""
    found = config.given()["data_configs"][0]["pre_process_data_config"]
    return {key: value for key, value in found.items() if key in (*KEYS, "add_special_tokens")}


def change(config: Config, tokenizer: Tokenizer | None = None, **message: Any) -> Config:
    edits = editor_edits(config, {"name": "train", **message}, COLUMNS, rows=ROWS, tokenizer=tokenizer)
    return config.edit(*edits)


def describe(config: Config, tokenizer: Tokenizer | None = None) -> dict[str, Any]:
    return describe_editor(config, "train", COLUMNS, rows=ROWS, tokenizer=tokenizer)


def errors(config: Config) -> list[str]:
    return [problem.message for problem in config.problems if problem.severity == "error"]


def test_the_state_says_what_stands_where(tokenizer: Tokenizer) -> None:
    config = make(text_template="### {phrase}\n{frase} } {{x}}")
    state = describe(config, tokenizer)
    assert (state["kind"], state["text"]) == ("text_template", "### {phrase}\n{frase} } {{x}}")
    kinds = ["field", "unknown", "brace", "escaped", "escaped"]
    assert [kind for _, _, kind in state["marks"]] == kinds
    assert [(problem["start"], problem["replace"]) for problem in state["problems"]] == [(13, "{phrase}"), (21, "}}")]
    assert [(one["name"], one["insert"], one["used"]) for one in state["columns"]] == [
        ("phrase", "{phrase}", True),
        ("tone", "{tone}", False),
        ("messages", "{messages}", False),
        ("a.b", "", False),
    ]
    assert state["columns"][0]["example"] == "I walked"
    assert state["special"] == "<s> … <|endoftext|>"
    assert json.loads(json.dumps(state)) == state
    # A configuration that has errors is edited as well: here its template cannot be filled.
    assert errors(config)
    assert errors(change(config, text="{phrase} {tone}")) == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"text_template": "{phrase}", "text_cols": ["tone"]}, "text_template"),
        ({"text_cols": "phrase"}, "text_cols"),
        ({}, "text_cols"),
        ({"text_template": ""}, "text_template"),
        ({"chat_template": True, "text_template": "{phrase}"}, "chat_template"),
        ({"chat_template": False, "text_template": "{phrase}"}, "text_template"),
        ({"text_formatting_func": "f", "user_script": "a.py", "text_template": "{phrase}"}, "text_formatting_func"),
        ({"text_template": "<|user|>\n{phrase}<|end|>\n<|assistant|>\n{tone}<|end|>\n"}, "turns"),
    ],
)
def test_the_kind_is_the_one_that_olive_takes(given: dict[str, Any], kind: str, tokenizer: Tokenizer) -> None:
    assert describe(make(**given), tokenizer)["kind"] == kind


@pytest.mark.parametrize("flow", list(permutations(TEXT_KINDS, 3)))
def test_from_every_kind_to_every_other(flow: tuple[str, ...], tokenizer: Tokenizer) -> None:
    config = make(text_template="{phrase}\n{tone}", add_special_tokens=True)
    for kind in flow:
        before = params(config)
        config = change(config, tokenizer, kind=kind)
        assert errors(config) == []
        found = params(config)
        if kind == "chat_template":
            assert found.keys() <= {"chat_template", "message_col", "add_special_tokens"}
            assert (found["chat_template"], found.get("message_col", "messages")) == (True, "messages")
        else:
            own = "text_cols" if kind == "text_cols" else "text_template"
            assert own in found
            assert "chat_template" not in found
        if kind != "text_template" or "<|" not in before.get("text_template", ""):
            assert describe(config, tokenizer)["kind"] == kind
        assert (found.get("add_special_tokens") is False) == (
            kind == "turns"
            or ("<|user|>" in found.get("text_template", ""))
            or before.get("add_special_tokens") is False
        ) or kind == "text_cols"
        make_texts(ROWS, read_recipe(config.to_olive()["data_configs"][0]["pre_process_data_config"]), tokenizer)


def test_columns_become_a_template_of_the_same_text(tokenizer: Tokenizer) -> None:
    config = make(text_cols=["tone", "phrase"])
    switched = change(config, tokenizer, kind="text_template")
    assert params(switched) == {"text_template": "{tone} {phrase}"}
    assert change(switched, tokenizer, kind="text_template").text == switched.text, "nothing to change"


def test_turns_are_chosen_column_by_column(tokenizer: Tokenizer) -> None:
    config = change(make(text_template="{tone}"), tokenizer, kind="text_cols", text_cols=["phrase", "tone"])
    config = change(config, tokenizer, kind="turns")
    assert describe(config, tokenizer)["turns"] == {"system": "", "user": "phrase", "assistant": "tone"}
    config = change(config, tokenizer, kind="turns", turns={"user": "tone", "assistant": "phrase"})
    config = change(config, tokenizer, kind="turns", chat="phi3")
    wanted = "<|user|>\n{tone}<|end|>\n<|assistant|>\n{phrase}<|end|>\n<|endoftext|>"
    assert params(config) == {"text_template": wanted, "add_special_tokens": False}
    state = describe(config, tokenizer)
    assert (state["kind"], state["chat"]) == ("turns", "phi3")
    # What is typed on is no longer the chat template's, and keeps the special tokens that it has.
    config = change(config, tokenizer, kind="text_template", text=f"{wanted}!")
    assert params(config) == {"text_template": f"{wanted}!", "add_special_tokens": False}
    with pytest.raises(PhinbError, match="not on this machine"):
        change(make(text_template="{phrase} {tone}"), None, kind="turns")
    with pytest.raises(PhinbError, match="No template can name"):
        change(make(text_template="{phrase} {tone}"), tokenizer, kind="turns", turns={"user": "a.b"})


def test_chat_templates(tokenizer: Tokenizer) -> None:
    config = change(make(text_template="{tone}"), tokenizer, kind="chat_template")
    config = change(config, tokenizer, kind="chat_template", chat="phi3", message_col="phrase")
    assert params(config) == {"chat_template": PHI3, "message_col": "phrase"}
    assert describe(config, tokenizer)["chat"] == "phi3"
    config = change(config, tokenizer, kind="chat_template", chat="own")
    assert describe(config, tokenizer)["text"] == PHI3
    config = change(config, tokenizer, kind="chat_template", text=f"{PHI3} ")
    state = describe(config, tokenizer)
    assert (state["chat"], state["text"]) == ("own", f"{PHI3} ")
    assert params(change(config, tokenizer, kind="chat_template", chat="model"))["chat_template"] is True


def test_unknown_signs_of_a_chat_are_told(tokenizer: Tokenizer) -> None:
    state = describe(make(text_template="<|im_start|>\n{phrase}<|im_end|>{tone}<|endoftext|>"), tokenizer)
    assert state["notes"] == [
        "<|im_start|>, <|im_end|> are no tokens of this model: it reads the signs one by one.",
        "<|endoftext|> stands in the text, and Olive adds another.",
    ]


@pytest.mark.parametrize("name", ["tutorial_2024.json", "tutorial_today.json"])
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_the_tutorials_text_is_edited_in_its_own_form(
    name: str, kind: str, sample_data: Path, tokenizer: Tokenizer
) -> None:
    config = load_config(sample_data / name)
    data = config.to_olive()["data_configs"][0]["name"]
    columns = ("phrase", "tone")
    before = describe_editor(config, data, columns, tokenizer=tokenizer)
    edits = editor_edits(config, {"name": data, "kind": kind}, columns, tokenizer=tokenizer)
    edited = config.edit(*edits)
    state = describe_editor(edited, data, columns, tokenizer=tokenizer)
    assert state["kind"] in (kind, before["kind"] if kind == "text_template" else kind)
    assert len(errors(edited)) <= len(errors(config))
    if kind == "text_template":
        written = editor_edits(edited, {"name": data, "kind": kind, "text": "{phrase}\n\\ {tone}"}, columns)
        again = edited.edit(*written)
        assert describe_editor(again, data, columns, tokenizer=tokenizer)["text"] == "{phrase}\n\\ {tone}"
        assert len(again.text.splitlines()) == len(edited.text.splitlines()), "the text keeps its lines"


def test_a_function_and_what_it_leaves_behind(tokenizer: Tokenizer) -> None:
    config = make(text_template="{phrase}")
    told = {kind["value"]: kind["why"] for kind in describe(config, tokenizer)["kinds"]}
    assert "fails on every one" in told["text_formatting_func"]
    config = change(config, tokenizer, kind="text_formatting_func", function="make", script="mine.py")
    assert params(config) == {"text_formatting_func": "make", "user_script": "mine.py"}
    assert params(change(config, tokenizer, kind="text_template")) == {"text_template": "{phrase}\n{tone}"}


def test_special_tokens_are_olives_default(tokenizer: Tokenizer) -> None:
    config = change(make(text_template="{phrase}"), tokenizer, special_tokens=False)
    assert params(config) == {"text_template": "{phrase}", "add_special_tokens": False}
    assert params(change(config, tokenizer, special_tokens=True)) == {"text_template": "{phrase}"}
    written = make(text_template="{phrase}", add_special_tokens=True)
    assert change(written, tokenizer, text="{phrase}") is written


def test_texts_that_no_page_takes_are_shown_and_locked(tokenizer: Tokenizer) -> None:
    state = describe(make(text_template="{phrase} \ud800"), tokenizer)
    assert (state["text"], bool(state["locked"])) == ("{phrase} \\ud800", True)
    json.dumps(state, ensure_ascii=False).encode()
    state = describe(make(text_template="a\r\n{phrase}\rb"), tokenizer)
    assert (state["text"], state["marks"]) == ("a\n{phrase}\nb", [[2, 10, "field"]])
    assert "end in \\r" in state["notes"][0]


def test_what_is_wrong_beside_a_text(tokenizer: Tokenizer) -> None:
    def told(**given: Any) -> list[str]:
        return [problem["message"] for problem in describe(make(**given), tokenizer)["problems"]]

    assert told(text_template="") == ["The template is empty: Olive takes text_cols instead."]
    assert told(text_template="x") == ["The template has no field: every row would give the same text."]
    assert told(text_cols=["phrase", "mood"]) == ["No column has the name mood."]
    assert told(chat_template=True, message_col="chat") == ["No column has the name chat."]
    assert told(text_template="{a}" * 9)[-1] == "And 3 more."
    state = describe_editor(make(text_template="{a}"), "train", ())
    assert (state["marks"], state["problems"]) == ([[0, 3, "field"]], []), "nobody knows the columns"


def test_answers_are_kept_by_view() -> None:
    answers = note_answer({"a": 3, "b": 1}, {"view": "a", "version": 4})
    assert answers == {"b": 1, "a": 4}
    assert note_answer(answers, {"text": "x"}) == answers
    for number in range(30):
        answers = note_answer(answers, {"view": str(number), "version": 1})
    assert len(answers) == MOST_VIEWS


def test_bad_messages_are_refused(tokenizer: Tokenizer) -> None:
    config = make(text_template="{phrase}")
    with pytest.raises(PhinbError, match="no kind of text"):
        change(config, tokenizer, kind="poem")
    with pytest.raises(PhinbError, match="no data config test"):
        editor_edits(config, {"name": "test", "text": "x"})
    with pytest.raises(PhinbError, match="needs a column"):
        change(config, tokenizer, kind="text_cols", text_cols=[])


OLIVE = """
import json, sys
from olive.data.component.text_generation import TextGenParams, get_text, validate_config
from transformers import AutoTokenizer
cases, folder, rows = json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(folder)
for case in cases:
    args = validate_config(case, TextGenParams)
    print(json.dumps([get_text(row, args.chat_template, args.message_col, None, args.text_template, args.text_cols,
                               args.add_special_tokens, tokenizer) for row in rows]))
"""


@pytest.mark.slow
def test_olive_accepts_every_kind_and_makes_the_same_texts(tokenizer: Tokenizer) -> None:
    config = make(text_template="{phrase}\n{tone}")
    cases = []
    for message in (
        {"kind": "text_cols"},
        {"kind": "turns"},
        {"kind": "turns", "chat": "phi3"},
        {"kind": "chat_template"},
        {"kind": "chat_template", "chat": "phi3"},
        {"kind": "text_template", "text": "{{{phrase!r:>12}}} {tone}"},
    ):
        config = change(config, tokenizer, **message)
        cases.append(config.to_olive()["data_configs"][0]["pre_process_data_config"])
    given = json.dumps([cases, str(tokenizer.folder), ROWS])
    done = subprocess.run([sys.executable, "-c", OLIVE], input=given, capture_output=True, text=True, check=True)
    expected = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [make_texts(ROWS, read_recipe(case), tokenizer) for case in cases] == expected
