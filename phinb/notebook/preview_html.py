"""A preview as HTML and text: what a saved notebook, a notebook that runs alone, and a terminal show of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.notebook.config_summary import listed_problems
from phinb.notebook.failure import problem_card
from phinb.notebook.html import Html, Part, card_html, frame, table_html, tag, visible
from phinb.notebook.preview_histogram import histogram_html
from phinb.notebook.preview_tokens import Piece, describe_sequence, read_sequence, sequence_text, shorten
from phinb.notebook.preview_view import describe_numbers
from phinb.types import Sequence as TrainingSequence
from phinb.workflow.lanes import LANES
from phinb.workflow.preview_figures import Figure, write_head
from phinb.workflow.text import card_text, table_text
from phinb.workflow.wording import agree, write_count

if TYPE_CHECKING:
    from phinb.data.preview import Preview

MOST_TOKENS = 600
"""Tokens that are shown of all sequences together: the output stays under 100 kB."""

MOST_CARDS = 12
MOST_FIGURES = 100


def preview_bundle(
    name: str,
    preview: Preview,
    limit: int = 3,
    *,
    first: Sequence[TrainingSequence] = (),
    note: str = "",
    above_panel: bool = False,
) -> dict[str, Any]:
    """The line at the head, problems, up to `limit` of the first sequences, and the numbers.

    `name` is the configuration's; `first` the sequences where none are counted yet; `note` says what is missing.
    `above_panel`: a live panel follows in the next output; while it is alive the style hides this one.
    """
    told = _told(preview, note)
    problems = listed_problems(preview.problems)
    cards = [problem_card(problem) for problem in problems[:MOST_CARDS]]
    hidden = len(problems) - len(cards)
    shown = _describe(preview, limit, first)
    numbers = _numbers(preview)
    label = f"Preview of {visible(preview.name)}, {visible(name)}"
    more = (
        [tag("p", f"{write_count(hidden, 'more problem')} {agree(hidden, 'is', 'are')} not shown.", class_="phinb-dim")]
        if hidden
        else []
    )
    body = [*map(card_html, cards), *more, *_sequences_html(shown), *_numbers_html(numbers)]
    text = [f"{name} · {preview.name}  {told}".rstrip(), *(card_text(card, "  ") for card in cards)]
    text += [sequence_text(one) for one in shown]
    full = [(what, number) for what, number, _ in numbers["full"][:MOST_FIGURES]] if numbers else []
    text += [table_text(("what", "number"), full)] if full else []
    head = tag(
        "div",
        tag("b", preview.name or name),
        Html(" "),
        tag("span", told, class_="phinb-dim"),
        class_="phinb-head",
    )
    html = frame(
        head,
        tag("div", *body, class_="phinb-sheet"),
        label=label,
        kind="phinb-twin" if above_panel else "",
        styles=("token_view.css",),
    )
    return {"text/html": html, "text/plain": visible("\n".join(text))}


def _told(preview: Preview, note: str) -> str:
    told = write_head(preview.stats) if preview.stats.rows else ""
    return " · ".join(part for part in (told, note) if part)


def _describe(preview: Preview, limit: int, first: Sequence[TrainingSequence]) -> list[dict[str, Any]]:
    scan = preview.scan
    if scan is None or not scan.ok:
        return []
    number = min(limit, len(preview.sequences) or scan.count)
    left, shown = MOST_TOKENS, []
    for index in range(number or len(first[:limit])):
        try:
            if number:
                described = read_sequence(scan, index)
            else:
                described = describe_sequence(first[index], index, scan.tally.tokenizer, after="unknown")
        except PhinbError:
            break  # the rows are gone; the next look at them says so
        shown.append(shorten(described, left))
        left -= len(shown[-1]["ids"])
        if left <= 0:
            break
    return shown


def _numbers(preview: Preview) -> dict[str, Any]:
    scan = preview.scan
    return describe_numbers(preview.stats, scan.recipe) if scan is not None and preview.stats.rows else {}


# ------------------------------------------------------------------------------------------------- tokens


def _sequences_html(shown: Sequence[dict[str, Any]]) -> list[Html]:
    if not shown:
        return []
    return [tag("div", *map(_sequence_html, shown), class_="phinb-sequences"), legend_html()]


def _sequence_html(described: dict[str, Any]) -> Html:
    tokens = [_token_html(described, at) for at in range(len(described["ids"]))]
    return tag(
        "div",
        tag("div", described["caption"], class_="phinb-dim phinb-caption"),
        tag("div", *tokens, class_="phinb-tokens"),
        *(tag("div", note, class_="phinb-dim phinb-caption") for note in described["notes"]),
    )


def _token_html(described: dict[str, Any], at: int) -> Html:
    lane = described["lanes"][at]
    source = described["source"][at]
    row, field = described["sources"][source] if source >= 0 else (None, "")
    place = at - described["first"]
    inside = 0 <= place < described["own"]
    told = [f"id {described['ids'][at]}", f"position {place + 1}" if inside else "cut off"]
    told += [f"row {row}", field] if row is not None else []
    begin = next((number for begins, number in described["begins"] if begins == at), None)
    mark = [tag("span", f"row {begin}", class_="phinb-begin")] if begin is not None else []
    shown = "pad" if lane.lower() == "p" else described["pieces"][at]
    token = tag("span", *piece_html(shown), class_=f"phinb-token phinb-{_words(lane)}", title=" · ".join(told))
    end = [tag("br")] if ends_line(described["pieces"], at) else []
    return Html("".join([*mark, token, *end]))


def ends_line(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a line of the text ends with this token, and is drawn so: token_view.js has the same rule."""
    following = pieces[at + 1] if at + 1 < len(pieces) else ""
    return _has_sign(pieces[at], -1) and bool(following) and not _has_sign(following, 1)


