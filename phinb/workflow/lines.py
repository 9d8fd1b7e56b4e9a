"""What a run's events call its passes: a line of the panel each.

A pass that stands before every choice of a search is the same in all trials: it is told once, under its own name. From
the first choice on, a line is called after its trial: trial-2/int4. Where the alternatives of one pass are the only
choice, the trials are called after what they make: fp32/quantize.
"""

from __future__ import annotations

from collections.abc import Sequence

from phinb.config.search import Search


def find_shared(search: Search, passes: Sequence[str]) -> tuple[str, ...]:
    """The passes that stand before every choice, of those that are run."""
    first = next((at for at, name in enumerate(passes) if name in search.varying), len(passes))
    return tuple(passes[:first])


def plan_lines(search: Search | None, passes: Sequence[str]) -> tuple[str, ...]:
    """What the events will call the passes, as far as that is known before the run: later trials come as they begin."""
    shared = tuple(passes) if search is None else find_shared(search, passes)
    rest = passes[len(shared) :]
    if search is None or not rest:
        return shared
    if search.order == "pass-by-pass":
        rest = rest[:1]
    return (*shared, *(f"{label}/{name}" for label in search.labels or ("trial-1",) for name in rest))
