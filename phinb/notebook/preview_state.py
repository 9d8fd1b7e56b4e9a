"""What a counting says of itself in the panel: the line at the head, its problems, how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phinb.data.preview import COMPARED
from phinb.notebook.counting import Counting
from phinb.notebook.html import visible
from phinb.notebook.preview_view import describe_cards, describe_orders
from phinb.workflow.preview_figures import write_head
from phinb.workflow.wording import agree, write_count, write_part


def describe_state(counting: Counting, names: Sequence[str], chosen: int, *, fixable: bool) -> dict[str, Any]:
    """`names` are the data configs', of which the one with the number `chosen` is shown."""
    preview = counting.preview
    return {
        "data": visible(preview.name),
        "names": list(names),
        "chosen": chosen,
        "told": write_head(preview.stats) if preview.stats.rows else "",
        "cards": describe_cards(preview.problems, fixable=fixable),
        "orders": describe_orders(preview.stats),
        "comparable": counting.can_compare,
        "failed": counting.phase == "failed",
        "stale": False,
    }


def describe_progress(counting: Counting) -> dict[str, Any]:
    """text; fraction: None where no share of the work is known; action: what the button beside it does."""
    what, done, total = counting.told
    fraction = done / total if done is not None and total else None
    if counting.phase == "done":
        counted = counting.preview.stats.rows
        told = agree(counted, "The only row is counted.", f"All {counted:,} rows are counted.")
        return {"text": told, "fraction": None, "action": ""}
    if not counting.settled:
        return {"text": "Counting …", "fraction": None, "action": ""}
    if counting.phase == "failed":
        return {"text": "There is nothing to show.", "fraction": None, "action": ""}
    number = round(done or 0)
    rows = write_part(number, round(total), "row") if total else write_count(number, "row")
    if counting.phase == "stopped":
        told = f"Stopped: {rows} {agree(number, 'is', 'are')} counted."
        return {"text": told, "fraction": fraction, "action": "go_on"}
    if counting.phase == "counting":
        return {"text": f"Counting: {rows}", "fraction": fraction, "action": "stop"}
    return {"text": f"{what[:1].upper()}{what[1:]} …", "fraction": fraction, "action": "stop"}


def near_text(counting: Counting) -> str:
    """Why near duplicates are not counted (yet); "" where they are, or there is nothing to compare."""
    if counting.phase == "done" and counting.preview.stats.near_duplicates is None:
        return f"not looked for: more than {COMPARED:,} rows" if counting.is_large else "not looked for"
    return "still to come" if counting.is_busy else ""
