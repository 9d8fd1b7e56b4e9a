"""Which tokens of many texts hold their answers, worked out for all of them at once.

One by one, and by the same rules, completion_loss.mark_tokens and texts.trace_text do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phinb.data.completion import find_trained
from phinb.data.completion_loss import Range, mark_tokens
from phinb.data.recipe import Recipe
from phinb.data.texts import Row, trace_text
from phinb.models.tokenizers import Tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding as RawEncoding


def mark_many(
    encodings: Sequence[RawEncoding], ranges: Sequence[Sequence[Range]], lengths: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """For all tokens of all texts end to end: whether at least half of the token's characters are in its text's ranges.

    `lengths` counts each text's tokens; the ranges [start, end) of a text do not overlap.
    """
    heads = [
        find_first_token(one, *mine[0]) if len(mine) == 1 and _reaches_the_end(one, mine[0][1]) else None
        for one, mine in zip(encodings, ranges, strict=True)
    ]
    if None in heads:
        return _mark_all(encodings, ranges, lengths)
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = np.repeat(ends - lengths + np.array(heads, dtype=np.int64), lengths)
    after: NDArray[np.bool_] = np.arange(len(starts)) >= starts
    return after


def _reaches_the_end(encoding: RawEncoding, end: int) -> bool:
    """Whether a range up to `end` has the text's last token, and with it all that stand behind its first."""
    tail = encoding.token_to_chars(len(encoding) - 1) if len(encoding) else None
    return tail is not None and tail[0] < tail[1] <= end


def find_first_token(encoding: RawEncoding, start: int, end: int) -> int:
    """The first token that is of the characters [start, end) by the rule of mark_tokens; behind the last where none is.

    It asks for the offsets of a few tokens only: a text may have a million, and to have all of them takes a fourth of
    the time of the tokenizer itself.
    """
    head = encoding.char_to_token(start)
    before = encoding.token_to_chars(head - 1) if head else None
    if head is None or (before is not None and before[0] == before[1]):
        # A token of no characters may be of the range.
        marks = mark_tokens(encoding.offsets, [(start, end)])
        return marks.index(True) if True in marks else len(marks)
    while (place := encoding.token_to_chars(head)) is not None and place[0] < end:
        first, last = place
        whole = start <= first and last <= end  # as most are
        if whole or mark_tokens([place], [(start, end)])[0]:
            return head
        head += 1
    return len(encoding)


def _mark_all(
    encodings: Sequence[RawEncoding], ranges: Sequence[Sequence[Range]], lengths: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """The same by the offsets of every token."""
    flat = chain.from_iterable(chain.from_iterable(one.offsets for one in encodings))
    offsets = np.fromiter(flat, dtype=np.int32, count=2 * int(lengths.sum())).reshape(-1, 2)
    first, last = offsets[:, 0], offsets[:, 1]
    shared = np.zeros(len(offsets), dtype=np.int32)
    inside = np.zeros(len(offsets), dtype=np.bool_)
    for place in range(max(map(len, ranges), default=0)):
        # A range that a text does not have is empty.
        chosen = np.array([one[place] if place < len(one) else (0, 0) for one in ranges], dtype=np.int32)
        start, end = np.repeat(chosen[:, 0], lengths), np.repeat(chosen[:, 1], lengths)
        shared += np.maximum(np.minimum(last, end) - np.maximum(first, start), 0)
        inside |= (start <= first) & (first < end)
    marked: NDArray[np.bool_] = np.where(first == last, inside, 2 * shared >= last - first)
    return marked


def find_cut_answers(
    rows: Sequence[Row],
    texts: Sequence[str],
    encodings: Sequence[RawEncoding],
    recipe: Recipe,
    tokenizer: Tokenizer,
    answer: str,
) -> list[int]:
    """Which of these texts, all longer than max_seq_len, lose a token that holds a part of their answer.

    `answer` is a column of the template, or a role of the chat; a text without an answer loses none.
    """
    cut = []
    for index, (row, text, encoding) in enumerate(zip(rows, texts, encodings, strict=True)):
        found = find_extent(row, text, recipe, tokenizer, answer)
        if found is None:
            continue
        if tokenizer.cuts_left:
            lost = _characters(encoding, len(encoding) - recipe.max_seq_len - 1)[1] > found[0]
        else:
            lost = _characters(encoding, recipe.max_seq_len)[0] < found[1]
        if lost:
            cut.append(index)
    return cut


def find_extent(row: Row, text: str, recipe: Recipe, tokenizer: Tokenizer, answer: str) -> Range | None:
    """The characters from the first of the row's answers to the end of the last; None where it has none.

    A column's value counts alone; a role's turns with what closes them.
    """
    if recipe.chat_template:
        import dataclasses

        ranges = find_trained(row, text, dataclasses.replace(recipe, trained_field=answer), tokenizer)
    else:
        ranges = [(one.start, one.end) for one in trace_text(row, recipe, tokenizer)[1] if one.field == answer]
    ranges = [one for one in ranges if one[0] < one[1]]
    return (ranges[0][0], ranges[-1][1]) if ranges else None


def _characters(encoding: Any, token: int) -> Range:
    start, end = encoding.token_to_chars(token)
    return int(start), int(end)
