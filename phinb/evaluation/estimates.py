"""Measured quality as figures with their intervals: each metric of a variant, and what a stage changed of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phinb.evaluation.classification import judge_labels
from phinb.evaluation.resampling import interval_of_mean, interval_of_ratio, interval_of_sums
from phinb.evaluation.statistics import Interval, divergence, interval_of_proportion, mcnemar, softmax
from phinb.types import Measurement, NextTokens, RowLoss, RowScore

LOWER_IS_BETTER = ("perplexity", "bits_per_byte")
_LEAST_MASS = 1e-9
"""What a distribution's rest is at least taken to have: rounding must not make it nothing."""


@dataclass(frozen=True)
class Estimate:
    """A figure, its 95 % interval (None where the data do not tell it) and the n rows that it is of.

    unit: "share" for figures from 0 to 1, else "" for a plain number or what it is counted in. p: of a difference of a
    metric that is 0 or 1 a row, McNemar's.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    unit: str = ""
    p: float | None = None

    @property
    def noise(self) -> bool | None:
        """Of a difference: whether 0 is as good an explanation; None where that is not known."""
        if self.p is not None:
            return self.p >= 0.05
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high


def estimate_metrics(measured: Measurement, labels: Sequence[str] = ()) -> dict[str, Estimate]:
    """{metric: its estimate} of all that was measured on a variant but accuracy, in the order they are shown."""
    found: dict[str, Estimate] = {}
    if labels and measured.scores and measured.scores[0].log_likelihoods:
        truth, predicted = zip(*((score.label, score.predicted) for score in measured.scores), strict=True)
        quality = judge_labels(truth, predicted, labels)
        found["macro_f1"] = _make(quality.macro_f1, quality.macro_f1_interval, len(truth), "share")
    for name, values in measured.values.items():
        found[name] = _estimate_mean(values)
    if measured.losses:
        found |= _estimate_losses(measured.losses)
    for task, reported in measured.harness.items():
        for metric, figures in reported.get("metrics", {}).items():
            found[f"{task} {metric}"] = _estimate_reported(figures, int(reported["n"]))
    return found


def _estimate_mean(values: Sequence[float]) -> Estimate:
    """Wilson's interval where every row is 0 or 1, else a bootstrap's."""
    n, mean = len(values), math.fsum(values) / len(values)
    if all(value in (0.0, 1.0) for value in values):
        return _make(mean, interval_of_proportion(round(math.fsum(values)), n), n, "share")
    bounded = all(0 <= value <= 1 for value in values)
    return _make(mean, interval_of_mean(values, bounded=bounded), n, "share" if bounded else "")


def _estimate_losses(losses: Sequence[RowLoss]) -> dict[str, Estimate]:
    """Perplexity, exp of the nats a token; bits a UTF-8 byte of the same text beside it, for which it does not matter
    into what tokens a tokenizer cuts it."""
    import numpy

    nats, tokens = [loss.nats for loss in losses], [loss.tokens for loss in losses]
    found = {}
    value = math.exp(math.fsum(nats) / sum(tokens))
    found["perplexity"] = _make(value, interval_of_ratio(nats, tokens, numpy.exp), len(losses))
    if total := sum(loss.bytes for loss in losses):
        bits = [loss.nats / math.log(2) for loss in losses]
        interval = interval_of_ratio(bits, [loss.bytes for loss in losses])
        found["bits_per_byte"] = _make(math.fsum(bits) / total, interval, len(losses))
    return found


def _estimate_reported(figures: Mapping[str, Any], n: int) -> Estimate:
    """The harness gives a standard error, of which a normal interval is made; none where it has none."""
    value, error = float(figures["value"]), figures.get("stderr")
    half = 1.959964 * float(error) if isinstance(error, int | float) and math.isfinite(error) and error > 0 else None
    interval = None if half is None else Interval(value - half, value + half)
    share = 0 <= value <= 1
    if interval and share:
        interval = Interval(max(0.0, interval.low), min(1.0, interval.high))
    return _make(value, interval, n, "share" if share else "")


def _make(value: float, interval: Interval | None, n: int, unit: str = "") -> Estimate:
    return Estimate(value, interval and interval.low, interval and interval.high, n, unit)


# ----------------------------------------------------------------------------------- from stage to stage


def estimate_changes(before: Measurement, after: Measurement) -> dict[str, Estimate]:
    """{metric: after minus before} on the same rows, paired, for what both have: bootstrap of the rows' differences."""
    found = {}
    for name in before.values.keys() & after.values.keys():
        found[name] = _estimate_difference(before.values[name], after.values[name])
    if before.losses and len(before.losses) == len(after.losses):
        found |= _estimate_loss_change(before.losses, after.losses)
    return found


