"""What is counted of a data config, in words: the same in a panel, a saved notebook and a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from phinb.data.signs import spell_out
from phinb.types import DataStats
from phinb.workflow.wording import write_count, write_number, write_share

if TYPE_CHECKING:
    from phinb.data.recipe import Recipe

Figure = tuple[str, str, str]
"""What is counted, the number in words, and a tone: "", "ok", "warn" or "dim"."""

MOST_LABELS = 8
MOST_NAME = 40
"""Characters that are shown of a label's or a data config's name."""


def write_head(stats: DataStats) -> str:
    """`360 rows → 360 sequences · 7,482 tokens an epoch · 31 % trained on`."""
    if not stats.rows:
        return "no row has been counted"
    rows = write_count(stats.rows, "row") + ("" if stats.exact else " so far")
    parts = [f"{rows} → {write_count(stats.sequences, 'sequence')}"]
    if stats.sequences:
        parts.append(f"{write_count(stats.tokens, 'token')} {'an epoch' if stats.exact else 'so far'}")
        parts.append(f"{write_share(trained_share(stats))} trained on")
    return " · ".join(parts)


def trained_share(stats: DataStats) -> float:
    return stats.trained_tokens / stats.tokens if stats.tokens else 0.0


def list_figures(stats: DataStats, recipe: Recipe, *, near: str = "") -> list[Figure]:
    """The few that matter. `near` says why near duplicates are not counted (yet)."""
    steps = "no pass trains on it" if stats.steps_per_epoch is None else f"{stats.steps_per_epoch:,}"
    figures: list[Figure] = [("steps an epoch", steps, "dim" if stats.steps_per_epoch is None else "")]
    figures.append(_lost_in_joining(stats) if recipe.joins else _cut_off(stats))
    figures += _padding(stats, recipe)
    repeated = stats.exact_duplicates
    if repeated is not None:
        figures.append(("the same as an earlier row", f"{repeated:,}", "warn" if repeated else "ok"))
    told = near if stats.near_duplicates is None else f"{stats.near_duplicates:,}"
    tone = "dim" if stats.near_duplicates is None else "warn" if stats.near_duplicates else "ok"
    if told:
        figures.append(("nearly the same", told, tone))
    figures += list(_leaks(stats))
    if stats.empty_rows:
        figures.append(("rows without text", f"{stats.empty_rows:,}", "warn"))
    figures += _balance(stats)
    return figures


def _cut_off(stats: DataStats) -> Figure:
    if not stats.truncated_rows:
        return "cut off", "nothing", "ok"
    parts = [write_count(stats.truncated_rows, "row"), write_count(stats.lost_tokens or 0, "token")]
    if stats.truncated_answers is not None:
        cut = stats.truncated_answers
        parts.append(f"answers cut in {cut:,}" if cut else "answers kept")
    return "cut off", " · ".join(parts), "warn"


def _lost_in_joining(stats: DataStats) -> Figure:
    if not stats.dropped_tokens:
        return "lost in joining", "nothing", "ok"
    share = stats.dropped_tokens / max(sum(stats.lengths), 1)
    told = f"{write_count(stats.dropped_tokens, 'token')} ({write_share(min(share, 1.0))})"
    return "lost in joining", told, "warn" if share > 0.01 else ""


def _padding(stats: DataStats, recipe: Recipe) -> list[Figure]:
    """What there is, and what the next best way would leave: grouping helps only where batches are filled up alone."""
    now = stats.padding.get("configured")
    if now is None:
        return []
    better = stats.padding.get("random" if recipe.pads else "grouped")
    told = write_share(now)
    if better is not None and now - better > 0.01:
        told += f" → {write_share(better)} if {'not filled up to max_seq_len' if recipe.pads else 'grouped by length'}"
    return [("padding", told, "")]


def _leaks(stats: DataStats) -> Iterator[Figure]:
    for name, number in stats.leaks.items():
        nearly = stats.near_leaks.get(name)
        told = f"{number:,}" + (f", nearly {nearly:,} more" if nearly else "")
        yield f"rows of {spell_out(name, MOST_NAME)} among these", told, "warn" if number or nearly else "ok"


def _balance(stats: DataStats) -> list[Figure]:
    """`4 answers, 90 rows each`, or the most frequent ones."""
    numbers = list(stats.labels.items())
    if not numbers:
        return []
    if len({number for _, number in numbers}) == 1 and len(numbers) > 1:
        names = ", ".join(spell_out(name, MOST_NAME) for name, _ in numbers[:MOST_LABELS])
        more = ", …" if len(numbers) > MOST_LABELS else ""
        return [("answers", f"{len(numbers)}, {write_count(numbers[0][1], 'row')} each: {names}{more}", "")]
    shown = " · ".join(f"{spell_out(name, MOST_NAME)} {number:,}" for name, number in numbers[:MOST_LABELS])
    more = f" · {write_count(len(numbers) - MOST_LABELS, 'other')}" if len(numbers) > MOST_LABELS else ""
    return [("answers", shown + more, "")]


def list_all_figures(stats: DataStats) -> list[Figure]:
    """All that is counted; – stands for what is not."""
    told: list[tuple[str, str]] = [
        ("rows", f"{stats.rows:,}"),
        ("rows without text", f"{stats.empty_rows:,}"),
        ("sequences", f"{stats.sequences:,}"),
        ("tokens an epoch, padding left out", f"{stats.tokens:,}"),
        ("tokens trained on", f"{stats.trained_tokens:,} ({write_share(trained_share(stats))})"),
        ("max_seq_len", _number(stats.max_seq_len)),
        ("steps an epoch", _number(stats.steps_per_epoch)),
        ("rows that are cut off", f"{stats.truncated_rows:,}"),
        ("tokens that are cut off", _number(stats.lost_tokens)),
        ("rows that lose a part of their answer", _number(stats.truncated_answers)),
        ("tokens in no sequence", f"{stats.dropped_tokens:,}"),
        ("sequences without an end of sequence in their loss", _number(stats.no_eos)),
        ("sequences with nothing to predict", _number(stats.untrained)),
        ("rows the same as an earlier one", _number(stats.exact_duplicates)),
        ("rows nearly the same as an earlier one", _number(stats.near_duplicates)),
    ]
    told += list(_length_figures(stats))
    batching = {
        "configured": "padding, as configured",
        "random": "padding, batches at random",
        "grouped": "padding, grouped by length",
        "max": "padding, all filled up to max_seq_len",
    }
    told += [(label, write_share(stats.padding[key])) for key, label in batching.items() if key in stats.padding]
    for name, number in stats.leaks.items():
        told.append((f"rows of {spell_out(name, MOST_NAME)} among these", f"{number:,}"))
    for name, number in stats.near_leaks.items():
        told.append((f"rows of {spell_out(name, MOST_NAME)} nearly among these", f"{number:,}"))
    labelled = sum(stats.labels.values())
    for name, number in stats.labels.items():
        told.append((f"answer {spell_out(name, MOST_NAME)}", f"{number:,} ({write_share(number / labelled)})"))
    return [(what, number, "dim" if number == "–" else "") for what, number in told]


def _length_figures(stats: DataStats) -> Iterator[tuple[str, str]]:
    if not stats.lengths:
        return
    lengths = np.asarray(stats.lengths)
    for share, name in ((0, "shortest"), (50, "median"), (95, "95 % are no longer than"), (100, "longest")):
        yield f"tokens a row, {name}", write_number(round(float(np.percentile(lengths, share)), 1))
    yield "tokens a row, mean", write_number(round(float(lengths.mean()), 1))


def _number(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"
