"""Text that comes from rows, models and tokenizers, so that it reads as it is: what cannot be seen is spelt out.

A terminal does not obey it, no text turns its direction, and two texts that differ look different.
"""

from __future__ import annotations

import re

SIGNS = {"\n": "⏎", "\t": "⇥", "\r": "␍"}
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0") | {chr(code) for code in range(0xFE00, 0xFE10)}
"""Letters and marks that Unicode calls printable and that show nothing."""

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters but tab and line break, signs without a shape, those that turn the text's direction, and halves of
characters (lone surrogates)."""


def spell(sign: str) -> str:
    """One character, or what stands for it where it cannot be seen: ⏎, \\u202e."""
    if sign in SIGNS:
        return SIGNS[sign]
    return sign if sign.isprintable() and sign not in BLANK else f"\\u{ord(sign):04x}"


def spell_out(text: str, most: int | None = None) -> str:
    """A text on one line, each character as `spell` has it; of more than `most` the first ones, and `…`."""
    if most is not None and len(text) > most:
        return "".join(map(spell, text[: most - 1])) + "…"
    return "".join(map(spell, text))
