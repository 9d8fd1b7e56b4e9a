"""What each kind of plot shows, as rows of figures: its table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from phinb.data.length_bars import count_lengths
from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.choice import Choice
from phinb.evaluation.results import Comparison
from phinb.evaluation.wording import size
from phinb.plots.confusion import tabulate_confusion
from phinb.plots.history import tabulate_history
from phinb.plots.latency import tabulate_latency
from phinb.plots.selection import placed
from phinb.plots.stages import tabulate_stages
from phinb.plots.ttft_by_length import tabulate_ttft_by_length
from phinb.types import RunState
from phinb.workflow.sweep import Sweep

if TYPE_CHECKING:
    import pandas

Rows = list[dict[str, Any]]


def tabulate_quality_latency(comparison: Comparison) -> Rows:
    """A row a variant: accuracy with its 95 % interval as shares of n rows, ttft_ms_p50, decode_tokens_per_s, and the
    bytes that it needs on disk (an adapter's with its base's)."""
    summaries = placed(comparison)
    base = next((summary.size_bytes or 0 for summary in summaries if summary.kind == "base"), 0)
    keys = ("accuracy", "accuracy_low", "accuracy_high", "n", "ttft_ms_p50", "ttft_ms_p90", "decode_tokens_per_s")
    return [
        {"variant": summary.name}
        | {key: getattr(summary, key) for key in keys}
        | {"needs_bytes": (summary.size_bytes or 0) + (base if summary.kind == "adapter" else 0)}
        for summary in summaries
    ]


def tabulate_choice(choice: Choice) -> Rows:
    """As of its comparison, with whether the variant meets all constraints, and whether it is the chosen one."""
    if choice.comparison is None:
        raise PhinbError("This choice has no comparison to draw.", "Choose again: phinb.choose(comparison, ...).")
    return [
        {**row, "fits": row["variant"] not in choice.failing, "chosen": row["variant"] == choice.variant}
        for row in tabulate_quality_latency(choice.comparison)
    ]


def tabulate_lengths(preview: Preview) -> Rows:
    """A row a bar: from and up to how many tokens (None: no end), and how many rows of the data have them."""
    stats = preview.stats
    if not stats.lengths:
        raise PhinbError("No row has been counted, so there is nothing to plot.", "Look at the preview's problems.")
    joins = preview.scan is not None and preview.scan.recipe.joins
    bars = count_lengths(np.asarray(stats.lengths, dtype=np.int64), None if joins else stats.max_seq_len)
    return [{"from_tokens": max(bar.start, 0), "to_tokens": bar.stop, "rows": bar.rows} for bar in bars]


def tabulate_labels(preview: Preview) -> Rows:
    """A row a label, the most frequent first, with its rows and its share of all."""
    total = sum(preview.stats.labels.values())
    return [{"label": label, "rows": count, "share": count / total} for label, count in preview.stats.labels.items()]


def tabulate_padding(preview: Preview) -> Rows:
    """A row a way of making batches, with padding's share of the tokens of a step."""
    return [{"batches": way, "share": share} for way, share in dict(preview.stats.padding).items()]


def tabulate_loss(state: RunState) -> Rows:
    """A row a logged loss: pass, step, loss and eval_loss in nats a token, None where that was not logged."""
    return [
        {
            "pass": one.pass_name,
            "step": one.step,
            "loss": one.values.get("loss"),
            "eval_loss": one.values.get("eval_loss"),
        }
        for one in state.metrics
        if {"loss", "eval_loss"} & set(one.values)
    ]


def tabulate_parallel(sweep: Sweep) -> Rows:
    """A row a run of the sweep that is done: its values, its seed, and the objective."""
    objective = sweep.record.objective
    return [
        {**one.values, "seed": one.seed, objective: one.metrics[objective]}
        for one in sweep.trials
        if objective in one.metrics and one.status == "done"
    ]


TABLES: Mapping[type, Mapping[str, Callable[[Any], Rows]]] = {
    Comparison: {
        "quality_latency": tabulate_quality_latency,
        "stages": tabulate_stages,
        "latency": tabulate_latency,
        "ttft_by_length": tabulate_ttft_by_length,
        "confusion": tabulate_confusion,
        "history": tabulate_history,
    },
    Choice: {"quality_latency": tabulate_choice},
    Preview: {"lengths": tabulate_lengths, "labels": tabulate_labels, "padding": tabulate_padding},
    RunState: {"loss": tabulate_loss, "history": tabulate_history},
    Sweep: {"parallel": tabulate_parallel},
}


def frame_of(rows: Rows) -> pandas.DataFrame:
    """The rows as a frame; a column of numbers has NaN where one is not known."""
    import pandas

    return pandas.DataFrame(rows)


def write_rows(rows: Rows) -> tuple[list[str], list[list[str]], list[bool]]:
    """The same to be read: the columns' names, the cells as texts, and which columns hold numbers."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_write_cell(key, row.get(key)) for key in keys] for row in rows]
    numbers = [any(isinstance(row.get(key), int | float) for row in rows) for key in keys]
    return [key.replace("_", " ") for key in keys], cells, numbers


def _write_cell(key: str, value: Any) -> str:
    """A figure as it is read; a dash where it is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if key == "started":
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(value))
    if key.endswith("bytes"):
        return size(round(value))
    if key.startswith("accuracy") or key == "share":
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return f"{value:,}" if key != "step" else str(value)
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
