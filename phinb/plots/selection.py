"""What a figure can show of its object, and how many there are of it."""

from __future__ import annotations

from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison, Summary
from phinb.types import Measurement
from phinb.workflow.wording import write_count


def measured(comparison: Comparison) -> list[Summary]:
    """The summaries of the variants that were measured. Raises PhinbError where none was."""
    found = [summary for summary in comparison.summaries if not summary.error]
    if not found:
        first = comparison.summaries[0].error.splitlines()[0] if comparison.summaries else "there was no variant"
        raise PhinbError(f"No variant was measured, so there is nothing to plot: {first}", "Compare again.")
    return found


def placed(comparison: Comparison) -> list[Summary]:
    """Those with an accuracy and a time to the first token: they have a place on a plot of both. Raises PhinbError
    where none has."""
    found = [s for s in measured(comparison) if s.accuracy is not None and s.ttft_ms_p50 is not None]
    if not found:
        raise PhinbError(
            "No variant has both an accuracy and a time to the first token.", "Compare with rows that have an answer."
        )
    return found


def measurement_of(comparison: Comparison, name: str) -> Measurement:
    """All that was measured on one variant."""
    return next(one for one in comparison.measurements if one.variant.name == name)


def describe_preview(preview: Preview, what: str) -> str:
    """`train · n 360 rows`; what: rows or sequences. Numbers that are not all counted are called that."""
    count = getattr(preview.stats, what)
    return f"{preview.name} · n {write_count(count, what.removesuffix('s'))}{'' if preview.stats.exact else ' so far'}"
