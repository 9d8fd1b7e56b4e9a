"""A closed set of labels, label by label: precision, recall, F1, support; macro-F1 over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phinb.evaluation.resampling import Resampled
from phinb.evaluation.statistics import Interval, confuse, interval_of_proportion


@dataclass(frozen=True)
class LabelQuality:
    """One label: of `predicted` rows that were given it, `correct` have it; of `support` rows that have it, as many.

    precision = correct / predicted, recall = correct / support, each with Wilson's 95 % interval; f1, their harmonic
    mean = 2 correct / (predicted + support), with a bootstrap interval over rows. None where there is nothing to
    divide by, or nothing to tell how sure it is.
    """

    label: str
    support: int
    predicted: int
    correct: int
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None


@dataclass(frozen=True)
class ClassQuality:
    """Every label's quality, and macro-F1 with its bootstrap interval: the mean F1 of the labels that occur among
    answers or predictions (what scikit-learn averages over by default)."""

    labels: tuple[LabelQuality, ...]
    macro_f1: float
    macro_f1_interval: Interval | None


def judge_labels(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> ClassQuality:
    """Per label and macro figures of n predictions. Raises ValueError for no rows, KeyError for an unknown label."""
    import numpy

    if not truth:
        raise ValueError("there are no rows")
    counts = numpy.array(confuse(truth, predicted, labels))
    cells = [(i, j) for i in range(len(labels)) for j in range(len(labels)) if counts[i, j]]
    times = [int(counts[cell]) for cell in cells]
    present = [k for k in range(len(labels)) if counts[k].sum() + counts[:, k].sum()]
    # A row of the confusion's cell (i, j) adds to: rows that are k, rows that are called k, rows that are both.
    rows = numpy.zeros((len(cells), 3 * len(labels)))
    for place, (i, j) in enumerate(cells):
        rows[place, i] += 1
        rows[place, len(labels) + j] += 1
        rows[place, 2 * len(labels) + i] += i == j

    def score(sums: Any) -> Any:
        """Column sums -> F1 of every label, (..., labels); 0 where a sample has nothing of it."""
        support, called, both = numpy.split(sums, 3, axis=-1)
        whole = support + called
        return numpy.where(whole > 0, 2 * both / numpy.maximum(whole, 1), 0.0)

    def average(sums: Any) -> Any:
        """Of a sample too, only of the labels that occur in it."""
        occurs = sums[..., : len(labels)] + sums[..., len(labels) : 2 * len(labels)] > 0
        return score(sums).sum(axis=-1) / occurs.sum(axis=-1)

    samples = Resampled(rows, times)
    found = []
    for k, label in enumerate(labels):
        support, called, both = int(counts[k].sum()), int(counts[:, k].sum()), int(counts[k, k])
        f1 = 2 * both / (support + called) if support + called else None
        spread = None if f1 is None else samples.interval(lambda sums, k=k: score(sums)[..., k])  # type: ignore[misc]
        precision, recall = both / called if called else None, both / support if support else None
        within = interval_of_proportion(both, called) if called else None
        of_all = interval_of_proportion(both, support) if support else None
        found.append(LabelQuality(label, support, called, both, precision, within, recall, of_all, f1, spread))
    macro = sum(found[k].f1 or 0.0 for k in present) / len(present)
    return ClassQuality(tuple(found), macro, samples.interval(average))
