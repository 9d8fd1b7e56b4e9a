"""What stays of a chat in a saved notebook: its exchanges as static HTML and as text, of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phinb.evaluation.chat import Chat, Exchange
from phinb.evaluation.chat_text import (
    agree_tokens,
    compare_words,
    looks_of,
    name_values,
    write_exchange,
    write_figures,
)
from phinb.evaluation.replies import Reply
from phinb.notebook.html import Html, Part, frame, join, tag
from phinb.workflow.wording import agree

MOST_BYTES = 150_000
"""What a saved conversation may take; the oldest exchanges are left out, and that is said."""

MOST_CHARACTERS = 6_000
"""Of one text."""


def chat_bundle(chat: Chat, exchanges: Sequence[Exchange], note: str, *, above_panel: bool = False) -> dict[str, Any]:
    """The newest exchanges first, as in the panel, as many as MOST_BYTES hold. note: how to go on."""
    blocks: list[Html] = []
    size = 0
    for exchange in reversed(exchanges):
        block = exchange_html(chat, exchange)
        size += len(block.encode())
        if size > MOST_BYTES:
            break
        blocks.append(block)
    left = len(exchanges) - len(blocks)
    told = (
        [tag("p", f"{left} earlier {agree(left, 'prompt is', 'prompts are')} left out.", class_="phinb-dim")]
        if left
        else []
    )
    head = tag("div", tag("b", f"Chat with {chat.name}"), tag("span", "", class_="phinb-told"), class_="phinb-head")
    strip = tag("div", tag("span", note, class_="phinb-dim"), class_="phinb-strip")
    nothing = [] if exchanges else [tag("p", "Nothing was asked yet.", class_="phinb-dim phinb-turn")]
    html = frame(
        head,
        *nothing,
        *blocks,
        *told,
        strip,
        label=f"Chat with {chat.name}",
        kind="phinb-chat phinb-twin" if above_panel else "phinb-chat",
        styles=("chat.css",),
    )
    marks = {name: look.mark for name, look in looks_of(chat.variants.values()).items()}
    shown = exchanges[left:]
    text = "\n\n".join([f"Chat with {chat.name}", *(write_exchange(one, marks) for one in shown), note])
    return {"text/html": html, "text/plain": text[: MOST_BYTES // 3]}


def exchange_html(chat: Chat, exchange: Exchange) -> Html:
    """One prompt with its replies side by side."""
    looks = looks_of(chat.variants.values())
    first = exchange.replies[0]
    columns = []
    for reply in exchange.replies:
        look = looks[reply.variant]
        style = f"--look: {look.colour}; --look-dark: {look.dark}"
        heading = tag(
            "div", tag("span", look.mark, class_="phinb-mark", aria_hidden="true"), " ", tag("b", reply.variant)
        )
        text: Part = _cut(reply.error or reply.text.strip() or "(nothing)")
        kind = "phinb-reply-text phinb-bad" if reply.error else "phinb-reply-text"
        parts: list[Part] = [heading, _scrolling("div", text, kind, f"Reply of {reply.variant}")]
        parts.append(_against(first, reply))
        parts.append(tag("div", write_figures(reply), class_="phinb-dim phinb-figures"))
        columns.append(tag("div", *parts, class_="phinb-reply", style=style))
    values = name_values(exchange.prompt.values, exchange.prompt.text)
    pairs = [join([tag("dt", name), _scrolling("dd", _cut(value), None, None)]) for name, value in values]
    told = f"{agree_tokens(len(exchange.prompt.ids))} · {exchange.settings.told}"
    return tag(
        "div",
        tag("dl", *(tag("div", pair) for pair in pairs), class_="phinb-asked"),
        tag("div", told, class_="phinb-dim phinb-figures"),
        tag("div", *columns, class_="phinb-replies"),
        class_="phinb-turn",
    )


def _against(first: Reply, reply: Reply) -> Html:
    if len(first.text) + len(reply.text) > MOST_CHARACTERS:
        return Html("")
    told, pieces = compare_words(first, reply)
    if not pieces:
        return tag("div", told, class_="phinb-dim phinb-figures") if told else Html("")
    tags = {"removed": "del", "added": "ins", "same": "span"}
    words = tag("div", *(tag(tags[piece.kind], piece.text) for piece in pieces), class_="phinb-reply-text")
    return tag("details", tag("summary", f"words against {first.variant}"), words, class_="phinb-details")


def _scrolling(name: str, text: Part, kind: str | None, label: str | None) -> Html:
    """What may be long enough to scroll can be reached by the keyboard."""
    long = len(text) > 300 or text.count("\n") > 5
    return tag(
        name,
        text,
        class_=kind,
        tabindex=0 if long else None,
        aria_label=label if long else None,
        role="group" if long and label else None,
    )


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}… ({len(text):,} characters)"
