"""The lanes of a training sequence's tokens, and the line above them: the same in a panel and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from phinb.data.completion_loss import IGNORED
from phinb.types import Sequence as TrainingSequence
from phinb.workflow.wording import write_count

TRAINED, CONTEXT, PADDING, CUT = "t", "c", "p", "x"
"""The lanes, a letter a token; a capital letter for a token that the tokenizer calls special."""

LANES = {
    TRAINED: "trained on",
    CONTEXT: "in context only",
    CONTEXT.upper(): "special",
    PADDING: "padding",
    CUT: "cut off",
}
"""What the lanes are called."""


def find_lanes(sequence: TrainingSequence) -> Iterator[str]:
    """The lane of each token, whether it is special or not."""
    for label, attended in zip(sequence.labels, sequence.attention_mask, strict=True):
        yield PADDING if not attended else CONTEXT if label == IGNORED else TRAINED


def write_caption(sequence: TrainingSequence, number: int, cut: int) -> str:
    """`sequence 1 · row 1 · 21 tokens, 4 trained on`; number counts from 0, cut: tokens that are cut off."""
    rows = [span.row + 1 for span in sequence.spans if span is not None]
    trained = sum(label != IGNORED for label in sequence.labels)
    padding = sequence.attention_mask.count(0)
    parts = [f"sequence {number + 1:,}"]
    if rows:
        low, high = min(rows), max(rows)
        parts.append(f"row {low:,}" if low == high else f"rows {low:,} to {high:,}")
    parts.append(f"{write_count(len(sequence.input_ids) - padding, 'token')}, {trained:,} trained on")
    parts += [f"{padding:,} of padding"] if padding else []
    parts += [f"{cut:,} cut off"] if cut else []
    return " · ".join(parts)
