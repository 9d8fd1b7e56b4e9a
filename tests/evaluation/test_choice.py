"""Constraints read, the Pareto front, the choice with what is not certain about it, and the cheapest relaxation."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from scipy import stats

import phinb
from phinb.errors import PhinbError
from phinb.evaluation.choice_html import list_rows, write_html, write_text
from phinb.evaluation.constraints import Constraint, read_constraints, read_words
from phinb.evaluation.figures import FIGURES, find_figure, value_of
from phinb.evaluation.pareto import find_front
from phinb.evaluation.results import Comparison
from phinb.evaluation.statistics import interval_of_median, quantile

from .examples import make_comparison

FIVE = ("base", "adapter", "merged", "int4", "fp16")


@pytest.fixture
def comparison() -> Comparison:
    return make_comparison(FIVE)


# ------------------------------------------------------------------------------------------------- constraints


@pytest.mark.parametrize(
    ("words", "bound"),
    [
        ("accuracy>=0.8", 0.8),
        ("accuracy >= 80 %", 0.8),
        ("accuracy>=80%", 0.8),
        ("ttft_ms<=80", 80.0),
        ("ttft<=0.08s", 80.0),
        ("ttft_ms_p50 <= 80ms", 80.0),
        ("size<=400MB", 400e6),
        ("size<=1.5GB", 1.5e9),
        ("size<=2 GiB", 2 * 2.0**30),
        ("memory<1e9", 1e9),
        ("decode>=15", 15.0),
        ("load<=500ms", 0.5),
    ],
)
def test_short_names_and_units(words: str, bound: float) -> None:
    (one,) = read_words(words.split())
    assert one.bound == pytest.approx(bound)
    (again,) = read_words([str(one)])
    assert (again.figure, again.sign) == (one.figure, one.sign)
    assert again.bound == pytest.approx(one.bound, rel=1e-5)


def test_words_of_a_line_are_told_apart() -> None:
    found = read_words(["accuracy>=0.8", "ttft_ms", "<=", "80", "size<=400", "MB", "size>=1MB"])
    assert list(map(str, found)) == ["accuracy>=0.8", "ttft_ms_p50<=80ms", "size_bytes<=400MB", "size_bytes>=1MB"]
    assert read_words(["accuracy≥0.8"]) == read_words(["accuracy=>0.8"]) == read_words(["accuracy>=0.8"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("acuracy>=0.8", "Did you mean accuracy?"),
        ("accuracy", "in a shell in quotes"),
        ("size<=3parsecs", "cannot be read"),
        ("size<=80ms", "not counted in ms"),
        ("accuracy>=80", "0.8 or 80%"),
        ("accuracy>=0.8 accuracy>=0.9", "twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: str, told: str) -> None:
    with pytest.raises(PhinbError) as caught:
        read_words(words.split())
    assert told in str(caught.value)


def test_the_median_interval_is_the_binomial_one() -> None:
    for n in range(1, 60):
        found = interval_of_median([float(value) for value in range(n)])
        below = int(stats.binom.ppf(0.025, n, 0.5)) - 1
        assert found == (None if below < 0 else (below, n - 1 - below))


def test_the_median_interval_covers() -> None:
    draw = random.Random(1)
    hits = 0
    for _ in range(2000):
        low, high = interval_of_median([draw.lognormvariate(0, 1) for _ in range(12)]) or (9.0, 0.0)
        hits += low <= 1.0 <= high
    assert 0.95 <= hits / 2000 <= 0.975  # by the binomial 0.961


# ------------------------------------------------------------------------------------------------- the front


def test_the_front_is_what_nothing_dominates(comparison: Comparison) -> None:
    front = find_front(comparison)
    assert front.members == ("int4", "fp16")
    assert front.dominated == {"base": ("int4", "fp16"), "adapter": ("merged", "fp16"), "merged": ("fp16",)}
    assert "merged is dominated by fp16" in " ".join(front.sentences())


def test_the_front_agrees_with_trying_every_pair(comparison: Comparison) -> None:
    for figures in itertools.combinations(("accuracy", "ttft", "decode", "size", "memory"), 2):
        front = find_front(comparison, figures)
        wanted = []
        for one in comparison.summaries:
            beaten = False
            for other in comparison.summaries:
                pairs = []
                for name in figures:
                    figure = find_figure(name)
                    sign = 1 if figure.higher_is_better else -1
                    values = [value_of(comparison, summary, figure) for summary in (other, one)]
                    pairs.append([sign * (value or 0.0) for value in values])
                beaten |= all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
            wanted += [] if beaten else [one.name]
        assert list(front.members) == wanted


def test_an_adapter_without_its_base_has_no_size() -> None:
    front = find_front(make_comparison(("adapter", "int4")))
    assert front.unknown == {"adapter": ("size",)}
    choice = phinb.choose(make_comparison(("adapter", "int4")), size="<=400MB")
    assert choice.variant == "int4"
    assert choice.failing["adapter"] == ("its size is not known, because its base was not measured",)


# ------------------------------------------------------------------------------------------------- the choice


def test_the_smallest_that_fits_is_chosen(comparison: Comparison) -> None:
    choice = phinb.choose(comparison, accuracy=">=0.8", ttft_ms="<=80", size="<=400MB")
    assert choice.variant == "int4"
    assert choice.fitting == ("int4", "fp16")
    assert choice.failing["adapter"] == (
        "first token is 118 ms, not 80 ms or less",
        "size is 526 MB, not 400 MB or less",
    )


def test_by_another_figure(comparison: Comparison) -> None:
    assert phinb.choose(comparison, by="ttft").variant == "int4"
    choice = phinb.choose(comparison, by="accuracy", ttft_ms="<=90")
    assert choice.variant == "fp16"
    assert "fp16 is 3.8 points ahead of int4 at n = 240: that could be chance (McNemar p = 0.14)." in choice.cautions


def test_an_interval_that_crosses_the_bound_is_told(comparison: Comparison) -> None:
    choice = phinb.choose(comparison, accuracy=">=0.8")
    assert choice.cautions == (
        "accuracy 80.4 %, but its 95 % interval reaches down to 74.9 %: at n = 240 it is not certain that it is "
        "80.0 % or more.",
    )
    assert phinb.choose(comparison, accuracy=">=0.7", size="<=200MB").cautions == ()
    missed = phinb.choose(comparison, accuracy=">=0.83").failing["int4"]
    assert missed == (
        "accuracy is 80.4 %, not 83.0 % or more (its 95 % interval reaches 84.9 % at n = 240: it may be)",
    )


def test_the_cheapest_constraint_to_relax(comparison: Comparison) -> None:
    choice = phinb.choose(comparison, accuracy=">=0.84", size="<=250MB")
    assert choice.variant is None
    first, second = choice.relaxations
    assert (first.variant, str(first.after)) == ("fp16", "size_bytes<=260MB")
    assert (second.variant, str(second.after)) == ("int4", "accuracy>=0.804")
    assert first.change == pytest.approx(0.04)
    relaxed = phinb.choose(
        comparison, under=[replace(choice.constraints[1], bound=first.after.bound)], accuracy=">=0.84"
    )
    assert relaxed.variant == first.variant


def test_two_missed_constraints_are_not_relaxed_one_by_one(comparison: Comparison) -> None:
    choice = phinb.choose(comparison, accuracy=">=0.95", ttft_ms="<10")
    assert choice.relaxations == ()
    assert "misses two or more" in choice.reason


def test_a_relaxed_bound_admits_its_variant() -> None:
    draw = random.Random(2)
    for name, sign in itertools.product(("accuracy", "size_bytes", "ttft_ms_p50"), (">=", "<=", ">", "<")):
        for _ in range(300):
            value = draw.uniform(0.001, 1) * (1 if name == "accuracy" else 10 ** draw.uniform(0, 9))
            relaxed = Constraint(FIGURES[name], sign, 0.5).relaxed_to(value)
            assert relaxed.admits(value)
            assert relaxed.bound == pytest.approx(value, rel=0.0101)


def test_a_variant_that_failed_is_never_chosen(comparison: Comparison) -> None:
    broken = replace(comparison.measurements[3], scores=(), latencies=(), error="int4 is broken.\nBuild it again.")
    choice = phinb.choose(replace(comparison, measurements=(*comparison.measurements[:3], broken)))
    assert choice.variant != "int4"
    assert choice.failing["int4"] == ("it could not be measured: int4 is broken.",)


def test_the_table_says_what_fits(comparison: Comparison) -> None:
    choice = phinb.choose(comparison, accuracy=">=0.8", size="<=400MB")
    head, rows = list_rows(choice)
    assert head == ["variant", "", "accuracy", "size", "first token", "front"]
    assert [row[1] for row in rows] == ["–", "–", "–", "chosen", "fits"]
    assert rows[3][2] == "80.4 % (74.9 – 84.9 %) ✓"
    assert rows[1][3] == "526 MB ✗"
    assert choice.reason in write_text(choice)
    assert "not certain" in write_html(choice)


def test_names_are_escaped_in_the_table(comparison: Comparison) -> None:
    hostile = replace(
        comparison.measurements[3], variant=replace(comparison.measurements[3].variant, name="<img src=x>")
    )
    choice = phinb.choose(replace(comparison, measurements=(*comparison.measurements[:3], hostile)))
    assert "<img" not in write_html(choice)


def test_values_and_quantiles_agree(comparison: Comparison) -> None:
    measured = comparison.measurements[3]
    times = [1000 * latency.ttft_s for latency in measured.latencies]
    assert value_of(comparison, comparison.summaries[3], FIGURES["ttft_ms_p50"]) == quantile(times, 0.5)
    assert read_constraints({}) == ()
