"""The figures that variants are chosen by: their names, short names and units, which way is better, how sure they are.

A size is what a variant needs on the disk: an adapter's holds the base that it stands on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from phinb.errors import PhinbError
from phinb.evaluation.latency import decode_speed, own_latencies
from phinb.evaluation.statistics import interval_of_median
from phinb.evaluation.wording import milliseconds, percent, size, speed

if TYPE_CHECKING:
    from phinb.evaluation.results import Comparison, Summary

Unit = Literal["share", "rows", "ms", "s", "tokens/s", "bytes"]

_BYTES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_BYTES |= {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
UNITS: Mapping[Unit, Mapping[str, float]] = {
    "share": {"%": 0.01},
    "rows": {},
    "ms": {"ms": 1.0, "s": 1000.0},
    "s": {"s": 1.0, "ms": 0.001},
    "tokens/s": {"/s": 1.0, "tokens/s": 1.0},
    "bytes": _BYTES,
}
"""What may follow a number, and what one of it is in the figure's own unit."""


@dataclass(frozen=True)
class Figure:
    """`name` is a column of comparison.frame, `word` what texts call it."""

    name: str
    word: str
    unit: Unit
    higher_is_better: bool
    short: tuple[str, ...] = ()

    def write(self, value: float | None) -> str:
        """The value as it is read: `81.0 %`, `78 ms`, `198 MB`; a dash where it is not known."""
        if value is None:
            return "–"
        if self.unit == "bytes":
            return size(round(value))
        writers = {"share": percent, "ms": milliseconds, "tokens/s": speed}
        if self.unit in writers:
            return writers[self.unit](value)
        return f"{value:.1f} s" if self.unit == "s" else f"{value:g}"

    def write_bound(self, value: float) -> str:
        """The value as a constraint may have it: `0.8`, `80ms`, `400MB`."""
        if self.unit == "bytes":
            unit = next(name for name in ("GB", "MB", "kB", "B") if value >= _BYTES[name] or name == "B")
            return f"{value / _BYTES[unit]:.6g}{unit}"
        return f"{value:.6g}{self.unit if self.unit in ('ms', 's') else ''}"


FIGURES: Mapping[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("accuracy", "accuracy", "share", True),
        Figure("accuracy_low", "accuracy's lower end", "share", True),
        Figure("accuracy_high", "accuracy's upper end", "share", True),
        Figure("n", "number of rows", "rows", True),
        Figure("ttft_ms_p50", "first token", "ms", False, ("ttft", "ttft_ms")),
        Figure("ttft_ms_p90", "first token's p90", "ms", False, ("ttft_p90",)),
        Figure("decode_tokens_per_s", "decoding", "tokens/s", True, ("decode", "tokens_per_s")),
        Figure("load_s", "loading", "s", False, ("load",)),
        Figure("size_bytes", "size", "bytes", False, ("size",)),
        Figure("peak_memory_bytes", "peak memory", "bytes", False, ("memory", "peak_memory")),
    )
}

_SHORT = {short: figure for figure in FIGURES.values() for short in figure.short}


def find_figure(name: str) -> Figure:
    """The figure of a column or of a short name. Raises PhinbError, naming the nearest, for any other."""
    found = FIGURES.get(name) or _SHORT.get(name)
    if found is None:
        known = [*FIGURES, *_SHORT]
        near = get_close_matches(name, known, 1, 0.6)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise PhinbError(f"There is no figure {name!r} to choose by.", f"{hint}There are: {', '.join(known)}.")
    return found


def value_of(comparison: Comparison, summary: Summary, figure: Figure) -> float | None:
    """The figure of a variant; None where it is not known, as an adapter's size where its base was not measured."""
    value: float | None = getattr(summary, figure.name)
    if figure.name == "size_bytes" and summary.kind == "adapter" and value is not None:
        base = next((s.size_bytes for s in comparison.summaries if s.kind == "base"), None)
        return None if base is None else value + base
    return value


def interval_of(comparison: Comparison, summary: Summary, figure: Figure) -> tuple[float, float, int] | None:
    """(low, high, n) of the 95 % interval, of an accuracy or of a median; None for what has none."""
    if figure.name == "accuracy":
        if summary.accuracy_low is None or summary.accuracy_high is None:
            return None
        return summary.accuracy_low, summary.accuracy_high, summary.n or 0
    measured = next((m for m in comparison.measurements if m.variant.name == summary.name), None)
    if measured is None or figure.name not in ("ttft_ms_p50", "decode_tokens_per_s"):
        return None
    values: list[float | None] = (
        [1000 * latency.ttft_s for latency in own_latencies(measured.latencies)]
        if figure.name == "ttft_ms_p50"
        else [decode_speed(latency) for latency in own_latencies(measured.latencies)]
    )
    known = [value for value in values if value is not None]
    found = interval_of_median(known)
    return None if found is None else (*found, len(known))
