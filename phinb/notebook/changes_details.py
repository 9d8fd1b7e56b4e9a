"""One row of a comparison in full: its prompt, each variant's answer, its tokens. changes_details.js draws it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phinb.data.signs import spell_out
from phinb.evaluation.row_tokens import RowTokens
from phinb.evaluation.row_tokens_text import write_share
from phinb.evaluation.word_diff import diff_words
from phinb.notebook.changes_rows import SIGN_OF, AnsweredRows
from phinb.notebook.wire_values import show_value

MOST_PROMPT = 20_000
"""Characters of a prompt or an answer that are sent."""

MOST_LABELS = 20
"""Labels that have bars, the likeliest ones where there are more."""

MOST_TOKENS = 1500
"""Tokens that are sent: the last ones, up to the answer's end."""

NO_PROMPT = "An older phinb made this comparison and kept no prompts: %olive_compare makes it anew."

SOFTMAX = {
    "sum": "softmax of the labels' log-likelihoods",
    "mean": "softmax of the labels' log-likelihoods per token",
    "calibrated": "softmax of the labels' log-likelihoods less those after the empty prompt",
}


def describe_details(rows: AnsweredRows, row: int, before: str, after: str) -> dict[str, Any]:
    """What changes_details.js draws of a row, without its tokens."""
    kind = rows.kind(row, before, after)
    prompt = rows.prompt(row)
    told = f"the same, {before} and {after}" if kind == "same" else f"{kind}, {before} → {after}"
    return {
        "row": row,
        "title": f"Row {rows.number(row) + 1:,}",
        "sign": SIGN_OF[kind],
        "change": kind,
        "told": show_value(told, 200),
        "prompt": NO_PROMPT if prompt is None else show_value(prompt, MOST_PROMPT),
        "cut": _tell_cut(prompt or ""),
        "answer": show_value(rows.label(row), MOST_PROMPT),
        "names": [describe_name(rows, name) for name in rows.names],
        **(_describe_labels(rows, row) if rows.has_labels else _describe_texts(rows, row, before, after)),
    }


def describe_name(rows: AnsweredRows, name: str) -> dict[str, Any]:
    """A variant's name, symbol and colours."""
    look = rows.looks[name]
    return {"name": show_value(name, 80), "mark": look.mark, "colours": [look.colour, look.dark]}


def _tell_cut(text: str) -> str:
    return f"The first {MOST_PROMPT:,} of {len(text):,} characters." if len(text) > MOST_PROMPT else ""


def _describe_labels(rows: AnsweredRows, row: int) -> dict[str, Any]:
    """A line a label, a bar a variant."""
    shares = {name: rows.distribution(name, row) for name in rows.names}
    right = rows.label(row)
    labels = list(shares[rows.names[0]])
    if len(labels) > MOST_LABELS:
        by_share = sorted(labels, key=lambda label: -max(of.get(label, 0.0) for of in shares.values()))
        kept = {*by_share[:MOST_LABELS], right}
        labels, left = [label for label in labels if label in kept], len(labels) - len(kept)
    else:
        left = 0
    return {
        "labels": [
            {
                "label": show_value(label, 200),
                "right": label == right,
                "bars": [_describe_bar(rows, name, row, label, shares[name].get(label)) for name in rows.names],
            }
            for label in labels
        ],
        "left_out": f"and {left:,} labels that no variant finds likelier" if left else "",
        "measure": _tell_measure(rows),
    }


def _describe_bar(rows: AnsweredRows, name: str, row: int, label: str, share: float | None) -> dict[str, Any]:
    score = rows.score(name, row)
    nats = score.log_likelihoods.get(label)
    return {
        "text": write_share(share),
        "share": share,
        "predicted": label == score.predicted,
        "about": "" if nats is None else f"log-likelihood {nats:.3f} nats",
    }


def _tell_measure(rows: AnsweredRows) -> str:
    scoring = str(rows.comparison.settings.get("scoring", "sum"))
    measure = SOFTMAX.get(scoring, SOFTMAX["sum"])
    told = "They say which of these labels it takes, not how likely it would write one at all."
    return f"Each variant's probabilities: {measure}. {told}"


def _describe_texts(rows: AnsweredRows, row: int, before: str, after: str) -> dict[str, Any]:
    """Each variant's text, and the words that differ between the two of the pair."""
    scores = {name: rows.score(name, row) for name in rows.names}
    pieces = diff_words(scores[before].predicted[:MOST_PROMPT], scores[after].predicted[:MOST_PROMPT])
    return {
        "texts": [
            {
                "text": show_value(score.predicted, MOST_PROMPT),
                "right": score.correct,
                "cut": _tell_cut(score.predicted),
            }
            for score in scores.values()
        ],
        "diff": [[piece.kind, show_value(piece.text, MOST_PROMPT)] for piece in pieces],
        "diff_of": [show_value(before, 80), show_value(after, 80)],
    }


# -------------------------------------------------------------------------------------------------- tokens


def describe_tokens(rows: AnsweredRows, found: Sequence[RowTokens]) -> dict[str, Any]:
    """The tokens side by side; variants whose tokenizers split the row otherwise have a table of their own."""
    good = [one for one in found if not one.error]
    groups: dict[tuple[int, ...], list[RowTokens]] = {}
    for one in good:
        groups.setdefault(one.ids, []).append(one)
    return {
        "tables": [_describe_table(rows, group) for group in groups.values()],
        "apart": "Their tokenizers split the row differently: a table for each way." if len(groups) > 1 else "",
        "errors": [[show_value(one.variant, 80), show_value(one.error, 600)] for one in found if one.error],
    }


def _describe_share(share: float | None) -> list[Any]:
    return [share, write_share(share)]


def _describe_table(rows: AnsweredRows, group: Sequence[RowTokens]) -> dict[str, Any]:
    first, probabilities = group[0], [one.probabilities for one in group]
    count = len(first.ids)
    start = max(count - MOST_TOKENS, 0)
    sums = [one.answer_log_likelihood for one in group]
    return {
        "names": [describe_name(rows, one.variant) for one in group],
        "tokens": [
            [
                spell_out(first.texts[at], 80),
                first.ids[at],
                first.parts[at],
                [_describe_share(of[at]) for of in probabilities],
            ]
            for at in range(start, count)
        ],
        "first": start,
        "left_out": f"The first {start:,} of {count:,} tokens are not shown." if start else "",
        "sums": ["–" if value is None else f"{value:.3f}".replace("-", "−") for value in sums],
    }