def _estimate_difference(before: Sequence[float], after: Sequence[float]) -> Estimate:
    differences = [new - old for old, new in zip(before, after, strict=True)]
    n, mean = len(differences), math.fsum(differences) / len(differences)
    binary = all(value in (0.0, 1.0) for value in (*before, *after))
    p = mcnemar(differences.count(-1.0), differences.count(1.0)) if binary else None
    interval = interval_of_mean(differences)
    unit = "share" if all(0 <= value <= 1 for value in (*before, *after)) else ""
    return Estimate(mean, interval and interval.low, interval and interval.high, n, unit, p)


def _estimate_loss_change(before: Sequence[RowLoss], after: Sequence[RowLoss]) -> dict[str, Estimate]:
    import numpy

    pairs = list(zip(before, after, strict=True))
    found = {}
    for name, base, transform in (("perplexity", "tokens", numpy.exp), ("bits_per_byte", "bytes", None)):
        unit = 1.0 if name == "perplexity" else 1 / math.log(2)
        rows = numpy.array([[a.nats * unit, getattr(a, base), b.nats * unit, getattr(b, base)] for a, b in pairs])
        if not rows[:, 1].sum() or not rows[:, 3].sum():
            continue

        def difference(sums: Any, transform: Any = transform) -> Any:
            old, new = sums[..., 0] / sums[..., 1], sums[..., 2] / sums[..., 3]
            return new - old if transform is None else transform(new) - transform(old)

        interval = interval_of_sums(rows, difference)
        found[name] = _make(float(difference(rows.sum(axis=0))), interval, len(pairs))
    return found


def estimate_divergence(before: Measurement, after: Measurement) -> Estimate | None:
    """Mean Kullback-Leibler divergence in nats, KL(before || after), over the rows, with its bootstrap interval.

    Of the labels' distribution for a closed set; for free text of the next token's after the prompt, over the tokens
    that are among both variants' likeliest, all others taken together as one: a lower bound of the divergence over the
    whole vocabulary. None where there is neither, or the variants' tokens are not the same.
    """
    values = [diverge_labels(a, b) for a, b in zip(before.scores, after.scores, strict=False) if a.log_likelihoods]
    if not values and before.next_tokens and after.next_tokens:
        if [one.context for one in before.next_tokens] != [one.context for one in after.next_tokens]:
            return None
        values = [diverge_tokens(a, b) for a, b in zip(before.next_tokens, after.next_tokens, strict=True)]
    if not values:
        return None
    return _make(math.fsum(values) / len(values), interval_of_mean(values), len(values), "nats")


def diverge_labels(before: RowScore, after: RowScore) -> float:
    """KL of one row's label distributions, nats."""
    return divergence(*(softmax(score.scores or score.log_likelihoods) for score in (before, after)))


def diverge_tokens(before: NextTokens, after: NextTokens) -> float:
    """KL of one row's next-token distributions, nats, over the shared tokens and the rest."""
    old, new = (dict(zip(each.ids, each.log_probabilities, strict=True)) for each in (before, after))
    shared = [token for token in old if token in new]
    parts = [{str(token): math.exp(each[token]) for token in shared} for each in (old, new)]
    for part in parts:
        part["rest"] = max(_LEAST_MASS, 1 - math.fsum(part.values()))
    return divergence(*({key: max(value, _LEAST_MASS) for key, value in part.items()} for part in parts))
