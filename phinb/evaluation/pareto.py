"""The Pareto front: the variants that no other is as good as in every figure and better than in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phinb.evaluation.figures import find_figure, value_of
from phinb.evaluation.results import Comparison

FIGURES = ("accuracy", "ttft_ms_p50", "size_bytes")
"""What variants are held against each other by, unless it is said."""


@dataclass(frozen=True)
class Front:
    """`members` are on the front; `dominated` names for each other variant those that dominate it.

    unknown: the variants of which a figure is not known, and which of them; they are not judged. All by the figures
    as measured, their intervals left aside.
    """

    figures: tuple[str, ...]
    members: tuple[str, ...]
    dominated: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, tuple[str, ...]]

    def sentences(self) -> tuple[str, ...]:
        """Who is on the front, and who is not and why, in words."""
        words = ", ".join(find_figure(name).word for name in self.figures)
        said = [f"On the Pareto front of {words}: {', '.join(self.members) or 'none'}."]
        for name, better in self.dominated.items():
            said.append(f"{name} is dominated by {', '.join(better)}: no worse in any of them, better in at least one.")
        said += [f"{name} is not judged: {', '.join(missing)} not known." for name, missing in self.unknown.items()]
        return tuple(said)


def find_front(comparison: Comparison, figures: Sequence[str] = FIGURES) -> Front:
    """The front over `figures`, columns of comparison.frame or their short names. Two that are equal in all of them
    are both on it. Raises PhinbError for a figure that is not there."""
    chosen = list(dict.fromkeys(find_figure(name) for name in figures))
    points: dict[str, tuple[float, ...]] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for summary in comparison.summaries:
        if summary.error:
            continue
        values = [value_of(comparison, summary, figure) for figure in chosen]
        missing = tuple(figure.word for figure, value in zip(chosen, values, strict=True) if value is None)
        if missing:
            unknown[summary.name] = missing
            continue
        known = [value for value in values if value is not None]
        points[summary.name] = tuple(v if f.higher_is_better else -v for f, v in zip(chosen, known, strict=True))
    dominators = {name: tuple(o for o in points if _dominates(points[o], points[name])) for name in points}
    return Front(
        tuple(figure.name for figure in chosen),
        tuple(name for name, better in dominators.items() if not better),
        {name: better for name, better in dominators.items() if better},
        unknown,
    )


def _dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    """Of points whose every coordinate is the better the larger."""
    return first != second and all(a >= b for a, b in zip(first, second, strict=True))
