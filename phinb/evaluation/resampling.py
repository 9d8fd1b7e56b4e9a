"""Bootstrap intervals of whatever is a function of sums over rows: means, ratios, macro-F1, differences of them.

Bias-corrected and accelerated (BCa; Efron 1987, JASA 82:171), rows drawn with replacement. A row is a line of
numbers; the statistic sees the columns' sums, so that thousands of samples are one matrix product: scipy's bootstrap
calls it on drawn indices, and its import costs the kernel a second. Tests hold it against scipy.stats.bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from phinb.evaluation.statistics import NORMAL, Interval, interval_of_rate

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.float64]

RESAMPLES = 5000
"""With 2000 the ends of skewed data still swing by a tenth of the interval."""
SEED = 0
"""Always the same: the same rows give the same interval."""

_WEIGHTS_AT_ONCE = 4_000_000

Statistic = Callable[[Any], Any]
"""Column sums of shape (..., columns) -> the statistic, of shape (...)."""


def interval_of_mean(values: Sequence[float], confidence: float = 0.95, bounded: bool = False) -> Interval | None:
    """BCa bootstrap interval of the mean of `values`, a figure a row.

    bounded: all lie between 0 and 1, as F1 and ROUGE do; where they are all the same, which tells a bootstrap nothing,
    the interval is then Wilson's for a proportion (no mean of bounded values is less certain than one). Else None for
    such values, and for fewer than two.
    """
    import numpy

    rows = numpy.asarray(values, dtype=numpy.float64).reshape(-1, 1)
    if bounded and len(rows) and float(rows.min()) == float(rows.max()):
        return interval_of_rate(float(rows[0, 0]), len(rows), confidence)
    return interval_of_sums(rows, lambda sums: sums[..., 0] / len(rows), confidence)


def interval_of_ratio(
    above: Sequence[float],
    below: Sequence[float],
    transform: Callable[[Any], Any] = lambda value: value,
    confidence: float = 0.95,
) -> Interval | None:
    """BCa bootstrap interval of transform(sum(above) / sum(below)), rows drawn in pairs; `transform` rises throughout
    and takes arrays. Perplexity is exp(nats / tokens). None as in `interval_of_sums`."""
    import numpy

    rows = numpy.column_stack([above, below]).astype(numpy.float64)
    return interval_of_sums(rows, lambda sums: transform(sums[..., 0] / sums[..., 1]), confidence)


def interval_of_sums(rows: Numbers, statistic: Statistic, confidence: float = 0.95) -> Interval | None:
    """BCa bootstrap interval of a statistic of the column sums of `rows`, shape (n, columns); see Resampled."""
    return Resampled(rows).interval(statistic, confidence)


class Resampled:
    """`resamples` samples of n rows each, as column sums, of which any number of statistics may be asked.

    rows: shape (kinds, columns). counts: how often each kind occurs, by default once: rows of which only a few kinds
    exist (the cells of a confusion matrix) are drawn by kind. n is the sum of the counts.
    """

    def __init__(self, rows: Numbers, counts: Sequence[int] | None = None, resamples: int = RESAMPLES) -> None:
        import numpy

        self._rows = rows
        ones = numpy.ones(len(rows), dtype=numpy.int64)
        self._counts = ones if counts is None else numpy.asarray(counts, dtype=numpy.int64)
        self.n = int(self._counts.sum())
        self._whole = self._counts @ rows
        shares = None if counts is None else self._counts / self.n
        self._drawn = _draw(rows, shares, self.n, resamples) if self.n > 1 else None

    def interval(self, statistic: Statistic, confidence: float = 0.95) -> Interval | None:
        """None where there are fewer than two rows, or all samples give the same figure: then the data do not tell
        how sure it is."""
        import numpy

        if self._drawn is None:
            return None
        drawn = numpy.sort(numpy.asarray(statistic(self._drawn)))
        if drawn[0] == drawn[-1]:
            return None
        without = numpy.asarray(statistic(self._whole - self._rows))
        point = float(statistic(self._whole))
        low, high = _bca_shares(drawn, point, without, self._counts, confidence)
        return Interval(float(numpy.quantile(drawn, low)), float(numpy.quantile(drawn, high)))


def _draw(rows: Numbers, shares: Numbers | None, n: int, resamples: int) -> Numbers:
    """Column sums of shape (resamples, columns); shares: how likely each row is, None for all alike."""
    import numpy

    random = numpy.random.default_rng(SEED)
    at_once = max(1, _WEIGHTS_AT_ONCE // len(rows))
    parts = []
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        if shares is None:  # a multinomial draw over as many kinds as rows takes ten times as long
            chosen = random.integers(0, n, (size, n)) + n * numpy.arange(size)[:, None]
            weights = numpy.bincount(chosen.ravel(), minlength=size * n).reshape(size, n)
        else:
            weights = random.multinomial(n, shares, size=size)
        parts.append(weights @ rows)
    return numpy.concatenate(parts)


def _bca_shares(
    drawn: Numbers, point: float, without: Numbers, times: NDArray[numpy.int64], confidence: float
) -> tuple[float, float]:
    """Which quantiles of the samples are the interval's ends.

    `without` has the statistic with one row left out; its skew is the acceleration. As in scipy, samples that equal
    the point count half for the bias.
    """
    below = (float((drawn < point).mean()) + float((drawn <= point).mean())) / 2
    floor = 0.5 / len(drawn)
    bias = NORMAL.inv_cdf(min(1 - floor, max(floor, below)))
    mean = float((times * without).sum() / times.sum())
    spread = mean - without
    squares = float((times * spread**2).sum())
    acceleration = float((times * spread**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + NORMAL.inv_cdf(tail)
        scale = 1 - acceleration * z
        ends.append(NORMAL.cdf(bias + z / scale) if scale > 0 else float(z > 0))
    return ends[0], ends[1]
