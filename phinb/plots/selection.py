"""Which of a comparison's variants a figure can show."""

from __future__ import annotations

from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison, Summary


def measured(comparison: Comparison) -> list[Summary]:
    """The summaries of the variants that were measured. Raises PhinbError where none was."""
    found = [summary for summary in comparison.summaries if not summary.error]
    if not found:
        first = comparison.summaries[0].error.splitlines()[0] if comparison.summaries else "there was no variant"
        raise PhinbError(f"No variant was measured, so there is nothing to plot: {first}", "Compare again.")
    return found
