"""How sure a figure is: intervals for proportions, paired tests between two variants, quantiles.

Plain Python: these run in the kernel, which loads no numeric library for them. Tests hold them against statsmodels,
scipy and numpy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

NORMAL = NormalDist()


class Interval(NamedTuple):
    """Where the true figure lies, with the confidence that was asked for."""

    low: float
    high: float


def interval_of_proportion(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22:209), without continuity correction.

    Raises ValueError unless 0 <= successes <= n and n > 0.
    """
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"{successes} of {n} is no proportion")
    return interval_of_rate(successes / n, n, confidence)


def interval_of_rate(rate: float, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval where the rate need not be a whole number of n: of a mean of figures from 0 to 1 it is a wide
    one, because none of them varies more than right and wrong do."""
    z = NORMAL.inv_cdf(0.5 + confidence / 2)
    spread = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / spread
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / spread
    # Rounding must not take 0 of n below 0, nor the interval off its own point.
    return Interval(max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half)))


def mcnemar(broken: int, mended: int) -> float:
    """Exact two-sided McNemar test of paired answers: how often chance alone parts the changed rows so unevenly.

    broken: rows right before and wrong after; mended: the other way round. The rows that did not change do not
    count. A binomial test at 1/2, the smaller tail doubled (McNemar 1947; exact form as in Agresti, Categorical Data
    Analysis, 10.1). 1.0 where nothing changed.
    """
    if broken < 0 or mended < 0:
        raise ValueError("counts cannot be negative")
    if broken == mended:
        return 1.0
    changed, smaller = broken + mended, min(broken, mended)
    if changed <= 1000:
        tail = sum(math.comb(changed, k) for k in range(smaller + 1))
        return min(1.0, 2 * tail / (1 << changed))
    # Beyond that, whole numbers of thousands of digits are slow, and logarithms are exact to ten digits.
    whole = math.lgamma(changed + 1) - (changed - 1) * math.log(2)
    logs = (whole - math.lgamma(k + 1) - math.lgamma(changed - k + 1) for k in range(smaller + 1))
    return min(1.0, math.fsum(map(math.exp, logs)))


def interval_of_difference(broken: int, mended: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the paired difference of two proportions, after minus before, (mended - broken) / n.

    The adjusted Wald interval of Bonett and Price (2012, Journal of Educational and Behavioral Statistics 37:479):
    one row is added to each changed cell, which keeps its coverage near what it claims for small n, too.
    """
    if n <= 0 or broken < 0 or mended < 0 or broken + mended > n:
        raise ValueError(f"{broken} broken and {mended} mended of {n} cannot be")
    z = NORMAL.inv_cdf(0.5 + confidence / 2)
    down, up = (broken + 1) / (n + 2), (mended + 1) / (n + 2)
    half = z * math.sqrt((down + up - (up - down) ** 2) / (n + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)


def interval_of_median(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """The interval between two order statistics that covers the median with `confidence` or more, whatever the
    distribution (Conover, Practical Nonparametric Statistics, 3.2); None of fewer than six values, which have none."""
    n, ordered = len(values), sorted(values)
    tail, below = 0.0, -1
    for k in range(n):
        tail += math.comb(n, k) / 2**n
        if tail > (1 - confidence) / 2:
            break
        below = k
    return None if below < 0 else (ordered[below], ordered[n - 1 - below])


def agreement(first: Sequence[str], second: Sequence[str]) -> float:
    """The share of places at which two sequences of the same length hold the same. ValueError if they have none."""
    if len(first) != len(second) or not first:
        raise ValueError("two sequences of the same length, at least 1, are needed")
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)


def softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Log-likelihoods (or other scores, in nats) as a distribution that sums to 1; {} of none."""
    if not scores:
        return {}
    top = max(scores.values())
    weights = {key: math.exp(value - top) for key, value in scores.items()}
    total = math.fsum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def divergence(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Kullback-Leibler divergence of `second` from `first` in nats, sum of p log(p / q); both over the same keys.

    What the second distribution costs where the first is the truth (Kullback and Leibler 1951). inf where the second
    has 0 for what the first admits. ValueError for different keys.
    """
    if first.keys() != second.keys() or not first:
        raise ValueError("two distributions over the same keys are needed")
    parts = []
    for key, p in first.items():
        if p > 0:
            if second[key] <= 0:
                return math.inf
            parts.append(p * math.log(p / second[key]))
    return max(0.0, math.fsum(parts))


def quantile(values: Sequence[float], share: float) -> float:
    """The quantile at `share` (0 to 1), linear between neighbours (type 7 of Hyndman and Fan 1996, numpy's default)."""
    if not values or not 0 <= share <= 1:
        raise ValueError("a quantile needs values, and a share from 0 to 1")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class PairedChange:
    """What happened to the same n rows from one variant to the next.

    `changed` counts rows with another prediction; difference = accuracy after minus before, with its 95 % interval;
    p is McNemar's.
    """

    n: int
    broken: int
    mended: int
    changed: int
    difference: float
    low: float
    high: float
    p: float

    @property
    def agreement(self) -> float:
        return 1 - self.changed / self.n


def compare_answers(truth: Sequence[str], before: Sequence[str], after: Sequence[str]) -> PairedChange:
    """The paired change from `before` to `after`, both predictions of `truth`, row by row."""
    if len(before) != len(truth) or len(after) != len(truth):
        raise ValueError("three sequences of the same length, at least 1, are needed")
    first, second = ([a == b for a, b in zip(truth, guesses, strict=True)] for guesses in (before, after))
    return compare_rows(first, second, before, after)


def compare_rows(
    right_before: Sequence[bool], right_after: Sequence[bool], before: Sequence[str], after: Sequence[str]
) -> PairedChange:
    """The same where it is known already which rows are right: a free text may be right in other words."""
    n = len(before)
    if not n or len({n, len(after), len(right_before), len(right_after)}) != 1:
        raise ValueError("three sequences of the same length, at least 1, are needed")
    pairs = list(zip(right_before, right_after, strict=True))
    broken, mended = pairs.count((True, False)), pairs.count((False, True))
    changed = sum(old != new for old, new in zip(before, after, strict=True))
    low, high = interval_of_difference(broken, mended, n)
    return PairedChange(n, broken, mended, changed, (mended - broken) / n, low, high, mcnemar(broken, mended))


def confuse(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """Counts of shape (labels, labels): row the true label, column the predicted one."""
    place = {label: index for index, label in enumerate(labels)}
    counts = [[0] * len(labels) for _ in labels]
    for right, guess in zip(truth, predicted, strict=True):
        counts[place[right]][place[guess]] += 1
    return counts
