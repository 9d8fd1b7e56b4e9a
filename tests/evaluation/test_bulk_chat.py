"""The median of replies' speeds and its interval: held against scipy, and its coverage simulated."""

from __future__ import annotations

import random

import pytest

from phinb.evaluation.statistics import interval_of_median, quantile


@pytest.mark.parametrize("n", [6, 7, 20, 41, 200])
def test_the_interval_is_the_narrowest_that_covers(n: int) -> None:
    from scipy.stats import binom

    found = interval_of_median([float(value) for value in range(n)])
    assert found is not None
    low, high = found
    assert low + high == n - 1, "as far from one end as from the other"
    k = int(low)
    # P(X(k) <= median <= X(n-1-k)) by the number of values under the median, binomial(n, 1/2).
    assert 1 - 2 * binom.cdf(k, n, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(k + 1, n, 0.5) < 0.95


def test_few_values_have_no_interval() -> None:
    assert [interval_of_median([1.0] * n) for n in range(6)] == [None] * 6
    assert quantile([1.0, 2.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 4.0, 8.0], 0.5) == 3.0


def test_it_covers_the_median_of_skewed_values() -> None:
    drawing = random.Random(0)
    trials, hits = 2000, 0
    for _ in range(trials):
        found = interval_of_median(sorted(drawing.lognormvariate(0, 1) for _ in range(25)))
        assert found is not None
        hits += found[0] <= 1.0 <= found[1]
    assert 0.945 <= hits / trials <= 0.98
