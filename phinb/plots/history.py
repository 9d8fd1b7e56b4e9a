"""The runs of one configuration's name over time: the quality, speed and size that each run's last comparison found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.evaluation.colours import Look, choose_looks
from phinb.evaluation.history import PastRun, hash_task, read_history
from phinb.evaluation.results import Comparison
from phinb.plots.template import Palette, label_of, log_ticks, make_template, spans_decades, title_of, top_margin
from phinb.types import RunState
from phinb.workflow.wording import agree, write_count

if TYPE_CHECKING:
    import plotly.graph_objects as go

PANELS = (
    ("accuracy", 100.0, "accuracy, %"),
    ("ttft_ms_p50", 1.0, "first token, ms"),
    ("size_bytes", 1e-6, "size, MB"),
)
SPREAD = 0.5
"""Of the room between two runs, how much their variants take."""


def plot_history(source: Comparison | RunState, palette: Palette) -> go.Figure:
    """x: runs, the oldest first; above each other accuracy in % with its 95 % interval, first token in ms, size in MB.

    A line joins only what may be held against each other: accuracy on the same task and rows' answers, speed on the
    same machine besides.
    """
    from plotly.subplots import make_subplots

    rows = tabulate_history(source)
    runs = list(dict.fromkeys(row["run"] for row in rows))
    looks = choose_looks(dict.fromkeys((row["variant"], row["kind"]) for row in rows))
    figure = make_subplots(rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for number, (key, scale, text) in enumerate(PANELS, 1):
        known = [row[key] * scale for row in rows if row[key] is not None]
        log = key != "accuracy" and spans_decades(known, 8.0)
        for place, (name, look) in enumerate(looks.items()):
            aside = SPREAD * ((place + 0.5) / len(looks) - 0.5)
            own = [row for row in rows if row["variant"] == name and row[key] is not None]
            _add_variant(figure, number, own, [runs.index(row["run"]) + aside for row in own], look, palette)
        figure.update_yaxes(
            row=number,
            title={"text": text},
            type="log" if log else "linear",
            **(log_ticks(known) if log else {}),
            range=_span_intervals(rows) if key == "accuracy" else None,
            rangemode="normal" if log else "tozero",
        )
    ticks = [_write_time(next(row["started"] for row in rows if row["run"] == run)) for run in runs]
    every = -(-len(runs) // 8)
    figure.update_xaxes(
        range=[-0.6, len(runs) - 0.4], showgrid=False, tickvals=list(range(len(runs)))[::every], ticktext=ticks[::every]
    )
    legend = ", ".join(f"{look.mark} {name}" for name, look in looks.items())
    title = title_of(f"History of {name_of(source)}", " · ".join([*_describe(source, rows), legend]))
    figure.update_layout(
        template=make_template(palette), title=title, height=580 + top_margin(title), margin={"t": top_margin(title)}
    )
    return figure


def name_of(source: Comparison | RunState) -> str:
    """The name that the runs share. Raises PhinbError where there is none."""
    if not source.name:
        raise PhinbError("It has no name, so its earlier runs cannot be found.", "Give a run: phinb.open_run(ID).")
    return source.name


def tabulate_history(source: Comparison | RunState) -> list[dict[str, Any]]:
    """A row a run and variant: run, started (Unix seconds), variant, kind, accuracy with its 95 % interval, n,
    ttft_ms_p50, size_bytes, task (rows of one value were asked the same), machine.

    Raises PhinbError where no run of that name has a comparison.
    """
    past, _ = read_history(name_of(source))
    rows = [row for one in past for row in _rows_of(one)]
    if not rows:
        raise PhinbError(f"No run of {name_of(source)} has been compared yet.", "phinb.compare(run) makes a beginning.")
    return rows


def _rows_of(past: PastRun) -> list[dict[str, Any]]:
    task, machine = hash_task(past.comparison), past.comparison.settings["machine"]
    return [
        {
            "run": past.record.run_id,
            "started": past.record.created,
            "variant": summary.name,
            "kind": summary.kind,
            "accuracy": summary.accuracy,
            "accuracy_low": summary.accuracy_low,
            "accuracy_high": summary.accuracy_high,
            "n": summary.n,
            "ttft_ms_p50": summary.ttft_ms_p50,
            "size_bytes": summary.size_bytes,
            "task": task,
            "machine": f"{machine['processor']}, {machine.get('cores') or '?'} cores",
        }
        for summary in past.comparison.summaries
        if not summary.error
    ]


def _describe(source: Comparison | RunState, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """`n 120 · AMD EPYC, 2 cores · 3 runs of this name · ...`; what differs between them is said."""
    sizes, machines, tasks = ({row[key] for row in rows} for key in ("n", "machine", "task"))
    counted = sorted(size for size in sizes if size)
    n = "n unknown" if not counted else f"n {counted[0]}" + (f" to {counted[-1]}" if len(counted) > 1 else "")
    runs, without = len({row["run"] for row in rows}), read_history(name_of(source))[1]
    parts = [n, machines.pop() if len(machines) == 1 else write_count(len(machines), "machine")]
    parts.append(f"{write_count(runs, 'run')} of this name, the last comparison of each")
    if without:
        parts.append(f"{write_count(without, 'more run')} {agree(without, 'has', 'have')} none")
    joined = "lines join the same template, labels and answers"
    parts.append(joined if len(tasks) == 1 else f"{joined}: here are {len(tasks)} different tasks")
    return parts


def _add_variant(
    figure: go.Figure,
    panel: int,
    rows: Sequence[Mapping[str, Any]],
    places: Sequence[float],
    look: Look,
    palette: Palette,
) -> None:
    """One variant in one panel: a trace a task (and machine, where it is about speed)."""
    key, scale, _ = PANELS[panel - 1]
    colour = palette.colour(look)
    groups: dict[tuple[str, str], list[int]] = {}
    for index, row in enumerate(rows):
        group = {"accuracy": (row["task"], ""), "ttft_ms_p50": (row["task"], row["machine"])}.get(key, ("", ""))
        groups.setdefault(group, []).append(index)
    for members in groups.values():
        own = [rows[index] for index in members]
        values = [row[key] * scale for row in own]
        error = None
        if key == "accuracy":
            error = {
                "array": [100 * row["accuracy_high"] - value for row, value in zip(own, values, strict=True)],
                "arrayminus": [value - 100 * row["accuracy_low"] for row, value in zip(own, values, strict=True)],
                "color": colour,
                "thickness": 1.3,
                "width": 3,
            }
        figure.add_scatter(
            x=[places[index] for index in members],
            y=values,
            name=label_of(own[0]["variant"]),
            mode="lines+markers",
            line={"color": colour, "width": 1, "dash": "dot"},
            marker={"size": 9, "color": colour, "symbol": look.symbol},
            error_y=error,
            customdata=[f"{label_of(row['run'])}, n {row['n']}" for row in own],
            hovertemplate=f"<b>{label_of(own[0]['variant'])}</b> %{{y:.4~g}}<br>%{{customdata}}<extra></extra>",
            row=panel,
            col=1,
        )


def _span_intervals(rows: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """In %, with room for the intervals' ends; None where no accuracy is known."""
    lows = [100 * row["accuracy_low"] for row in rows if row["accuracy_low"] is not None]
    highs = [100 * row["accuracy_high"] for row in rows if row["accuracy_high"] is not None]
    return [max(-4.0, min(lows) - 6), min(104.0, max(highs) + 6)] if lows and highs else None


def _write_time(seconds: float) -> str:
    """`24 Nov<br>21:46`, the local time"""
    return time.strftime("%d %b<br>%H:%M", time.localtime(seconds))
