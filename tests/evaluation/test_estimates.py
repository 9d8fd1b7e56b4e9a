"""Metrics and what a stage changes of them, held against scipy; divergence against scipy's entropy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax as reference_softmax
from scipy.stats import binomtest, entropy

from phinb.evaluation.estimates import (
    diverge_tokens,
    estimate_changes,
    estimate_divergence,
    estimate_metrics,
)
from phinb.evaluation.statistics import divergence, softmax
from phinb.types import Measurement, NextTokens, RowLoss, RowScore, Variant

from .examples import make_comparison

FLOATS = st.lists(st.floats(-60, 5), min_size=2, max_size=6)


@given(FLOATS, st.randoms(use_true_random=False))
def test_divergence_and_softmax_are_scipys(values: list[float], random: object) -> None:
    others = [value + random.uniform(-3, 3) for value in values]  # type: ignore[attr-defined]
    first, second = ({str(k): v for k, v in enumerate(each)} for each in (values, others))
    assert list(softmax(first).values()) == pytest.approx(reference_softmax(values).tolist(), abs=1e-12)
    expected = float(entropy(reference_softmax(values), reference_softmax(others)))
    assert divergence(softmax(first), softmax(second)) == pytest.approx(max(0.0, expected), abs=1e-9)


def test_a_distribution_that_excludes_what_the_first_admits_is_infinitely_far() -> None:
    assert divergence({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 0.0}) == math.inf
    assert divergence({"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.5}) == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match="same keys"):
        divergence({"a": 1.0}, {"b": 1.0})


@given(st.integers(0, 10_000))
def test_the_likeliest_tokens_bound_the_whole_divergence_from_below(seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = (reference_softmax(random.normal(0, 1.5, 200)) for _ in range(2))
    tops = []
    for shares in (first, second):
        order = np.argsort(-shares)[:20]
        tops.append(NextTokens(0, tuple(order.tolist()), tuple(np.log(shares[order]).tolist())))
    assert 0 <= diverge_tokens(*tops) <= float(entropy(first, second)) + 1e-9
    everything = [NextTokens(0, tuple(range(200)), tuple(np.log(shares).tolist())) for shares in (first, second)]
    assert diverge_tokens(*everything) == pytest.approx(float(entropy(first, second)), abs=1e-3)


def measure(name: str = "base", **fields: object) -> Measurement:
    return Measurement(Variant(name, name, "base", ""), **fields)  # type: ignore[arg-type]


def test_zeros_and_ones_have_wilsons_interval_and_mcnemars_test() -> None:
    before, after = (0.0,) * 12 + (1.0,) * 28, (1.0,) * 10 + (0.0,) * 5 + (1.0,) * 25
    first, second = measure(values={"exact_match": before}), measure(values={"exact_match": after})
    figure = estimate_metrics(second)["exact_match"]
    assert (figure.value, figure.n, figure.unit) == (35 / 40, 40, "share")
    change = estimate_changes(first, second)["exact_match"]
    assert change.value == pytest.approx(7 / 40)
    assert change.p == pytest.approx(binomtest(3, 13, 0.5).pvalue)
    assert change.noise is bool(binomtest(3, 13, 0.5).pvalue >= 0.05)


def test_other_figures_have_a_paired_bootstrap() -> None:
    random = np.random.default_rng(0)
    before = random.normal(10, 5, 60)
    after = before + random.normal(0.5, 0.2, 60)  # far below the spread of the rows, clear in their differences
    first, second = (measure(values={"mine": tuple(each.tolist())}) for each in (before, after))
    change = estimate_changes(first, second)["mine"]
    assert change.low is not None
    assert change.high is not None
    assert 0.3 < change.low < change.value < change.high < 0.7
    assert change.noise is False
    assert estimate_metrics(first)["mine"].unit == ""


def test_perplexity_is_of_tokens_and_bits_of_bytes() -> None:
    losses = tuple(RowLoss(row, 2.0 * tokens, tokens, 4 * tokens) for row, tokens in enumerate([10, 30, 20]))
    figures = estimate_metrics(measure(losses=losses))
    assert figures["perplexity"].value == pytest.approx(math.exp(2))
    assert figures["bits_per_byte"].value == pytest.approx(2 / math.log(2) / 4)
    assert figures["perplexity"].n == 3
    worse = tuple(RowLoss(loss.row, loss.nats * (1.1 + 0.01 * loss.row), loss.tokens, loss.bytes) for loss in losses)
    change = estimate_changes(measure(losses=losses), measure(losses=worse))
    assert change["perplexity"].value > 0
    assert change["bits_per_byte"].low is not None
    assert change["bits_per_byte"].low > 0


def test_a_stage_that_changes_nothing_has_no_divergence_and_one_that_does_has_an_interval() -> None:
    base, _, merged, int4 = make_comparison(("base", "adapter", "merged", "int4")).measurements
    same = estimate_divergence(merged, merged)
    assert same is not None
    assert (same.value, same.n, same.low) == (0.0, 240, None)
    moved = estimate_divergence(merged, int4)
    assert moved is not None
    assert moved.low is not None
    assert 0 < moved.low < moved.value < 10
    larger = estimate_divergence(base, merged)
    assert larger is not None
    assert larger.value > moved.value


def test_tokens_of_other_vocabularies_are_not_compared() -> None:
    first, second = (
        measure(next_tokens=(NextTokens(0, (1, 2), (-0.5, -1.0), context),)) for context in ("one", "another")
    )
    assert estimate_divergence(first, second) is None
    assert estimate_divergence(first, first) is not None


def test_free_text_has_no_macro_f1() -> None:
    scores = (RowScore(0, "a b", "a c", {}, matches=False),)
    assert estimate_metrics(measure(scores=scores)) == {}
