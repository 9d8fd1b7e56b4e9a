"""The best variant under the user's constraints, with the reason in words and what is not certain about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from phinb.evaluation import pareto
from phinb.evaluation.constraints import Constraint, describe_constraints, read_constraints
from phinb.evaluation.figures import Figure, find_figure, interval_of, value_of
from phinb.evaluation.pareto import Front, find_front
from phinb.evaluation.results import Comparison, Summary
from phinb.evaluation.statistics import compare_answers
from phinb.evaluation.wording import p_value


@dataclass(frozen=True)
class Relaxation:
    """One constraint with the bound that would admit `variant`. `change`: of the bound, relative to what it was."""

    before: Constraint
    after: Constraint
    variant: str
    change: float

    def __str__(self) -> str:
        share = f" ({100 * self.change:.1f} % off)" if self.change != float("inf") else ""
        return f"{self.after} instead of {self.before}{share} would admit {self.variant}"


@dataclass(frozen=True)
class Choice:
    """`variant` is the name of the chosen one, None where none meets all constraints; `reason` says why.

    fitting: all that meet the constraints, the best first. failing: for each other variant, the constraints that it
    misses. cautions: what the intervals leave open. relaxations: where none fits, the single constraints that would
    admit a variant if relaxed, the smallest relative change first. front: the Pareto front.
    """

    variant: str | None
    reason: str
    fitting: tuple[str, ...]
    failing: Mapping[str, tuple[str, ...]]
    cautions: tuple[str, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    by: str = "size_bytes"
    front: Front = field(default_factory=lambda: Front((), (), {}, {}))
    comparison: Comparison | None = field(default=None, repr=False, compare=False)

    def sentences(self) -> tuple[str, ...]:
        """The reason, what is not certain, what each other variant misses, and the front."""
        missed = [f"{name}: {', '.join(texts)}." for name, texts in self.failing.items()] if self.variant else []
        return (self.reason, *self.cautions, *missed, *self.front.sentences())

    def _repr_html_(self) -> str:
        from phinb.evaluation.choice_html import write_html

        return write_html(self)

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def choose(
    comparison: Comparison,
    constraints: Mapping[str, str] | Sequence[Constraint] = (),
    *,
    by: str = "size_bytes",
    over: Sequence[str] = pareto.FIGURES,
) -> Choice:
    """The variant that meets every constraint and is best in `by`; see phinb.choose.

    constraints: {column of .frame or short name: ">=0.8"}, or read already. over: the figures of the front. Of equals
    in `by` the more accurate one, then the smaller. Raises PhinbError for a figure that is not there and for a
    constraint that cannot be read.
    """
    asked = read_constraints(constraints) if isinstance(constraints, Mapping) else tuple(constraints)
    wanted = find_figure(by)
    front = find_front(comparison, over)
    failing: dict[str, tuple[str, ...]] = {}
    fitting: list[Summary] = []
    for summary in comparison.summaries:
        missed = _find_missed(comparison, summary, asked, wanted)
        if missed:
            failing[summary.name] = missed
        else:
            fitting.append(summary)
    if not fitting:
        relaxations = _find_relaxations(comparison, asked, wanted)
        reason = _explain_none(asked, failing, relaxations)
        return Choice(None, reason, (), failing, (), relaxations, asked, wanted.name, front, comparison)
    ranked = sorted(fitting, key=lambda summary: _rank(comparison, summary, wanted))
    names = tuple(summary.name for summary in ranked)
    reason = _explain(comparison, ranked, asked, wanted)
    cautions = tuple(_find_cautions(comparison, ranked, asked, wanted))
    return Choice(names[0], reason, names, failing, cautions, (), asked, wanted.name, front, comparison)


def _rank(comparison: Comparison, summary: Summary, wanted: Figure) -> tuple[float, ...]:
    """The lower the better."""
    order = (wanted, find_figure("accuracy"), find_figure("size_bytes"))
    values = [(figure, value_of(comparison, summary, figure)) for figure in order]
    return tuple(float("inf") if v is None else -v if f.higher_is_better else v for f, v in values)


def _find_missed(
    comparison: Comparison, summary: Summary, asked: Sequence[Constraint], wanted: Figure
) -> tuple[str, ...]:
    """What a variant misses, in words; () where it fits."""
    if summary.error:
        return (f"it could not be measured: {summary.error.splitlines()[0]}",)
    texts = [_miss(comparison, summary, constraint) for constraint in asked]
    if value_of(comparison, summary, wanted) is None and wanted.name not in [one.figure.name for one in asked]:
        texts.append(_unknown(summary, wanted))
    return tuple(text for text in texts if text)


def _miss(comparison: Comparison, summary: Summary, constraint: Constraint) -> str:
    figure = constraint.figure
    value = value_of(comparison, summary, figure)
    if value is None:
        return _unknown(summary, figure)
    if constraint.admits(value):
        return ""
    text = f"{figure.word} is {figure.write(value)}, not {constraint.words}"
    interval = interval_of(comparison, summary, figure)
    if interval and any(map(constraint.admits, interval[:2])):
        end = interval[1] if constraint.is_lower_bound else interval[0]
        text += f" (its 95 % interval reaches {figure.write(end)} at n = {interval[2]}: it may be)"
    return text


def _unknown(summary: Summary, figure: Figure) -> str:
    if figure.name == "size_bytes" and summary.kind == "adapter":
        return "its size is not known, because its base was not measured"
    return f"{figure.word} is not known"


def _explain(comparison: Comparison, ranked: Sequence[Summary], asked: Sequence[Constraint], wanted: Figure) -> str:
    best = ranked[0]
    value = wanted.write(value_of(comparison, best, wanted))
    superlative = "highest" if wanted.higher_is_better else "lowest"
    superlative = {"size_bytes": "smallest on disk"}.get(wanted.name, f"{superlative} in {wanted.word}")
    rest = ", ".join(f"{other.name} ({wanted.write(value_of(comparison, other, wanted))})" for other in ranked[1:])
    alone = "it is the only one that fits" if asked else "there is no other"
    others = f"the {superlative} of those that fit; also {rest}" if rest else alone
    return f"{best.name} ({wanted.word} {value}): asked for {describe_constraints(asked)}; {others}."


def _find_cautions(
    comparison: Comparison, ranked: Sequence[Summary], asked: Sequence[Constraint], wanted: Figure
) -> list[str]:
    """Where the chosen one's intervals reach beyond a bound, and where its lead may be chance."""
    best = ranked[0]
    found = []
    for constraint in asked:
        figure, value = constraint.figure, value_of(comparison, best, constraint.figure)
        interval = interval_of(comparison, best, figure)
        if value is None or interval is None or all(map(constraint.admits, interval[:2])):
            continue
        lower = constraint.is_lower_bound
        found.append(
            f"{figure.word} {figure.write(value)}, but its 95 % interval reaches {'down' if lower else 'up'} to "
            f"{figure.write(interval[0 if lower else 1])}: at n = {interval[2]} it is not certain that it is "
            f"{constraint.words}."
        )
    if wanted.name == "accuracy" and len(ranked) > 1:
        first, second = (_scores(comparison, summary.name) for summary in ranked[:2])
        same_rows = bool(first[0]) and len(first[0]) == len(second[1])  # free texts have no labels to be held together
        change = compare_answers(first[0], second[1], first[1]) if same_rows else None
        if change is not None and change.p >= 0.05:
            points = f"{100 * change.difference:.1f} points"
            found.append(
                f"{best.name} is {points} ahead of {ranked[1].name} at n = {change.n}: "
                f"that could be chance (McNemar p {p_value(change.p)})."
            )
    return found


