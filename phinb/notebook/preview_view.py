"""What a preview says beside its tokens: the line at the head, its problems, its numbers, as words.

The live panel and the saved HTML show the same. Nothing here knows a widget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from phinb.notebook.config_summary import listed_problems
from phinb.notebook.failure import problem_card
from phinb.notebook.html import visible
from phinb.notebook.preview_histogram import draw_lengths
from phinb.types import DataStats, Problem
from phinb.workflow.preview_figures import list_all_figures, list_figures

if TYPE_CHECKING:
    from phinb.data.recipe import Recipe
    from phinb.data.scan import Order

ORDERS: Mapping[Order, str] = {
    "data": "data order",
    "longest": "longest first",
    "shortest": "shortest first",
    "truncated": "cut off",
    "no_eos": "without end of sequence",
}


def describe_cards(problems: Sequence[Problem], *, fixable: bool) -> list[dict[str, Any]]:
    """The problems, the worst first, as cards; with the title of their fix where it can be carried out."""
    cards = []
    for number, problem in enumerate(listed_problems(problems)):
        fix = problem.fix if fixable else None
        card = {"fix": {"title": visible(fix.title), "number": number} if fix else None}
        cards.append(asdict(problem_card(problem)) | card)
    return cards


def describe_orders(stats: DataStats) -> list[dict[str, Any]]:
    """The orders in which sequences can be looked at; how many there are where it is a part of them."""
    parts = {"truncated": stats.truncated_rows, "no_eos": stats.no_eos}
    return [
        {
            "order": order,
            "label": f"{label} ({parts[order] or 0:,})" if order in parts else label,
            "some": parts.get(order, stats.sequences) not in (0, None),
        }
        for order, label in ORDERS.items()
    ]


def describe_numbers(stats: DataStats, recipe: Recipe, *, near: str = "") -> dict[str, Any]:
    """The few numbers that matter, all of them in full, and the histogram.

    `near` says why near duplicates are not counted (yet).
    """
    return {
        "figures": list_figures(stats, recipe, near=near),
        "full": list_all_figures(stats),
        "histogram": draw_lengths(stats.lengths, None if recipe.joins else stats.max_seq_len),
        "exact": stats.exact,
    }
