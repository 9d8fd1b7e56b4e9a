"""Held against statsmodels, scipy, numpy and scikit-learn on random data; coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from phinb.evaluation.statistics import (
    agreement,
    compare_answers,
    confuse,
    interval_of_difference,
    interval_of_proportion,
    mcnemar,
    quantile,
)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_statsmodels(pair: tuple[int, int]) -> None:
    expected = proportion_confint(*pair, alpha=0.05, method="wilson")
    assert interval_of_proportion(*pair) == pytest.approx(expected, abs=1e-12)
    low, high = interval_of_proportion(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_statsmodels_and_scipy(broken: int, mended: int) -> None:
    p = mcnemar(broken, mended)
    if broken + mended:
        assert p == pytest.approx(binomtest(broken, broken + mended, 0.5).pvalue, abs=1e-12)
        assert p == pytest.approx(reference_mcnemar([[7, broken], [mended, 9]], exact=True).pvalue, abs=1e-12)
    else:
        assert p == 1.0


@pytest.mark.parametrize(("broken", "mended"), [(700, 800), (20_000, 20_400), (900, 101)])
def test_mcnemar_of_many_rows_is_scipys(broken: int, mended: int) -> None:
    expected = binomtest(broken, broken + mended, 0.5).pvalue
    assert mcnemar(broken, mended) == pytest.approx(expected, rel=1e-8)
    assert mcnemar(40_000, 40_000) == 1.0
    assert 0.0 <= mcnemar(0, 5000) < 1e-300


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0, 1))
def test_quantile_is_numpys(values: list[float], share: float) -> None:
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-6)


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=80))
def test_paired_change_counts_what_a_loop_counts(triples: list[tuple[str, str, str]]) -> None:
    truth, before, after = (list(column) for column in zip(*triples, strict=True))
    change = compare_answers(truth, before, after)
    right_before, right_after = (np.array(x) == np.array(truth) for x in (before, after))
    assert change.broken == int((right_before & ~right_after).sum())
    assert change.mended == int((~right_before & right_after).sum())
    assert change.difference == pytest.approx(right_after.mean() - right_before.mean())
    assert change.agreement == pytest.approx(agreement(before, after))
    assert change.low <= change.high
    assert confuse(truth, after, list("abc")) == confusion_matrix(truth, after, labels=list("abc")).tolist()


@pytest.mark.parametrize(("n", "rate"), [(20, 0.9), (120, 0.5), (120, 0.85), (240, 0.97)])
def test_wilson_covers_what_it_claims(n: int, rate: float) -> None:
    """Over 4000 samples the true rate lies in the 95 % interval in 93 to 97.5 % of them (Wilson swings a little)."""
    hits = 0
    for count in np.random.default_rng(1).binomial(n, rate, 4000):
        low, high = interval_of_proportion(int(count), n)
        hits += low <= rate <= high
    assert 0.93 <= hits / 4000 <= 0.975


@pytest.mark.parametrize(("n", "down", "up"), [(60, 0.1, 0.1), (120, 0.08, 0.04), (240, 0.02, 0.4), (240, 0.01, 0.02)])
def test_the_paired_interval_covers_what_it_claims(n: int, down: float, up: float) -> None:
    draws = np.random.default_rng(2).multinomial(n, [down, up, 1 - down - up], 4000)
    hits = 0
    for broken, mended, _ in draws:
        low, high = interval_of_difference(int(broken), int(mended), n)
        hits += low <= up - down <= high
    assert 0.935 <= hits / 4000 <= 0.99


def test_what_is_no_proportion_is_refused() -> None:
    for arguments in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="no proportion"):
            interval_of_proportion(*arguments)
    with pytest.raises(ValueError, match="cannot be"):
        interval_of_difference(3, 3, 5)
    with pytest.raises(ValueError, match="same length"):
        agreement(["a"], [])
