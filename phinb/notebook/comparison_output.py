"""What a finished comparison shows: its table, and quality against latency as a plotly figure."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phinb.errors import PhinbError
from phinb.notebook.failure import WaitingEnded
from phinb.notebook.host import show
from phinb.notebook.waiting import wait_in_text, waiting_ended_text
from phinb.types import Event, RunState
from phinb.workflow.narration import Chronicle
from phinb.workflow.runner import Run
from phinb.workflow.state import reduce
from phinb.workflow.view import Button, View, describe_run

if TYPE_CHECKING:
    from phinb.evaluation.comparison import Comparison

PLOTLY_MIME = "application/vnd.plotly.v1+json"
TABS = {
    "quality_latency": "quality and latency",
    "stages": "stages",
    "latency": "latency",
    "ttft_by_length": "by prompt length",
    "confusion": "confusion",
    "history": "history",
}


def comparison_bundle(comparison: Comparison) -> dict[str, Any]:
    """The table, with what each stage gained and lost."""
    return {"text/html": comparison.to_html(), "text/plain": comparison.to_text()}


def figure_bundle(comparison: Comparison) -> dict[str, Any]:
    """The comparison's plots, a button each, for JupyterLab's own renderer: no script and no picture in the notebook.

    A plot that has nothing to show has no button. The text twin is all that a reader without plotly gets; the table
    above it has the figures.
    """
    from phinb.plots.figures import figure
    from phinb.plots.tabs import join_figures
    from phinb.plots.template import choose_palette

    drawn = {}
    for kind, label in TABS.items():
        with contextlib.suppress(PhinbError):
            drawn[label] = figure(comparison, kind)
    text = "\n".join(comparison.sentences())
    if not drawn:
        return {"text/plain": text}
    bundle = plotly_bundle(join_figures(drawn, choose_palette(None)), text)
    # Plotly's own buttons would lie on these.
    bundle[PLOTLY_MIME]["config"] = {**bundle[PLOTLY_MIME].get("config", {}), "displayModeBar": False}
    return bundle


def plotly_bundle(drawn: Any, text: str) -> dict[str, Any]:
    """A plotly figure with its text twin."""
    import plotly.io

    bundle: dict[str, Any] = dict(plotly.io.renderers["plotly_mimetype"].to_mimebundle(drawn.to_dict()))
    return {PLOTLY_MIME: bundle[PLOTLY_MIME], "text/plain": text}


def has_figure(comparison: Comparison) -> bool:
    """Whether any variant was measured: an empty plot would only puzzle."""
    return any(not summary.error for summary in comparison.summaries)


def describe_comparison(state: RunState, waiting: str, stopping: bool, now: float | None = None) -> View:
    """The view of a comparison in progress, whose events are those of a run with variants in the place of passes.

    `waiting` is the status of the run that is waited for, or "" once measuring has begun.
    """
    view = describe_run(state, now=now)
    status = "stopping" if stopping else f"waiting for the run ({waiting})" if waiting else "measuring"
    if state.ended:
        status = view.status_text
    buttons = () if state.ended else (Button("stop", "Stop", "End measuring; what is measured is kept", not stopping),)
    return replace(
        view,
        name=f"{state.name} compared",
        status_text=status,
        tone=view.tone if state.ended else "warn" if stopping else "dim" if waiting else "run",
        buttons=buttons,
        note="" if state.ended else "each variant in a process of its own; results are kept",
        lost_note=f"the kernel is silent; if it is gone, %olive_compare {state.run_id} goes on from what is measured",
    )


def measure(
    run: Run,
    rows: Any,
    on_state: Callable[[RunState], None],
    should_stop: Callable[[], bool],
    asked: Mapping[str, Any] | None = None,
) -> Comparison:
    """phinb.compare with its events reduced: `on_state` gets the state after each. asked: its other arguments."""
    from phinb.api import compare

    state = RunState(run_id=run.id, name=run.name, status="running", started_at=time.time())

    def take(event: Event) -> None:
        nonlocal state
        # The comparison has a name and an id of its own; to the reader it is the run's.
        state = replace(reduce(state, event), run_id=run.id, name=run.name, started_at=state.started_at)
        if not state.ended:
            state = replace(state, status="running")
        on_state(state)

    return compare(run, rows=rows, on_event=take, should_stop=should_stop, **(asked or {}))


def compare_in_text(run: Run, rows: Any, asked: Mapping[str, Any] | None = None) -> None:
    """Wait for the run, measure, and show the result: for notebooks that run alone and for terminals."""
    if not run.state.ended:
        print(f"{run.name}: waiting for run {run.id}")
        wait_in_text(run, Chronicle())
    chronicle = Chronicle()
    try:
        comparison = measure(run, rows, chronicle.tell, lambda: False, asked)
    except KeyboardInterrupt:
        text = "The comparison was interrupted; what was measured is kept, and the same line goes on from there."
        raise WaitingEnded(text if run.state.ended else waiting_ended_text(run)) from None
    show(comparison_bundle(comparison))
    if has_figure(comparison):
        show(figure_bundle(comparison))
    else:
        errors = [summary.error for summary in comparison.summaries if summary.error]
        raise PhinbError("No variant could be measured.", errors[0] if errors else "")
