"""A chat whose turns are columns: the text template that a chat template writes with fields in place of contents.

Olive applies a chat template to a column of messages only. Rows with a question and an answer become the same text
through a text template, so that is what is written; the values stand in it as they are, not trimmed.
"""

from __future__ import annotations

from collections.abc import Mapping

from phinb.data.template import escape, fields, write_field
from phinb.errors import PhinbError
from phinb.models.chat_template import render

ROLES = ("system", "user", "assistant")
"""In the order of a conversation; without a system's turn it begins with the user's."""

Turns = Mapping[str, str]
"""Role -> column."""


def write_turns(turns: Turns, chat_template: str, special: Mapping[str, str]) -> str:
    """The text template of a chat with these columns as its turns; `special` as in chat_template.render.

    Raises PhinbError where a column is missing or cannot be named, or the chat template leaves a turn out.
    """
    said = [(role, turns[role]) for role in ROLES if turns.get(role)]
    for role in ("user", "assistant"):
        if not turns.get(role):
            raise PhinbError(f"The chat has no column for the {role}.", "Choose one for each of its two sides.")
    for _, column in said:
        if not write_field(column):
            raise PhinbError(
                f"No template can name the column {column!r}.",
                "Rename it in the file, with letters, digits, blanks and _ only.",
            )
    holders = {role: f"phinb-{role}-{index}-holder" for index, (role, _) in enumerate(said)}
    messages = [{"role": role, "content": holder} for role, holder in holders.items()]
    text = escape(render(chat_template, messages, special, False))
    for role, column in said:
        if text.count(holders[role]) != 1:
            raise PhinbError(
                f"The chat template does not write what the {role} says once, as it is.",
                "Choose another chat template, or leave that turn out.",
            )
        text = text.replace(holders[role], write_field(column))
    return text


def read_turns(template: str, chat_template: str, special: Mapping[str, str]) -> dict[str, str] | None:
    """The columns by role where `template` is what write_turns makes of them; else None."""
    try:
        named = fields(template)
        if not 2 <= len(named) <= len(ROLES):
            return None
        turns = dict(zip(ROLES[-len(named) :], named, strict=True))
        return turns if write_turns(turns, chat_template, special) == template else None
    except PhinbError:
        return None
