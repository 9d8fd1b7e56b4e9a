"""Static HTML: escaped, without scripts, and readable where its style is thrown away.

`tag` escapes every text it is given; only what `tag` itself made (Html) goes in as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path

from phinb.data.signs import UNSEEN
from phinb.workflow.view import Card


class Html(str):
    """A piece of HTML that is safe to be put into another."""

    __slots__ = ()


Part = Html | str


def visible(text: str) -> str:
    """The text with what cannot be seen written out: it must read as it is, do nothing to a terminal that prints it
    (escape sequences), and get through every wire (halves of characters). Tabs and line ends stay."""
    return UNSEEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


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
def read_style(name: str = "panel.css") -> str:
    """A style sheet of this folder: the live panels use the same."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def frame(*parts: Part, label: str, bare: bool = False, kind: str = "", styles: Sequence[str] = ()) -> Html:
    """The outer box with its style; `label` names it for assistive technology. `bare` leaves the border out.

    `kind` is a further class of the box, `styles` are sheets on top of panel.css.
    """
    style = Html(f"<style>{''.join(map(read_style, ('panel.css', *styles)))}</style>")
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
    """A table whose first column names the row; the columns in `numbers` are aligned to the right.

    Without a `head` it has none.
    """
    right = set(numbers)

    def cell(index: int, part: Part) -> Html:
        if index == 0:
            return tag("th", part, scope="row")
        return tag("td", part, class_="phinb-number" if index in right else None)

    body = [tag("tr", *(cell(index, part) for index, part in enumerate(row))) for row in rows]
    titles = [
        tag("th", title, scope="col", class_="phinb-number" if i in right else None) for i, title in enumerate(head)
    ]
    above = [tag("thead", tag("tr", *titles))] if titles else []
    return tag("table", *above, tag("tbody", *body), aria_label=label)
