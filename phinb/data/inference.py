"""The prompt that a model is asked with, beside the one that it has learnt to answer.

In training prompt and answer are one text and tokenised in one piece; in use the prompt comes alone. Where the two
differ, the model is asked something that it has never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from phinb.data.answers import find_first_token
from phinb.data.completion import find_trained
from phinb.data.recipe import Recipe
from phinb.data.template import fill, parse_template
from phinb.data.texts import make_texts
from phinb.models.tokenizers import Tokenizer

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Prompt:
    """A prompt as text and as token ids."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """How a row's prompt in use is not the one of training; `row` counts from 0.

    kind: "text" where the characters differ, "tokens" where only the ids do. `place` is the first character, or the
    first token, that differs.
    """

    row: int
    training: Prompt
    sent: Prompt
    kind: Literal["text", "tokens"]
    place: int


def training_prompt(row: Row, recipe: Recipe, tokenizer: Tokenizer, answer: str) -> Prompt | None:
    """What stands before the answer in training, as tokenised there; None for a row without an answer.

    `answer` is a column of the template, or a role of the chat: the prompt is that of its last turn.
    Raises PhinbError where the row gives no text.
    """
    text = make_texts([row], recipe, tokenizer)[0]
    ranges = find_trained(row, text, replace(recipe, trained_field=answer), tokenizer)
    if not ranges:
        return None
    encoding = tokenizer.encode_raw([text])[0]
    return Prompt(text[: ranges[-1][0]], tuple(encoding.ids[: find_first_token(encoding, *ranges[-1])]))


def sent_prompt(row: Row, recipe: Recipe, tokenizer: Tokenizer, answer: str) -> Prompt | None:
    """What a model is sent to answer the row: everything up to the answer, by itself; None where it has no answer.

    Tokenised without any further special token: the text has the bos of the training text.
    """
    if recipe.chat_template:
        messages = list(row[recipe.message_col])
        turns = [index for index, message in enumerate(messages) if message.get("role") == answer]
        if not turns:
            return None
        template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        text = tokenizer.render_chat(messages[: turns[-1]], template=template, add_generation_prompt=True)
    else:
        parts = parse_template(recipe.text_template or "")
        place = next((index for index, part in enumerate(parts) if part.field == answer), None)
        if place is None:
            return None
        text = fill(parts[:place], row)[0]
        if recipe.add_special_tokens:
            text = f"{tokenizer.bos} {text}"
    return Prompt(text, tuple(tokenizer.encode_raw([text])[0].ids))


def compare_prompts(rows: Sequence[Row], recipe: Recipe, tokenizer: Tokenizer, answer: str) -> Iterator[Difference]:
    """The rows whose prompt in use differs from that in training. Raises PhinbError where a row gives no text."""
    for number, row in enumerate(rows):
        training = training_prompt(row, recipe, tokenizer, answer)
        sent = sent_prompt(row, recipe, tokenizer, answer)
        if training is None or sent is None:
            continue
        if training.text != sent.text:
            yield Difference(number, training, sent, "text", find_first_other(training.text, sent.text))
        elif training.ids != sent.ids:
            yield Difference(number, training, sent, "tokens", find_first_other(training.ids, sent.ids))


def find_first_other(one: Sequence[Any], other: Sequence[Any]) -> int:
    """The first place at which two sequences differ."""
    shared = (index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(shared, min(len(one), len(other)))
