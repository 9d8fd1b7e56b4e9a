"""A training sequence as the token view gets it: each piece with its lane, its row and its field; nothing unseen.

Plain dicts for the wire, and the same in plain text. Nothing here knows a widget.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from phinb.data.sequences import Rest
from phinb.data.signs import spell
from phinb.notebook.html import visible
from phinb.types import Sequence as TrainingSequence
from phinb.types import Span
from phinb.workflow.lanes import CUT, PADDING, TRAINED, find_lanes, write_caption
from phinb.workflow.wording import agree, write_count

if TYPE_CHECKING:
    from phinb.data.scan import Scan
    from phinb.models.tokenizers import Tokenizer

Piece = str | list[str]
"""What a token shows: its text; or text and, by turns with it, signs that stand for what cannot be seen."""

MOST_PIECE = 120
"""Characters of a piece that are shown."""

NO_REST = Rest()

After = Literal["next", "dropped", "drawn", "unknown"]
"""Where a joined row that a sequence ends in goes on: in the next sequence, in none, or nobody can tell (yet)."""


def show_piece(piece: str) -> Piece:
    """A token's text with a sign for each line end, tab, space of its own, and whatever else cannot be seen.

    One space in front of a word stays a space: nearly every word has it.
    """
    parts = [""]
    for text, is_sign in _show_signs(piece):
        if is_sign == bool(len(parts) % 2):
            parts.append("")
        parts[-1] += text
    return parts[0] if len(parts) == 1 else parts


def _show_signs(piece: str) -> Iterator[tuple[str, bool]]:
    """Each character as it is shown, and whether a sign stands for it."""
    if not piece:
        yield "nothing", True
    for at, sign in enumerate(piece[:MOST_PIECE]):
        if sign == " " and (at or len(piece) == 1 or not piece[1].isprintable() or piece[1] == " "):
            yield "·", True
        elif (shown := spell(sign)) != sign:
            yield shown, True
        else:
            if unicodedata.combining(sign) and not at:
                yield "◌", True  # an accent without its letter is set on this, and not on the token before
            yield sign, False
    if len(piece) > MOST_PIECE:
        yield f"… {len(piece) - MOST_PIECE} more", True


def piece_text(piece: Piece) -> str:
    """The same as one text."""
    return piece if isinstance(piece, str) else "".join(piece)


def describe_sequence(
    sequence: TrainingSequence, number: int, tokenizer: Tokenizer, rest: Rest = NO_REST, *, after: After = "next"
) -> dict[str, Any]:
    """A sequence, with what is cut off it in front or behind.

    `number` counts from 0; `after` says what becomes of the rest of a joined row. In the answer:
    pieces, ids, lanes: of each token. first: how many tokens that are cut off stand in front of the sequence's own.
    sources: rows (counted from 1) and fields; source: of each token the number of its own, -1 for none.
    begins: (token, row) where another row begins, if there are several. caption, notes: what is to be said of it.
    """
    cut, own = rest.cut, len(sequence.input_ids)
    first = len(cut.input_ids) if rest.in_front else 0
    both = (cut, sequence) if rest.in_front else (sequence, cut)
    ids = [token for part in both for token in part.input_ids]
    spans = [span for part in both for span in part.spans]
    lanes = list(find_lanes(sequence))
    lanes = [*[CUT] * first, *lanes, *[CUT] * (len(ids) - first - own)]
    special = tokenizer.special_ids
    sources, source = _number_sources(spans)
    return {
        "number": number + 1,
        "pieces": [show_piece(piece) for part in both for piece in part.tokens],
        "ids": ids,
        "lanes": "".join(lane.upper() if token in special else lane for lane, token in zip(lanes, ids, strict=True)),
        "first": first,
        "own": own,
        "sources": sources,
        "source": source,
        "begins": _find_beginnings(spans, ids, tokenizer.bos_id),
        "caption": write_caption(sequence, number, rest.count),
        "notes": _notes(number, rest, len(cut.input_ids), after),
    }


def read_sequence(scan: Scan, index: int) -> dict[str, Any]:
    """`describe_sequence` of one of a scan's sequences so far. Raises as Scan.sequence does."""
    after: After = "next"
    if scan.recipe.is_random:
        after = "drawn"
    elif index + 1 >= scan.count:
        after = "dropped" if scan.done else "unknown"
    return describe_sequence(scan.sequence(index), index, scan.tally.tokenizer, scan.rest(index), after=after)


def shorten(described: dict[str, Any], most: int) -> dict[str, Any]:
    """A described sequence with at most so many tokens, and a note that says how many are missing."""
    total = len(described["ids"])
    if total <= most:
        return described
    hidden = write_count(total - most, "more token")
    notes = [f"{hidden} {agree(total - most, 'is', 'are')} in the live panel.", *described["notes"]]
    cut = {key: described[key][:most] for key in ("pieces", "ids", "lanes", "source")}
    return {**described, **cut, "notes": notes}


def sequence_text(described: dict[str, Any]) -> str:
    """The sequence as plain text: what is trained on between ⟦ and ⟧, padding left out, what is cut off behind ✂."""
    pieces, lanes = described["pieces"], described["lanes"].lower()
    parts = []
    for lane, group in groupby(range(len(lanes)), lambda at: lanes[at]):
        text = "".join(piece_text(pieces[at]) for at in group)
        parts.append({TRAINED: f"⟦{text}⟧", PADDING: "", CUT: f"✂{text}✂"}.get(lane, text))
    return "\n".join([described["caption"], "  " + "".join(parts), *(f"  {note}" for note in described["notes"])])


def _number_sources(spans: list[Span | None]) -> tuple[list[tuple[int, str]], list[int]]:
    numbers: dict[Span, int] = {}
    source = [-1 if span is None else numbers.setdefault(span, len(numbers)) for span in spans]
    return [(span.row + 1, visible(span.field)) for span in numbers], source


def _find_beginnings(spans: list[Span | None], ids: list[int], bos: int | None) -> list[tuple[int, int]]:
    """Where each row begins, its bos before it; empty for a single row."""
    rows = [(at, span.row) for at, span in enumerate(spans) if span is not None]
    changes = [(at, row) for (_, before), (at, row) in zip([(0, None), *rows], rows, strict=False) if row != before]
    if len(changes) < 2:
        return []
    return [(at - 1 if at and spans[at - 1] is None and ids[at - 1] == bos else at, row + 1) for at, row in changes]


def _notes(number: int, rest: Rest, shown: int, after: After) -> list[str]:
    notes = []
    if rest.begun is not None:
        notes.append(f"Row {rest.begun + 1:,} begins before this sequence.")
    if rest.ended is not None:
        row = rest.ended + 1
        told = {
            "next": f"Row {row:,} goes on in sequence {number + 2:,}.",
            "dropped": f"The rest of row {row:,} is in no sequence.",
            "drawn": f"Row {row:,} goes on behind the end of this sequence, which is drawn at random.",
            "unknown": f"Row {row:,} goes on behind the end of this sequence.",
        }
        notes.append(told[after])
    if rest.count > shown:
        side = "first" if rest.in_front else "last"
        hidden = rest.count - shown
        of = f"The {side} {hidden:,} of the {write_count(rest.count, 'token')} cut off"
        notes.append(f"{of} {agree(hidden, 'is', 'are')} not shown.")
    return notes
