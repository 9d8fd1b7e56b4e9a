"""The prompt of a chat has the tokens that training has before the answer, and says where an answer ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phinb.config import load_config
from phinb.data.inference import training_prompt
from phinb.data.preview import find_data_config
from phinb.data.recipe import read_recipe
from phinb.data.source import parameters
from phinb.errors import PhinbError
from phinb.evaluation.prompts import PromptForm, read_form
from phinb.models.chat_template import PHI3
from phinb.models.tokenizers import Tokenizer, load_tokenizer
from tests.notebook.hostile import HALF, HOSTILE
from tests.workflow.conftest import TINY


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Tokenizer:
    return load_tokenizer(tiny)


def form_of(answer: str | None = None, **params: Any) -> PromptForm:
    tree = json.loads(json.dumps(TINY))
    process = tree["data_configs"][0]["pre_process_data_config"] | params
    tree["data_configs"][0]["pre_process_data_config"] = {k: v for k, v in process.items() if v is not None}
    if answer:
        tree["phinb"] = {"answer": answer}
    return read_form(load_config(tree))


def recipe_of(template: str, special: bool = True) -> Any:
    tree = json.loads(json.dumps(TINY))
    tree["data_configs"][0]["pre_process_data_config"] |= {"text_template": template, "add_special_tokens": special}
    return read_recipe(parameters(find_data_config(tree).get("pre_process_data_config")))


@pytest.mark.parametrize(
    "template",
    [
        "### Text: {phrase}\n### The tone is:\n{tone}",
        "{phrase} The tone: {tone}",
        "{phrase}\n\n{tone}\n###",
        "Q:  {phrase}\tA:\t{tone} .",
        "{phrase} is {tone}, said {phrase}",
    ],
)
@pytest.mark.parametrize("special", [True, False])
def test_a_prompt_has_the_tokens_of_training(template: str, special: bool, tokenizer: Tokenizer) -> None:
    row = {"phrase": "I could have danced all night", "tone": "joy"}
    form = replace(form_of("tone", text_template=template, add_special_tokens=special), examples=("joy",))
    prompt = form.write(row, tokenizer)
    trained = training_prompt(row, recipe_of(template, special), tokenizer, "tone")
    assert trained is not None
    assert prompt.ids == trained.ids
    assert (prompt.ids[0] == tokenizer.bos_id) == special
    assert prompt.values == {"phrase": row["phrase"]}
    assert trained.text.startswith(prompt.text)
    assert not trained.text[len(prompt.text) :].strip(" "), "nothing but the space of the answer's first token is left"


def test_the_tokens_before_every_answer_are_the_prompt(tokenizer: Tokenizer, tmp_path: Path) -> None:
    # With "joy" the space is a token of its own, with "a" it is a part of the answer's: then the model is to choose.
    template = "{phrase} The tone: {tone}"
    tree = json.loads(json.dumps(TINY))
    tree["data_configs"][0]["pre_process_data_config"]["text_template"] = template

    def write(*answers: str, labels: list[str] | None = None) -> str:
        rows = [json.dumps({"phrase": "x", "tone": answer}) + "\n" for answer in answers]
        (tmp_path / "train.jsonl").write_text("".join(rows), encoding="utf-8")
        tree["phinb"] = {"labels": labels} if labels else {}
        (tmp_path / "config.json").write_text(json.dumps(tree), encoding="utf-8")
        return read_form(load_config(tmp_path / "config.json")).write({"phrase": "I"}, tokenizer).text

    assert len(tokenizer.encode(" joy").ids) > len(tokenizer.encode("joy").ids)
    assert write("joy", "joy").endswith("tone: ")
    assert write("joy", "a").endswith("tone:")
    assert write("joy", "joy", labels=["joy", "a"]).endswith("tone:")
    assert write(HALF).endswith("tone:")


def test_nothing_parts_prompt_and_answer(tokenizer: Tokenizer) -> None:
    # What the first token is, only the answer could tell: all of the text is sent.
    prompt = form_of(text_template="{phrase}{tone}", add_special_tokens=False).write({"phrase": "danc"}, tokenizer)
    assert prompt.text == "danc"
    assert prompt.ids == tokenizer.encode("danc").ids


def test_an_answer_ends_where_the_template_goes_on(tokenizer: Tokenizer) -> None:
    def stops(template: str) -> tuple[str, ...]:
        return form_of(text_template=template, answer="tone").write({"phrase": "x"}, tokenizer).stops

    assert stops("{phrase}\n{tone}") == ()
    assert stops("{phrase}\n{tone} ") == ()
    assert stops("{phrase}\n{tone}\n### End") == ("\n### End",)
    assert stops("{phrase}\n{tone} is the tone of {phrase}, rated {stars}") == (" is the tone of x, rated",)
    assert stops("{phrase}\n{tone}\nagain {tone}!") == ("\nagain",)


def test_the_fields_of_the_form(tokenizer: Tokenizer) -> None:
    form = form_of(text_template="{a} {b} {a} -> {c} because {d}", answer="c")
    assert form.fields == ("a", "b")
    assert form.row_fields == ("c", "d")
    with pytest.raises(PhinbError, match="no 'b'") as caught:
        form.write({"a": "x"}, tokenizer)
    assert '"a": ..., "b": ...' in caught.value.hint
    assert form.write({"a": "x", "b": "", "c": "not shown", "else": 1}, tokenizer).values == {"a": "x", "b": ""}
    with pytest.raises(PhinbError, match="not int"):
        form.write(3, tokenizer)  # type: ignore[arg-type]


def test_a_text_is_sent_as_it_stands(tokenizer: Tokenizer) -> None:
    prompt = form_of().write("Once upon a time ", tokenizer)
    assert prompt.text == f"{tokenizer.bos} Once upon a time "
    assert prompt.ids == tokenizer.encode(prompt.text).ids
    assert (prompt.values, prompt.stops) == (None, ())
    plain = form_of(text_template=None, text_cols=["phrase"])
    assert (plain.kind, plain.fields, plain.row_fields) == ("text", ("text",), ())
    assert plain.write({"text": "Once"}, tokenizer) == plain.write("Once", tokenizer)
    bare = {"input_model": TINY["input_model"], "passes": {"int4": TINY["passes"]["int4"]}}
    assert read_form(load_config(bare)).kind == "text"


def test_a_chat_is_rendered_up_to_the_assistant(tokenizer: Tokenizer) -> None:
    form = form_of(text_template=None, chat_template=PHI3, message_col="messages", add_special_tokens=False)
    assert (form.kind, form.fields, form.row_fields) == ("chat", ("user",), ())
    prompt = form.write("Hello", tokenizer)
    assert prompt.text == "<|user|>\nHello<|end|>\n<|assistant|>\n"
    assert prompt.ids == tokenizer.encode(prompt.text).ids
    assert form.write({"messages": [{"role": "user", "content": "Hello"}]}, tokenizer).ids == prompt.ids
    with pytest.raises(PhinbError, match="no text 'user'"):
        form.write({"phrase": "Hello"}, tokenizer)


def test_hostile_text_is_a_prompt_and_half_a_character_is_refused(tokenizer: Tokenizer) -> None:
    form = form_of()
    for text in HOSTILE:
        assert text in form.write({"phrase": text}, tokenizer).text
    with pytest.raises(PhinbError, match=r"half of a character: U\+D83D"):
        form.write({"phrase": HALF}, tokenizer)
    with pytest.raises(PhinbError, match="empty"):
        form_of(text_template="{phrase}{tone}", add_special_tokens=False).write({"phrase": ""}, tokenizer)
