"""A comparison in words: what a stage gained and lost, and whether chance explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinb.evaluation.estimates import LOWER_IS_BETTER, Estimate
from phinb.evaluation.statistics import PairedChange

if TYPE_CHECKING:
    from phinb.evaluation.results import Comparison, Summary

METRIC_WORDS = {
    "macro_f1": "macro-F1",
    "exact_match": "exact match",
    "f1": "F1 of words",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "bits_per_byte": "bits per byte",
}
"""What texts call a metric; the others are called by their names."""

SCORING_WORDS = {
    "sum": "log-likelihood",
    "mean": "log-likelihood per token",
    "calibrated": "log-likelihood calibrated by the empty prompt",
}


def describe_changes(comparison: Comparison) -> tuple[str, ...]:
    """One text a variant that has a stage before it or failed; a lone first variant is described by itself."""
    by_name = {summary.name: summary for summary in comparison.summaries}
    texts = []
    for summary in comparison.summaries:
        if summary.error:
            texts.append(f"{summary.name} was not measured: {summary.error.splitlines()[0]}")
        elif summary.before:
            quality = _quality(summary, summary.change) if summary.change else ""
            parts = (quality, _metrics(summary, bool(quality)), _cost(summary, by_name[summary.before]))
            texts.append(" ".join(part for part in parts if part))
        elif len(by_name) == 1 and summary.accuracy is not None:
            share = percent(summary.accuracy)
            texts.append(f"{summary.name} is right on {summary.correct} of {summary.n} rows ({share}).")
    return tuple(text for text in texts if text)


def _quality(summary: Summary, change: PairedChange) -> str:
    """`int4 loses 3.8 points against merged, within noise at n = 240: 19 rows broken, 10 mended (McNemar p = 0.14).`"""
    if change.changed == 0:
        return f"{summary.name} answers all {change.n} rows as {summary.before} does."
    rows = f"{_count(change.broken)} broken, {change.mended} mended"
    if change.difference == 0:
        return f"{summary.name} is as often right as {summary.before}: {rows}."
    verb = "gains" if change.difference > 0 else "loses"
    noise = f"{'within' if change.p >= 0.05 else 'more than'} noise at n = {change.n}"
    points = f"{100 * abs(change.difference):.1f} points"
    return f"{summary.name} {verb} {points} against {summary.before}, {noise}: {rows} (McNemar p {p_value(change.p)})."


def _metrics(summary: Summary, said: bool) -> str:
    """`ROUGE-L -3.2 points (-7.0 to 0.6, within noise).`; `said`: which variants it is about has been told."""
    moved = {name: change for name, change in summary.metric_changes.items() if change.value or not said}
    changes = [f"{metric_word(name)} {_difference(change, name)}" for name, change in moved.items()]
    if not changes:
        return ""
    text = f"{'; '.join(changes)}."
    return text if said else f"{summary.name} against {summary.before}, n = {summary.n}: {text}"


def _difference(change: Estimate, name: str) -> str:
    factor, unit = (100, " points") if change.unit == "share" else (1, "")
    digits = 1 if unit else 3
    if change.low is None or change.high is None:
        return f"{factor * change.value:+.{digits}f}{unit}"
    spread = f"{factor * change.low:+.{digits}f} to {factor * change.high:+.{digits}f}"
    noise = "within noise" if change.noise else "more than noise"
    better = "" if change.noise or name not in LOWER_IS_BETTER else ", lower is better"
    return f"{factor * change.value:+.{digits}f}{unit} ({spread}, {noise}{better})"


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


def metric_word(name: str) -> str:
    return METRIC_WORDS.get(name, name)


def estimate(value: Estimate | None) -> str:
    """`52.1 % (46.0 – 58.3)`, `12.40 (11.8 – 13.1)`; a dash where it is not known."""
    if value is None:
        return "–"
    factor, unit = (100, " %") if value.unit == "share" else (1, f" {value.unit}" if value.unit else "")
    digits = 1 if value.unit == "share" else 3 if abs(value.value) < 10 else 1
    text = f"{factor * value.value:.{digits}f}{unit}"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({factor * value.low:.{digits}f} – {factor * value.high:.{digits}f})"


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
