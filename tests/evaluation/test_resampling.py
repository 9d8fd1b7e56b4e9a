"""The bootstrap against scipy's on random data; the coverage of its intervals by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import bootstrap

from phinb.evaluation.resampling import Resampled, interval_of_mean, interval_of_ratio, interval_of_sums
from phinb.evaluation.statistics import interval_of_proportion


@pytest.mark.parametrize("seed", range(6))
def test_the_interval_of_a_mean_is_scipys(seed: int) -> None:
    """BCa of skewed data; both are drawn at random, from other seeds."""
    values = np.random.default_rng(seed).exponential(1.0, 80) ** 1.5
    reference = bootstrap((values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(0))
    interval = Resampled(values.reshape(-1, 1), resamples=20_000).interval(lambda sums: sums[..., 0] / 80)
    assert interval is not None
    width = reference.confidence_interval.high - reference.confidence_interval.low
    assert interval.low == pytest.approx(reference.confidence_interval.low, abs=0.07 * width)
    assert interval.high == pytest.approx(reference.confidence_interval.high, abs=0.07 * width)


def test_the_interval_of_a_ratio_is_scipys() -> None:
    random = np.random.default_rng(3)
    tokens = random.integers(5, 60, 90)
    nats = tokens * random.gamma(4.0, 0.6, 90)

    def perplexity(nats: np.ndarray, tokens: np.ndarray, axis: int = -1) -> np.ndarray:
        result: np.ndarray = np.exp(nats.sum(axis=axis) / tokens.sum(axis=axis))
        return result

    reference = bootstrap(
        (nats, tokens), perplexity, paired=True, method="BCa", n_resamples=9999, rng=np.random.default_rng(0)
    ).confidence_interval
    interval = interval_of_ratio(nats.tolist(), tokens.tolist(), np.exp)
    assert interval is not None
    width = reference.high - reference.low
    assert interval == pytest.approx((reference.low, reference.high), abs=0.07 * width)


def test_rows_by_kind_are_rows_one_by_one() -> None:
    """Twenty rows of two kinds, counted or written out: the same statistic, an interval of the same width."""
    kinds = np.array([[1.0], [0.0]])
    counted = Resampled(kinds, [12, 8]).interval(lambda sums: sums[..., 0] / 20)
    single = interval_of_sums(np.repeat(kinds, [12, 8], axis=0), lambda sums: sums[..., 0] / 20)
    assert counted is not None
    assert single is not None
    assert counted == pytest.approx(single, abs=0.051)


def test_the_same_rows_give_the_same_interval() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    assert interval_of_mean(values) == interval_of_mean(values)


def test_what_does_not_tell_its_certainty_has_no_interval() -> None:
    assert interval_of_mean([3.0]) is None
    assert interval_of_mean([3.0, 3.0, 3.0]) is None
    assert interval_of_mean([1.0] * 5, bounded=True) == pytest.approx(interval_of_proportion(5, 5))


def covers(samples: Sequence[np.ndarray], truth: float) -> float:
    """How often the interval has the truth; fewer resamples than usual, which widens nothing."""
    hits = 0
    for values in samples:
        interval = Resampled(values.reshape(-1, 1), resamples=1000).interval(lambda sums: sums[..., 0] / len(values))  # noqa: B023
        hits += interval is not None and interval.low <= truth <= interval.high
    return hits / len(samples)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 120])
def test_the_interval_of_a_skewed_mean_covers_what_it_claims(n: int) -> None:
    """Token F1 is like this: many at 0 and 1, the others between. The bootstrap falls a little short for few rows."""
    random = np.random.default_rng(4)
    samples = [np.clip(random.beta(0.4, 0.3, n), 0, 1) for _ in range(400)]
    assert 0.905 <= covers(samples, 0.4 / 0.7) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 120])
def test_the_interval_of_a_paired_difference_covers_what_it_claims(n: int) -> None:
    random = np.random.default_rng(5)
    truth = 0.05
    samples = []
    for _ in range(400):
        before = random.beta(2, 2, n)
        samples.append(truth + 0.2 * (random.beta(2, 2, n) - 0.5) + 0.1 * (before - 0.5))
    assert 0.92 <= covers(samples, truth) <= 0.98


@pytest.mark.slow
def test_perplexitys_interval_covers_what_it_claims() -> None:
    random = np.random.default_rng(6)
    hits = 0
    for _ in range(400):
        tokens = random.integers(5, 40, 80)
        nats = random.gamma(2.0 * tokens, 1.0)  # a sum of as many gammas of mean 2
        interval = interval_of_ratio(nats.tolist(), tokens.tolist(), np.exp)
        hits += interval is not None and interval.low <= math.exp(2.0) <= interval.high
    assert 0.92 <= hits / 400 <= 0.98
