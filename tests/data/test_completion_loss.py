"""Which characters and tokens a loss on the completion is on: the rules alone, without Olive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinb.data.completion_loss import find_answer, find_turns, mark_tokens
from phinb.data.template import fill, parse_template
from phinb.models.chat_template import render
from phinb.models.tokenizers import Tokenizer

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles have to alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
THINKING = (
    "{% for m in messages %}{% set c = m['content'] %}"
    "{% if m['role'] == 'assistant' and not loop.last %}{% set c = c.split('</think>')[-1] %}{% endif %}"
    "{{ '<|' + m['role'] + '|>' + c + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""Drops the thoughts of earlier turns, as Qwen3 and DeepSeek-R1 do."""

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def turns(template: str, messages: Sequence[Mapping[str, Any]], role: str = "assistant") -> list[str]:
    def write(some: Sequence[Mapping[str, Any]], prompts: bool) -> str:
        return render(template, some, SPECIAL, prompts)

    text = write(messages, False)
    return [text[start:end] for start, end in find_turns(write, messages, role)]


def talk(*contents: str, first: str = "user") -> list[dict[str, str]]:
    roles = ["user", "assistant"] if first == "user" else ["assistant", "user"]
    return [{"role": roles[index % 2], "content": content} for index, content in enumerate(contents)]


@pytest.mark.parametrize(
    ("template", "messages", "expected"),
    [
        (CHATML, talk("Hi", "Hello", "Sure?", "Yes"), ["Hello<|im_end|>\n", "Yes<|im_end|>\n"]),
        (CHATML, talk("yes", "yes", "yes", "yes"), ["yes<|im_end|>\n", "yes<|im_end|>\n"]),
        (CHATML, talk("assistant", "end", "|", "a"), ["end<|im_end|>\n", "a<|im_end|>\n"]),
        (CHATML, talk("Hello", "Hi", first="assistant"), ["Hello<|im_end|>\n"]),
        (CHATML, talk("Hi", "", "Sure?", "Yes"), ["<|im_end|>\n", "Yes<|im_end|>\n"]),
        (CHATML, talk("Hi"), []),
        (PHI3, talk("Hi", "Hello", "Sure?", "Yes"), ["Hello<|end|>\n<", "Yes<|end|>\n</s>"]),
        (LLAMA2, talk("Hi", " Hello ", "Sure?", "Yes"), [" Hello </s>", " Yes </s>"]),
        (THINKING, talk("Hi", "<think>hm</think>Hello", "Sure?", "Yes"), ["Hello<|end|>", "Yes<|end|>"]),
    ],
)
def test_a_turn_goes_from_its_prompt_to_what_closes_it(
    template: str, messages: list[dict[str, str]], expected: list[str]
) -> None:
    assert turns(template, messages) == expected


def test_a_token_that_two_ways_to_close_a_turn_begin_with_is_not_the_turns(tokenizer: Tokenizer) -> None:
    """Phi-3 closes its last turn with eos and begins the next with <|user|>: both begin with <|."""
    messages = talk("Hi", "Hello", "Sure?", "Yes")
    special = {"bos_token": str(tokenizer.bos), "eos_token": str(tokenizer.eos)}

    def write(some: Sequence[Mapping[str, Any]], prompts: bool) -> str:
        return render(PHI3, some, special, prompts)

    text = write(messages, False)
    encoding = tokenizer.encode(text)
    marks = mark_tokens(encoding.offsets, find_turns(write, messages, "assistant"))
    trained = [token for token, mark in zip(encoding.ids, marks, strict=True) if mark]
    assert tokenizer.decode(trained) == "Hello<|end|>\nYes<|end|>\n<|endoftext|>"


values = st.one_of(st.text(max_size=8), st.integers(-99, 99), st.none())


@given(phrase=values, tone=values, literal=st.sampled_from(["", " ", "{{x}} ", "é😀\n", "}}"]))
def test_the_answer_begins_where_its_first_character_is_written(phrase: Any, tone: Any, literal: str) -> None:
    template = f"{literal}{{phrase!r:>5}}{literal}{{tone!s:<3}} {{phrase}}{{tone}}"
    row = {"phrase": phrase, "tone": tone}
    _, stretches = fill(parse_template(template), row)
    found = find_answer(template, row, "tone")
    assert found == next(one.start for one in stretches if one.field == "tone")
    assert find_answer(template, row, "mood") is None


def test_an_empty_answer_leaves_what_follows_it() -> None:
    assert find_answer("{a}: {b}.", {"a": "x", "b": ""}, "b") == 3


def test_a_token_belongs_to_where_most_of_it_is() -> None:
    offsets = [(0, 2), (2, 4), (3, 6), (6, 6), (6, 9)]
    assert mark_tokens(offsets, [(3, 9)]) == [False, True, True, True, True]
    assert mark_tokens(offsets, [(4, 7)]) == [False, False, True, True, False]
    assert mark_tokens(offsets, []) == [False] * 5
