"""The text template of a first configuration: how columns become a prompt and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phinb.config.starting.recipe_text import Choice
from phinb.models.facts import ModelFacts

MOST_LABELS = 12
"""Answers that a prompt lists; more would make every row long."""


@dataclass(frozen=True)
class Prompt:
    """What makes a row's text: a template, or the column that holds a conversation. answer: the column to predict."""

    template: Choice | None
    special_tokens: Choice
    answer: str | None = None
    message_col: Choice | None = None


def write_prompt(inputs: Sequence[str], answer: str | None, labels: Sequence[str], facts: ModelFacts) -> Prompt:
    """A prompt of the columns `inputs` and the answer, which comes last.

    labels: the few answers there are, else empty. Models with a chat form get it; their base was trained on it. Braces
    that are text are doubled, as str.format wants them.
    """
    tokens = Choice(True)
    if answer is None:
        why = "each row is a text to go on with; there is no answer apart from it"
        return Prompt(Choice("\n".join(f"{{{name}}}" for name in inputs), why), tokens)
    if facts.chat is None:
        return Prompt(Choice(_write_plain(inputs, answer, labels), "the answer comes last"), tokens, answer)
    turns = facts.chat
    text = f"{_double(turns.before)}{_write_question(inputs, answer, labels)}{_double(turns.between)}{{{answer}}}"
    why = f"the chat form of {facts.title}; the answer comes last"
    special = Choice(False, "the chat form brings its own signs")
    return Prompt(Choice(text + _double(turns.after), why), special, answer)


def use_conversation(column: str, facts: ModelFacts) -> Prompt:
    """Rows that hold whole conversations, which the model's own chat template renders."""
    why = "conversations of role and content; the loss is on all of their tokens"
    return Prompt(None, Choice(True), None, Choice(column, why))


def name_of(column: str) -> str:
    """A column's name as words."""
    return " ".join(column.replace("_", " ").replace("-", " ").split()) or column


def _write_plain(inputs: Sequence[str], answer: str, labels: Sequence[str]) -> str:
    lines = [f"### {_capital(name_of(name))}: {{{name}}}" for name in inputs]
    asked = f"### The {name_of(answer)} is:" if labels else f"### {_capital(name_of(answer))}:"
    return "\n".join([*lines, asked, f"{{{answer}}}"])


def _write_question(inputs: Sequence[str], answer: str, labels: Sequence[str]) -> str:
    text = f"{{{inputs[0]}}}" if len(inputs) == 1 else "\n".join(f"{_capital(name_of(n))}: {{{n}}}" for n in inputs)
    if not labels:
        return text
    known = f", one of: {', '.join(_double(label) for label in labels)}." if len(labels) <= MOST_LABELS else "."
    return f"{text}\n\nAnswer with the {name_of(answer)}{known}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _double(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
