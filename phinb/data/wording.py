"""How many there are of something, in words that agree: 1 row has, 2 rows have."""

from __future__ import annotations


def write_count(number: int, word: str, words: str = "") -> str:
    """1 row, 12,400 tokens."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def write_part(number: int, total: int, word: str) -> str:
    """3 of 1,200 rows, 1 of 1 row."""
    return f"{number:,} of {write_count(total, word)}"


def write_first(total: int, word: str) -> str:
    """the first 50 rows, the first row."""
    return f"the first {word}" if total == 1 else f"the first {write_count(total, word)}"


def write_part_of_first(number: int, total: int, word: str) -> str:
    """3 of the first 50 rows; the first row."""
    return write_first(total, word) if total == 1 else f"{number:,} of {write_first(total, word)}"


def agree(number: float, one: str, several: str) -> str:
    """The word that goes with a number: has or have, its or their."""
    return one if number == 1 else several


def begin(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
