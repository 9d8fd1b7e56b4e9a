"""Per label and macro figures, held against scikit-learn on random data; coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

from phinb.evaluation.classification import judge_labels

LABELS = ["fear", "joy", "sadness", "surprise"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=60))
def test_precision_recall_and_f1_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = (list(column) for column in zip(*pairs, strict=True))
    quality = judge_labels(truth, predicted, LABELS)
    reference = precision_recall_fscore_support(truth, predicted, labels=LABELS, zero_division=np.nan)
    for label, precision, recall, f1, support in zip(quality.labels, *reference, strict=True):
        assert label.support == support
        for own, theirs in ((label.precision, precision), (label.recall, recall)):
            assert (own is None) == bool(np.isnan(theirs))
            assert own is None or own == pytest.approx(theirs)
        occurs = label.support or label.predicted
        assert (label.f1 is None) == (not occurs)
        assert label.f1 is None or label.f1 == pytest.approx(0.0 if np.isnan(f1) else f1)
    assert quality.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    if quality.macro_f1_interval:
        assert 0 <= quality.macro_f1_interval.low <= quality.macro_f1_interval.high <= 1


def test_shares_have_wilsons_interval_of_what_they_are_shares_of() -> None:
    truth = ["joy"] * 10 + ["fear"] * 30
    predicted = ["joy"] * 8 + ["fear"] * 2 + ["joy"] * 3 + ["fear"] * 27
    joy = judge_labels(truth, predicted, ["fear", "joy"]).labels[1]
    assert joy.precision_interval == pytest.approx(proportion_confint(8, 11, method="wilson"))
    assert joy.recall_interval == pytest.approx(proportion_confint(8, 10, method="wilson"))
    assert joy.f1_interval is not None
    assert joy.f1_interval.low < joy.f1 < joy.f1_interval.high  # type: ignore[operator]


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        judge_labels([], [], LABELS)


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200])
def test_the_interval_of_macro_f1_covers_what_it_claims(n: int) -> None:
    """Four labels, three quarters right; the true macro-F1 is that of half a million rows."""
    random = np.random.default_rng(7)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        truth = random.choice(4, count, p=[0.4, 0.3, 0.2, 0.1])
        wrong = random.random(count) < 0.25
        return truth, np.where(wrong, random.integers(0, 4, count), truth)

    many = draw(500_000)
    true = f1_score(*many, average="macro")
    hits = 0
    for _ in range(300):
        truth, predicted = ([LABELS[k] for k in column] for column in draw(n))
        interval = judge_labels(truth, predicted, LABELS).macro_f1_interval
        hits += interval is not None and interval.low <= true <= interval.high
    assert 0.905 <= hits / 300 <= 0.985
