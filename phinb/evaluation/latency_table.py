"""Latency as a table: first token by prompt length, decoding by position and batch, energy; each with n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from phinb.evaluation.latency import decode_speed, decode_speeds_by_position, own_latencies
from phinb.evaluation.statistics import interval_of_median, quantile
from phinb.types import Latency

if TYPE_CHECKING:
    from phinb.evaluation.results import Comparison

BUCKETS = 3
"""Into how many groups of like length the rows' own prompts are put."""


def tabulate_latency(comparison: Comparison) -> list[dict[str, Any]]:
    """A line a variant and measure: variant, measure, unit, n generations, p50 with its 95 % interval (between order
    statistics; None of fewer than six), and the slow side: p90 and p99 (of speeds the 10th and 1st percentile).

    What was not measured has no line: energy where the machine does not tell, lengths and batches not asked for.
    """
    lines = []
    for measured in comparison.measurements:
        for measure, unit, values in _measures(measured.latencies):
            if values:
                lines.append(
                    {"variant": measured.variant.name, "measure": measure, "unit": unit, **_describe(values, unit)}
                )
    return lines


def write_latency(comparison: Comparison) -> str:
    """The same for a terminal."""
    lines = tabulate_latency(comparison)
    if not lines:
        return "No generation was timed."
    heads = ("variant", "measure", "p50", "95 % interval", "p90", "p99", "n")
    cells = [heads, *(_write(line) for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    aligned = (
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in aligned)


def _measures(latencies: Sequence[Latency]) -> list[tuple[str, str, list[float]]]:
    own = own_latencies(latencies)
    found = [("first token", "ms", _ttft(own))]
    found += [(f"first token, {name}", "ms", _ttft(group)) for name, group in _buckets(own)]
    made = [one for one in latencies if one.made]
    for length in sorted({one.prompt_tokens for one in made}):
        group = [one for one in made if one.prompt_tokens == length and one.batch == 1]
        found.append((f"first token, cut to {length} tokens", "ms", _ttft(group)))
    found.append(("decoding", "tokens/s", _speeds(own)))
    halves = [pair for one in own if (pair := decode_speeds_by_position(one)) is not None]
    found += [("decoding, first half", "tokens/s", [early for early, _ in halves])]
    found += [("decoding, second half", "tokens/s", [late for _, late in halves])]
    for batch in sorted({one.batch for one in latencies} - {1}):
        group = [one for one in latencies if one.batch == batch]
        found.append((f"first token, {batch} at once", "ms", _ttft(group)))
        found.append((f"decoding, {batch} at once", "tokens/s", _speeds(group)))
    energy = [one.energy_j / one.new_tokens for one in own if one.energy_j is not None]
    return [*found, ("energy a new token, whole machine", "J", energy)]


def _buckets(own: Sequence[Latency]) -> list[tuple[str, list[Latency]]]:
    """Groups of like prompt length, none where all prompts are of one length."""
    lengths = sorted({one.prompt_tokens for one in own})
    count = min(BUCKETS, len(lengths))
    if count < 2:
        return []
    edges = [lengths[round(index * len(lengths) / count)] for index in range(count)]
    groups = []
    for index, low in enumerate(edges):
        within = [n for n in lengths if n >= low and (index + 1 == count or n < edges[index + 1])]
        name = f"{within[0]} to {within[-1]} tokens" if len(within) > 1 else f"{within[0]} tokens"
        groups.append((name, [one for one in own if one.prompt_tokens in within]))
    return groups


def _ttft(latencies: Sequence[Latency]) -> list[float]:
    return [1000 * one.ttft_s for one in latencies]


def _speeds(latencies: Sequence[Latency]) -> list[float]:
    return [speed for one in latencies if (speed := decode_speed(one)) is not None]


def _describe(values: Sequence[float], unit: str) -> dict[str, Any]:
    slow = (0.1, 0.01) if unit == "tokens/s" else (0.9, 0.99)
    low, high = interval_of_median(values) or (None, None)
    return {
        "n": len(values),
        "p50": quantile(values, 0.5),
        "p50_low": low,
        "p50_high": high,
        "p90": quantile(values, slow[0]),
        "p99": quantile(values, slow[1]),
    }


def _write(line: dict[str, Any]) -> tuple[str, ...]:
    interval = "–" if line["p50_low"] is None else f"{line['p50_low']:.4g} to {line['p50_high']:.4g}"
    figures = (
        f"{line['p50']:.4g} {line['unit']}",
        interval,
        f"{line['p90']:.4g}",
        f"{line['p99']:.4g}",
        str(line["n"]),
    )
    return (line["variant"], line["measure"], *figures)