def _scores(comparison: Comparison, name: str) -> tuple[list[str], list[str]]:
    """(true labels, predictions) of a variant, row by row"""
    measured = next(m for m in comparison.measurements if m.variant.name == name)
    return [score.label for score in measured.scores], [score.predicted for score in measured.scores]


def _find_relaxations(comparison: Comparison, asked: Sequence[Constraint], wanted: Figure) -> tuple[Relaxation, ...]:
    """For each constraint the least that admits a variant which meets all others; the smallest change first."""
    found = []
    for constraint in asked:
        others = [other for other in asked if other is not constraint]
        options = []
        for summary in comparison.summaries:
            value = None if summary.error else value_of(comparison, summary, constraint.figure)
            if value is not None and not _find_missed(comparison, summary, others, wanted):
                change = abs(value - constraint.bound) / abs(constraint.bound) if constraint.bound else float("inf")
                options.append(Relaxation(constraint, constraint.relaxed_to(value), summary.name, change))
        if options:
            found.append(min(options, key=lambda option: option.change))
    return tuple(sorted(found, key=lambda relaxation: relaxation.change))


def _explain_none(
    asked: Sequence[Constraint], failing: Mapping[str, Sequence[str]], relaxations: Sequence[Relaxation]
) -> str:
    reasons = "; ".join(f"{name}: {', '.join(missed)}" for name, missed in failing.items())
    if relaxations:
        cheapest = f"The cheapest to relax: {relaxations[0]}."
    elif len(asked) > 1:
        cheapest = "To relax a single constraint would not help: each variant misses two or more."
    else:
        cheapest = "No other bound would help: the figure is not known of any variant." if asked else ""
    return " ".join(
        part for part in (f"No variant meets {describe_constraints(asked)}.", cheapest, f"{reasons}.") if part
    )
