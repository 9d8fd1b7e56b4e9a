"""A loss on the completion: which column or role it is on, and which characters of a row's text are trained on.

The rules themselves stand in completion_loss.py, which runs inside Olive; here they meet phinb's recipe and tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phinb.data.completion_loss import Range, find_answer, find_turns
from phinb.data.recipe import Recipe
from phinb.data.template import answer_field, fields
from phinb.models.tokenizers import Tokenizer
from phinb.types import Problem

ASSISTANT = "assistant"
"""The role whose turns are learnt where a chat template makes the text."""


def find_trained_field(phinb_section: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """What the loss is on: None for all tokens; "" where a completion is asked for and there is no answer.

    It is the column phinb.answer, else the last field of the template; with a chat template the role ASSISTANT.
    """
    if phinb_section.get("loss_on", "all") == "all":
        return None
    if params.get("chat_template"):
        return ASSISTANT
    template = params.get("text_template")
    return phinb_section.get("answer") or (answer_field(template) if isinstance(template, str) else None) or ""


def check_trained_field(recipe: Recipe, path: str) -> list[Problem]:
    """A loss on the completion needs a template that tells prompt and answer apart; `path` is the pre-process's."""
    if recipe.chat_template:
        return []
    if not recipe.text_template:
        message = "loss_on: completion needs a text_template: without one, nothing tells the prompt from the answer."
        if recipe.text_template == "":
            message = "loss_on: completion needs a text_template, and it is empty: nothing tells prompt from answer."
        return [Problem("error", "no_answer", message, path, hint='Write "text_template", the answer last.')]
    if recipe.trained_field not in fields(recipe.text_template):
        named = f"the answer {recipe.trained_field!r}" if recipe.trained_field else "an answer"
        message = f"loss_on: completion, but the text_template has no field for {named}: nothing would be trained on."
        hint = f"Its fields are: {', '.join(fields(recipe.text_template)) or 'none'}."
        return [Problem("error", "no_answer", message, f"{path}.text_template", hint=hint)]
    return []


def find_all_trained(
    rows: Sequence[Mapping[str, Any]], texts: Sequence[str], recipe: Recipe, tokenizer: Tokenizer
) -> list[list[Range]]:
    """`find_trained` of many rows and their texts: the same, in half the time."""
    if recipe.chat_template:
        return [find_trained(row, text, recipe, tokenizer) for row, text in zip(rows, texts, strict=True)]
    template, answer = recipe.text_template or "", recipe.trained_field or ""
    before = _count_before(recipe, tokenizer)
    starts = [find_answer(template, row, answer) for row in rows]
    return [[] if start is None else [(before + start, len(text))] for start, text in zip(starts, texts, strict=True)]


def find_trained(row: Mapping[str, Any], text: str, recipe: Recipe, tokenizer: Tokenizer) -> list[Range]:
    """The characters [start, end) of a row's `text` that a loss on the recipe's trained_field trains on.

    `mark_tokens` makes tokens of them. Raises PhinbError where the chat template refuses the row's messages.
    """
    if recipe.chat_template:
        template = recipe.chat_template if isinstance(recipe.chat_template, str) else None
        return find_turns(
            lambda messages, prompts: tokenizer.render_chat(
                [dict(message) for message in messages], template=template, add_generation_prompt=prompts
            ),
            row[recipe.message_col],
            recipe.trained_field or ASSISTANT,
        )
    found = find_answer(recipe.text_template or "", row, recipe.trained_field or "")
    return [] if found is None else [(_count_before(recipe, tokenizer) + found, len(text))]


def _count_before(recipe: Recipe, tokenizer: Tokenizer) -> int:
    """The characters that Olive puts before a filled template."""
    return len(f"{tokenizer.bos} ") if recipe.add_special_tokens else 0
