"""An axis of a chart: round values that enclose what is drawn, how they are written, and where a value stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from phinb.workflow.wording import write_number

LOG_FROM = 50.0
"""From this ratio of the highest to the lowest value on, a linear axis would press most of a curve flat."""


@dataclass(frozen=True)
class Axis:
    """`ticks` are values, ascending; the first and the last are the axis's ends. `log`: places go by the logarithm."""

    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Where `value` stands: 0 at the low end, 1 at the high one."""
        low, high, at = (self._measure(number) for number in (self.ticks[0], self.ticks[-1], value))
        return (at - low) / (high - low)

    def labels(self) -> list[str]:
        return write_ticks(self.ticks)

    def _measure(self, value: float) -> float:
        return math.log10(max(value, self.ticks[0])) if self.log else value


def find_axis(values: Sequence[float], may_be_log: bool = False) -> Axis:
    """The axis for these values; logarithmic only where it may be, all are above 0, and they lie far apart."""
    low, high = min(values), max(values)
    if may_be_log and low > 0 and high / low >= LOG_FROM:
        return Axis(tuple(log_ticks(low, high)), log=True)
    return Axis(tuple(round_ticks(low, high)))


def round_ticks(low: float, high: float, most: int = 4, smallest: float = 0.0) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that enclose [low, high]; up to `most`, none below `smallest`."""
    span = high - low if high > low else max(abs(high), 1e-3)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = max(smallest, next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= most))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    digits = max(10, 2 - math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Powers of ten that enclose [low, high], both above 0; every second, third, ... where they would be too many."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    stride = max(1, math.ceil((last - first) / (most - 1)))
    return [10.0**power for power in range(first, last + stride, stride)]


def write_ticks(values: Sequence[float]) -> list[str]:
    """All alike: as many decimals as the one that needs most; small ones as 2e-5, large ones with their thousands."""
    highest = max(map(abs, values))
    if highest and highest < 1e-3:
        return ["0" if value == 0 else write_small(value) for value in values]
    if highest >= 1000:
        return [write_number(value) for value in values]
    apart = max(values) / min(values) >= LOG_FROM if min(values) > 0 else False
    if apart:
        return [f"{value:g}" for value in values]
    decimals = max(len(f"{value:g}".partition(".")[2]) for value in values)
    return [f"{value:.{decimals}f}" for value in values]


def write_small(value: float, digits: int = 2) -> str:
    """1.9e-5: at most `digits` figures, and the exponent without its padding."""
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{short}e{int(exponent)}"
