"""What a figure can show of its object, and how many there are of it."""

from __future__ import annotations

from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison, Summary
from phinb.workflow.wording import write_count


def measured(comparison: Comparison) -> list[Summary]:
    """The summaries of the variants that were measured. Raises PhinbError where none was."""
    found = [summary for summary in comparison.summaries if not summary.error]
    if not found:
        first = comparison.summaries[0].error.splitlines()[0] if comparison.summaries else "there was no variant"
        raise PhinbError(f"No variant was measured, so there is nothing to plot: {first}", "Compare again.")
    return found


def describe_preview(preview: Preview, what: str) -> str:
    """`train · n 360 rows`; what: rows or sequences. Numbers that are not all counted are called that."""
    count = getattr(preview.stats, what)
    return f"{preview.name} · n {write_count(count, what.removesuffix('s'))}{'' if preview.stats.exact else ' so far'}"
