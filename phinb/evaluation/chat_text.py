"""Exchanges as text: for a terminal, and the words that the panel and the saved HTML use as well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phinb.data.signs import UNSEEN, spell
from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.machine import BUSY_SHARE
from phinb.evaluation.word_diff import Piece, diff_words, write_text
from phinb.types import Variant
from phinb.workflow.wording import agree

if TYPE_CHECKING:
    from phinb.evaluation.replies import Exchange, Reply


MOST_REMOVED = 80
"""Characters of a stretch that only the first reply has."""


def spell_unseen(text: str) -> str:
    """The text with what cannot be seen, or would steer a terminal, written out; tabs and line ends stay."""
    return UNSEEN.sub(lambda sign: spell(sign[0]), text)


def looks_of(variants: Iterable[Variant]) -> Mapping[str, Look]:
    return choose_looks((variant.name, variant.kind) for variant in variants)


def write_figures(reply: Reply) -> str:
    """`12 tokens · first after 160 ms · 15.5 tokens/s (n = 1) · ended by itself`; what was not measured is left out.

    One reply is one measurement: there is no interval to be told. Replies made beside others say so.
    """
    from phinb.evaluation.replies import FINISHES

    if reply.error:
        return "no reply"
    if not reply.finish and not reply.tokens:
        return "no token yet"
    parts = [agree_tokens(reply.tokens)]
    if reply.ttft_s is not None:
        parts.append(f"first after {write_milliseconds(reply.ttft_s)}")
    if reply.tokens_per_s is not None:
        parts.append(f"{write_speed(reply.tokens_per_s)} tokens/s (n = 1)")
    if reply.finish:
        parts.append(FINISHES[reply.finish])
    if reply.beside:
        parts.append(f"{', '.join(reply.beside)} at work at the same time: slower than alone")
    if reply.busy is not None and reply.busy > BUSY_SHARE:
        parts.append(f"other programs took {100 * reply.busy:.0f} % of the processor")
    return " · ".join(parts)


def agree_tokens(count: int) -> str:
    return f"{count:,} {agree(count, 'token', 'tokens')}"


def write_milliseconds(seconds: float) -> str:
    """63 ms, 1.6 s"""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def write_speed(tokens_per_s: float) -> str:
    return f"{tokens_per_s:.1f}" if tokens_per_s < 99.95 else f"{tokens_per_s:.0f}"


def name_values(values: Mapping[str, Any] | None, text: str) -> list[tuple[str, str]]:
    """(field, value) of a prompt; of one without fields its text."""
    return [(name, str(value)) for name, value in values.items()] if values else [("prompt", text)]


def write_exchange(exchange: Exchange, marks: Mapping[str, str] | None = None, *, diff: bool = True) -> str:
    """The prompt's fields, then each reply with its figures, and from the second on its words against the first's."""
    lines = [
        f"{name}: {spell_unseen(value)}" for name, value in name_values(exchange.prompt.values, exchange.prompt.text)
    ]
    lines.append(f"({agree_tokens(len(exchange.prompt.ids))}; {exchange.settings.told})")
    first = exchange.replies[0]
    for reply in exchange.replies:
        lines.append("")
        lines += write_reply(reply, (marks or {}).get(reply.variant, ""), first if diff else None)
    return "\n".join(lines)


def write_reply(reply: Reply, mark: str = "", first: Reply | None = None) -> list[str]:
    """A heading with the figures, the text, and where it differs the words against `first`."""
    lines = [f"{mark} {reply.variant}  {write_figures(reply)}".strip()]
    lines += [f"    {line}" for line in spell_unseen(reply.error or reply.text.strip() or "(nothing)").split("\n")]
    told, pieces = compare_words(first, reply) if first is not None else ("", ())
    if told:
        lines.append(f"    ({told})")
    elif first is not None and pieces:
        shown = spell_unseen(write_text(pieces)).split("\n")
        lines += [f"    against {first.variant}: {shown[0]}", *(f"    {line}" for line in shown[1:])]
    return lines


def compare_words(first: Reply, other: Reply) -> tuple[str, tuple[Piece, ...]]:
    """(in words, pieces): the words of `other` against those of `first`.

    Pieces only where some words are common and some are not; what is long and only in the first is shortened to its
    ends, for a reply must not be buried under what another said instead. ("", ()) where there is nothing to compare.
    """
    if first.variant == other.variant or not comparable(first, other):
        return "", ()
    before, after = first.text.strip(), other.text.strip()
    if before == after:
        return f"the same as {first.variant}", ()
    pieces = diff_words(before, after)
    if not any(piece.kind == "same" and re.search(r"\w", piece.text) for piece in pieces):
        return f"no word in common with {first.variant}", ()
    return "", tuple(Piece(kind, _shorten(text) if kind == "removed" else text) for kind, text in pieces)


def _shorten(text: str) -> str:
    if len(text) <= MOST_REMOVED:
        return text
    words = text.split()
    if len(words) < 8:
        return f"{text[:30]} … ({len(text):,} characters)"
    return f"{' '.join(words[:3])} … {' '.join(words[-3:])} ({len(words):,} words)"


def comparable(first: Reply, other: Reply) -> bool:
    """Whether both have a text to be compared."""
    return not first.error and not other.error and bool(first.finish) and bool(other.finish)


def write_columns(exchange: Exchange, width: int, marks: Mapping[str, str] | None = None) -> str:
    """The replies side by side in `width` characters; where columns would be under 24 wide, one under the other."""
    import textwrap

    replies = exchange.replies
    wide = (width - 3 * (len(replies) - 1)) // len(replies)
    if wide < 24 or len(replies) == 1:
        return write_exchange(exchange, marks)
    columns: list[list[str]] = []
    for reply in replies:
        texts: Sequence[str] = spell_unseen(reply.error or reply.text.strip() or "(nothing)").split("\n")
        heading = f"{(marks or {}).get(reply.variant, '')} {reply.variant}".strip()
        lines = [heading, "─" * wide]
        for text in texts:
            lines += textwrap.wrap(text, wide, drop_whitespace=False, replace_whitespace=False) or [""]
        lines += ["", *textwrap.wrap(write_figures(reply), wide)]
        columns.append(lines)
    height = max(map(len, columns))
    rows = zip(*(column + [""] * (height - len(column)) for column in columns), strict=True)
    return "\n".join(" │ ".join(cell.ljust(wide) for cell in row).rstrip() for row in rows)
