"""`figure(object, kind)`: the one door to all plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from phinb.data.preview import Preview
from phinb.errors import PhinbError
from phinb.evaluation.results import Comparison
from phinb.plots.confusion import plot_confusion
from phinb.plots.labels import plot_labels
from phinb.plots.latency import plot_latency
from phinb.plots.lengths import plot_lengths
from phinb.plots.loss import plot_loss
from phinb.plots.padding import plot_padding
from phinb.plots.parallel import plot_parallel
from phinb.plots.quality_latency import plot_quality_latency
from phinb.plots.stages import plot_stages
from phinb.plots.template import Palette, choose_palette
from phinb.types import RunState
from phinb.workflow.sweep import Sweep

if TYPE_CHECKING:
    import plotly.graph_objects as go

Plot = Callable[[Any, Palette], "go.Figure"]

KINDS: Mapping[type, Mapping[str, Plot]] = {
    Comparison: {
        "quality_latency": plot_quality_latency,
        "stages": plot_stages,
        "latency": plot_latency,
        "confusion": plot_confusion,
    },
    Preview: {"lengths": plot_lengths, "labels": plot_labels, "padding": plot_padding},
    RunState: {"loss": plot_loss},
    Sweep: {"parallel": plot_parallel},
}


def figure(source: Any, kind: str, *, dark: bool | None = None) -> go.Figure:
    """A plotly figure of a Comparison, a Preview, a RunState, or whatever has a RunState as `state` (a run).

    kind: quality_latency, stages, latency or confusion for a comparison; lengths, labels or padding for a preview;
    loss for a run, parallel for a sweep. dark: the theme it is for; None gives colours that can be read on both.

    Raises PhinbError for an unknown kind or object, and where there is nothing to show yet.
    """
    state = getattr(source, "state", None)
    shown = state if isinstance(state, RunState) else source  # a sweep's is another
    known = next((kinds for kind_of, kinds in KINDS.items() if isinstance(shown, kind_of)), None)
    if known is None:
        raise PhinbError(
            f"There is no figure of a {type(source).__name__}.",
            "Give a comparison, a preview or a run: phinb.figure(comparison, kind).",
        )
    if kind not in known:
        raise PhinbError(f"There is no figure {kind!r} of this object.", f"The kinds are: {', '.join(known)}.")
    return known[kind](shown, choose_palette(dark))
