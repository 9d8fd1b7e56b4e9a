"""The best variant under the user's constraints, with the reason in words."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phinb.errors import PhinbError
from phinb.evaluation.comparison import Comparison, Summary

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

FIGURES = (
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "n",
    "ttft_ms_p50",
    "ttft_ms_p90",
    "decode_tokens_per_s",
    "load_s",
    "size_bytes",
    "peak_memory_bytes",
)
"""What can be chosen by: columns of comparison.frame."""


@dataclass(frozen=True)
class Choice:
    """`variant` is the name of the chosen one, None where none meets all constraints; `reason` says why.

    fitting: all that meet the constraints. failing: for each other variant, the constraints that it misses.
    """

    variant: str | None
    reason: str
    fitting: tuple[str, ...]
    failing: Mapping[str, tuple[str, ...]]


def choose(comparison: Comparison, constraints: Mapping[str, str]) -> Choice:
    """The smallest variant on disk that meets every constraint ({column of .frame: ">=0.8"}); see phinb.choose.

    An adapter needs its base on disk as well, and counts with it. Raises PhinbError for a column that is not there
    and for a constraint that is no comparison with a number.
    """
    parsed = {column: _parse(column, text) for column, text in constraints.items()}
    failing: dict[str, tuple[str, ...]] = {}
    fitting: list[str] = []
    sizes = {summary.name: summary.size_bytes or 0 for summary in comparison.summaries}
    base_size = next((sizes[s.name] for s in comparison.summaries if s.kind == "base"), 0)
    for summary in comparison.summaries:
        texts = [_miss(summary, column, *test) for column, test in parsed.items()]
        missed = [f"it could not be measured: {summary.error}"] if summary.error else [text for text in texts if text]
        if missed:
            failing[summary.name] = tuple(missed)
        else:
            fitting.append(summary.name)
        if summary.kind == "adapter":
            sizes[summary.name] += base_size
    asked = ", ".join(f"{column} {text}" for column, text in constraints.items()) or "no constraint"
    if not fitting:
        reasons = "; ".join(f"{name}: {', '.join(missed)}" for name, missed in failing.items())
        return Choice(None, f"No variant meets {asked}. {reasons}.", (), failing)
    best = min(fitting, key=lambda name: sizes[name])
    others = f"the smallest of {', '.join(fitting)}" if len(fitting) > 1 else "the only one that meets it"
    reason = f"{best} ({sizes[best] / 1e6:.0f} MB on disk): asked for {asked}; {others}."
    return Choice(best, reason, tuple(fitting), failing)


def _parse(column: str, text: str) -> tuple[str, float]:
    match = re.fullmatch(r"\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*", str(text))
    if match is None:
        raise PhinbError(f"The constraint {column}={text!r} cannot be read.", 'Write it as ">=0.8" or "<=80".')
    return match[1], float(match[2])


def _miss(summary: Summary, column: str, sign: str, bound: float) -> str:
    """What is missed, in words; "" where the constraint is met."""
    if column not in FIGURES:
        raise PhinbError(f"There is no figure {column!r} to choose by.", f"There are: {', '.join(FIGURES)}.")
    value = getattr(summary, column)
    if value is None:
        return f"{column} is not known"
    return "" if _OPERATORS[sign](value, bound) else f"{column} is {value:.4g}"
