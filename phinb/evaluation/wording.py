"""A comparison in words: what a stage gained and lost, and whether chance explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinb.evaluation.statistics import PairedChange

if TYPE_CHECKING:
    from phinb.evaluation.results import Comparison, Summary


def describe_changes(comparison: Comparison) -> tuple[str, ...]:
    """One text a variant that has a stage before it or failed; a lone first variant is described by itself."""
    by_name = {summary.name: summary for summary in comparison.summaries}
    texts = []
    for summary in comparison.summaries:
        if summary.error:
            texts.append(f"{summary.name} was not measured: {summary.error.splitlines()[0]}")
        elif summary.change:
            texts.append(f"{_quality(summary, summary.change)} {_cost(summary, by_name[summary.before])}".strip())
        elif len(by_name) == 1:
            share = percent(summary.accuracy)
            texts.append(f"{summary.name} is right on {summary.correct} of {summary.n} rows ({share}).")
    return tuple(texts)


def _quality(summary: Summary, change: PairedChange) -> str:
    """`int4 loses 3.8 points against merged: 19 rows broken, 10 mended; could be chance (McNemar p = 0.14).`"""
    if change.changed == 0:
        return f"{summary.name} answers all {change.n} rows as {summary.before} does."
    rows = f"{_count(change.broken)} broken, {change.mended} mended"
    if change.difference == 0:
        return f"{summary.name} is as often right as {summary.before}: {rows}."
    verb = "gains" if change.difference > 0 else "loses"
    chance = "could be chance" if change.p >= 0.05 else "more than chance explains"
    points = f"{100 * abs(change.difference):.1f} points"
    return f"{summary.name} {verb} {points} against {summary.before}: {rows}; {chance} (McNemar p {p_value(change.p)})."


def _cost(summary: Summary, before: Summary) -> str:
    parts = []
    if summary.decode_tokens_per_s and before.decode_tokens_per_s:
        parts.append(_speed(summary.decode_tokens_per_s / before.decode_tokens_per_s))
    if summary.size_bytes and before.size_bytes:
        if summary.kind == "adapter":
            parts.append(f"adds {size(summary.size_bytes)} to {before.name}")
        elif before.kind != "adapter":
            ratio = summary.size_bytes / before.size_bytes
            parts.append("the same size" if abs(ratio - 1) < 0.005 else f"{ratio:.2f} of the size")
    text = ", ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _speed(ratio: float) -> str:
    """Of decoding; within 5 % it is called the same."""
    if abs(ratio - 1) <= 0.05:
        return "decodes as fast"
    return f"{ratio:.1f} times faster" if ratio >= 1.5 else f"{ratio:.2f} times as fast"


def _count(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows} rows"


def p_value(p: float) -> str:
    """`= 0.14`, `= 0.003`, `< 0.001`"""
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.01 else f"= {p:.2f}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def size(count: int | None) -> str:
    """Decimal units: `517 MB`, `9.1 MB`, `1.4 GB`."""
    if count is None:
        return "–"
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 99.95 and unit != "B" else f"{value:.0f} {unit}"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def speed(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} /s" if value < 10 else f"{value:,.0f} /s"
