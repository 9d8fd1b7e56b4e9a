"""A chat in a terminal: the fields are asked one by one, and the replies shown side by side."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any

from phinb.errors import PhinbError
from phinb.evaluation.chat import Chat
from phinb.evaluation.chat_text import agree_tokens, looks_of, spell_unseen, write_columns
from phinb.evaluation.replies import ChatSettings, Exchange, Reply
from phinb.types import Event, Preparing

Read = Callable[[str], str]
"""Like input: shows a prompt and returns a line; raises EOFError at the end."""

Write = Callable[[str], None]


def hold_dialogue(chat: Chat, settings: ChatSettings, read: Read, write: Write, narrate: Write) -> None:
    """Ask for the fields, answer, and begin again until the input ends or the first field is left empty.

    write gets what was asked for, narrate what is said along the way. Ctrl-C (KeyboardInterrupt) stops a reply and
    keeps what is there; while fields are asked it ends the dialogue.
    """
    if told := chat.plan().told:
        narrate(told)
    fields = ", ".join(chat.form.fields)
    narrate(
        f"{', '.join(chat.choose())}: {settings.told}. Asked for: {fields}. An empty one, or Ctrl-D, ends the chat."
    )
    while True:
        prompt = ask_fields(chat, read)
        if prompt is None:
            return
        try:
            write(f"\n{show_exchange(chat, answer(chat, prompt, settings, narrate))}\n")
        except PhinbError as error:
            narrate(str(error))


def ask_fields(chat: Chat, read: Read) -> dict[str, str] | None:
    """A value for each field; None where the first is left empty, or the input has ended. Others may be empty."""
    values: dict[str, str] = {}
    for name in chat.form.fields:
        try:
            values[name] = read(f"{spell_unseen(name)}: ")
        except (EOFError, KeyboardInterrupt):
            return None
        if len(values) == 1 and not values[name].strip():
            return None
    return values


def answer(chat: Chat, prompt: Mapping[str, Any] | str, settings: ChatSettings, narrate: Write) -> Exchange:
    """Ask, and say what goes on; Ctrl-C stops the replies and keeps what is there."""
    stopped = False
    told: set[str] = set()

    def follow(reply: Reply) -> None:
        nonlocal stopped
        if reply.finish and reply.variant not in told:
            told.add(reply.variant)
            narrate(f"{reply.variant}: {reply.error or agree_tokens(reply.tokens)}")

    def listen(event: Event) -> None:
        if isinstance(event, Preparing):
            narrate(f"{event.what} ...")

    replies = chat.stream(prompt, settings, on_event=listen)
    latest: dict[str, Reply] = {}
    while True:
        try:
            reply = next(replies, None)
        except KeyboardInterrupt:
            # The generator is left; what had come is kept.
            chat.stop()
            narrate("Stopped.")
            return _assemble(chat, prompt, settings, latest)
        if reply is None:
            return _assemble(chat, prompt, settings, latest)
        latest[reply.variant] = reply
        follow(reply)


def _assemble(
    chat: Chat, prompt: Mapping[str, Any] | str, settings: ChatSettings, latest: Mapping[str, Reply]
) -> Exchange:
    from dataclasses import replace

    names = [name for name in chat.choose() if name in latest]
    if not names:
        raise PhinbError("Nothing was answered.", "")
    replies = tuple(latest[name] if latest[name].finish else replace(latest[name], finish="stopped") for name in names)
    return Exchange(chat.write(prompt, names[0]), replies, settings, chat.name)


def show_exchange(chat: Chat, exchange: Exchange, width: int | None = None) -> str:
    """The replies side by side, as wide as the terminal."""
    marks = {name: look.mark for name, look in looks_of(chat.variants.values()).items()}
    return write_columns(exchange, width or shutil.get_terminal_size().columns, marks)
