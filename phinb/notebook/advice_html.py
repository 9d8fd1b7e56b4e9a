"""Advice on a configuration as HTML and text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.notebook.config_summary import count
from phinb.notebook.html import card_html, frame, tag, visible
from phinb.workflow.advice import Advice, total_gain
from phinb.workflow.text import card_text
from phinb.workflow.view import Card

if TYPE_CHECKING:
    from phinb.config import Config


def advice_card(advice: Advice, done: bool = False) -> Card:
    """Title and gain, why, and the change that it is, or was."""
    title = f"{'Done: ' if done else ''}{advice.title} ({advice.gain_text})"
    return Card("info", title, advice.why, advice.fix.title if advice.fix and not done else "", advice.pass_name)


def advice_bundle(config: Config, advice: Sequence[Advice], done: Sequence[Advice] | None = None) -> dict[str, Any]:
    """The advice on a configuration; `done` is what of it was just written into its text (None: nothing was asked)."""
    left = [one for one in advice if done is None or one not in done]
    useful = [one for one in left if one.fix is not None or one.gain]
    if done:
        verdict = f"{count(len(done), 'setting')} changed"
        told = f"about {100 * total_gain(tuple(done)):.0f} % less time expected" if total_gain(tuple(done)) else ""
    else:
        verdict = count(len(useful), "advice", "pieces of advice") if useful else "nothing to gain here"
        told = f"together about {100 * total_gain(tuple(useful)):.0f} % less time" if total_gain(tuple(useful)) else ""
        if any(one.fix for one in useful):
            told = " · ".join(filter(None, (told, f"%olive_advise {config.name} --apply writes it")))
    cards = [*(advice_card(one, done=True) for one in done or ()), *map(advice_card, left)]
    body = [tag("div", *map(card_html, cards), class_="phinb-sheet")] if cards else []
    head = tag(
        "div",
        tag("b", config.name),
        " ",
        tag("span", " · ".join(filter(None, (verdict, told))), class_="phinb-dim"),
        class_="phinb-head",
    )
    text = [f"{config.name}  {verdict}  {told}".rstrip(), *(card_text(card, "  ") for card in cards)]
    return {
        "text/html": frame(head, *body, label=f"Advice on {config.name}, {verdict}"),
        "text/plain": visible("\n".join(text)),
    }
