"""Static HTML: escaped, without scripts, and readable where its style is thrown away.

`tag` escapes every text it is given; only what `tag` itself made (Html) goes in as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path

from phinb.workflow.view import Card


class Html(str):
    """A piece of HTML that is safe to be put into another."""

    __slots__ = ()


Part = Html | str


_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Signs that turn the direction of the text after them (Unicode's embeddings, overrides and isolates)."""


def visible(text: str) -> str:
    """The text with the signs written out that would make it look like another: a name must read as it is."""
    return _TURNING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def tag(name: str, *parts: Part, **attributes: str | float | None) -> Html:
    """An element. Attributes: class_ for class, aria_label for aria-label; None leaves one out."""
    names = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{names}>{join(parts)}</{name}>")


def join(parts: Iterable[Part]) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(visible(part), quote=False) for part in parts))


def breakable(text: str) -> Html:
    """A path or a name that may be broken behind its dots and underscores, and not within a word."""
    return tag("span", Html(re.sub(r"([._])", r"\1<wbr>", escape(visible(text), quote=False))), class_="phinb-words")


@cache
def read_style() -> str:
    """panel.css, which the live panel uses, too."""
    return (Path(__file__).parent / "panel.css").read_text(encoding="utf-8")


def frame(*parts: Part, label: str, bare: bool = False, kind: str = "") -> Html:
    """The outer box with its style; `label` names it for assistive technology. `bare` leaves the border out.

    `kind` is a further class of the box.
    """
    style = Html(f"<style>{read_style()}</style>")
    classes = " ".join(name for name in ("phinb", "phinb-only" if bare else "", kind) if name)
    return tag("div", style, *parts, class_=classes, role="group", aria_label=label)


def card_html(card: Card) -> Html:
    """A notice or a problem: a sign and a word for its severity, never a colour alone."""
    texts = [tag("b", card.place), Html(" "), tag("span", card.title)] if card.place else [tag("b", card.title)]
    texts += [tag("span", text, class_="phinb-dim") for text in (card.text, card.hint) if text]
    return tag(
        "div",
        tag("span", card.symbol, class_="phinb-symbol", role="img", aria_label=card.severity),
        Html(" "),
        tag("div", *texts),
        class_="phinb-card",
        data_severity=card.severity,
    )


def table_html(head: Sequence[str], rows: Iterable[Sequence[Part]], label: str, numbers: Iterable[int] = ()) -> Html:
    """A table whose first column names the row; the columns in `numbers` are aligned to the right."""
    right = set(numbers)

    def cell(index: int, part: Part) -> Html:
        if index == 0:
            return tag("th", part, scope="row")
        return tag("td", part, class_="phinb-number" if index in right else None)

    body = [tag("tr", *(cell(index, part) for index, part in enumerate(row))) for row in rows]
    titles = [
        tag("th", title, scope="col", class_="phinb-number" if i in right else None) for i, title in enumerate(head)
    ]
    return tag("table", tag("thead", tag("tr", *titles)), tag("tbody", *body), aria_label=label)
