"""The chat as the panel gets it: plain dicts for the wire, which chat_panel.js draws. Nothing here knows a widget.

Every text that came from a user or a model has what cannot be seen written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from phinb.evaluation.chat import Chat, ChatSettings, Exchange, Reply
from phinb.evaluation.chat_text import agree_tokens, compare_words, looks_of, name_values, write_figures
from phinb.notebook.html import visible
from phinb.workflow.wording import write_bytes, write_duration

MOST_SENT = 20_000
"""Characters of a text that are shown; of a longer one the beginning, and it is said."""


@dataclass(frozen=True)
class Turn:
    """An exchange in the panel, numbered from 1; told: what became of adding it as a test row."""

    number: int
    exchange: Exchange
    told: Mapping[str, Any] = field(default_factory=dict)


def describe_columns(chat: Chat, chosen: Sequence[str], status: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """A variant each: its look, whether it is asked, and how it stands. status: {name: (status, in words)}."""
    looks = looks_of(chat.variants.values())
    columns = []
    for name in chat.variants:
        how, told = status.get(name, ("absent", "not loaded"))
        look = looks[name]
        columns.append(
            {
                "name": visible(name),
                "key": name,
                "mark": look.mark,
                "colour": look.colour,
                "dark": look.dark,
                "chosen": name in chosen,
                "status": how,
                "told": visible(told),
            }
        )
    return columns


def describe_loaded(found: Mapping[str, Any]) -> str:
    """loaded in 0.4 s · PyTorch, float32, cpu, 2 threads · 542 MB"""
    settings = found["settings"]
    threads = f"{settings['threads']} threads" if settings.get("threads") else None
    parts = (settings.get("backend"), settings.get("dtype"), settings.get("device"), threads)
    how = ", ".join(str(part) for part in parts if part)
    return f"loaded in {write_duration(found['load_s'])} · {how} · {write_bytes(found['size_bytes'])} on disk"


def describe_form(chat: Chat) -> dict[str, Any]:
    """The fields to be filled, and what a test row needs besides."""
    form = chat.form
    names = {"chat": "What the user says", "text": "The prompt"}
    label = names.get(form.kind)
    return {
        "kind": form.kind,
        "fields": [{"key": name, "label": label or visible(name)} for name in form.fields],
        "row_fields": [{"key": name, "label": visible(name)} for name in form.row_fields],
    }


def describe_settings(settings: ChatSettings) -> dict[str, Any]:
    return asdict(settings)


def read_settings(given: Any) -> ChatSettings:
    """What the panel sends. Raises PhinbError for what cannot be."""
    from phinb.errors import PhinbError

    values = given if isinstance(given, dict) else {}
    try:
        seed = values.get("seed")
        return ChatSettings(
            int(values.get("max_new_tokens", 128)),
            float(values.get("temperature", 0)),
            float(values.get("top_p", 1)),
            None if seed in (None, "") else int(seed),
            bool(values.get("at_once")),
        )
    except (TypeError, ValueError, OverflowError):
        raise PhinbError("A setting is no number.", "Clear it, or write a number.") from None


def describe_turn(turn: Turn, chat: Chat) -> dict[str, Any]:
    """An exchange for the wire, going on or done."""
    exchange = turn.exchange
    first = exchange.replies[0]
    marks = {name: look.mark for name, look in looks_of(chat.variants.values()).items()}
    values = name_values(exchange.prompt.values, exchange.prompt.text)
    return {
        "number": turn.number,
        "values": [[visible(name), cut(value)] for name, value in values],
        "told": f"{agree_tokens(len(exchange.prompt.ids))} · {exchange.settings.told}",
        "replies": [describe_reply(reply, first, marks.get(reply.variant, "")) for reply in exchange.replies],
        "addable": bool(chat.form.row_fields) and exchange.prompt.values is not None,
        "row": dict(turn.told),
    }


def describe_reply(reply: Reply, first: Reply, mark: str) -> dict[str, Any]:
    """diff: [[same, removed or added, text]] against the first reply; against: in words, where there is no such."""
    told, pieces = compare_words(first, reply)
    return {
        "key": reply.variant,
        "name": visible(reply.variant),
        "mark": mark,
        "text": cut((reply.error or reply.text).strip()),
        "figures": visible(write_figures(reply)),
        "against": visible(told),
        "diff": [[piece.kind, cut(piece.text)] for piece in pieces],
        "tone": "bad" if reply.error else "warn" if reply.beside else "",
        "running": not reply.finish,
    }


def cut(text: str) -> str:
    text = text if len(text) <= MOST_SENT else f"{text[:MOST_SENT]}… ({len(text):,} characters)"
    return visible(text)