def _has_sign(piece: Piece, at: int) -> bool:
    """Whether a line end's sign stands at the end (-1) or the beginning (1) of a piece."""
    if isinstance(piece, str) or (at == -1 and len(piece) % 2):
        return False
    return piece[-1].endswith("⏎") if at == -1 else not piece[0] and piece[1].startswith("⏎")


def piece_html(piece: Piece) -> list[Part]:
    """The piece with its signs set apart from what stands in the text."""
    parts = [piece] if isinstance(piece, str) else piece
    return [tag("i", part) if at % 2 else part for at, part in enumerate(parts) if part]


def _words(lane: str) -> str:
    """The classes of a lane: its letter, and that of a special token."""
    return f"lane-{lane.lower()}" + (" phinb-special" if lane.isupper() else "")


def legend_html() -> Html:
    """What the lanes look like, in words."""
    samples = [tag("span", word, class_=f"phinb-token phinb-{_words(lane)}") for lane, word in LANES.items()]
    signs = tag("span", "⏎ line end · space that is no word's own", class_="phinb-dim")
    return tag("div", *samples, signs, class_="phinb-legend")


# ------------------------------------------------------------------------------------------------ numbers


def _numbers_html(numbers: dict[str, Any]) -> list[Html]:
    if not numbers:
        return []
    parts = [histogram_html(numbers["histogram"])] if numbers["histogram"] else []
    parts.append(_table(numbers["figures"], "Numbers"))
    full = _table(numbers["full"][:MOST_FIGURES], "Numbers in full")
    return [
        tag("div", *parts, class_="phinb-numbers"),
        tag("details", tag("summary", "Numbers in full"), full, class_="phinb-details"),
    ]


def _table(figures: Sequence[Figure], label: str) -> Html:
    rows = [(what, tag("span", number, class_=f"phinb-{tone}" if tone else None)) for what, number, tone in figures]
    return table_html((), rows, label, numbers=(1,))
