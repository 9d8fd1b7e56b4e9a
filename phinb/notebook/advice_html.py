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


def summarize_advice(advice: Sequence[Advice], done: Sequence[Advice] | None = None) -> tuple[str, str]:
    """(what there is, or was done; how much it gains). `done` is what of the advice was written (None: nothing)."""
    useful = [one for one in advice if (done is None or one not in done) and (one.fix is not None or one.gain)]
    if done:
        gain = total_gain(tuple(done))
        return f"{count(len(done), 'setting')} changed", f"about {100 * gain:.0f} % less time expected" if gain else ""
    gain = total_gain(tuple(useful))
    verdict = count(len(useful), "advice", "pieces of advice") if useful else "nothing to gain here"
    return verdict, f"together about {100 * gain:.0f} % less time" if gain else ""


def advice_bundle(
    config: Config, advice: Sequence[Advice], done: Sequence[Advice] | None = None, *, above_panel: bool = False
) -> dict[str, Any]:
    """The advice on a configuration; `done` is what of it was just written into its text (None: nothing was asked).

    above_panel hides the HTML while a live panel stands below it.
    """
    left = [one for one in advice if done is None or one not in done]
    verdict, told = summarize_advice(advice, done)
    if not done and any(one.fix for one in left):
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
        "text/html": frame(
            head, *body, label=f"Advice on {config.name}, {verdict}", kind="phinb-twin" if above_panel else ""
        ),
        "text/plain": visible("\n".join(text)),
    }
